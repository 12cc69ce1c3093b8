"""What goes wrong at the embedded service, and when: counted in requests, never in time.

In: rates and windows (`FaultRates`) and a seed. Out: for each API request, in the order of
arrival, the fault that meets it (`FaultPlan.next`), and the ids that are broken for good
(`FaultPlan.is_broken`). The fate of the n-th request follows from the seed and n alone, so a run
that sends the same requests meets the same faults. Nothing is done here: the application acts.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING

from ancestry_core.exceptions import SettingsError
from ancestry_core.service.seeding import fraction, selection

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(Enum):
    """What meets one API request; the values are the names of the rates in `FaultRates`."""

    NONE = "none"
    OUTAGE = "outage"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    SLOW = "slow"
    DROPPED = "dropped"
    BROKEN_JSON = "broken_json"


class Broken(Enum):
    """Things of the service that are broken for good; the values are fields of `FaultRates`."""

    DETAILS = "broken_details"
    PROFILES = "broken_profiles"
    CONVERSATIONS = "broken_conversations"
    REREADS = "broken_rereads"
    SENDS = "broken_sends"


_RATES = tuple(fault for fault in Fault if fault not in {Fault.NONE, Fault.OUTAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How often the service fails, and how.

    Rates are shares of the API requests, from 0 to 1, and add up to at most 1. The sign-in page
    has no part in them.

    Args:
        unauthorized: The session is ended early and the request answered 401.
        forbidden: The session is ended early and the request answered 403.
        throttled: 429 with a `Retry-After` of `retry_after` seconds; nothing is done.
        server_error: 500; nothing is done.
        slow: Answered after `slow_seconds`.
        dropped: The request is carried out, then the connection is closed without an answer.
        broken_json: The request is carried out, but the answer's body is cut off.
        retry_after: Whole seconds that a 429 asks for.
        slow_seconds: Seconds that a slow answer takes.
        outage_start: The number of the API request (1 is the first) that meets the outage first.
        outage_length: How many API requests in a row are answered 503 from there; 0 for none.
        broken_details: Number of matches whose details always answer 500.
        broken_profiles: Number of matches whose profile always answers 500.
        broken_conversations: Number of conversations whose messages always come as broken JSON.
        broken_rereads: Number of conversations whose messages come well once, broken ever after.
        broken_sends: Number of matches to whom a message always answers 500.
        settings_failure_every: Every n-th visit to the settings page throws the browser out: it is
            sent to the sign-in page and has to sign in afresh; 0 for never.
        late_matches: Number of matches that turn up near the top of the list only when its first
            page has been shown, so that the pages behind it shift.

    Raises:
        SettingsError: A value is out of range.

    Example:
        >>> FaultRates(throttled=0.01, retry_after=2)  # doctest: +ELLIPSIS
        FaultRates(...)
    """

    unauthorized: float = 0.0
    forbidden: float = 0.0
    throttled: float = 0.0
    server_error: float = 0.0
    slow: float = 0.0
    dropped: float = 0.0
    broken_json: float = 0.0
    retry_after: int = 1
    slow_seconds: float = 0.5
    outage_start: int = 1
    outage_length: int = 0
    broken_details: int = 0
    broken_profiles: int = 0
    broken_conversations: int = 0
    broken_rereads: int = 0
    broken_sends: int = 0
    settings_failure_every: int = 0
    late_matches: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value >= 0:  # NaN is refused by this form as well
                raise SettingsError(
                    f"faults of the embedded service: {field.name} is {value}; use 0 or more"
                )
        total = sum(rate for _, rate in self.thresholds())
        if total > 1:
            raise SettingsError(
                f"faults of the embedded service: the rates add up to {total:g}; use at most 1"
            )

    @classmethod
    def none(cls) -> FaultRates:
        """Return the faults of a service that never fails."""
        return cls()

    @classmethod
    def realistic(cls) -> FaultRates:
        """Return faults with which a normal run meets every kind of trouble, and gets through."""
        return cls(
            unauthorized=0.002,
            forbidden=0.004,
            throttled=0.01,
            server_error=0.012,
            slow=0.01,
            dropped=0.004,
            broken_json=0.004,
            retry_after=1,
            slow_seconds=0.6,
            outage_start=60,
            outage_length=8,
            broken_details=2,
            broken_profiles=2,
            broken_conversations=1,
            broken_rereads=1,
            broken_sends=1,
            settings_failure_every=3,
            late_matches=3,
        )

    def thresholds(self) -> tuple[tuple[Fault, float], ...]:
        """Return each fault that has a rate, with its rate."""
        return tuple((fault, getattr(self, fault.value)) for fault in _RATES)


class FaultPlan:
    """Says for each API request which fault meets it; safe to use from several threads.

    Args:
        rates: The faults to begin with.
        seed: What the order of the faults follows from.
        candidates: Per kind of lasting fault, the lower-case ids among which the broken are chosen.
    """

    def __init__(
        self, rates: FaultRates, seed: int, candidates: Mapping[Broken, tuple[str, ...]]
    ) -> None:
        self._seed = seed
        self._candidates = candidates
        self._lock = threading.Lock()
        self._requests = 0
        self._settings_visits = 0
        self._list_was_shown = False
        self.switch(rates)

    @property
    def rates(self) -> FaultRates:
        """The faults in force."""
        return self._rates

    def switch(self, rates: FaultRates) -> None:
        """Put other faults in force, from the next request on.

        The outage is counted afresh: `outage_start=1` begins it with the very next API request.
        """
        broken = {
            kind: selection(self._seed, kind.value, ids, getattr(rates, kind.value))
            for kind, ids in self._candidates.items()
        }
        with self._lock:
            self._rates = rates
            self._broken = broken
            self._switched_at = self._requests

    def next(self) -> Fault:
        """Count one API request and return what meets it."""
        with self._lock:
            self._requests += 1
            number, rates = self._requests, self._rates
            since_switch = number - self._switched_at
        if 0 <= since_switch - rates.outage_start < rates.outage_length:
            return Fault.OUTAGE
        return _fault_at(fraction(self._seed, "fault", number), rates)

    def is_broken(self, kind: Broken, identifier: str) -> bool:
        """Tell whether the thing with this id is broken for good."""
        return identifier.lower() in self._broken.get(kind, ())

    def late_matches(self, page: int) -> int:
        """Return how many matches a page of the list does not know of yet; note that it is shown.

        They arrive when the first page has been shown, and stay.
        """
        with self._lock:
            late = 0 if self._list_was_shown else self._rates.late_matches
            self._list_was_shown = self._list_was_shown or page == 1
            return late

    def settings_page_fails(self) -> bool:
        """Count one visit to the settings page and tell whether it throws the browser out."""
        with self._lock:
            self._settings_visits += 1
            every = self._rates.settings_failure_every
            return every > 0 and self._settings_visits % every == 0


def _fault_at(point: float, rates: FaultRates) -> Fault:
    """Return the fault whose share of [0, 1) holds the point."""
    for fault, rate in rates.thresholds():
        point -= rate
        if point < 0:
            return fault
    return Fault.NONE
