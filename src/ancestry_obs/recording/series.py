"""The series: what is kept for one combination of label values of one metric.

A chunk of buffered floats comes in, totals go out. Each `take` folds a whole chunk at once and
gives back how many of its values it had to drop. Only the store calls `take`, one thread at a time;
a reader holds the store's lock (`Store.reading`) to see totals that belong together.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import isfinite
from typing import TypeAlias

__all__ = [
    "CounterSeries",
    "GaugeSeries",
    "HistogramSeries",
    "InFlightSeries",
    "RatioSeries",
    "Series",
    "new_series",
]


class HistogramSeries:
    """Counts per bucket and the sum of what was observed.

    Args:
        bounds: The buckets' upper bounds, inclusive and ascending, without ``+Inf``.

    Attributes:
        counts: Observations per bucket, *not* cumulative; the last one is ``+Inf``.
        sum: The sum of all observations.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def take(self, chunk: list[float]) -> int:
        """Fold observations; those that are not finite are dropped.

        Args:
            chunk: At least one value; it may be reordered.

        Returns:
            How many values were dropped.
        """
        return self._take(chunk, sum(chunk))

    def take_seconds(self, chunk: list[float]) -> int:
        """Fold what is never negative: then no value is above what all of them come to.

        Args:
            chunk: As for `take`.

        Returns:
            As `take`.
        """
        total = sum(chunk)
        if self.bounds and total <= self.bounds[0]:
            self.sum += total
            self.counts[0] += len(chunk)
            return 0
        return self._take(chunk, total)

    def _take(self, chunk: list[float], total: float) -> int:
        if not isfinite(total):
            finite = [value for value in chunk if isfinite(value)]
            # Finite values may overflow to an infinite sum: then there is nothing to filter.
            if len(finite) < len(chunk):
                return len(chunk) - len(finite) + (self.take(finite) if finite else 0)
        self.sum += total
        self._count(chunk)
        return 0

    def _count(self, chunk: list[float]) -> None:
        # Most chunks fall into one bucket, and two passes in C are cheaper than any sorting.
        bounds = self.bounds
        last = bisect_left(bounds, max(chunk))
        first = bisect_left(bounds, min(chunk)) if last else 0
        if first < last:
            chunk.sort()
            below = 0
            for bucket in range(first, last):
                position = bisect_right(chunk, bounds[bucket])
                self.counts[bucket] += position - below
                below = position
            self.counts[last] += len(chunk) - below
        else:
            self.counts[first] += len(chunk)


class CounterSeries:
    """A total that only grows.

    Attributes:
        value: The total; an `int` as long as only whole calls were counted.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def take(self, chunk: list[float]) -> int:
        """Add up amounts; those that are negative or not finite are dropped.

        Returns:
            How many values were dropped.
        """
        total = sum(chunk)
        if isfinite(total) and min(chunk) >= 0.0:
            self.value += total
            return 0
        good = [value for value in chunk if isfinite(value) and value >= 0.0]
        self.value += sum(good)
        return len(chunk) - len(good)


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

    def take(self, chunk: list[float]) -> int:
        """Count the values that `set` ignored; what was set is newer than any chunk.

        Returns:
            How many values are not finite.
        """
        return sum(not isfinite(value) for value in chunk)


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

    def take(self, chunk: list[float]) -> int:
        """Count lookups; values are 1 for a hit and 0 for a miss.

        Returns:
            How many values are neither, and were dropped.
        """
        hits = chunk.count(1.0)
        lookups = hits + chunk.count(0.0)
        self.hits += hits
        self.lookups += lookups
        return len(chunk) - lookups


class InFlightSeries:
    """Calls that have begun and not ended.

    Attributes:
        value: Their number.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def take(self, chunk: list[float]) -> int:
        """Add up beginnings (+1) and ends (-1).

        Returns:
            How many values are neither, and were dropped.
        """
        begun, ended = chunk.count(1.0), chunk.count(-1.0)
        self.value += begun - ended
        return len(chunk) - begun - ended


Series: TypeAlias = HistogramSeries | CounterSeries | GaugeSeries | RatioSeries | InFlightSeries

_PLAIN: dict[str, type[CounterSeries | GaugeSeries | RatioSeries | InFlightSeries]] = {
    "counter": CounterSeries,
    "gauge": GaugeSeries,
    "ratio": RatioSeries,
    "in_flight": InFlightSeries,
}


def new_series(kind: str, buckets: tuple[float, ...]) -> Series:
    """Make an empty series.

    Args:
        kind: A metric's type as the map writes it.
        buckets: The bounds of a histogram; ignored for the others.
    """
    return HistogramSeries(buckets) if kind == "histogram" else _PLAIN[kind]()
