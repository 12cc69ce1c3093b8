"""One record for each item of what a call came to."""

from __future__ import annotations

import logging
import signal
import threading
from collections import OrderedDict, deque
from types import SimpleNamespace

import pytest

from ancestry_obs.exceptions import CompileError
from ancestry_obs.recording.items import MOST_ITEMS, items_of


def written(statuses, error=None):
    if error is not None:
        raise error
    return SimpleNamespace(items=[{"status": status, "size": 2} for status in statuses])


@pytest.fixture
def by_status(loom):
    """Weaves a counter and a histogram of the items, beside a counter of calls."""

    def make(original=written, **wishes):
        loom.metric("calls_total")
        loom.metric("items_total", status=9)
        loom.metric("sizes", "histogram", status=9, buckets=(1, 5))
        each = {"on": "return", "each": "result.items", "status": "item['status']"}
        return loom.weave(
            original,
            loom.record("calls_total"),
            loom.record("items_total", **each),
            loom.record("sizes", value="item['size']", **each),
            **wishes,
        )

    return make


def test_each_item_is_recorded_and_the_call_once(by_status, loom):
    woven = by_status()
    result = woven.function([201, 201, 409])
    assert len(result.items) == 3
    woven.function([])
    assert loom.read("items_total") == {("201",): 2, ("409",): 1}
    assert loom.read("sizes") == {("201",): (2, 4.0), ("409",): (1, 2.0)}
    assert (loom.read("calls_total"), woven.calls()) == ({(): 2}, 2)
    assert loom.failures == {}


def test_records_of_the_same_items_share_a_buffer(by_status):
    assert len(by_status().woven.recorders) == 2


def test_a_call_that_raises_has_no_items(by_status, loom):
    with pytest.raises(KeyError):
        by_status().function([201], KeyError())
    assert loom.read("items_total") == {}
    assert loom.failures == {}


def test_items_of_a_call_that_raised(loom):
    loom.metric("jobs_total", job=9, how=("success", "error"))

    def work(jobs):
        raise ValueError(jobs)

    woven = loom.weave(
        work, loom.record("jobs_total", each="jobs", job="item", how="outcome(error)")
    )
    with pytest.raises(ValueError, match="a"):
        woven.function(["a", "b", "a"])
    assert loom.read("jobs_total") == {("a", "error"): 2, ("b", "error"): 1}


@pytest.mark.parametrize("on", ["call", "exit"])
def test_items_are_those_that_came_in(loom, on):
    loom.metric("jobs_total", job=9)

    def work(jobs):
        jobs = [each.upper() for each in jobs]
        return jobs[:]

    woven = loom.weave(work, loom.record("jobs_total", on=on, each="jobs", job="item"))
    assert woven.function(("a", "b")) == ["A", "B"]
    assert loom.read("jobs_total") == {("a",): 1, ("b",): 1}


def test_an_expression_that_fails_for_an_item_costs_its_label(loom):
    loom.metric("items_total", status=9, size=9)
    record = loom.record("items_total", each="result", status="item.status", size="'s'")
    woven = loom.weave(lambda: [SimpleNamespace(status=1), None, SimpleNamespace(status=2)], record)
    woven.function()
    assert loom.read("items_total") == {("1", "s"): 1, ("error", "s"): 1, ("2", "s"): 1}
    assert sum(loom.failures.values()) == 1


def test_a_value_that_fails_for_an_item_costs_that_item(loom):
    loom.metric("sizes", "histogram")
    woven = loom.weave(lambda: [1, "a", 2], loom.record("sizes", each="result", value="item"))
    woven.function()
    assert loom.read("sizes") == {(): (2, 3.0)}
    assert [*loom.failures.values()] == [1]


def test_a_condition_chooses_items(loom):
    loom.metric("odd_total")
    record = loom.record("odd_total", each="result", when="item % 2")
    loom.weave(lambda: [1, 2, 3], record).function()
    assert loom.read("odd_total") == {(): 2}


def test_gauges_and_ratios(loom):
    loom.metric("last", "gauge")
    loom.metric("found", "ratio")
    woven = loom.weave(
        lambda: [1, 0, 3],
        loom.record("last", each="result", value="item"),
        loom.record("found", each="result", hit="item"),
    )
    woven.function()
    assert loom.read("last") == {(): 3.0}
    assert loom.read("found")[()] == pytest.approx(2 / 3)


class Pages(list):
    """What a library has of its own, and goes through as a list does."""


