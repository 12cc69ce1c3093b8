"""The private folder of a run, by which its processes know of each other.

Whoever begins a run makes it and puts into it what is to be measured and how it is let out; a
process that finds the folder's name in its environment takes part. Only this user can read it.

    first         which process has made it
    measured      what is measured, and how it is let out
    <who>.totals  what one process has measured so far
    ended         what the processes have measured whose own files are gone
    *.lock        held by every process of the run (run), by the one that serves the page (page),
                  and by the one that adds to `ended` (ended)

A file is replaced in one step, so that nobody reads half of one. What a process has handed over is
in its own file or in `ended`, never in both: `ended` names those that it has taken in, until their
files are gone. So a reader needs no lock; it looks again when `ended` has changed meanwhile.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import pickle
import shutil
from contextlib import contextmanager, suppress
from itertools import count
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.process_tree.identity import start_of
from ancestry_obs.process_tree.new_run import (
    PREFIX,
    check_private,
    first_of,
    make,
    own_identity,
)
from ancestry_obs.process_tree.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RunFolder", "create", "has_measured", "measured", "put"]

_MEASURED: Final = "measured"
_ENDED: Final = "ended"
_TOTALS: Final = ".totals"
_MARSHAL: Final = 2
_LOOKS: Final = 8
_TRIES: Final = 200
_PAUSE: Final = 0.005
_LEAST_MERGED: Final = 64
"""So many files of ended processes are left where they are: to merge them costs more than they."""
_SERIAL: Final = count()
"""Tells programs of one process from each other, which one has put in the other's place."""


def create(what: object) -> str:
    """Make the folder of a new run, and clear away those of runs that were killed.

    Args:
        what: What is measured and how it is let out; anything that pickles.

    Returns:
        The folder's absolute path.

    Raises:
        OSError: It cannot be made or written.
    """
    folder = make()
    put(folder, what)
    return folder


def put(folder: str, what: object) -> None:
    """Tell the processes of a run what is measured, and clear away the folders of killed runs.

    Args:
        folder: A folder that `make` has made.
        what: As for `create`.

    Raises:
        OSError: It cannot be written.
    """
    path = f"{folder}/{_MEASURED}"
    # Two processes may be the first, and read this of each other.
    own = f"{path}.{os.getpid()}"
    with open(own, "wb") as file:  # noqa: PTH123 - pathlib costs more
        pickle.dump(what, file)
    os.replace(own, path)  # noqa: PTH105 - as above
    with os.scandir(os.path.dirname(folder)) as entries:  # noqa: PTH120 - as above
        found = [each.path for each in entries if each.name.startswith(PREFIX)]
    for each in found:
        # Others' folders are others' to clear, and one that goes just now is gone.
        with suppress(OSError, ValueError):
            if each != folder:
                RunFolder(each).clear()


def has_measured(folder: str) -> bool:
    """Tell whether something was put there."""
    return os.path.exists(f"{folder}/{_MEASURED}")  # noqa: PTH110 - pathlib costs more


def measured(folder: str) -> Any:  # noqa: ANN401 - whatever was put there
    """Give what a run measures, as `put` was given it.

    Raises:
        OSError: The folder is not there, or not this user's.
    """
    check_private(folder)
    with open(f"{folder}/{_MEASURED}", "rb") as file:  # noqa: PTH123 - pathlib costs more
        return pickle.load(file)  # noqa: S301 - only this user can have written it


