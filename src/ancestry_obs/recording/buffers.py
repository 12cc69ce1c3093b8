"""The buffers: one float per call comes in, in chunks they go into series.

Appending to a list is atomic in CPython, and so is taking a slice and deleting one. A buffer is
therefore never replaced while it is in use: a thread that holds it would append to a list that
nobody reads any more. A fold copies the first n values, works out what comes of them, and deletes
as many in the very moment that they are counted.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_obs.recording.kinds import Series
    from ancestry_obs.recording.series import CounterSeries

__all__ = ["FULL", "Buffer", "LatestBuffer", "Log", "Overflow", "Probe", "SecondsBuffer"]

_T = TypeVar("_T")

FULL = 256
"""How many values a buffer holds before the call that appends folds it by itself.

Python keeps the numbers up to this one: comparing a length with it makes no object.
"""

Overflow = tuple[str, str]
"""Metric and label where a value was replaced by ``other``."""


class Log(list[_T]):
    """What waits to be counted.

    Attributes:
        folded: How many of its entries were counted so far, and are gone.
    """

    __slots__ = ("folded",)

    def __init__(self) -> None:
        self.folded = 0


class Buffer(Log[float]):
    """The buffer of one combination of labels at one place.

    Args:
        probe: What the observations come from.
        fed: Series that take the values.
        counted: Counters that count the values, whatever they are.
        overflows: Where this combination has an ``other`` for a value; counted by observations.
    """

    __slots__ = ("counted", "fed", "overflows", "probe")

    def __init__(
        self,
        probe: Probe,
        fed: tuple[Series, ...],
        counted: tuple[CounterSeries, ...] = (),
        overflows: tuple[Overflow, ...] = (),
    ) -> None:
        self.probe = probe
        self.fed = fed
        self.counted = counted
        self.overflows = overflows
        self.folded = 0

    def after(self, series: Any, chunk: list[float], state: Any) -> tuple[Any, int]:  # noqa: ANN401 - each series has a state of its own
        """Work out what comes of a chunk of this buffer in one of its series.

        Args:
            series: One that is fed.
            chunk: The values; they may be reordered.
            state: What the series will be before them, if other than it is.

        Returns:
            What the series will be, and how many values it drops.
        """
        answer: tuple[Any, int] = series.after(chunk, state)
        return answer


class SecondsBuffer(Buffer):
    """A buffer of elapsed seconds, which only histograms take."""

    __slots__ = ()

    def after(self, series: Any, chunk: list[float], state: Any) -> tuple[Any, int]:  # noqa: ANN401 - as above
        """Work it out for a histogram; see `Buffer.after`."""
        answer: tuple[Any, int] = series.after_seconds(chunk, state)
        return answer


class LatestBuffer(Buffer):
    """A buffer of gauges: the last value shows at once, the buffer only counts."""

    __slots__ = ()

    def append(self, value: float, /) -> None:
        """Set the gauges."""
        for series in self.fed:
            series.set(value)  # type: ignore[union-attr] # only gauges get here
        if self.overflows or not isfinite(value):
            super().append(value)


class Probe:
    """What records at one place: a stream of a woven target, or the typed helpers of one metric.

    Args:
        target: ``module:qualname``, for the counts of failed expressions.

    Attributes:
        buffers: Every buffer of the probe, each under a key that its user chose.
        memo: The user's own look-up table with buffers; emptied in a forked child.
        raised: One more, for calls that raised.
    """

    __slots__ = ("__weakref__", "buffers", "memo", "raised", "target")

    def __init__(self, target: str) -> None:
        self.target = target
        self.buffers: dict[object, Buffer] = {}
        self.memo: dict[Any, Any] = {}
        self.raised: dict[Any, Any] = {}

    def open(self, key: object, make: Callable[[], Buffer]) -> Buffer:
        """Get the buffer of a key, or keep a new one that is folded from now on.

        Args:
            key: One for each combination of series, so that the buffers are as bounded as those.
            make: Makes the buffer.
        """
        found = self.buffers.get(key)
        if found is None:
            # Two threads may both get here: the first one's buffer is everybody's.
            found = self.buffers.setdefault(key, make())
        return found

    def snapshot(self) -> list[Buffer]:
        """Give the buffers there are now; calls may open others meanwhile."""
        return list(self.buffers.values())

    def observed(self) -> int:
        """Count the values that the probe's buffers ever got."""
        return sum([buffer.folded + len(buffer) for buffer in self.snapshot()])

    def forget(self) -> None:
        """Detach every buffer, as a forked child must: who still holds one feeds nobody."""
        self.memo.clear()
        self.raised.clear()
        self.buffers.clear()
