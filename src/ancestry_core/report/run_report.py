"""What a run did, as one value: the source of the table and of the JSON alike.

In: the summaries of the actions and the managers' own statistics. Out: `RunReport`. Nothing is
printed here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_core.actions.completion import ActionSummary
    from ancestry_core.session_manager import SessionManager


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did.

    Args:
        actions: The summaries, in the order in which the actions ran; an interrupted one is there
            with what it had done.
        requests: Attempts sent to the API.
        retries: Attempts among them that followed a failed one.
        refreshes: Renewals of the session by reason.
        cache_hits: Lookups in the cache that found something.
        cache_lookups: All of them.
        breaker_trips: How often the circuit breaker opened.
        seconds: How long it took, sign-in included.
        sent: Whether messages were really sent.
    """

    actions: tuple[ActionSummary, ...]
    requests: int
    retries: int
    refreshes: Mapping[str, int]
    cache_hits: int
    cache_lookups: int
    breaker_trips: int
    seconds: float
    sent: bool

    @classmethod
    def of(
        cls,
        session_manager: SessionManager,
        actions: tuple[ActionSummary, ...],
        *,
        breaker_trips: int,
        seconds: float,
        sent: bool,
    ) -> RunReport:
        """Read the managers' statistics.

        Args:
            session_manager: Whose managers are asked.
            actions: What the actions did.
            breaker_trips: How often the breaker opened.
            seconds: How long it took.
            sent: Whether messages were really sent.
        """
        statistics = session_manager.api.statistics
        cache = session_manager.cache.statistics()
        return cls(
            actions=actions,
            requests=statistics.requests_sent,
            retries=statistics.retries,
            refreshes=session_manager.refreshes,
            cache_hits=cache.hits,
            cache_lookups=cache.lookups,
            breaker_trips=breaker_trips,
            seconds=seconds,
            sent=sent,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report in the form that `--json` prints."""
        return {
            "actions": {
                summary.action: {
                    name: round(value, 3) if isinstance(value, float) else value
                    for name, value in asdict(summary).items()
                    if name != "action"
                }
                for summary in self.actions
            },
            "requests": self.requests,
            "retries": self.retries,
            "refreshes": dict(self.refreshes),
            "cache": {"hits": self.cache_hits, "lookups": self.cache_lookups},
            "breaker_trips": self.breaker_trips,
            "seconds": round(self.seconds, 3),
            "sent": self.sent,
        }
