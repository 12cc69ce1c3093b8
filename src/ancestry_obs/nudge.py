"""A signal that Python was told of is handled, whatever its main thread waits for by then.

Python's own handler in C only notes a signal; the function is called when the main thread looks for
it. If it is just about to wait in C (for a semaphore, as the workers of `multiprocessing.Pool` do),
then it does not look again before it is woken: who is told to end goes on for ever. So a thread is
told of each signal as well (`signal.set_wakeup_fd`), and wakes the main thread, by a signal that
does nothing, as long as it has not looked.
"""

from __future__ import annotations

import os
import signal
from _thread import get_ident
from contextlib import suppress
from posix import close, read
from typing import TYPE_CHECKING, Final

from ancestry_obs.unpatched import allocate_lock, start_new_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["Nudge"]

_NUDGE: Final = signal.SIGURG
"""Nobody minds it who does not ask for it: the system ignores it, too."""
_SECONDS: Final = 0.05
_TRIES: Final = 40
_MOST_AT_ONCE: Final = 64


class Nudge:
    """Wakes the main thread.

    Args:
        numbers: The signals that are to be handled.
        is_waiting: Whether none of them has been handled yet.
    """

    def __init__(self, numbers: Collection[int], is_waiting: Callable[[], bool]) -> None:
        self._numbers = frozenset(numbers)
        self._is_waiting = is_waiting
        self._ends: tuple[int, int] | None = None

    def start(self) -> None:
        """Begin, in the main thread; not where the program has a use of its own for what it takes.

        To begin twice is to begin once.

        Raises:
            ValueError: It is another thread.
        """
        if self._ends is not None or signal.getsignal(_NUDGE) != signal.SIG_DFL:
            return
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        former = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        if former != -1:
            signal.set_wakeup_fd(former)
            close(reader)
            close(writer)
            return
        self._ends = reader, writer
        signal.signal(_NUDGE, _do_nothing)
        # An interpreter that ends starts no thread any more.
        with suppress(RuntimeError):
            start_new_thread(self._listen, (reader, get_ident()))

    def stop(self) -> None:
        """End, in the main thread; in a forked child too, which has the ends of its parent.

        Raises:
            ValueError: It is another thread.
        """
        ends = self._ends
        if ends is None:
            return
        former = signal.set_wakeup_fd(-1)
        self._ends = None
        if former not in {-1, ends[1]}:
            signal.set_wakeup_fd(former)
        if signal.getsignal(_NUDGE) is _do_nothing:
            signal.signal(_NUDGE, signal.SIG_DFL)
        for end in ends:
            with suppress(OSError):
                close(end)

    def _listen(self, reader: int, main: int) -> None:
        pause = allocate_lock()
        pause.acquire()
        while True:
            try:
                numbers = read(reader, _MOST_AT_ONCE)
            except OSError:
                return
            if not numbers:
                return
            tries = 0
            while not self._numbers.isdisjoint(numbers) and tries < _TRIES and self._is_waiting():
                tries += 1
                # First without: most are handled at once.
                pause.acquire(timeout=_SECONDS)
                if self._is_waiting():
                    signal.pthread_kill(main, _NUDGE)


def _do_nothing(*_: object) -> None:
    """Be a handler, so that the signal interrupts."""
