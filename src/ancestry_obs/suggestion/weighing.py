"""What was called, and what measuring costs -> rows in the order of their worth, with costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ancestry_obs.suggestion.candidates import Candidate
    from ancestry_obs.suggestion.prices import Prices
    from ancestry_obs.suggestion.traced_command import Traced

__all__ = ["MOST_OVERHEAD", "Order", "Row", "ranked", "run_seconds"]

Order = Literal["time", "rate"]

MOST_OVERHEAD: Final = 0.01
"""The share of the run's time above which measuring a function is not worth it."""

# Tracing is dearer than whatever it traces, at worst; some time remains the program's.
_LEAST_SHARE: Final = 0.02


@dataclass(frozen=True)
class Row:
    """What is said of one function.

    Args:
        candidate: The function.
        calls: How many there were.
        rate: Calls per second.
        share: Of the traced time, what was spent in it and in what it called, from 0.
        own: The same in it alone.
        overhead: What measuring it would add to the run's time, from 0.
    """

    candidate: Candidate
    calls: int
    rate: float
    share: float
    own: float
    overhead: float

    @property
    def is_worth_it(self) -> bool:
        """Whether the map measures it."""
        return self.overhead <= MOST_OVERHEAD

    @property
    def refusal(self) -> str:
        """Why the map does not."""
        return (
            f"{self.rate:,.0f} calls/s would add {self.overhead:.1%} to the run's time; "
            "below, one call in a hundred is timed; or measure a caller"
        )

    @property
    def remark(self) -> str:
        """What the map says beside it."""
        return (
            f"{self.share:.1%} of the time, {self.rate:,.1f} calls/s, {self.overhead:.3%} overhead"
        )


def run_seconds(traced: Traced, share: float) -> float:
    """Give how long a command would have run without being traced.

    Args:
        traced: What it did.
        share: What tracing takes beside its counting, for each second of that.
    """
    return max(traced.seconds - traced.spent * (1 + share), traced.seconds * _LEAST_SHARE)


def ranked(
    candidates: Iterable[Candidate], traced: Traced, prices: Prices, order: Order
) -> list[Row]:
    """Rank what was called.

    Args:
        candidates: Functions with what was called of them.
        traced: The whole of it.
        prices: What measuring and tracing a call costs.
        order: By share of time, or by rate of calls.
    """
    seconds = run_seconds(traced, prices.traced)
    rows = [
        Row(
            each,
            each.called.calls,
            each.called.calls / seconds,
            each.called.seconds / traced.seconds,
            each.called.own / traced.seconds,
            each.called.calls * prices.of(each) / seconds,
        )
        for each in candidates
        if each.called is not None
    ]
    if order == "rate":
        return sorted(rows, key=lambda row: (-row.rate, row.candidate.target))
    return sorted(rows, key=lambda row: (-row.share, -row.own, row.candidate.target))