class Reading(list):
    """Reads from somewhere where it is gone through."""

    def __iter__(self):
        raise AssertionError


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ([1, 2], 2),
        ((1, 2), 2),
        ({1, 2}, 2),
        (frozenset({1}), 1),
        ({"a": 1, "b": 2}, 2),
        (OrderedDict(a=1), 1),
        (deque([1, 2, 3]), 3),
        ({"a": 1}.keys(), 1),
        ({"a": 1}.values(), 1),
        (OrderedDict(a=1).items(), 1),
        (Pages([1, 2, 3]), 3),
        ([], 0),
    ],
)
def test_what_is_gone_through(value, count):
    items, left_out = items_of(value)
    assert (len(items), left_out) == (count, 0)


def test_a_dict_has_its_keys():
    assert items_of({"a": 1}) == (("a",), 0)


@pytest.mark.parametrize("value", ["text", b"bytes", None, 7, iter([1]), Reading([1]), range(3)])
def test_what_is_not_gone_through_is_a_failed_expression(loom, value):
    loom.metric("items_total")
    woven = loom.weave(lambda: value, loom.record("items_total", each="result"))
    assert woven.function() is value
    woven.function()
    assert loom.read("items_total") == {}
    assert loom.failures == {("m:<lambda>", "items_total", "each"): 2}


def test_a_generator_is_left_to_who_asked_for_it(loom):
    loom.metric("items_total")
    woven = loom.weave(lambda: (each for each in "abc"), loom.record("items_total", each="result"))
    assert [*woven.function()] == ["a", "b", "c"]
    assert loom.failures == {("m:<lambda>", "items_total", "each"): 1}


def test_more_items_than_are_recorded_are_counted(loom, caplog):
    loom.metric("items_total")
    woven = loom.weave(lambda count: [None] * count, loom.record("items_total", each="result"))
    with caplog.at_level(logging.WARNING):
        for count in (MOST_ITEMS, MOST_ITEMS + 1, MOST_ITEMS + 20):
            woven.function(count)
    assert loom.read("items_total") == {(): 3 * MOST_ITEMS}
    assert dict(loom.store.left_out) == {"m:<lambda>": 21}
    (said,) = [record.getMessage() for record in caplog.records]
    assert "m:<lambda>: a call has more than 1000 items" in said


def test_a_full_buffer_is_folded(loom):
    loom.metric("items_total")
    woven = loom.weave(lambda: [None] * 600, loom.record("items_total", each="result"))
    woven.function()
    (buffer,) = woven.woven.recorders[-1].probe.snapshot()
    assert (len(buffer), buffer.folded) == (0, 600)


def test_items_that_are_evaluated_by_a_label_are_not_recorded(loom):
    """A woven property that a label reads would go on for ever."""
    loom.metric("items_total", what=9)
    calls = []

    def rows():
        calls.append(1)
        return [Row()]

    class Row:
        @property
        def what(self):
            return str(len(woven.function()))

    woven = loom.weave(rows, loom.record("items_total", each="result", what="item.what"))
    woven.function()
    assert loom.read("items_total") == {("1",): 1}
    # Once with the memo, once to teach it.
    assert len(calls) == 3


def test_what_interrupts_reaches_the_program_and_no_item_is_recorded(loom):
    class TimeoutByAlarmError(Exception):
        pass

    def ring(*_):
        raise TimeoutByAlarmError

    class Row:
        @property
        def what(self):
            signal.raise_signal(signal.SIGUSR1)
            return "a"

    loom.metric("calls_total")
    loom.metric("items_total", what=9)
    record = loom.record("items_total", each="result", what="item.what", when="item is not None")
    woven = loom.weave(lambda: [None, Row()], loom.record("calls_total"), record)
    before = signal.signal(signal.SIGUSR1, ring)
    try:
        with pytest.raises(TimeoutByAlarmError):
            woven.function()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert loom.read("items_total") == {}
    assert (loom.read("calls_total"), woven.calls()) == ({(): 1}, 1)
    assert loom.failures == {}


def test_threads_that_write_together(by_status, loom):
    function = by_status().function
    threads = [
        threading.Thread(target=lambda: [function([1, 2, 3]) for _ in range(300)]) for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert loom.total("items_total") == 4 * 300 * 3


def test_what_is_disarmed_records_nothing(by_status, loom):
    woven = by_status()
    woven.function([1])
    woven.disarm()
    woven.function([1])
    assert loom.read("items_total") == {("1",): 1}


@pytest.mark.parametrize("each", ["item", "nothing"])
def test_what_there_is_not_is_refused(loom, each):
    loom.metric("items_total")
    with pytest.raises(CompileError, match=f"unknown name '{each}'"):
        loom.weave(written, loom.record("items_total", each=each))


def test_an_item_is_known_only_with_each(loom):
    loom.metric("items_total", what=9)
    with pytest.raises(CompileError, match="unknown name 'item'"):
        loom.weave(written, loom.record("items_total", what="item"))
