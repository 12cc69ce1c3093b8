"""Native histograms: exponential buckets that nobody chooses, as many as there are values for.

Source: Prometheus, "Native Histograms" (specification), and the rules of client_golang's
`prometheus/histogram.go`, whose names for them are kept where they are known: schema, zero
threshold. A schema `n` has 2 to the power of `n` buckets from one power of two to the next; bucket
`key` reaches from ``base ** (key - 1)``, which is not in it, to ``base ** key``, which is, where
``base`` is 2 to the power of 2 to the power of ``-n``.

As of any series (`series`), what comes of a chunk is worked out without an effect, in containers of
its own, and put in place afterwards. So whoever reads a series may keep what it has for its own.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import groupby, repeat
from math import floor, frexp, isfinite, ldexp, log2
from sys import float_info
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from ancestry_obs.recording.bucket_counts import Counts
from ancestry_obs.recording.series import HistogramSeries, finite_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ancestry_obs.mapfile.specs import NativeSpec
    from ancestry_obs.recording.bucket_counts import Run

__all__ = [
    "Buckets",
    "ImpliedBounds",
    "NativeHistogramSeries",
    "added",
    "key_of",
    "schema_of",
    "upper_bound",
]

_USUAL: Final = 32
"""Up to this power of two, and down to its inverse: from 0.2 ns to an age of man, in seconds."""
_LEAST_POWER: Final = float_info.min_exp
_MOST_POWER: Final = float_info.max_exp - 1
_MOST_SPANNED: Final = 64
"""So many powers of two are given as bounds with none left out: from 1 ns to centuries."""
_FINEST: Final = 8
_COARSEST: Final = -4
_SCHEMAS: Final = _FINEST - _COARSEST + 1


class Buckets(NamedTuple):
    """What a native histogram has counted.

    Args:
        schema: How fine the buckets are: -4 to 8.
        zero_threshold: What is not above it, with either sign, is in the zero bucket.
        zero: How many values are there.
        positive: How many values are in each bucket of values above the threshold, by key.
        negative: The same of values below it, by the key of their absolute values.
    """

    schema: int
    zero_threshold: float
    zero: int
    positive: Counts
    negative: Counts

    @property
    def observations(self) -> int:
        """The number of values."""
        return self.zero + self.positive.total + self.negative.total


_new_tuple: Final = tuple.__new__

_State = tuple[tuple[list[int], float] | None, Buckets, float, float]
"""What a classic histogram beside it is; the counts; the sum; when they began, by the clock."""


class NativeHistogramSeries:
    """Counts per exponential bucket, perhaps those of classic ones beside them, and the sum.

    Args:
        spec: How fine the buckets are, and how many there may be.
        bounds: The classic buckets' upper bounds; empty where there are none.
        may_reset: Whether it may begin anew. Not where its counts are added to those of others.
        clock: Gives seconds since whenever.

    Attributes:
        classic: The histogram with the classic buckets, where there are any.
        buckets: The native counts.
        sum: The sum of all observations.
        completed: As of a classic histogram.
    """

    __slots__ = ("_began", "_clock", "_schema", "_spec", "buckets", "classic", "completed", "sum")

    def __init__(
        self,
        spec: NativeSpec,
        bounds: tuple[float, ...] = (),
        *,
        may_reset: bool = True,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._spec = spec
        self._schema = schema_of(spec.factor)
        self._clock = clock if may_reset and spec.min_reset_seconds > 0 else None
        self.classic = HistogramSeries(bounds) if bounds else None
        self.completed: object = None
        self.put(self._empty())

    def after(self, chunk: list[float], state: _State | None = None) -> tuple[_State, int]:
        """Work out what comes of observations; see `HistogramSeries.after`."""
        total, dropped = sum(chunk), 0
        # `finite_of` asks the same; nearly no chunk needs the call.
        if not isfinite(total):
            chunk, total, dropped = finite_of(chunk, total)
        before = state or self._state()
        if not chunk:
            return before, dropped
        if self._clock and self._is_reduced(before[1]) and self._may_begin_anew(before):
            before = self._empty()
        after = self._with(chunk, total, before)
        buckets, most = after[1], self._spec.max_buckets
        # Which is seen at once, and nearly always enough.
        if buckets.positive.places + buckets.negative.places > most < _number_of(buckets):
            after = self._limited(chunk, total, after)
        return after, dropped

    after_seconds = after

    def put(self, state: _State) -> None:
        """Be what `after` gave."""
        classic, self.buckets, self.sum, self._began = state
        if self.classic is not None and classic is not None:
            self.classic.put(classic)

    def _state(self) -> _State:
        classic = self.classic
        before = None if classic is None else (classic.counts, classic.sum)
        return before, self.buckets, self.sum, self._began

    def _empty(self) -> _State:
        classic = ([0] * (len(self.classic.bounds) + 1), 0.0) if self.classic else None
        buckets = Buckets(self._schema, self._spec.zero_threshold, 0, Counts(), Counts())
        return classic, buckets, 0.0, self._clock() if self._clock else 0.0

    def _with(self, chunk: list[float], total: float, state: _State) -> _State:
        classic, buckets, so_far, began = state
        if self.classic is not None:
            classic, _ = self.classic.after(chunk, classic)
        return classic, observed(buckets, chunk), so_far + total, began

    def _is_reduced(self, buckets: Buckets) -> bool:
        """Whether there were too many buckets: the first chance to begin anew is taken then."""
        return buckets[:2] != (self._schema, self._spec.zero_threshold)

    def _may_begin_anew(self, state: _State) -> bool:
        return self._clock is not None and self._clock() - state[3] >= self._spec.min_reset_seconds

    def _limited(self, chunk: list[float], total: float, state: _State) -> _State:
        """Have no more buckets than are allowed, in the order in which client_golang tries it."""
        spec = self._spec
        if self._may_begin_anew(state):
            state = self._with(chunk, total, self._empty())
        classic, buckets, so_far, began = state
        while _number_of(buckets) > spec.max_buckets:
            smaller = _widened_once(buckets, spec.max_zero_threshold) or _halved(buckets)
            if smaller is None:
                break
            buckets = smaller
        return classic, buckets, so_far, began


def _number_of(buckets: Buckets) -> int:
    return len(buckets.positive) + len(buckets.negative)


def schema_of(factor: float) -> int:
    """Give the coarsest schema whose buckets grow by no more than a factor.

    Args:
        factor: Above 1.
    """
    return -max(-_FINEST, min(-_COARSEST, floor(log2(log2(factor)))))


@lru_cache(_SCHEMAS)
def _fractions(schema: int) -> list[float]:
    """Give the upper bounds from one half, which is the first, to below one."""
    steps = 1 << schema
    return [2.0 ** (step / steps) / 2 for step in range(steps)]


def key_of(value: float, schema: int) -> int:
    """Give the key of the bucket that a value is in.

    Args:
        value: Above 0, finite.
        schema: How fine the buckets are.
    """
    fraction, exponent = frexp(value)
    if schema > 0:
        fractions = _fractions(schema)
        return bisect_left(fractions, fraction) + (exponent - 1) * len(fractions)
    # A power of two is the upper bound of its bucket.
    key = exponent - (fraction == 0.5)  # noqa: PLR2004  that is how a power of two looks
    return key + (1 << -schema) - 1 >> -schema


def upper_bound(key: int, schema: int) -> float:
    """Give the upper bound of a bucket, which is in it; at most the largest float.

    Args:
        key: The bucket's.
        schema: How fine the buckets are.
    """
    if schema > 0:
        fractions = _fractions(schema)
        exponent, place = divmod(key, len(fractions))
        fraction, exponent = fractions[place], exponent + 1
    else:
        fraction, exponent = 0.5, (key << -schema) + 1
    try:
        return ldexp(fraction, exponent)
    except OverflowError:
        return float_info.max


def observed(buckets: Buckets, values: list[float]) -> Buckets:
    """Give what buckets come to with more values.

    Args:
        buckets: Those before; they are left as they are.
        values: At least one, finite; they may be reordered.
    """
    schema, threshold, zero, positive, negative = buckets
    values.sort()
    if values[0] > threshold:
        positive = _counted(values, schema, positive)
        # What the class itself would do, in half the time.
        return _new_tuple(Buckets, (schema, threshold, zero, positive, negative))
    above = values[bisect_right(values, threshold) :]
    below = [-value for value in reversed(values[: bisect_left(values, -threshold)])]
    zero += len(values) - len(above) - len(below)
    positive = _counted(above, schema, positive) if above else positive
    negative = _counted(below, schema, negative) if below else negative
    return Buckets(schema, threshold, zero, positive, negative)


def _counted(values: list[float], schema: int, before: Counts) -> Counts:
    """Give what counts by key come to with more values: positive ones in ascending order."""
    first, bounds = _usual_bounds(schema)
    if values[0] > bounds[0] and values[-1] <= bounds[-1]:
        after = _counted_in_place(values, first, bounds, before)
        # Nearly always: before long all values have their buckets.
        if after is not None:
            return after
    keys = groupby(map(key_of, values, repeat(schema)))
    return before.plus((key, sum(1 for _ in group)) for key, group in keys)


def _counted_in_place(
    values: list[float], first: int, bounds: list[float], before: Counts
) -> Counts | None:
    """Count values in buckets that are kept already; `None` where one has none.

    Args:
        values: In ascending order.
        first: The key of the first of the bounds.
        bounds: The upper bounds of the buckets that the values are in, and of those around.
        before: The counts without them.
    """
    runs: list[Run] = []
    done, end = 0, len(values)
    total = before.total + end
    place = bisect_left(bounds, values[0])
    last = bisect_left(bounds, values[-1], place) if end > 1 else place
    for start, kept in before.runs_for(total):
        run, to_index = kept, first - start
        beyond = len(run) - to_index
        if done < end and -to_index <= place < beyond:
            run = kept[:]
            while place < beyond:
                if place == last:
                    run[place + to_index] += end - done
                    done = end
                    break
                # Few chunks have a bucket of many values, and a look at the next one is cheap.
                begin, done = done, done + 1
                value = values[done]
                if value <= bounds[place]:
                    done = bisect_right(values, bounds[place], done)
                    value = values[done]
                run[place + to_index] += done - begin
                place = bisect_left(bounds, value, place, last)
        runs.append((start, run))
    return Counts(tuple(runs), total, before.places) if done == end else None


@lru_cache(_SCHEMAS)
def _usual_bounds(schema: int) -> tuple[int, list[float]]:
    """Give the upper bounds of the buckets that nearly all values are in, and the first one's key.

    To look for a value among them is a single step in C.
    """
    first, last = (key_of(ldexp(1.0, exponent), schema) for exponent in (-_USUAL, _USUAL))
    return first, [upper_bound(key, schema) for key in range(first, last + 1)]


def _halved(buckets: Buckets) -> Buckets | None:
    """Give the same in buckets of twice the width; `None` where they are as wide as can be."""
    if buckets.schema <= _COARSEST:
        return None
    return _coarser(buckets, buckets.schema - 1)


def _coarser(buckets: Buckets, schema: int) -> Buckets:
    steps = buckets.schema - schema
    if not steps:
        return buckets
    merged = [Counts.of(each.merged(steps)) for each in (buckets.positive, buckets.negative)]
    return Buckets(schema, buckets.zero_threshold, buckets.zero, *merged)


def _widened_once(buckets: Buckets, most: float) -> Buckets | None:
    """Give the same with the bucket next to zero in the zero bucket; `None` if that may not be."""
    if buckets.zero_threshold >= most:
        return None
    key = min(each.first for each in buckets[3:] if each)
    threshold = upper_bound(key, buckets.schema)
    return None if threshold > most else _widened(buckets, threshold)


def _widened(buckets: Buckets, threshold: float) -> Buckets:
    """Give the same with a larger zero bucket, which takes in whole buckets."""
    if threshold <= buckets.zero_threshold:
        return buckets
    zero = buckets.zero
    kept: list[Counts] = []
    for counts in (buckets.positive, buckets.negative):
        left: dict[int, int] = {}
        for key, count in counts.items():
            if upper_bound(key, buckets.schema) <= threshold:
                zero += count
            else:
                left[key] = count
        kept.append(Counts.of(left))
    return Buckets(buckets.schema, threshold, zero, kept[0], kept[1])


def added(some: Buckets, others: Buckets) -> Buckets:
    """Add up what two histograms have counted, as fine as the coarser one of them.

    Args:
        some: The one's.
        others: The other's.
    """
    schema = min(some.schema, others.schema)
    some, others = _coarser(some, schema), _coarser(others, schema)
    # A bucket that one zero bucket ends within goes into it as a whole.
    threshold = _settled(max(some.zero_threshold, others.zero_threshold), some, others)
    some, others = _widened(some, threshold), _widened(others, threshold)
    sides = [mine.plus(theirs.items()) for mine, theirs in zip(some[3:], others[3:], strict=True)]
    return Buckets(schema, threshold, some.zero + others.zero, *sides)


def _settled(threshold: float, *histograms: Buckets) -> float:
    if len({each.zero_threshold for each in histograms}) == 1:
        return threshold
    schema = histograms[0].schema
    key = key_of(threshold, schema)
    is_within = any(
        key == each for some in histograms for side in some[3:] for each, _ in side.items()
    )
    return upper_bound(key, schema) if is_within else threshold


class ImpliedBounds:
    """The classic bounds of a metric with native buckets: the powers of two that those span.

    A bucket ends at each of them in every schema from 0 on, so that nothing is guessed. One that
    was ever given stays: a series of a bucket that comes and goes would be a counter that begins
    anew. What is far from everything else, such as one value that is wrong, has the bounds around
    it alone: each bound is a line of each series.
    """

    def __init__(self) -> None:
        self._spans: list[range] = [range(0), range(0)]
        self._far: tuple[set[int], set[int]] = (set(), set())
        self._given: list[list[int]] = [[], []]

    def after(self, histograms: Iterable[Buckets]) -> tuple[float, ...]:
        """Give the bounds, in ascending order.

        Args:
            histograms: What the metric's series have counted by now.
        """
        for buckets in histograms:
            for side, counts in enumerate(buckets[3:]):
                if counts:
                    self._take_in(side, counts, buckets.schema)
        self._given = [
            sorted({*span, *far}) if far else [*span]
            for span, far in zip(self._spans, self._far, strict=True)
        ]
        positive, negative = self._given
        return (
            *(-ldexp(1.0, exponent) for exponent in reversed(negative)),
            *(ldexp(1.0, exponent) for exponent in positive),
        )

    def _take_in(self, side: int, counts: Counts, schema: int) -> None:
        joined = _joined(self._spans[side], counts, schema)
        if len(joined) <= _MOST_SPANNED:
            self._spans[side] = joined
            return
        width = 1 << max(-schema, 0)
        for octave in _by_octave(counts, schema):
            for exponent in (octave - width, octave):
                if exponent not in self._spans[side]:
                    self._far[side].add(min(max(exponent, _LEAST_POWER), _MOST_POWER))

    def cumulative(self, buckets: Buckets) -> tuple[int, ...]:
        """Count what is not above each of the bounds that were given last, and all.

        Args:
            buckets: What a series has counted. Where a bound is within a bucket, as may be in
                schemas below 0, that is not counted yet. What is exactly at a negative bound is not
                either: a bucket of negative values has its lower end in it.
        """
        positive, negative = self._given
        below = _by_octave(buckets.negative, buckets.schema)
        above = _by_octave(buckets.positive, buckets.schema)
        all_below = sum(below.values())
        found = [all_below - nearer for nearer in reversed(_up_to(negative, below))]
        not_above = buckets.zero + all_below
        found += [not_above + count for count in _up_to(positive, above)]
        return (*found, buckets.observations)


def _up_to(exponents: Iterable[int], counts: Mapping[int, int]) -> list[int]:
    """Give how many values are in octaves up to each exponent; both ascend."""
    found: list[int] = []
    octaves = sorted(counts, reverse=True)
    total = 0
    for exponent in exponents:
        while octaves and octaves[-1] <= exponent:
            total += counts[octaves.pop()]
        found.append(total)
    return found


def _joined(known: range, counts: Counts, schema: int) -> range:
    """Give the exponents of the powers of two around some buckets, and those that were known."""
    least, most = counts.first - 1, counts.last
    first = least << -schema if schema < 0 else least >> schema
    last = most << -schema if schema < 0 else -(-most >> schema)
    first, last = max(first, _LEAST_POWER), min(last, _MOST_POWER)
    if known:
        first, last = min(first, known.start), max(last, known.stop - 1)
    return range(first, last + 1)


def _by_octave(counts: Counts, schema: int) -> dict[int, int]:
    """Count by the exponent of the power of two that is next above a bucket, or its end."""
    if schema >= 0:
        return counts.merged(schema)
    return {key << -schema: count for key, count in counts.items()}
