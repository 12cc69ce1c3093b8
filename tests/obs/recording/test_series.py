from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.recording.kinds import new_series
from ancestry_obs.recording.series import (
    CounterSeries,
    GaugeSeries,
    HistogramSeries,
    InFlightSeries,
    RatioSeries,
)

BOUNDS = (0.5, 1.0, 2.0, 4.0)
FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=32)
NEAR_BOUNDS = st.sampled_from((0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, -1.0))


def take(series, chunk, how="after"):
    """Fold a chunk: first without an effect, then twice, which is to be the same as once."""
    before = {name: getattr(series, name) for name in series.__slots__}
    state, dropped = getattr(series, how)(list(chunk))
    assert {name: getattr(series, name) for name in series.__slots__} == before
    series.put(state)
    series.put(state)
    return dropped


def split(values, cuts):
    """Cut a list at some places; empty pieces are left out, as the store leaves them out."""
    edges = [0, *sorted(cut % (len(values) + 1) for cut in cuts), len(values)]
    pieces = [values[start:end] for start, end in pairwise(edges)]
    return [piece for piece in pieces if piece]


@given(st.lists(FLOATS | NEAR_BOUNDS), st.lists(st.integers(0, 50), max_size=5))
def test_folding_a_histogram_equals_counting_one_by_one(values, cuts):
    series = HistogramSeries(BOUNDS)
    dropped = sum(take(series, list(piece)) for piece in split(values, cuts))

    finite = [value for value in values if math.isfinite(value)]
    expected = [0] * (len(BOUNDS) + 1)
    for value in finite:
        expected[next((i for i, b in enumerate(BOUNDS) if value <= b), len(BOUNDS))] += 1
    assert series.counts == expected
    assert series.sum == pytest.approx(
        math.fsum(finite), rel=1e-6, abs=1e-3 + 1e30 * any(abs(value) > 1e30 for value in finite)
    )
    assert dropped == len(values) - len(finite)


@given(st.lists(st.floats(0, 9, width=32) | NEAR_BOUNDS.map(abs), min_size=1))
def test_folding_seconds_equals_folding_any_values(values):
    series, expected = HistogramSeries(BOUNDS), HistogramSeries(BOUNDS)
    assert take(series, list(values), "after_seconds") == take(expected, list(values)) == 0
    assert (series.counts, series.sum) == (expected.counts, expected.sum)


def test_seconds_that_are_none_are_dropped():
    series = HistogramSeries(BOUNDS)
    assert take(series, [math.nan, 0.25, math.inf], "after_seconds") == 2
    assert (series.counts, series.sum) == ([1, 0, 0, 0, 0], 0.25)


@given(st.lists(FLOATS | NEAR_BOUNDS), st.lists(st.integers(0, 50), max_size=5))
def test_folding_a_counter_equals_adding_one_by_one(values, cuts):
    series = CounterSeries()
    dropped = sum(take(series, list(piece)) for piece in split(values, cuts))

    good = [value for value in values if math.isfinite(value) and value >= 0]
    assert series.value == pytest.approx(math.fsum(good), rel=1e-6)
    assert dropped == len(values) - len(good)


@given(st.lists(st.sampled_from((1.0, 0.0))), st.lists(st.integers(0, 50), max_size=5))
def test_folding_a_ratio_equals_counting_hits(values, cuts):
    series = RatioSeries()
    dropped = sum(take(series, list(piece)) for piece in split(values, cuts))

    assert (series.hits, series.lookups, dropped) == (values.count(1.0), len(values), 0)
    assert series.value == (values.count(1.0) / len(values) if values else 0.0)


def test_an_observation_on_a_bound_is_in_the_bucket_of_that_bound():
    series = HistogramSeries((1.0, 2.0))
    take(series, [1.0, 2.0, 2.5])
    assert series.counts == [1, 1, 1]


def test_values_whose_sum_overflows_are_counted_all_the_same():
    series = HistogramSeries((1.0,))
    assert take(series, [1e308, 1e308]) == 0
    assert series.counts == [0, 2]


def test_a_chunk_of_nothing_finite_leaves_a_histogram_as_it_was():
    series = HistogramSeries((1.0,))
    assert take(series, [math.nan, math.inf]) == 2
    assert (series.counts, series.sum) == ([0, 0], 0.0)


def test_a_gauge_keeps_the_last_finite_value():
    series = GaugeSeries()
    for value in (1.0, 2.5, math.nan, math.inf):
        series.set(value)
    assert series.value == 2.5
    assert take(series, [1.0, math.nan, math.inf]) == 2


def test_calls_in_flight_are_those_begun_less_those_ended():
    series = InFlightSeries()
    assert take(series, [1.0, 1.0, -1.0, 1.0]) == 0
    assert series.value == 2


def test_steps_and_hits_that_are_neither_are_dropped():
    in_flight, ratio = InFlightSeries(), RatioSeries()
    assert take(in_flight, [1.0, 7.0, math.nan]) == 2
    assert take(ratio, [1.0, 0.5, math.nan]) == 2
    assert (in_flight.value, ratio.lookups) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("histogram", HistogramSeries),
        ("counter", CounterSeries),
        ("gauge", GaugeSeries),
        ("ratio", RatioSeries),
        ("in_flight", InFlightSeries),
    ],
)
def test_each_metric_type_has_its_series(kind, expected, make_metric):
    assert type(new_series(make_metric(kind, buckets=(1.0,)))) is expected
