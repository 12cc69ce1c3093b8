"""What is called nothing although its module is busy."""

from __future__ import annotations

import pytest
from tests.obs.collector.conftest import Target

from ancestry_obs.collector import Expectation, SelfMetrics
from ancestry_obs.collector.idle_targets import BUSY_CALLS
from ancestry_obs.collector.reading import Reading
from ancestry_obs.recording import Store

BUSY = Target("a:busy", "installed", BUSY_CALLS, ("a:*",))


def idle(*targets, expected=("a:*", "b:g"), **more):
    return {*Expectation(expected, **more).idle(targets)}


def test_a_target_that_nobody_calls_in_a_busy_module():
    assert idle(BUSY, Target("a:f", "installed", 0, ("a:*",))) == {"a:f"}


@pytest.mark.parametrize(
    "target",
    [
        Target("a:f", "installed", 1, ("a:*",)),
        Target("a:f", "pending", 0, ("a:*",)),
        Target("a:f", "error", 0, ("a:*",)),
        Target("b:g", "installed", 0, ("b:g",)),
        Target("ab:g", "installed", 0, ("a:*",)),
    ],
    ids=["called", "not imported", "in error", "of another module", "of one like it"],
)
def test_others_are_not(target):
    assert idle(BUSY, target) == set()


def test_a_module_is_busy_by_the_calls_of_all_its_targets():
    few = [Target(f"a:{n}", "installed", BUSY_CALLS // 4, ("a:*",)) for n in range(4)]
    waiting = Target("a:f", "installed", 0, ("a:*",))
    assert idle(*few, waiting) == {"a:f"}
    assert idle(*few[1:], waiting) == set()


def test_calls_from_before_the_map_make_no_module_busy():
    waiting = Target("a:f", "installed", 0, ("a:*",))
    assert idle(BUSY, waiting, before={"a": 1}) == set()
    assert idle(BUSY, waiting, before={"a": 0, "b": 1}) == {"a:f"}


def test_one_that_is_rare_is_not_expected_to_be_called():
    assert idle(BUSY, Target("a:f", "installed", 0, ("a:f",)), rare=("a:f",)) == set()
    # A glob reaches it, too, and does not say so; who names it knows better.
    assert idle(BUSY, Target("a:f", "installed", 0, ("a:f", "a:*")), rare=("a:f",)) == set()
    assert idle(BUSY, Target("a:f", "installed", 0, ("a:f", "a:*"))) == {"a:f"}


def test_the_page_tells_it():
    metrics = SelfMetrics(Store(), tuple, "1", lambda: Expectation({"a:*"}))
    targets = [BUSY, Target("a:f", "installed", 0, ("a:*",))]
    (info,) = [
        block
        for block in metrics.blocks(Reading([], {}, targets, {}, {}, {}))
        if block.name == "ancestry_obs_target"
    ]
    assert [labels for labels, _ in info.rows] == [("a:busy", "installed"), ("a:f", "idle")]
