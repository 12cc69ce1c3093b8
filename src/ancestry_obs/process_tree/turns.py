"""One thread at a time, whatever interrupts it.

No lock of `threading`: between taking one and noting that it is taken there is room for an
exception (Ctrl-C, one that another thread has set), and then nobody would ever release it.
"""

from __future__ import annotations

from _thread import get_ident
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["InTheMidstError", "Turns"]

_T = TypeVar("_T")

_PAUSE: Final = 0.0005
"""Seconds between two looks whether another thread is through; a file is written in that time."""


class InTheMidstError(RuntimeError):
    """This very thread is in the midst of it: a signal handler has interrupted it."""


class Turns:
    """Lets one thread at a time do something.

    Args:
        patience: Seconds after which a thread that waits gives up.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        # The thread whose turn it is, or 0.
        self._thread = 0

    def do(self, step: Callable[[], _T]) -> _T:
        """Do something when it is this thread's turn.

        Args:
            step: What to do.

        Returns:
            What it gives.

        Raises:
            InTheMidstError: This thread does it already.
            TimeoutError: Another one has been doing it for too long.
        """
        me = get_ident()
        if self._thread == me:
            raise InTheMidstError
        last = monotonic() + self._patience
        try:
            while True:
                # Nothing comes between this look and the note: no call, no loop. So no thread and
                # no exception does either.
                if not self._thread:
                    self._thread = me
                    break
                if monotonic() >= last:
                    raise TimeoutError(f"another thread is at it for {self._patience:g} seconds")
                sleep(_PAUSE)
            return step()
        finally:
            if self._thread == me:
                self._thread = 0
