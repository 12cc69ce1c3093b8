"""Wait for a service that is down for a moment, instead of failing item after item.

In: one call of the API. Out: what it returns, or its error. An open circuit breaker says how long
the service is left alone; that long is waited, so many times. What an error means for an item, the
actions decide.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from ancestry_core.exceptions import CircuitOpenError, RequestFailed

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_WAITS = 10
"""With the default breaker that is five minutes of a service that is down."""
SHORTEST_WAIT_SECONDS = 0.05
"""Asking again must not spin while another thread's probe is under way."""


class Patience:
    """Makes calls, waiting while the breaker is open.

    Args:
        sleep: Waits the given seconds.
    """

    def __init__(self, sleep: Callable[[float], object]) -> None:
        self._sleep = sleep

    def call(self, request: Callable[..., T], *arguments: object) -> T:
        """Make one call.

        Args:
            request: A method of the API manager.
            *arguments: What it is called with.

        Raises:
            CircuitOpenError: If the breaker is open still after all waits.
            ApiError: If the call fails in another way.
        """
        for _ in range(MOST_WAITS):
            try:
                return request(*arguments)
            except CircuitOpenError as error:
                _log.info("%s", error)
                self._sleep(max(error.retry_in_seconds, SHORTEST_WAIT_SECONDS))
        return request(*arguments)

    def insist(self, request: Callable[..., T], *arguments: object) -> T:
        """Make a call that the rest of the action hangs on: a failure is not taken at once.

        A run of failures usually means that the service is down, and then the next call waits for
        it.

        Raises:
            ApiError: If it fails for good.
        """
        for _ in range(2):
            try:
                return self.call(request, *arguments)
            except RequestFailed as error:
                _log.warning("%s; trying once more", error)
        return self.call(request, *arguments)
