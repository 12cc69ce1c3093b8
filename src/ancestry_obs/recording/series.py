"""The series: what is kept for one combination of label values of one metric.

A chunk of buffered floats comes in, what the series will be with it comes out (`after`), and is put
in place later (`put`). So a fold can be interrupted anywhere: what is worked out changes nothing
yet, and to put the same thing in place twice is to put it once. Only the store does either, one
thread at a time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import isfinite

__all__ = [
    "CounterSeries",
    "GaugeSeries",
    "HistogramSeries",
    "InFlightSeries",
    "RatioSeries",
    "finite_of",
]


def finite_of(chunk: list[float], total: float) -> tuple[list[float], float, int]:
    """Leave out what is not finite.

    Args:
        chunk: Values.
        total: What they come to.

    Returns:
        The finite ones, what those come to, and how many are left out.
    """
    if isfinite(total):
        return chunk, total, 0
    finite = [value for value in chunk if isfinite(value)]
    # Finite values may overflow to an infinite sum: then there is nothing to filter.
    if len(finite) == len(chunk):
        return chunk, total, 0
    return finite, sum(finite), len(chunk) - len(finite)


class HistogramSeries:
    """Counts per bucket and the sum of what was observed.

    Args:
        bounds: The buckets' upper bounds, inclusive and ascending, without ``+Inf``.

    Attributes:
        counts: Observations per bucket, *not* cumulative; the last one is ``+Inf``.
        sum: The sum of all observations.
        completed: What takes the calls that were not timed, where there are any; see `sampled`.
    """

    __slots__ = ("bounds", "completed", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.completed: object = None

    def after(
        self, chunk: list[float], state: tuple[list[int], float] | None = None
    ) -> tuple[tuple[list[int], float], int]:
        """Work out what comes of observations; those that are not finite are dropped.

        Args:
            chunk: At least one value; it may be reordered.
            state: What the series will be before them, if other than it is.

        Returns:
            What the series will be, and how many values it drops.
        """
        return self._after(chunk, sum(chunk), state)

    def after_seconds(
        self, chunk: list[float], state: tuple[list[int], float] | None = None
    ) -> tuple[tuple[list[int], float], int]:
        """Work out what comes of what is never negative: no value is above what all come to.

        Args:
            chunk: As for `after`.
            state: As for `after`.

        Returns:
            As `after`.
        """
        total = sum(chunk)
        if self.bounds and total <= self.bounds[0]:
            counts, so_far = state or (self.counts, self.sum)
            return ([counts[0] + len(chunk), *counts[1:]], so_far + total), 0
        return self._after(chunk, total, state)

    def put(self, state: tuple[list[int], float]) -> None:
        """Be what `after` gave."""
        self.counts, self.sum = state

    def _after(
        self, chunk: list[float], total: float, state: tuple[list[int], float] | None
    ) -> tuple[tuple[list[int], float], int]:
        chunk, total, dropped = finite_of(chunk, total)
        counts, so_far = state or (self.counts, self.sum)
        counts = counts[:]
        if chunk:
            self._count(chunk, counts)
        return (counts, so_far + total), dropped

    def _count(self, chunk: list[float], counts: list[int]) -> None:
        # Most chunks fall into one bucket, and two passes in C are cheaper than any sorting.
        bounds = self.bounds
        last = bisect_left(bounds, max(chunk))
        first = bisect_left(bounds, min(chunk)) if last else 0
        if first < last:
            chunk.sort()
            below = 0
            for bucket in range(first, last):
                position = bisect_right(chunk, bounds[bucket])
                counts[bucket] += position - below
                below = position
            counts[last] += len(chunk) - below
        else:
            counts[first] += len(chunk)


class CounterSeries:
    """A total that only grows.

    Attributes:
        value: The total; an `int` as long as only whole calls were counted.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def after(self, chunk: list[float], state: float | None = None) -> tuple[float, int]:
        """Work out what amounts come to; those that are negative or not finite are dropped.

        Args:
            chunk: As for a histogram.
            state: As for a histogram.

        Returns:
            As a histogram.
        """
        total, dropped = sum(chunk), 0
        if not isfinite(total) or min(chunk) < 0.0:
            good = [value for value in chunk if isfinite(value) and value >= 0.0]
            total, dropped = sum(good), len(chunk) - len(good)
        return (self.value if state is None else state) + total, dropped

    def after_calls(self, calls: int, state: float | None = None) -> float:
        """Work out what some calls come to, whatever their values are.

        Args:
            calls: How many.
            state: As for `after`.
        """
        return (self.value if state is None else state) + calls

    def put(self, state: float) -> None:
        """Be what `after` gave."""
        self.value = state


class GaugeSeries:
    """A value that is replaced; it is not buffered, the last one set wins.

    Attributes:
        value: The value, finite.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        """Replace the value; one that is not finite is ignored."""
        if isfinite(value):
            self.value = value

    def after(self, chunk: list[float], _: None = None) -> tuple[None, int]:
        """Count the values that `set` ignored; what was set is newer than any chunk.

        Returns:
            Nothing, and how many values are not finite.
        """
        return None, sum(not isfinite(value) for value in chunk)

    def put(self, _: None) -> None:
        """Stay as it is."""


class RatioSeries:
    """Hits among lookups.

    Attributes:
        hits: Lookups that were hits.
        lookups: All lookups.
    """

    __slots__ = ("hits", "lookups")

    def __init__(self) -> None:
        self.hits = 0
        self.lookups = 0

    @property
    def value(self) -> float:
        """The share of hits, 0 to 1; 0 before the first lookup."""
        return self.hits / self.lookups if self.lookups else 0.0

    def after(
        self, chunk: list[float], state: tuple[int, int] | None = None
    ) -> tuple[tuple[int, int], int]:
        """Work out what lookups come to; values are 1 for a hit and 0 for a miss.

        Args:
            chunk: As for a histogram.
            state: As for a histogram.

        Returns:
            As a histogram; what is neither is dropped.
        """
        hits = chunk.count(1.0)
        lookups = hits + chunk.count(0.0)
        old_hits, old_lookups = state or (self.hits, self.lookups)
        return (old_hits + hits, old_lookups + lookups), len(chunk) - lookups

    def put(self, state: tuple[int, int]) -> None:
        """Be what `after` gave."""
        self.hits, self.lookups = state


class InFlightSeries:
    """Calls that have begun and not ended.

    Attributes:
        value: Their number.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def after(self, chunk: list[float], state: int | None = None) -> tuple[int, int]:
        """Work out what beginnings (+1) and ends (-1) come to.

        Args:
            chunk: As for a histogram.
            state: As for a histogram.

        Returns:
            As a histogram; what is neither is dropped.
        """
        begun, ended = chunk.count(1.0), chunk.count(-1.0)
        value = (self.value if state is None else state) + begun - ended
        return value, len(chunk) - begun - ended

    def put(self, state: int) -> None:
        """Be what `after` gave."""
        self.value = state
