"""How long to wait before the next attempt.

In: how many attempts failed. Out: seconds. It does not wait.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ancestry_core.config import HttpSettings


class Backoff:
    """Exponential back-off with jitter.

    Half of each wait is fixed and half is drawn ("equal jitter" in the AWS Architecture Blog's
    "Exponential Backoff And Jitter"), so that callers that failed together do not come back
    together, and none comes back at once.

    Args:
        settings: First and longest wait.
        draws: The source of the drawn half; seeded where the waits must repeat.

    Example:
        >>> from ancestry_core.config import HttpSettings
        >>> backoff = Backoff(HttpSettings(backoff_seconds=1), random.Random(7))
        >>> 1 <= backoff.seconds(2) <= 2
        True
    """

    def __init__(self, settings: HttpSettings, draws: random.Random | None = None) -> None:
        self._first = settings.backoff_seconds
        self._longest = settings.backoff_max_seconds
        self._draws = draws or random.Random()  # noqa: S311 - spreads load, guards nothing

    def seconds(self, attempt: int) -> float:
        """Give the wait after a failed attempt.

        Args:
            attempt: How many attempts failed, from 1.

        Returns:
            Seconds.
        """
        # Bounded, because 2.0 ** 1100 overflows.
        whole = min(self._longest, self._first * 2.0 ** min(attempt - 1, 60))
        return whole / 2 + self._draws.uniform(0, whole / 2)
