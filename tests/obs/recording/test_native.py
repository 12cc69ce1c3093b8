"""Native histograms: the buckets are those of Prometheus' specification, whatever is observed."""

from __future__ import annotations

import math
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.mapfile.specs import NativeSpec
from ancestry_obs.recording.bucket_counts import Counts
from ancestry_obs.recording.native import (
    Buckets,
    ImpliedBounds,
    NativeHistogramSeries,
    added,
    key_of,
    schema_of,
    upper_bound,
)

THRESHOLD = 2.0**-128
schemas = st.integers(-4, 8)
positive = st.floats(1e-300, 1e300)
finite = st.floats(allow_nan=False, allow_infinity=False)


def buckets_of(values, schema=3, threshold=THRESHOLD):
    """Count as the specification has it, one value after the other."""
    zero = sum(abs(value) <= threshold for value in values)
    above = Counter(key_of(value, schema) for value in values if value > threshold)
    below = Counter(key_of(-value, schema) for value in values if value < -threshold)
    return Buckets(schema, threshold, zero, Counts.of(above), Counts.of(below))


def series_of(values, clock=lambda: 0.0, **spec):
    series = NativeHistogramSeries(NativeSpec(**spec), clock=clock)
    for chunk in values:
        state, dropped = series.after([*chunk])
        assert not dropped
        series.put(state)
    return series


@pytest.mark.parametrize(
    ("factor", "schema"),
    [
        # client_golang, TestNativeHistogram and its documentation of the bucket factor.
        (1.0028, 8), (1.003, 8), (1.0054, 8), (1.0055, 7), (1.1, 3), (1.2, 2), (1.5, 1), (2, 0),
        (3, 0), (4, -1), (16, -2), (256, -3), (65536, -4), (1e300, -4),
    ],
)  # fmt: skip
def test_the_schema_is_the_coarsest_whose_factor_is_not_above_that_which_is_wished(factor, schema):
    assert schema_of(factor) == schema
    if -4 < schema < 8:
        assert 2**2**-schema <= factor < 2**2 ** -(schema - 1)


@pytest.mark.parametrize(
    ("value", "schema", "key"),
    [
        # Prometheus, "Native Histograms": the bucket of index 0 ends at 1, which is in it.
        (1.0, 0, 0), (1.0, 3, 0), (1.0, 8, 0), (1.0, -4, 0), (math.nextafter(1, 2), 0, 1),
        (math.nextafter(1, 2), 8, 1), (math.nextafter(1, 2), -4, 1), (0.5, 0, -1), (0.5, 2, -4),
        (2.0, 0, 1), (2.0, 2, 4), (2.0, -1, 1), (4.0, -1, 1), (4.1, -1, 2), (1.1, 3, 2),
        (1.09, 3, 1), (65536.0, -4, 1), (65537.0, -4, 2), (3.0, 1, 4), (1e-3, 0, -9),
    ],
)  # fmt: skip
def test_values_are_in_the_buckets_that_are_published(value, schema, key):
    assert key_of(value, schema) == key


@pytest.mark.parametrize(
    ("schema", "bounds"),
    [
        # client_golang's table of fractions, of which each is a bound times one half.
        (1, (0.5, 0.7071067811865475)),
        (2, (0.5, 0.5946035575013605, 0.7071067811865475, 0.8408964152537144)),
        (3, (0.5, 0.5452538663326288, 0.5946035575013605, 0.6484197773255048,
             0.7071067811865475, 0.7711054127039704, 0.8408964152537144, 0.9170040432046711)),
    ],
)  # fmt: skip
def test_the_bounds_are_those_that_are_published(schema, bounds):
    # Its table was made with another rounding of the last digit.
    found = [upper_bound(key - len(bounds), schema) for key in range(len(bounds))]
    assert found == pytest.approx(bounds, rel=3e-16)


@given(value=positive, schema=schemas)
def test_a_value_is_above_the_bucket_before_its_own_and_not_above_its_own(value, schema):
    key = key_of(value, schema)
    assert value <= upper_bound(key, schema) or upper_bound(key, schema) == sys.float_info.max
    assert upper_bound(key - 1, schema) < value


