"""Hold requests back so that they never leave faster than the service allows.

In: calls of `wait()` from any thread, and what became of the requests (`on_success`,
`on_throttled`). Out: callers let through one after the other, in the order in which they came,
at most `burst + rate * w` of them in any w seconds. It sends nothing and reads no headers.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from ancestry_core.fair_lock import FairLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_core.config import LimiterSettings


class RateLimiter:
    """A token bucket whose rate adapts to what the service says.

    The bucket holds `settings.burst` tokens, begins full and gains `rate` tokens a second; a
    caller takes one. A throttled request multiplies the rate by `throttle_factor`, down to
    `min_requests_per_second`; a run of `recovery_successes` multiplies it by `recovery_factor`,
    up to `settings.ceiling`.

    Args:
        settings: Rate, burst and factors.
        clock: Monotonic seconds.
        sleep: Waits the given seconds.

    Example:
        >>> from ancestry_core.config import LimiterSettings
        >>> limiter = RateLimiter(LimiterSettings(requests_per_second=4), sleep=lambda _: None)
        >>> limiter.wait("/api/trees")
        0.0
    """

    def __init__(
        self,
        settings: LimiterSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._turn = FairLock()
        # Apart from the turn: answers change the rate while a caller sleeps in its turn.
        self._state = threading.Lock()
        self._rate = settings.requests_per_second
        self._tokens = float(settings.burst)
        self._counted_at = clock()
        self._paused_until = self._counted_at
        self._successes = 0

    @property
    def rate(self) -> float:
        """The present rate in requests per second."""
        return self._rate

    @property
    def max_pause_seconds(self) -> float:
        """The longest Retry-After that is waited for."""
        return self._settings.max_pause_seconds

    def wait(self, endpoint: str | None = None) -> float:  # noqa: ARG002 - one bucket for all endpoints; callers say what they wait for
        """Wait until one request may leave.

        Args:
            endpoint: What the caller is about to ask for; all endpoints share one bucket.

        Returns:
            The seconds this caller slept; 0.0 when it could go at once. The time it stood
            behind earlier callers is in their figures.
        """
        delay = 0.0
        with self._turn:
            while (pause := self._take()) > 0:
                self._sleep(pause)
                delay += pause
        return delay

    def on_success(self) -> None:
        """Note that a request was answered well; a run of these raises the rate."""
        with self._state:
            self._successes += 1
            if self._successes >= self._settings.recovery_successes:
                self._successes = 0
                faster = self._rate * self._settings.recovery_factor
                self._change_rate(min(self._settings.ceiling, faster))

    def on_throttled(self, retry_after: float | None = None) -> None:
        """Note that the service answered 429: slow down, and pause for as long as it asks.

        Args:
            retry_after: Seconds from its Retry-After header, None without one. No more than
                `settings.max_pause_seconds` are waited.
        """
        with self._state:
            self._successes = 0
            slower = self._rate * self._settings.throttle_factor
            self._change_rate(max(self._settings.min_requests_per_second, slower))
            # What was saved up would go out at once, on top of what was too much.
            self._tokens = min(self._tokens, 0.0)
            if retry_after is not None:
                pause = min(retry_after, self._settings.max_pause_seconds)
                self._paused_until = max(self._paused_until, self._clock() + pause)

    def _take(self) -> float:
        """Take a token, or give the seconds until there is one.

        A moment is compared with a moment, not an amount with 1: after sleeping exactly until
        `due`, a rounding error in the amount would leave a pause too short to move the clock.
        """
        with self._state:
            now = self._clock()
            due = self._counted_at + max(0.0, 1.0 - self._tokens) / self._rate
            due = max(due, self._paused_until)
            if now < due:
                return due - now
            self._refill(now)
            self._tokens -= 1.0
            return 0.0

    def _change_rate(self, rate: float) -> None:
        self._refill(self._clock())
        self._rate = rate

    def _refill(self, now: float) -> None:
        gained = (now - self._counted_at) * self._rate
        self._tokens = min(float(self._settings.burst), self._tokens + gained)
        self._counted_at = now
