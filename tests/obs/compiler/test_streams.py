"""Streams: records that can share a buffer do, and no others."""

from __future__ import annotations

import pytest

from ancestry_obs.compiler.streams import plan_streams
from ancestry_obs.exceptions import CompileError


def returns(value):
    return value


@pytest.fixture
def plan(loom):
    """Plans streams for records of metrics of every type."""
    loom.metric("a", user=9, path=9)
    loom.metric("b", user=9, path=("x", "y"))
    loom.metric("seconds", "histogram", user=9)
    loom.metric("size", "histogram")
    loom.metric("last", "gauge")
    loom.metric("ratio", "ratio")
    loom.metric("flying", "in_flight")

    def make(*records):
        return plan_streams(records, tuple(loom.metrics.values()), loom.store)

    return make


def test_one_append_feeds_all_metrics_of_a_moment(loom):
    loom.metric("seconds", "histogram", path=9)
    loom.metric("calls_total", path=9, ok=("yes", "no"))
    woven = loom.weave(
        returns,
        loom.record("calls_total", path="value", ok="'yes' if ok(result) else 'no'"),
        loom.record("seconds", path="value"),
    )
    woven.function("a")
    assert woven.source.count(".append(") == 1
    assert loom.read("seconds") == {("a",): (1, 1.0)}
    assert loom.read("calls_total") == {("a", "yes"): 1}


def test_free_labels_that_differ_do_not_share_a_buffer(loom):
    loom.metric("a_total", user=9)
    loom.metric("b_total", path=9)

    def f(user, path):
        return user

    woven = loom.weave(f, loom.record("a_total", user="user"), loom.record("b_total", path="path"))
    assert woven.source.count("_obs_buffer0 += (1.0,)") == 1
    assert woven.source.count("_obs_buffer1.append(1.0)") == 1


def test_a_ratio_shares_its_buffer_with_a_counter(loom):
    loom.metric("gets_total")
    loom.metric("ratio", "ratio")
    woven = loom.weave(
        returns,
        loom.record("gets_total"),
        loom.record("ratio", hit="result is not None"),
    )
    for value in (1, None, 2, 0):
        woven.function(value)
    assert loom.read("ratio") == {(): 0.75}
    assert loom.read("gets_total") == {(): 4}
    assert woven.calls() == 4


def test_counters_share_with_what_is_timed_and_keep_their_own_labels(loom, plan):
    (stream,) = plan(
        loom.record("a", user="u", path="p"),
        loom.record("seconds", user="u"),
        loom.record("b", user="u", path="'x'"),
    )
    assert stream.source == "elapsed"
    assert [str(label) for label in stream.labels] == ["u", "p", "'x'"]
    picked = [sink.pick(("1", "2", "3")) for sink in stream.sinks]
    assert picked == [("1", "2"), ("1",), ("1", "3")]
    assert [sink.counted for sink in stream.sinks] == [True, False, True]
    assert stream.counts_calls


@pytest.mark.parametrize("other", ["on", "when", "value", "hit", "gauge", "in_flight"])
def test_what_differs_keeps_records_apart(loom, plan, other):
    records = {
        "on": loom.record("b", on="return", user="u", path="'x'"),
        "when": loom.record("b", when="u", user="u", path="'x'"),
        "value": loom.record("size", value="u"),
        "hit": loom.record("ratio", hit="u"),
        "gauge": loom.record("last", value="u"),
        "in_flight": loom.record("flying", on="call"),
    }
    assert len(plan(loom.record("seconds", user="u"), records[other])) == 2


def test_the_same_record_twice_is_recorded_once(loom, plan):
    record = loom.record("a", user="u", path="p")
    (stream,) = plan(record, record)
    assert len(stream.sinks) == 1


@pytest.mark.parametrize(
    ("wishes", "counts"),
    [
        ({}, True),
        ({"on": "call"}, True),
        ({"on": "return"}, False),
        ({"on": "raise"}, False),
        ({"when": "u"}, False),
    ],
)
def test_a_stream_counts_calls_if_each_leaves_one_float(loom, plan, wishes, counts):
    (stream,) = plan(loom.record("a", user="u", path="p", **wishes))
    assert stream.counts_calls is counts


def test_a_value_that_may_fail_counts_no_calls_but_beside_a_counter(loom, plan):
    (alone,) = plan(loom.record("size", value="u"))
    assert not alone.counts_calls
    (shared,) = plan(loom.record("size", value="u"), loom.record("a", user="u", path="p"))
    assert shared.counts_calls


def test_a_metric_that_is_not_declared_is_refused(loom):
    loom.metric("a")
    with pytest.raises(CompileError, match="'a' is not among the advice's metrics"):
        plan_streams([loom.record("a")], (), loom.store)