@given(chunks=st.lists(st.lists(finite, min_size=1), min_size=1), schema=schemas)
def test_chunks_come_to_what_their_values_come_to(chunks, schema):
    factor = 1.0001 * 2.0**2.0**-schema
    series = series_of(chunks, factor=factor, max_buckets=10_000)
    values = [value for chunk in chunks for value in chunk]
    assert series.buckets == buckets_of(values, schema)
    assert series.buckets.observations == len(values)


@given(chunks=st.lists(st.lists(finite, min_size=1), min_size=1), most=st.integers(1, 8))
def test_there_are_no_more_buckets_than_are_allowed_and_no_value_is_lost(chunks, most):
    series = series_of(chunks, max_buckets=most)
    found = series.buckets
    values = [value for chunk in chunks for value in chunk]
    assert len(found.positive) + len(found.negative) <= most or found.schema == -4
    assert found == buckets_of(values, found.schema)


def test_a_chunk_is_worked_out_without_an_effect_and_can_be_put_twice():
    series = series_of([[0.5, 1.0, -3.0]])
    before = series.buckets, series.sum
    state, dropped = series.after([2.0, math.nan, math.inf])
    assert dropped == 2
    assert (series.buckets, series.sum) == before
    after, _ = series.after([4.0], state)
    series.put(after)
    series.put(after)
    assert series.buckets == buckets_of([0.5, 1.0, -3.0, 2.0, 4.0])
    assert series.sum == 4.5


def test_nothing_but_what_is_dropped_changes_nothing():
    series = series_of([[0.5]])
    state, dropped = series.after([math.nan])
    assert (state[1], dropped) == (series.buckets, 1)


def test_classic_buckets_beside_them_count_the_same_values():
    series = NativeHistogramSeries(NativeSpec(), (1.0, 2.0))
    for chunk in ([0.5, 1.5], [3.0, 1.0]):
        series.put(series.after(chunk)[0])
    assert series.classic.counts == [2, 1, 1]
    assert series.buckets.observations == 4


class TestTooManyBuckets:
    """What client_golang does, in its order: begin anew, widen the zero bucket, halve."""

    VALUES = (0.001, 0.01, 0.1, 1.0, 10.0)

    def test_the_resolution_is_halved_until_there_are_few_enough(self):
        series = series_of([self.VALUES], factor=1.1, max_buckets=4)
        # With 4 ** 2 ** n from one bound to the next, the least n that leaves four.
        assert series.buckets == buckets_of(self.VALUES, -2)

    def test_the_zero_bucket_takes_in_what_is_next_to_zero_as_far_as_it_may(self):
        series = series_of([self.VALUES], factor=2, max_buckets=4, max_zero_threshold=0.002)
        counts = Counts.of({-6: 1, -3: 1, 0: 1, 4: 1})
        assert series.buckets == Buckets(0, 2.0**-9, 1, counts, Counts())
        # The next one would be further away than is allowed.
        series.put(series.after([100.0])[0])
        assert series.buckets.schema < 0
        assert series.buckets.zero == 1
        assert series.buckets.observations == 6

    def test_it_begins_anew_with_its_first_resolution_once_that_was_long_enough_ago(self):
        now = [100.0]
        series = series_of(
            [self.VALUES], lambda: now[0], factor=2, max_buckets=4, min_reset_seconds=60
        )
        assert series.buckets.schema == -2
        now[0] = 159.0
        series.put(series.after([1e6])[0])
        assert series.buckets.observations == 6
        now[0] = 160.0
        series.put(series.after([1e9, 1e-9])[0])
        assert series.buckets == buckets_of([1e9, 1e-9], 0)
        assert series.sum == 1e9 + 1e-9

    @pytest.mark.parametrize("way", [{}, {"max_zero_threshold": 1.0}])
    def test_once_it_has_been_reduced_it_begins_anew_as_soon_as_it_may(self, way):
        now = [100.0]
        spec = {"factor": 2, "max_buckets": 4, "min_reset_seconds": 60, **way}
        series = series_of([self.VALUES], lambda: now[0], **spec)
        assert series.buckets[:2] != (0, THRESHOLD)
        now[0] = 160.0
        series.put(series.after([10.0])[0])
        assert series.buckets == buckets_of([10.0], 0)
        # What was not reduced goes on.
        now[0] = 1000.0
        series.put(series.after([10.0])[0])
        assert series.buckets.observations == 2

    def test_what_is_added_to_others_never_begins_anew(self):
        spec = NativeSpec(factor=2, max_buckets=1, min_reset_seconds=1)
        clock = iter(range(0, 10**6, 1000)).__next__
        series = NativeHistogramSeries(spec, may_reset=False, clock=clock)
        for value in self.VALUES:
            series.put(series.after([value])[0])
        assert series.buckets.observations == 5

    def test_buckets_as_wide_as_can_be_stay(self):
        values = [2.0 ** (16 * power) for power in range(-5, 5)]
        series = series_of([values], max_buckets=2)
        assert series.buckets == buckets_of(values, -4)


