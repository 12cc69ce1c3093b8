"""Calls of which only some were timed: each of the others counts as one that was.

All calls are in the buffer; what a histogram's buckets and its sum are is known of the timed ones
alone, and they stand for the rest. Which ones are timed does not depend on how long they take, so
that no bucket is favoured. As long as no call of a series was timed, its calls wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ancestry_obs.recording.buffers import Buffer

if TYPE_CHECKING:
    from ancestry_obs.recording.buffers import Overflow, Probe
    from ancestry_obs.recording.kinds import Series
    from ancestry_obs.recording.native import NativeHistogramSeries
    from ancestry_obs.recording.series import CounterSeries, HistogramSeries

__all__ = ["UNTIMED", "SampledBuffer"]

UNTIMED: Final = -1.0
"""Stands in a buffer for the seconds of a call that was not timed: no clock gives it."""

_State: TypeAlias = "tuple[Any, float | None, int]"


class SampledBuffer(Buffer):
    """A buffer of elapsed seconds, where they are known, which only histograms take."""

    __slots__ = ()

    def __init__(
        self,
        probe: Probe,
        fed: tuple[Series, ...],
        counted: tuple[CounterSeries, ...] = (),
        overflows: tuple[Overflow, ...] = (),
    ) -> None:
        completed: Any = tuple(map(_completed, fed))
        super().__init__(probe, completed, counted, overflows)


def _completed(series: Any) -> _Completed:  # noqa: ANN401 - a histogram
    """Give what completes a histogram: one for all that feed it, now and after a reload."""
    if series.completed is None:
        series.completed = _Completed(series)
    found: _Completed = series.completed
    return found


class _Completed:
    """A histogram that takes values for the calls without one.

    Args:
        series: The histogram.

    Attributes:
        last: The latest seconds that are known, if any are.
        waiting: How many calls there were before the first one that was timed.
    """

    __slots__ = ("last", "series", "waiting")

    def __init__(self, series: HistogramSeries | NativeHistogramSeries) -> None:
        self.series = series
        self.last: float | None = None
        self.waiting = 0

    def after(self, chunk: list[float], state: _State | None = None) -> tuple[_State, int]:
        """Work out what comes of a chunk, as `HistogramSeries.after` does."""
        series, last, waiting = state or (None, self.last, self.waiting)
        timed = [seconds for seconds in chunk if seconds >= 0.0]
        if timed:
            each, more = divmod(len(chunk) + waiting, len(timed))
            # The order is the program's: what comes first is no longer or shorter for that.
            values = timed * each + timed[:more]
            last, waiting = timed[-1], 0
        elif last is None:
            return (series, None, waiting + len(chunk)), 0
        else:
            values = [last] * len(chunk)
        after, dropped = self.series.after_seconds(values, series)
        return (after, last, waiting), dropped

    def put(self, state: _State) -> None:
        """Be what `after` gave."""
        series, self.last, self.waiting = state
        if series is not None:
            self.series.put(series)
