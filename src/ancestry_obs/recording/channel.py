"""The buffers: one float per call comes in, in chunks they go into series.

Appending to a list is atomic in CPython, and so is taking a slice and deleting one. A channel is
therefore never replaced while it is in use: a thread that holds it would append to a list that
nobody reads any more. What takes a chunk copies the first n values, then deletes as many.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_obs.recording.series import CounterSeries, Series

__all__ = ["FULL", "Channel", "LatestChannel", "Overflow", "Site"]

FULL = 512
"""How many values a channel holds before the call that appends folds it by itself."""

Overflow = tuple[str, str]
"""Metric and label where a value was replaced by ``other``."""


class Channel(list[float]):
    """The buffer of one combination of labels at one site.

    Args:
        site: Where the observations come from.
        fed: Series that take the values.
        counted: Counters that count the values, whatever they are.
        overflows: Where this combination has an ``other`` for a value; counted by observations.

    Attributes:
        folded: How many values have been taken out so far.
    """

    __slots__ = ("counted", "fed", "folded", "overflows", "site")

    def __init__(
        self,
        site: Site,
        fed: tuple[Series, ...],
        counted: tuple[CounterSeries, ...] = (),
        overflows: tuple[Overflow, ...] = (),
    ) -> None:
        self.site = site
        self.fed = fed
        self.counted = counted
        self.overflows = overflows
        self.folded = 0

    def take(self) -> list[float]:
        """Take out what is buffered; what is appended meanwhile stays for the next time."""
        chunk = self[: len(self)]
        del self[: len(chunk)]
        self.folded += len(chunk)
        return chunk


class LatestChannel(Channel):
    """A channel of gauges: the last value shows at once, the buffer only counts."""

    __slots__ = ()

    def append(self, value: float, /) -> None:
        """Set the gauges."""
        for series in self.fed:
            series.set(value)  # type: ignore[union-attr] # only gauges get here
        if self.overflows or not isfinite(value):
            super().append(value)


class Site:
    """A place that observes: one stream of a woven target, or the typed helpers of one metric.

    Args:
        target: ``module:qualname``, for the counts of failed expressions.

    Attributes:
        channels: Every channel of the site, each under a key that its user chose.
        memo: The user's own look-up table with channels; emptied in a forked child.
    """

    __slots__ = ("__weakref__", "channels", "memo", "target")

    def __init__(self, target: str) -> None:
        self.target = target
        self.channels: dict[object, Channel] = {}
        self.memo: dict[Any, Any] = {}

    def open(self, key: object, make: Callable[[], Channel]) -> Channel:
        """Get the channel of a key, or keep a new one that is folded from now on.

        Args:
            key: One for each combination of series, so that the channels are as bounded as those.
            make: Makes the channel.
        """
        found = self.channels.get(key)
        if found is None:
            # Two threads may both get here: the first one's channel is everybody's.
            found = self.channels.setdefault(key, make())
        return found

    def snapshot(self) -> list[Channel]:
        """Give the channels there are now; calls may open others meanwhile."""
        return list(self.channels.values())

    def observed(self) -> int:
        """Count the values that the site's channels ever got."""
        return sum(channel.folded + len(channel) for channel in self.snapshot())

    def forget(self) -> None:
        """Detach every channel, as a forked child must: who still holds one feeds nobody."""
        self.memo.clear()
        self.channels.clear()
