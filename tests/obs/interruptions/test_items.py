"""Interrupted items: one that is handed over is recorded by all or none, and so are a call's."""

from __future__ import annotations

import os

import pytest
from tests.obs.compiler.conftest import Loom
from tests.obs.interruptions.conftest import AlarmError
from tests.obs.interruptions.test_calls import Request, is_ours

STEP = 1 if os.environ.get("EVERY_INTERRUPTION") else 7
COUNT = 3


def is_ours_or_here(code):
    return is_ours(code) or code.co_filename == __file__


def hand_over(request):
    yield "a"
    got = yield request
    yield got


def hand_over_inside(request):
    yield from hand_over(request)


def answer(request):
    return [request, request, request]


def rest(loom):
    """Give the counts of all items, when nothing is under way any more."""
    loom.store.fold()
    assert loom.store.evaluating == {}
    assert not loom.store._folding
    return {
        family.spec.name: sum(getattr(each, "value", 0) or sum(getattr(each, "counts", ()))
                              for _, each in family.series())
        for family in loom.store.families()
    }  # fmt: skip


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("way", ["inline", "call"])
@pytest.mark.parametrize("function", [hand_over, hand_over_inside])
def test_items_that_are_handed_over(everywhere, function, way, is_known):
    for interruption in everywhere(is_ours_or_here, least=30, step=STEP):
        loom = Loom(way=way)
        loom.metric("items_total", kind=9)
        loom.metric("seconds", "histogram", name=9)
        loom.metric("handed", "histogram")
        woven = loom.weave(
            function,
            loom.record("items_total", on="item", kind="type_name(item)"),
            loom.record("seconds", on="item", name="request.name"),
            loom.record("handed", value="items"),
        ).function
        for _ in range(is_known):
            list(woven(Request("Ann")))
        before = rest(loom)
        struck = None
        handed = []
        try:
            with interruption:
                # A list would take all of them at once, in C.
                for each in woven(Request("Ann")):
                    handed.append(each)  # noqa: PERF402 - see above
        except AlarmError as error:
            struck = error
        assert (struck is not None) is interruption.has_struck, interruption
        found = rest(loom)
        assert found["items_total"] == found["seconds"], (interruption, found)
        count = found["items_total"] - before["items_total"]
        # The one whose handing over was interrupted may be counted or not.
        assert len(handed) <= count <= len(handed) + 1, (interruption, found, handed)
        list(woven(Request("Ann")))
        assert rest(loom)["items_total"] == found["items_total"] + COUNT


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("way", ["inline", "call"])
def test_items_of_a_call(everywhere, way, is_known):
    for interruption in everywhere(is_ours_or_here, least=30, step=STEP):
        loom = Loom(way=way)
        loom.metric("calls_total")
        loom.metric("items_total", name=9)
        woven = loom.weave(
            answer,
            loom.record("calls_total"),
            loom.record("items_total", on="return", each="result", name="item.name"),
        ).function
        for _ in range(is_known):
            woven(Request("Ann"))
        struck = None
        try:
            with interruption:
                woven(Request("Ann"))
        except AlarmError as error:
            struck = error
        assert (struck is not None) is interruption.has_struck, interruption
        found = rest(loom)
        assert found["items_total"] in {COUNT * is_known, COUNT * (is_known + 1)}, interruption
        assert found["items_total"] <= found["calls_total"] * COUNT
        woven(Request("Ann"))
        assert rest(loom)["items_total"] == found["items_total"] + COUNT
        assert loom.failures == {}, interruption
