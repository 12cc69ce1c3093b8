"""Stop asking a service that keeps failing, and find out gently when it is back.

In: leave to send (`before_request`) and the outcomes (`record_success`, `record_failure`). Out:
`CircuitOpenError` while the service is given time, and changes of state to listeners. It sends
nothing itself.

    closed --threshold failures in a row--> open --recovery_seconds--> half-open
    half-open --a success--> closed         half-open --a failure--> open
"""

from __future__ import annotations

import logging
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from ancestry_core.exceptions import CircuitOpenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_core.config import BreakerSettings

_log = logging.getLogger(__name__)


class BreakerState(Enum):
    """The three states, each with the number that shows it on a scale from closed to open."""

    CLOSED = 0.0
    HALF_OPEN = 0.5
    OPEN = 1.0


Listener: TypeAlias = "Callable[[str, BreakerState, BreakerState], object]"
"""Called with the breaker's name, the old state and the new one."""


class SessionCircuitBreaker:
    """The breaker between the session and the service; safe for any number of threads.

    Args:
        name: Names it in messages and to listeners.
        settings: Threshold, recovery time, probes.
        clock: Monotonic seconds.

    Example:
        >>> from ancestry_core.config import BreakerSettings
        >>> breaker = SessionCircuitBreaker("api", BreakerSettings(threshold=1))
        >>> breaker.record_failure()
        >>> breaker.state, breaker.allow()
        (<BreakerState.OPEN: 1.0>, False)
    """

    def __init__(
        self,
        name: str,
        settings: BreakerSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        # Re-entrant, because a listener may read the state it is told about.
        self._lock = threading.RLock()
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._probes = 0
        self._changed_at = clock()
        self._listeners: list[Listener] = []

    @property
    def state(self) -> BreakerState:
        """The present state; an open breaker becomes half-open when it is next asked for leave."""
        return self._state

    @property
    def state_value(self) -> float:
        """The state as a number: 0 closed, 0.5 half-open, 1 open."""
        return self._state.value

    def add_listener(self, listener: Listener) -> None:
        """Have every change of state told to a listener.

        Args:
            listener: Called in the thread that caused the change, in order; it must be quick.
                What it raises is logged, not passed on.
        """
        self._listeners.append(listener)

    def before_request(self) -> None:
        """Ask for leave to send one request.

        Raises:
            CircuitOpenError: If the service is being left alone.
        """
        if not self.allow():
            raise CircuitOpenError(self.name, self.retry_in_seconds())

    def allow(self) -> bool:
        """Tell whether one request may be sent now; while half-open a yes takes a probe.

        Returns:
            True if it may be sent; its outcome must then be recorded.
        """
        with self._lock:
            if self._state is BreakerState.CLOSED:
                return True
            if self.retry_in_seconds() == 0:
                self._let_probes_through()
            if self._probes == 0:
                return False
            self._probes -= 1
            return True

    def retry_in_seconds(self) -> float:
        """Give the time until a request may be let through.

        Returns:
            Seconds; 0.0 when one may be tried now. While half-open, with all probes under way,
            it is the time after which they are taken for lost and new ones are let through.
        """
        with self._lock:
            if self._state is BreakerState.CLOSED:
                return 0.0
            until = self._changed_at + self._settings.recovery_seconds
            return max(0.0, until - self._clock())

    def record_success(self) -> None:
        """Note that the service answered; closes a half-open breaker."""
        with self._lock:
            self._failures = 0
            if self._state is BreakerState.HALF_OPEN:
                self._transition(BreakerState.CLOSED)

    def record_failure(self) -> None:
        """Note a server error or no answer; may open the breaker."""
        with self._lock:
            self._failures += 1
            if self._state is BreakerState.HALF_OPEN or (
                self._state is BreakerState.CLOSED and self._failures >= self._settings.threshold
            ):
                self._trip()

    def _let_probes_through(self) -> None:
        """Go half-open; when it is already, the probes that never reported are given up."""
        if self._state is BreakerState.OPEN:
            self._transition(BreakerState.HALF_OPEN)
        self._changed_at = self._clock()
        self._probes = self._settings.max_probes

    def _trip(self) -> None:
        """Open the breaker: the single place where that happens."""
        _log.warning(
            "circuit breaker %r opens after %d failures; tries a request again in %g s",
            self.name,
            self._failures,
            self._settings.recovery_seconds,
        )
        self._transition(BreakerState.OPEN)

    def _transition(self, new_state: BreakerState) -> None:
        """Change the state: the single place where that happens."""
        old_state, self._state = self._state, new_state
        self._changed_at = self._clock()
        self._probes = 0
        for listener in tuple(self._listeners):
            self._tell(listener, old_state)

    def _tell(self, listener: Listener, old_state: BreakerState) -> None:
        try:
            listener(self.name, old_state, self._state)
        except Exception:  # noqa: BLE001 - a fault of an onlooker must not fail the request
            _log.exception("a listener of circuit breaker %r failed", self.name)
