"""What is known of a program that is looked at: scrapes come in, one by one; rows go out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ancestry_obs.live.joined import Joined
from ancestry_obs.live.rate_history import History
from ancestry_obs.live.rates import Interval
from ancestry_obs.live.rows import SUBJECTS, expression_errors, rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ancestry_obs.live.rows import Row, Subject
    from ancestry_obs.live.scrape import Scrape

__all__ = ["Watched"]

# Whose series are so many has their rows made only while somebody looks at them.
_MOST_SERIES: Final = 10_000


class Watched:
    """A program, as far as its exporter has told it.

    Args:
        first: The first scrape.
        address: What was asked for it, to be shown; where the program says itself if empty.

    Attributes:
        lost: Why the exporter does not answer; empty while it does.
        has_restarted: Whether the last scrape was the first of a new process.
    """

    def __init__(self, first: Scrape, address: str = "") -> None:
        self.address = address or first.status.url.removesuffix("/metrics")
        self.lost = ""
        self.has_restarted = False
        self._before: Scrape | None = None
        self._after = first
        self._joined = Joined(first.status.targets, first.feeds)
        self._history: dict[Subject, History] = {each: History() for each in SUBJECTS}
        self._rows: dict[tuple[Subject, bool], list[Row]] = {}

    @property
    def scrape(self) -> Scrape:
        """The last scrape."""
        return self._after

    @property
    def is_measured(self) -> bool:
        """Whether there are two scrapes, so that there are rates."""
        return self._before is not None

    def add(self, scrape: Scrape) -> None:
        """Take the next scrape."""
        if scrape.status is not self._after.status:
            self._joined = Joined(scrape.status.targets, scrape.feeds)
        self._before, self._after = self._after, scrape
        self.lost = ""
        self.has_restarted = self._interval(since_start=False).has_restarted
        self._rows = {}
        for subject in SUBJECTS:
            if subject != "series" or self._number_of_series() <= _MOST_SERIES:
                self._history[subject].add((e.name, e.rate) for e in self.rows(subject))

    def rows(self, subject: Subject, *, since_start: bool = False) -> Sequence[Row]:
        """Give the rows of the last interval, or of all the time since the program's start."""
        key = subject, since_start
        if key not in self._rows:
            made = rows(subject, self._interval(since_start=since_start), self._joined)
            if not since_start and self._before is None:
                made = [_unmeasured(each) for each in made]
            self._rows[key] = made
        return self._rows[key]

    def history(self, subject: Subject, name: str) -> Sequence[float | None]:
        """Give a row's last rates, the oldest first."""
        return self._history[subject].of(name)

    def expression_errors(self) -> float:
        """Give how many expressions of the map have failed since the program's start."""
        return expression_errors(self._interval(since_start=True))

    def _interval(self, *, since_start: bool) -> Interval:
        return Interval(None if since_start else self._before, self._after)

    def _number_of_series(self) -> int:
        return sum(len(each.values) for each in self._after.metrics.values())


def _unmeasured(row: Row) -> Row:
    """Give a row without what takes two scrapes."""
    return type(row)(name=row.name, kind=row.kind, rate=None, value=row.value, reason=row.reason)
