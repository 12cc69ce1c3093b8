"""A lock that is handed over in the order in which threads asked for it.

`threading.Lock` lets any waiting thread win, so one of eight callers can starve. The limiter and
the request slot both promise "one after the other", and that promise includes the order.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class FairLock:
    """A first-come, first-served mutex, used as a context manager; it is not re-entrant.

    Example:
        >>> turn = FairLock()
        >>> with turn:
        ...     turn.waiting
        0
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._queue: deque[threading.Lock] = deque()

    @property
    def waiting(self) -> int:
        """How many threads wait for their turn."""
        return len(self._queue)

    def __enter__(self) -> Self:
        with self._guard:
            if not self._held:
                self._held = True
                return self
            gate = threading.Lock()
            gate.acquire()
            self._queue.append(gate)
        try:
            gate.acquire()
        except BaseException:
            # Ctrl-C while waiting: a gate left behind would be given a turn that nobody takes.
            self._withdraw(gate)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._guard:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._queue:
            self._queue.popleft().release()
        else:
            self._held = False

    def _withdraw(self, gate: threading.Lock) -> None:
        with self._guard:
            if gate in self._queue:
                self._queue.remove(gate)
            else:
                self._pass_on()
