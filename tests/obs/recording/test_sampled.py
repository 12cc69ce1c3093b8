"""Calls that were not timed stand beside those that were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.recording import CounterSeries, HistogramSeries, Store
from ancestry_obs.recording.sampled import UNTIMED, SampledBuffer

SECONDS = [0.0, 0.5, 0.75, 1.5, 9.0]
BOUNDS = (0.5, 1.0, 2.0)
steps = st.lists(st.one_of(st.sampled_from([UNTIMED, *SECONDS]), st.just("fold")), max_size=60)


class Sampled:
    """A buffer that feeds a histogram and a counter."""

    def __init__(self):
        self.store = Store("")
        self.histogram = HistogramSeries(BOUNDS)
        self.counter = CounterSeries()
        probe = self.store.probe("m:f")
        self.buffer = probe.open(
            0, lambda: SampledBuffer(probe, (self.histogram,), (self.counter,))
        )

    def record(self, *values):
        self.buffer.extend(values)
        self.store.fold()
        return self.histogram.counts, self.histogram.sum


@given(steps)
def test_every_call_counts_once_and_no_bucket_goes_back(steps):
    sampled, calls, known, before = Sampled(), 0, False, [0] * 4
    for step in steps:
        if step != "fold":
            sampled.buffer.append(step)
            calls += 1
            known = known or step != UNTIMED
            continue
        sampled.store.fold()
        counts = sampled.histogram.counts
        assert sampled.counter.value == calls
        # As long as nothing is known, nothing is told.
        assert sum(counts) == (calls if known else 0)
        assert all(now >= then for now, then in zip(counts, before, strict=True))
        assert sampled.store.expression_errors == {}
        before = counts


@given(steps, st.sampled_from(SECONDS))
def test_calls_that_take_the_same_make_the_histogram_that_is_true(steps, seconds):
    sampled, calls, known = Sampled(), 0, False
    for step in steps:
        if step == "fold":
            sampled.store.fold()
        else:
            sampled.buffer.append(UNTIMED if step == UNTIMED else seconds)
            known = known or step != UNTIMED
            calls += 1
    sampled.store.fold()
    exact = HistogramSeries(BOUNDS)
    exact.put(exact.after([seconds] * calls)[0] if known else (exact.counts, 0.0))
    assert sampled.histogram.counts == exact.counts
    assert sampled.histogram.sum == pytest.approx(exact.sum)


def test_what_is_timed_stands_for_what_is_not():
    sampled = Sampled()
    assert sampled.record(*[UNTIMED] * 3) == ([0, 0, 0, 0], 0.0)
    # Those that waited, too: four calls each.
    assert sampled.record(0.5, UNTIMED, UNTIMED, 1.5, UNTIMED) == ([4, 0, 4, 0], 8.0)
    # The latest that is known.
    assert sampled.record(UNTIMED, UNTIMED) == ([4, 0, 6, 0], 11.0)
    assert sampled.record(9.0) == ([4, 0, 6, 1], 20.0)


def test_where_every_call_is_timed_it_is_exact():
    assert Sampled().record(0.5, 0.75, 1.5) == ([1, 1, 1, 0], 2.75)


def test_a_series_that_is_fed_twice_gets_everything_twice():
    store, series = Store(""), HistogramSeries(BOUNDS)
    probe = store.probe("m:f")
    probe.open(0, lambda: SampledBuffer(probe, (series, series))).extend([0.5, UNTIMED])
    store.fold()
    assert (series.counts, series.sum) == ([4, 0, 0, 0], 2.0)


def test_a_fold_that_is_interrupted_goes_on(monkeypatch):
    sampled = Sampled()
    put, struck = HistogramSeries.put, []

    def interrupted(self, state):
        put(self, state)
        if not struck:
            struck.append(True)
            raise KeyboardInterrupt

    monkeypatch.setattr(HistogramSeries, "put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sampled.record(UNTIMED, 0.5, UNTIMED)
    assert sampled.record() == ([3, 0, 0, 0], 1.5)
    assert sampled.counter.value == 3