@given(some=st.lists(finite), others=st.lists(finite), schema=schemas, other=schemas)
def test_two_are_added_in_the_coarser_of_their_schemas(some, others, schema, other):
    coarser = min(schema, other)
    found = added(buckets_of(some, schema), buckets_of(others, other))
    assert found == buckets_of([*some, *others], coarser)
    assert added(buckets_of(others, other), buckets_of(some, schema)) == found


@given(
    values=st.lists(st.floats(-100, 100), min_size=1),
    threshold=st.floats(0.001, 10),
    more=st.lists(st.floats(-100, 100)),
)
def test_of_two_zero_buckets_the_wider_one_takes_in_whole_buckets(values, threshold, more):
    found = added(buckets_of(values, 1, threshold), buckets_of(more, 1))
    assert found.zero_threshold >= threshold
    assert found == buckets_of([*values, *more], 1, found.zero_threshold)


@given(st.lists(st.floats(-1e6, 1e6) | finite, min_size=1), st.integers(0, 8))
def test_the_implied_classic_buckets_count_what_is_not_above_them(values, schema):
    buckets = buckets_of(values, schema)
    implied = ImpliedBounds()
    bounds = implied.after([buckets])
    assert list(bounds) == sorted(bounds)
    assert implied.cumulative(buckets) == (
        # In a bucket of negative values its lower end is included, and its upper end is not.
        *(sum(v <= bound if bound > 0 else v < bound for v in values) for bound in bounds),
        len(values),
    )


def test_values_outside_the_bounds_that_were_given_are_counted_where_they_belong():
    implied = ImpliedBounds()
    assert implied.after([buckets_of([1.5, -1.5])]) == (-2.0, -1.0, 1.0, 2.0)
    assert implied.cumulative(buckets_of([-100.0, -1.5, 0.0, 0.1, 1.5, 100.0])) == (
        1, 2, 4, 5, 6,
    )  # fmt: skip


def test_a_bound_that_was_shown_stays():
    implied = ImpliedBounds()
    assert implied.after([]) == ()
    assert implied.after([buckets_of([3.0])]) == (2.0, 4.0)
    assert implied.after([buckets_of([0.3]), buckets_of([-5.0])]) == (
        -8.0, -4.0, 0.25, 0.5, 1.0, 2.0, 4.0,
    )  # fmt: skip
    assert implied.after([buckets_of([1.5])])[2:] == (0.25, 0.5, 1.0, 2.0, 4.0)


def test_what_is_far_from_everything_else_has_its_own_bounds_alone():
    implied = ImpliedBounds()
    near = [2.0**power for power in range(-10, 1)]
    assert implied.after([buckets_of([0.0015, 0.9])]) == (*near,)
    far = buckets_of([0.9, 3e200, -3e-200, sys.float_info.max, 1e-300], threshold=0.0)
    assert implied.after([far]) == (
        -(2.0**-662), -(2.0**-663), 2.0**-997, 2.0**-996, *near, 2.0**665, 2.0**666, 2.0**1023,
    )  # fmt: skip
    assert implied.cumulative(far) == (0, 1, 1, 2, *[2] * 10, 3, 3, 4, 4, 5)


def test_bounds_around_buckets_wider_than_a_power_of_two():
    implied = ImpliedBounds()
    wide = buckets_of([1e200, 1e300, 1e-100], -4, 0.0)
    assert implied.after([wide]) == (
        2.0**-336, 2.0**-320, 2.0**656, 2.0**672, 2.0**992, 2.0**1008,
    )  # fmt: skip
    assert implied.cumulative(wide) == (0, 1, 1, 2, 2, 3, 3)


def test_the_largest_and_the_smallest_numbers_have_buckets():
    series = series_of([[sys.float_info.max, sys.float_info.min, 5e-324, -sys.float_info.max]])
    assert series.buckets.observations == 4
    assert series.buckets.zero == 2
