"""Wait for a service that is down for a moment, instead of failing item after item.

In: one call of the API. Out: what it returns, or its error. An open circuit breaker says how long
the service is left alone; that long is waited, so many times. What an error means for an item, the
actions decide.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from ancestry_core.exceptions import CircuitOpenError, PlatformError, RequestFailed

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_WAITS = 5
"""How often one call waits for the breaker; one item that fails for good keeps it open as well."""
MOST_GIVEN_UP = 3
"""So many calls in a row given up while the breaker is open: it is not the items, the service is
down."""
SHORTEST_WAIT_SECONDS = 0.05
"""Asking again must not spin while another thread's probe is under way."""


class Patience:
    """Makes calls, waiting while the breaker is open; one per run of an action.

    Args:
        sleep: Waits the given seconds.
    """

    def __init__(self, sleep: Callable[[float], object]) -> None:
        self._sleep = sleep
        self._given_up = 0

    def call(self, request: Callable[..., T], *arguments: object) -> T:
        """Make one call.

        Args:
            request: A method of the API manager.
            *arguments: What it is called with.

        Returns:
            What it returns.

        Raises:
            CircuitOpenError: If the breaker is open still after all waits.
            ApiError: If the call fails in another way.
            PlatformError: If the service stays down; the action is to end.
        """
        for _ in range(MOST_WAITS):
            try:
                result = request(*arguments)
            except CircuitOpenError as error:
                _log.info("%s", error)
                self._sleep(max(error.retry_in_seconds, SHORTEST_WAIT_SECONDS))
            else:
                self._given_up = 0
                return result
        return self._try_last(request, arguments)

    def insist(self, request: Callable[..., T], *arguments: object) -> T:
        """Make a call that the rest of the action hangs on: a failure is not taken at once.

        A run of failures usually means that the service is down; the next attempt then finds the
        breaker open, and waits.

        Args:
            request: A method of the API manager.
            *arguments: What it is called with.

        Returns:
            What it returns.

        Raises:
            ApiError: If it fails for good.
            PlatformError: If the service stays down.
        """
        for _ in range(2):
            try:
                return self.call(request, *arguments)
            except RequestFailed as error:
                _log.warning("%s; trying once more", error)
        return self.call(request, *arguments)

    def _try_last(self, request: Callable[..., T], arguments: tuple[object, ...]) -> T:
        try:
            return request(*arguments)
        except CircuitOpenError as error:
            self._given_up += 1
            if self._given_up < MOST_GIVEN_UP:
                raise
            raise PlatformError(
                f"the service stays down ({error}); run again later, nothing done is lost"
            ) from None
