"""One process of a run: it hands over what it measured, and gives what the others have.

A thread looks once a second, and hands over what has changed since. It begins with the first thing
that is measured in the process; one that measures nothing hands nothing over. At its end a process
hands over what is left. What goes wrong (a full disk, a folder that somebody took away) is told
once, counted, and tried again; the program never sees it.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Final, TypeVar

from ancestry_obs.notices import Notices
from ancestry_obs.process_tree.run_folder import RunFolder
from ancestry_obs.process_tree.totals import Totals
from ancestry_obs.process_tree.turns import InTheMidstError, Turns
from ancestry_obs.recording.failures import came_from_outside, warn
from ancestry_obs.unpatched import allocate_lock, start_new_thread

if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable

    from ancestry_obs.process_tree.shown import Shown

__all__ = ["SECONDS", "Member"]

_T = TypeVar("_T")

logger = Notices()

SECONDS: Final = 1.0
"""So old is at most what a process that is killed has handed over."""

_PATIENCE: Final = 5.0


class Member:
    """This process, as a member of the run.

    Args:
        folder: The run's folder.
        take: Gives what this process has measured so far.
        lead: Called when this process is to serve the run's page from now on, and again each second
            until it gives whether it does: its port may not be free yet.
        fail: Counts what could not be handed over or read.

    Attributes:
        has_begun: Whether something was measured in this process.
    """

    def __init__(
        self,
        folder: str,
        take: Callable[[], Totals],
        lead: Callable[[], bool],
        fail: Callable[[], object] = int,
    ) -> None:
        self._folder = RunFolder(folder)
        self._take = take
        self._lead = lead
        self._fail = fail
        self._said: set[object] = set()
        self._begin_process()
        _MEMBERS.add(self)

    def _begin_process(self) -> None:
        self.is_leading = False
        self._is_served = False
        # What is this process's own in the folder, and everything else there. No turn waits for
        # another but that of a page, which hands over first.
        self._own = Turns(_PATIENCE)
        self._rest = Turns(_PATIENCE)
        # Held as long as the thread is to look; nothing where there is none.
        self._looking: LockType | None = None
        self.has_begun = False
        self._has_ended = False
        self._has_left = False
        self._handed = b""
        self._others = Totals(), 0

    def _begin_child(self) -> None:
        self._begin_process()
        self._folder.begin_child()

    def join(self) -> None:
        """Take part, and serve the page if no other process does."""

        def join() -> None:
            self._folder.join()
            self.is_leading = self._is_served = self._folder.lead()

        self._do_unless_in_it(join)
        if self.is_leading:
            # Others come and go, also where this one measures nothing.
            self.begin()

    def begin(self) -> None:
        """Hand over from now on; called whenever something may be measured first. Never blocks."""
        self.has_begun = True
        if self._looking is None and not self._has_ended:
            self._looking = looking = allocate_lock()
            is_looked = False
            try:
                looking.acquire()
                start_new_thread(self._look, (looking,))
                is_looked = True
            except RuntimeError as error:
                # There are too many threads; or the interpreter ends, and the end hands over.
                self._tell(error)
            finally:
                # The next that is measured tries again.
                if not is_looked:
                    self._looking = None

    def hand_over(self, take: Callable[[], Totals] | None = None, *, is_last: bool = False) -> None:
        """Hand over what has changed.

        What was measured later is never replaced by what was measured before: whoever hands over
        does so from the reading on.

        Args:
            take: Gives what this process has measured; as it was told from the start if None.
            is_last: Whether nothing of it will live any more.
        """
        take = take or self._take

        def hand_over() -> None:
            if is_last or not self._has_ended:
                totals = take()
                data = (totals.without_living() if is_last else totals).as_bytes()
                if data != self._handed:
                    self._folder.hand_over(data)
                    self._handed = data

        try:
            self._do(self._own, hand_over)
        except InTheMidstError:
            # A signal handler that ends the process, or lets it run another program, within that.
            self._do(Turns(0), hand_over)

    def still(self, change: Callable[[], object]) -> None:
        """Change what is measured, while nothing is handed over."""
        begun: list[bool] = []

        def begin() -> None:
            begun.append(True)
            change()

        try:
            self._own.do(begin)
        except (InTheMidstError, TimeoutError):
            # A sample that hangs keeps no map from being changed.
            if begun:
                raise
            change()

    def give_way(self) -> None:
        """Hand over before another program runs in this process; or it turns out that none can."""
        if self.has_begun:
            self.hand_over(is_last=True)

    def others(self) -> tuple[Totals, int]:
        """Add up what the other processes of the run have handed over.

        Returns:
            The sum, and how many of them run; as of the last time, if they cannot be read.
        """

        def add_up() -> None:
            self._others = self._folder.others()

        self._do_unless_in_it(add_up)
        return self._others

    def living(self) -> list[int]:
        """Give the numbers of the run's processes that run; see `RunFolder.living`."""
        found: list[list[int]] = []
        self._do_unless_in_it(lambda: found.append(self._folder.living()))
        return found[0] if found else [os.getpid()]

    def limited(self, keep: Callable[[Shown], _T]) -> _T:
        """Keep the labels of the page within their limits; see `RunFolder.shown`."""
        kept: list[_T] = []
        self._do_unless_in_it(lambda: kept.append(self._folder.shown(keep)))
        return kept[0] if kept else keep(self._folder.recalled())

    def end(self) -> None:
        """Hand over for the last time; another process may serve the page. Twice is once."""
        if self._has_ended:
            return
        self._has_ended = True
        try:
            if self.has_begun:
                self.hand_over(is_last=True)
        except BaseException:
            # Ctrl-C, for one: it may be that the process goes on.
            self._has_ended = False
            raise
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.release()

    def leave(self) -> None:
        """Let another process serve the page; the last one of a run takes its folder away.

        Twice is once.
        """

        def leave() -> None:
            if self._has_left:
                return
            try:
                if self.has_begun and not self.is_leading:
                    self._folder.merge()
            finally:
                self.is_leading = False
                self._folder.leave()
                self._has_left = True

        self._do_unless_in_it(leave)

    def _look(self, looking: LockType) -> None:
        while not looking.acquire(timeout=SECONDS) and not self._has_ended:
            self._step()

    def _step(self) -> None:
        self.hand_over()

        def look_around() -> None:
            if not self._has_ended:
                self._folder.join()
                if self.is_leading:
                    self._folder.merge()
                self.is_leading = self._folder.lead()

        self._do_unless_in_it(look_around)
        if self.is_leading and not self._is_served:
            self._do_unless_in_it(self._serve, Turns(0))

    def _serve(self) -> None:
        self._is_served = self._lead()

    def _do_unless_in_it(self, step: Callable[[], object], turns: Turns | None = None) -> None:
        try:
            self._do(turns or self._rest, step)
        except InTheMidstError:
            return

    def _do(self, turns: Turns, step: Callable[[], object]) -> None:
        """Do something at the folder; what goes wrong is told and counted, once it is over."""
        try:
            turns.do(step)
        except InTheMidstError:
            raise
        except Exception as error:
            if came_from_outside(error):
                raise
            self._tell(error)
        while self._folder.damaged:
            self._tell(ValueError(self._folder.damaged.pop()))

    def _tell(self, error: Exception) -> None:
        self._fail()
        # Names of files differ from time to time.
        what = type(error), getattr(error, "errno", None)
        if what not in self._said:
            self._said.add(what)
            warn(logger, "the page of the run lacks what one of its processes measured: %s", error)


# What is registered for forks stays so: it is once for the process, not for each installation.
_MEMBERS: weakref.WeakSet[Member] = weakref.WeakSet()


def _begin_children() -> None:
    for member in tuple(_MEMBERS):
        member._begin_child()  # noqa: SLF001 - one module


os.register_at_fork(after_in_child=_begin_children)