class RunFolder:
    """The folder, as one process of the run uses it.

    Its methods are for one thread at a time: the system's locks know processes only.

    Args:
        path: Where it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._known: dict[str, tuple[tuple[int, ...], Totals]] = {}
        self._run_lock: int | None = None
        self._page_lock: int | None = None
        self._name_process()

    def _name_process(self) -> None:
        self._who = f"{own_identity()}-{os.urandom(3).hex()}{next(_SERIAL):x}"

    def begin_child(self) -> None:
        """Be somebody else in a forked child, which serves no page.

        The lock of the run is its parent's as well, from the very moment that it was forked.
        """
        self._name_process()
        handle, self._page_lock = self._page_lock, None
        if handle is not None:
            with suppress(OSError):
                os.close(handle)

    def join(self) -> None:
        """Let the folder stay as long as this process runs.

        Raises:
            OSError: It is not there.
        """
        if self._run_lock is None:
            self._run_lock = self._open("run.lock")
            fcntl.flock(self._run_lock, fcntl.LOCK_SH)

    def leave(self) -> None:
        """Take the folder away if no other process of the run is left; do nothing twice."""
        handles, self._run_lock, self._page_lock = (self._run_lock, self._page_lock), None, None
        for handle in handles:
            if handle is not None:
                with suppress(OSError):
                    os.close(handle)
        with suppress(OSError):
            self.clear()

    def clear(self) -> None:
        """Take the folder away unless a process of its run is left.

        Raises:
            OSError: It cannot be read.
        """
        first = first_of(self.path)
        if first != own_identity() and _is_running(first):
            return
        handle = self._open("run.lock")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(self.path, ignore_errors=True)
        except BlockingIOError:
            return
        finally:
            os.close(handle)

    def lead(self) -> bool:
        """Be the one that serves the page, unless another process is; tell whether this one is.

        Raises:
            OSError: The folder is not there.
        """
        if self._page_lock is None:
            handle = self._open("page.lock")
            if _try_lock(handle):
                self._page_lock = handle
            else:
                os.close(handle)
        return self._page_lock is not None

    def hand_over(self, data: bytes) -> None:
        """Replace what this process has handed over.

        Args:
            data: Its totals.

        Raises:
            OSError: It cannot be written; what was there stays.
        """
        self._replace(f"{self._who}{_TOTALS}", data)

    def others(self) -> tuple[Totals, int]:
        """Add up what all other processes of the run have handed over, those that have ended too.

        Returns:
            The sum, and how many of them run.

        Raises:
            OSError: The folder cannot be read.
            ValueError: A file in it is not whole.
        """
        for _ in range(_LOOKS):
            found = self._look()
            if found is not None:
                return found
        with self._alone(_TRIES):
            found = self._look()
        if found is None:
            raise BlockingIOError(f"{self.path} changes all the time")
        return found

    def merge(self, least: int = _LEAST_MERGED) -> None:
        """Put the files of ended processes into `ended`, unless somebody does it just now.

        Args:
            least: How many there must be.

        Raises:
            OSError: The folder cannot be read or written; what was there stays.
            ValueError: A file in it is not whole.
        """
        if len(self._dead()) < least:
            return
        with self._alone() as is_alone:
            if not is_alone:
                return
            merged, whole = self._read_ended()
            # Before their files are read: who has ended writes no more.
            dead = [who for who in self._dead() if who not in merged]
            for who in dead:
                whole.add(self._totals_of(who), is_living=False)
            whole.limit()
            gone = [*merged, *dead]
            self._replace(_ENDED, marshal.dumps((gone, whole.as_bytes()), _MARSHAL))
            for who in gone:
                self._known.pop(who, None)
                with suppress(FileNotFoundError):
                    os.unlink(f"{self.path}/{who}{_TOTALS}")  # noqa: PTH108 - pathlib costs more

    def _look(self) -> tuple[Totals, int] | None:
        """Add up once; nothing if what is where has changed meanwhile."""
        before = self._state(_ENDED)
        merged, whole = self._read_ended()
        living = 0
        for who in self._processes():
            if who not in merged and who != self._who:
                is_living = _is_running(who)
                try:
                    totals = self._totals_of(who)
                except FileNotFoundError:
                    return None
                whole.add(totals, is_living=is_living)
                living += is_living
        return (whole, living) if self._state(_ENDED) == before else None

    def _processes(self) -> list[str]:
        """Give who has a file, in the order in which they were started."""
        names = [name for name in os.listdir(self.path) if name.endswith(_TOTALS)]  # noqa: PTH208 - as above
        return sorted((name.removesuffix(_TOTALS) for name in names), key=_start)

    def _dead(self) -> list[str]:
        return [who for who in self._processes() if who != self._who and not _is_running(who)]

    def _totals_of(self, who: str) -> Totals:
        name = f"{who}{_TOTALS}"
        state = self._state(name)
        known = self._known.get(who)
        if known is None or known[0] != state:
            try:
                known = state, Totals.from_bytes(self._read(name))
            except ValueError as error:
                raise ValueError(f"{self.path}/{name}: {error}") from error
            self._known[who] = known
        return known[1]

    def _read_ended(self) -> tuple[list[str], Totals]:
        try:
            merged, data = marshal.loads(self._read(_ENDED))  # noqa: S302 - only this user writes it
        except FileNotFoundError:
            return [], Totals()
        except (EOFError, TypeError) as error:
            raise ValueError(f"{self.path}/{_ENDED}: it is not whole: {error}") from error
        present = set(self._processes())
        return [who for who in merged if who in present], Totals.from_bytes(data)

    @contextmanager
    def _alone(self, tries: int = 1) -> Iterator[bool]:
        """Hold the lock of `ended`, if it can be had."""
        handle = self._open("ended.lock")
        try:
            for attempt in range(tries):
                if _try_lock(handle):
                    yield True
                    return
                if attempt + 1 < tries:
                    sleep(_PAUSE)
            yield False
        finally:
            os.close(handle)

    def _open(self, name: str) -> int:
        return os.open(f"{self.path}/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _state(self, name: str) -> tuple[int, ...]:
        try:
            status = os.stat(f"{self.path}/{name}")  # noqa: PTH116 - pathlib costs more
        except FileNotFoundError:
            return ()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _read(self, name: str) -> bytes:
        with open(f"{self.path}/{name}", "rb") as file:  # noqa: PTH123 - as above
            return file.read()

    def _replace(self, name: str, data: bytes) -> None:
        # One that was killed in between leaves a file that the run's folder takes with it.
        temporary = f"{self.path}/{self._who}.tmp"
        try:
            with open(temporary, "wb") as file:  # noqa: PTH123 - as above
                file.write(data)
            os.replace(temporary, f"{self.path}/{name}")  # noqa: PTH105 - as above
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 - as above
            raise


def _start(who: str) -> tuple[int, str]:
    start = who.split("-")[1]
    return len(start), start


def _is_running(who: str) -> bool:
    process, start, *_ = who.split("-")
    return start_of(int(process)) == start


def _try_lock(handle: int) -> bool:
    # The system's lock of a process, which a forked child does not have.
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
