"""The buffers: one float per call comes in, in chunks they go into series.

Appending to a list is atomic in CPython, and so is taking a slice and deleting one. A channel is
therefore never replaced while it is in use: a thread that holds it would append to a list that
nobody reads any more. What takes a chunk copies the first n values, then deletes as many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ancestry_obs.recording.series import CounterSeries, Series

__all__ = ["FULL", "Channel", "Overflow", "Site"]

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

    # A channel is an identity: two that are both empty are not the same buffer.
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other

    def take(self) -> list[float]:
        """Take out what is buffered; what is appended meanwhile stays for the next time."""
        chunk = self[: len(self)]
        del self[: len(chunk)]
        self.folded += len(chunk)
        return chunk


class Site:
    """A place that observes: one woven target, or the typed helpers of one metric.

    Args:
        target: ``module:qualname``, for the counts of failed expressions.

    Attributes:
        channels: Every channel of the site, for folding.
        memos: Look-up tables of the site that hold channels; emptied in a forked child.
    """

    __slots__ = ("__weakref__", "channels", "memos", "target")

    def __init__(self, target: str) -> None:
        self.target = target
        self.channels: dict[object, Channel] = {}
        self.memos: list[dict[Any, Any]] = []

    def open(
        self,
        fed: tuple[Series, ...],
        counted: tuple[CounterSeries, ...] = (),
        overflows: tuple[Overflow, ...] = (),
    ) -> Channel:
        """Get or make the channel of these series; see `Channel` for the arguments.

        There is one for each combination, so that their number is bounded as the series' is.
        """
        key = (fed, counted, overflows)
        found = self.channels.get(key)
        if found is None:
            # Two threads may both get here: the first one's channel is everybody's.
            found = self.channels.setdefault(key, Channel(self, fed, counted, overflows))
        return found

    def snapshot(self) -> list[Channel]:
        """Give the channels there are now; calls may open others meanwhile."""
        return list(self.channels.values())

    def forget(self) -> None:
        """Detach every channel, as a forked child must: who still holds one feeds nobody."""
        for memo in self.memos:
            memo.clear()
        self.channels.clear()
