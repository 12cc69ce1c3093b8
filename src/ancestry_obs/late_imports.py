"""Imports that wait until something is asked for, in whichever thread that is.

    with importing:
        from prometheus_client import CollectorRegistry

What a program pays for at its start is what it needs at its start; a page is written later, in a
thread of the exporter. Python holds a lock for each module that is being imported, and a child
that is forked meanwhile has that lock held by a thread that it does not have: it could never import
the module. So a fork waits until such an import is done.
"""

from __future__ import annotations

import os
from _thread import RLock
from typing import Final

__all__ = ["importing"]


class _Importing:
    """Keeps forks waiting; taken again by the thread that has it."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin with nobody importing, as a forked child does."""
        self._lock = RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


importing: Final = _Importing()

os.register_at_fork(
    before=importing.__enter__, after_in_parent=importing.__exit__, after_in_child=importing.begin
)
