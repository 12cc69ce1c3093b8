"""What the embedded service can be told: size, seed, credentials, sessions, faults.

Plain data, checked when it is made. Nothing is opened or started here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ancestry_core.exceptions import SettingsError
from ancestry_core.service.defaults import DEFAULT_PASSWORD, DEFAULT_USERNAME
from ancestry_core.service.faults import FaultRates

if TYPE_CHECKING:
    from pathlib import Path

_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """The settings of one embedded service.

    Args:
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        matches: How many DNA matches the account has.
        seed: What everything drawn by chance follows from.
        gedcom: A GEDCOM file to take the people from; None for the bundled royal houses.
        root: Id of the account's person in that file, `@I1@` or `I1`; None for the
            person with the most blood relatives on record.
        username: Who may sign in.
        password: With which password; never shown.
        session_seconds: How long a session lives.
        session_requests: After how many API requests a session ends, so that a test can tell when;
            None for no such end.
        faults: What goes wrong.
        record_limit: How many of the latest requests the record keeps singly.

    Raises:
        SettingsError: A value is out of range.

    Example:
        >>> ServiceSettings(matches=30, seed=7).port
        0
    """

    host: str = "127.0.0.1"
    port: int = 0
    matches: int = 300
    seed: int = 7
    gedcom: Path | None = None
    root: str | None = None
    username: str = DEFAULT_USERNAME
    password: str = field(default=DEFAULT_PASSWORD, repr=False)
    session_seconds: float = 2400.0
    session_requests: int | None = None
    faults: FaultRates = field(default_factory=FaultRates.none)
    record_limit: int = 20_000

    def __post_init__(self) -> None:
        self._require(0 <= self.port <= _HIGHEST_PORT, "port", f"0 to {_HIGHEST_PORT}")
        self._require(self.matches >= 0, "matches", "0 or more")
        self._require(self.session_seconds > 0, "session_seconds", "more than 0 seconds")
        self._require(
            self.session_requests is None or self.session_requests > 0,
            "session_requests",
            "1 or more, or none",
        )
        self._require(self.record_limit >= 0, "record_limit", "0 or more")

    def _require(self, holds: bool, name: str, allowed: str) -> None:  # noqa: FBT001 - the checked condition itself
        if not holds:
            raise SettingsError(
                f"settings of the embedded service: {name} is {getattr(self, name)}; use {allowed}"
            )
