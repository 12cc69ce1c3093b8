"""One process of a run: it hands over what it measured, and gives what the others have.

A thread looks once a second, and hands over what has changed since. It begins with the first thing
that is measured in the process; one that measures nothing hands nothing over. At its end a process
hands over what is left. What goes wrong (a full disk, a folder that somebody took away) is told
once, counted, and tried again; the program never sees it.
"""

from __future__ import annotations

import logging
import os
import weakref
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Final

from ancestry_obs.process_tree.run_folder import RunFolder
from ancestry_obs.process_tree.totals import Totals
from ancestry_obs.unpatched import allocate_lock, start_new_thread

if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable, Iterator

__all__ = ["SECONDS", "Member"]

logger = logging.getLogger("ancestry_obs")

SECONDS: Final = 1.0
"""So old is at most what a process that is killed has handed over."""

_PATIENCE: Final = 5.0


class Member:
    """This process, as a member of the run.

    Args:
        folder: The run's folder.
        take: Gives what this process has measured so far.
        lead: Called when this process is to serve the run's page from now on.
        fail: Counts what could not be handed over or read.
    """

    def __init__(
        self,
        folder: str,
        take: Callable[[], Totals],
        lead: Callable[[], object],
        fail: Callable[[], object] = int,
    ) -> None:
        self._folder = RunFolder(folder)
        self._take = take
        self._lead = lead
        self._fail = fail
        self._others = Totals(), 0
        self._said: set[str] = set()
        self.is_leading = False
        self._begin_process()
        _MEMBERS.add(self)

    def _begin_process(self) -> None:
        self._lock = allocate_lock()
        # Held as long as the thread is to look; nothing where there is none.
        self._looking = allocate_lock()
        self._has_begun = False
        self._has_ended = False
        self._handed = b""
        self._turns = count(1)
        self._turn = 0

    def _begin_child(self) -> None:
        self._begin_process()
        self.is_leading = False
        self._folder.begin_child()

    def join(self) -> None:
        """Take part, and serve the page if no other process does."""
        with self._alone():
            self._folder.join()
            if self._folder.lead():
                self.is_leading = True
        if self.is_leading:
            # Others come and go, also where this one measures nothing.
            self.begin()

    def begin(self) -> None:
        """Hand over from now on; called whenever something may be measured first. Never blocks."""
        if not self._has_begun:
            self._has_begun = True
            self._looking = looking = allocate_lock()
            looking.acquire()
            # An interpreter that ends starts no thread any more; then the end hands over.
            with suppress(RuntimeError):
                start_new_thread(self._look, (looking,))

    def hand_over(self, *, is_last: bool = False) -> None:
        """Hand over what has changed.

        Args:
            is_last: Whether nothing of it will live any more.
        """
        turn = next(self._turns)
        totals = self._take()
        data = (totals.without_living() if is_last else totals).as_bytes()
        with self._alone():
            # Who came later has measured more.
            if turn > self._turn and data != self._handed:
                self._folder.hand_over(data)
                self._handed, self._turn = data, turn

    def give_way(self) -> None:
        """Hand over before another program runs in this process; or it turns out that none can."""
        if self._has_begun:
            self.hand_over(is_last=True)

    def others(self) -> tuple[Totals, int]:
        """Add up what the other processes of the run have handed over.

        Returns:
            The sum, and how many of them run; as of the last time, if they cannot be read.
        """
        with self._alone():
            self._others = self._folder.others()
        return self._others

    def end(self) -> None:
        """Hand over for the last time; another process may serve the page. Twice is once."""
        if self._has_ended:
            return
        self._has_ended = True
        if self._has_begun:
            self.hand_over(is_last=True)
        if self._looking.locked():
            self._looking.release()

    def leave(self) -> None:
        """Let another process serve the page; the last one of a run takes its folder away."""
        with self._alone():
            if self._has_begun and not self.is_leading:
                self._folder.merge()
            self.is_leading = False
            self._folder.leave()

    def _look(self, looking: LockType) -> None:
        while not looking.acquire(timeout=SECONDS):
            self._step()

    def _step(self) -> None:
        self.hand_over()
        was_leading = self.is_leading
        with self._alone():
            if was_leading:
                self._folder.merge()
            elif not self._has_ended:
                self.is_leading = self._folder.lead()
        if self.is_leading and not was_leading:
            self._lead()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one thread at a time be at the folder, and what goes wrong be told and counted."""
        is_alone = self._lock.acquire(timeout=_PATIENCE)
        try:
            if not is_alone:
                raise TimeoutError(f"another thread has been at it for {_PATIENCE:g} seconds")
            yield
        except (OSError, ValueError) as error:
            self._fail()
            reason = str(error)
            if reason not in self._said:
                self._said.add(reason)
                logger.warning(
                    "the page of the run lacks what one of its processes measured: %s", reason
                )
        finally:
            if is_alone:
                self._lock.release()


# What is registered for forks stays so: it is once for the process, not for each installation.
_MEMBERS: weakref.WeakSet[Member] = weakref.WeakSet()


def _begin_children() -> None:
    for member in tuple(_MEMBERS):
        member._begin_child()  # noqa: SLF001 - one module


os.register_at_fork(after_in_child=_begin_children)
