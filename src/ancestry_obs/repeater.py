"""A step that is done again and again in a thread of its own, until somebody stops it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ancestry_obs.unpatched import allocate_lock, start_new_thread

if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable

__all__ = ["Repeater"]


class Repeater:
    """The thread of one step; a forked child has none of its parent's.

    Args:
        step: What is done.
        seconds: How long it rests in between.
    """

    def __init__(self, step: Callable[[], object], seconds: float) -> None:
        self._step = step
        self._seconds = seconds
        # Held as long as the thread is to go on.
        self._going: LockType = allocate_lock()

    def start(self) -> None:
        """Begin; to begin twice is to begin once."""
        if not self._going.locked():
            self._going = going = allocate_lock()
            going.acquire()
            # An interpreter that ends starts no thread any more.
            with suppress(RuntimeError):
                start_new_thread(self._repeat, (going,))

    def stop(self) -> None:
        """End after the step that is under way; nothing happens if there is no thread."""
        going = self._going
        if going.locked():
            going.release()

    def _repeat(self, going: LockType) -> None:
        while not going.acquire(timeout=self._seconds):
            self._step()
