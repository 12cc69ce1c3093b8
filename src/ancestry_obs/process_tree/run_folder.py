"""The private folder of a run, by which its processes know of each other.

Whoever begins a run makes it and puts into it what is to be measured and how it is let out; a
process that finds the folder's name in its environment takes part. Only this user can read it. Its
name says which process has begun the run. Every process of the run holds a lock of the folder, so
that it stays as long as one of them runs, and no cleaner of temporary files takes it meanwhile
(tmpfiles.d(5)).

    measured      what is measured, and how it is let out
    <who>.totals  what one process has measured so far
    ended         what the processes have measured whose own files are gone
    shown         the label values that have series of their own on the page
    left          there once the process that began the run takes no part in it any more
    page.lock     held by the one that serves the page
    files.lock    held by the one that changes `ended` or `shown`

A file is replaced in one step, so that nobody reads half of one. What a process has handed over is
in its own file or in `ended`, never in both: `ended` names those that it has taken in, until their
files are gone. So a reader needs no lock; it looks again when `ended` has changed meanwhile.
"""

from __future__ import annotations

import os

# What `pickle` is made of, without its own import.
from _pickle import dumps, loads
from contextlib import contextmanager, suppress
from itertools import count
from time import monotonic_ns, sleep
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ancestry_obs.process_tree.handles import Handle
from ancestry_obs.process_tree.identity import identity, is_running
from ancestry_obs.process_tree.new_run import PREFIX, check_private, first_of, make
from ancestry_obs.process_tree.packing import pack, unpack
from ancestry_obs.process_tree.shown import Shown
from ancestry_obs.process_tree.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["RunFolder", "create", "has_measured", "measured", "put"]

_T = TypeVar("_T")

_MEASURED: Final = "measured"
_ENDED: Final = "ended"
_SHOWN: Final = "shown"
_LEFT: Final = "left"
_TOTALS: Final = ".totals"
_UNFINISHED: Final = ".tmp"
_LOOKS: Final = 8
_TRIES: Final = 200
_PAUSE: Final = 0.005
_LEAST_MERGED: Final = 64
"""So many files of ended processes are left where they are: to merge them costs more than they."""


def create(what: object) -> str:
    """Make the folder of a new run, and clear away those of runs that were killed.

    Args:
        what: What is measured and how it is let out; anything that pickles.

    Returns:
        The folder's absolute path.

    Raises:
        OSError: It cannot be made and written anywhere.
        Exception: What is measured does not pickle.
    """
    data = dumps(what)
    return make(lambda folder: _put(folder, data))


def put(folder: str, what: object) -> None:
    """Tell the processes of a run what is measured, and clear away the folders of killed runs.

    Args:
        folder: A folder that `make` has made.
        what: As for `create`.

    Raises:
        OSError: It cannot be written.
        Exception: What is measured does not pickle.
    """
    _put(folder, dumps(what))


def _put(folder: str, data: bytes) -> None:
    path = f"{folder}/{_MEASURED}"
    # Two processes may be the first, and read this of each other.
    own = f"{path}.{os.getpid()}"
    with open(own, "wb") as file:  # noqa: PTH123 - pathlib costs more
        file.write(data)
    os.replace(own, path)  # noqa: PTH105 - as above
    with os.scandir(os.path.dirname(folder)) as entries:  # noqa: PTH120 - as above
        found = [each.path for each in entries if each.name.startswith(PREFIX)]
    for each in found:
        # Others' folders are others' to clear, and one that goes just now is gone.
        with suppress(OSError, ValueError):
            if each != folder:
                RunFolder(each).clear()


def _remove(folder: str) -> None:
    """Take a run's folder away, as far as that is possible; there are no folders in it."""
    with suppress(OSError):
        for each in os.scandir(folder):
            with suppress(OSError):
                os.unlink(each.path)  # noqa: PTH108 - pathlib costs more, and shutil more still
        os.rmdir(folder)  # noqa: PTH106 - as above


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
        return loads(file.read())


class RunFolder:
    """The folder, as one process of the run uses it.

    What changes or reads more than this process's own file is for one thread at a time: the
    system's locks know processes only.

    Args:
        path: Where it is.

    Attributes:
        damaged: What is to be told of files that could not be read and were passed over.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.damaged: list[str] = []
        self._known: dict[str, tuple[tuple[int, ...] | None, Any]] = {}
        self._shown = Shown()
        self._shown_state: tuple[int, ...] = ()
        self._run: Handle | None = None
        self._page: Handle | None = None
        self._name = ""
        self._who = ""

    def begin_child(self) -> None:
        """Be somebody else in a forked child, which serves no page.

        The lock of the run is its parent's as well, from the very moment that it was forked.
        """
        self._name = self._who = ""
        page, self._page = self._page, None
        if page is not None:
            page.close()

    def join(self) -> None:
        """Let the folder stay as long as this process runs; a daemon may have closed its files.

        Raises:
            OSError: It is not there.
        """
        if self._run is not None and self._run.is_open():
            return
        run = Handle(self.path, is_folder=True)
        # Whoever takes it away has the lock meanwhile.
        _until(lambda: run.lock(is_shared=True))
        if not run.is_at(self.path):
            run.close()
            raise FileNotFoundError(f"{self.path}: the run is over")
        self._run = run

    def leave(self) -> None:
        """Take the folder away if no other process of the run is left; do nothing twice."""
        handles, self._run, self._page = (self._run, self._page), None, None
        with suppress(OSError):
            first = first_of(self.path)
            # To ask for one's own start costs more than to see that it is another process.
            if first.startswith(f"{os.getpid()}-") and first == self._identity():
                os.close(os.open(f"{self.path}/{_LEFT}", os.O_CREAT | os.O_WRONLY, 0o600))
        for handle in handles:
            if handle is not None:
                handle.close()
        with suppress(OSError, ValueError):
            self.clear()

    def clear(self) -> None:
        """Take the folder away unless a process of its run is left.

        Raises:
            OSError: It cannot be read.
            ValueError: It is of no run.
        """
        first = first_of(self.path)
        # Its locks are all there is to ask for, once whoever began the run has joined and left.
        has_left = os.path.exists(f"{self.path}/{_LEFT}")  # noqa: PTH110 - as above
        if not has_left and is_running(first):
            return
        folder = Handle(self.path, is_folder=True)
        try:
            if folder.lock():
                _remove(self.path)
        finally:
            folder.close()

    def lead(self) -> bool:
        """Be the one that serves the page, unless another process is; tell whether this one is.

        Raises:
            OSError: The folder is not there.
        """
        if self._page is None or not self._page.is_open():
            page = Handle(f"{self.path}/page.lock")
            if page.lock_here():
                self._page = page
            else:
                self._page = None
                page.close()
        return self._page is not None

    def hand_over(self, data: bytes) -> None:
        """Replace what this process has handed over; it may do so whatever else it does here.

        Args:
            data: Its totals.

        Raises:
            OSError: It cannot be written; what was there stays.
        """
        if not self._who:
            # The time tells programs from each other that have run in one process, by `os.execv`.
            self._who = f"{self._identity()}-{monotonic_ns():x}"
        self._replace(f"{self._who}{_TOTALS}", data)

    def others(self) -> tuple[Totals, int]:
        """Add up what all other processes of the run have handed over, those that have ended too.

        Returns:
            The sum, and how many of them run.

        Raises:
            OSError: The folder cannot be read.
        """
        for _ in range(_LOOKS):
            found = self._look()
            if found is not None:
                return found
        with self._alone():
            found = self._look()
        if found is None:
            raise BlockingIOError(f"{self.path} changes all the time")
        return found

    def living(self) -> list[int]:
        """Give the numbers of the processes that run: of the others, who has measured something.

        Raises:
            OSError: The folder cannot be read.
        """
        others = [who for who, is_newest in self._processes().items() if is_newest]
        running = {int(who.partition("-")[0]) for who in others if is_running(who)}
        return sorted(running | {os.getpid()})

    def merge(self, least: int = _LEAST_MERGED) -> None:
        """Put the files of ended processes into `ended`, unless somebody does it just now.

        Args:
            least: How many there must be.

        Raises:
            OSError: The folder cannot be read or written; what was there stays.
        """
        # To ask for each process costs more, and each short one of a run comes by here.
        if len(self._names(_TOTALS)) < least or len(self._dead()) < least:
            return
        with self._alone(is_urgent=False) as is_alone:
            if not is_alone:
                return
            merged, whole = self._ended()
            # Before their files are read: who has ended writes no more.
            dead = [who for who in self._dead() if who not in merged]
            for who in dead:
                whole.add(self._totals_of(who), is_living=False)
            whole = whole.limited(self._shown_now().copy())
            gone = [*merged, *dead]
            self._replace(_ENDED, pack((gone, whole.as_bytes())))
            for who in gone:
                self._unlink(f"{who}{_TOTALS}")
            for name in self._names(_UNFINISHED):
                if not is_running(name):
                    self._unlink(name)

    def shown(self, keep: Callable[[Shown], _T]) -> _T:
        """Keep the labels of the page within their limits, as it has shown them so far.

        Args:
            keep: Does it with what has a place; it may be called twice.

        Returns:
            What it gives.

        Raises:
            OSError: What has a place now cannot be noted for others; `recalled` goes on with it.
        """
        kept = keep(self._shown_now())
        if self._shown.has_grown:
            with self._alone():
                # Another process may have shown others meanwhile.
                kept = keep(self._shown_now())
                self._replace(_SHOWN, self._shown.as_bytes())
                self._shown.has_grown = False
                self._shown_state = self._state(_SHOWN)
        return kept

    def recalled(self) -> Shown:
        """Give what has a place, as this process knows it."""
        return self._shown

    def _identity(self) -> str:
        """Name this process; it is asked for several times even where it soon ends."""
        if not self._name.startswith(f"{os.getpid()}-"):
            self._name = identity()
        return self._name

    def _look(self) -> tuple[Totals, int] | None:
        """Add up once; nothing if what is where has changed meanwhile."""
        before = self._state(_ENDED)
        merged, whole = self._ended()
        living = 0
        processes = self._processes()
        for who, is_newest in processes.items():
            if who not in merged and who != self._who:
                is_living = is_newest and is_running(who)
                try:
                    totals = self._totals_of(who)
                except FileNotFoundError:
                    return None
                whole.add(totals, is_living=is_living)
                living += is_living
        for who in [*self._known]:
            if who not in processes and who != _ENDED:
                del self._known[who]
        return (whole, living) if self._state(_ENDED) == before else None

    def _processes(self) -> dict[str, bool]:
        """Give who has a file, in the order in which they began, and whether it may still run.

        Of several programs that one process has run only the last one may.
        """
        found = sorted((name.removesuffix(_TOTALS) for name in self._names(_TOTALS)), key=_age)
        last = {who.rpartition("-")[0]: who for who in (*found, *filter(None, [self._who]))}
        return {who: last[who.rpartition("-")[0]] == who for who in found}

    def _dead(self) -> list[str]:
        return [
            who
            for who, is_newest in self._processes().items()
            if who != self._who and not (is_newest and is_running(who))
        ]

    def _names(self, ending: str) -> list[str]:
        return [name for name in os.listdir(self.path) if name.endswith(ending)]  # noqa: PTH208 - as above

    def _totals_of(self, who: str) -> Totals:
        return self._read(f"{who}{_TOTALS}", who, Totals.from_bytes, Totals())

    def _ended(self) -> tuple[list[str], Totals]:
        """Give whose files may be there although they are merged, and what was merged."""
        merged: list[str] = []
        data = Totals().as_bytes()
        with suppress(FileNotFoundError):
            merged, data = self._read(_ENDED, _ENDED, unpack, (merged, data))
        present = set(self._processes())
        return [who for who in merged if who in present], Totals.from_bytes(data)

    def _shown_now(self) -> Shown:
        state = self._state(_SHOWN)
        if state != self._shown_state:
            with suppress(FileNotFoundError):
                self._shown = self._read(_SHOWN, _SHOWN, Shown.from_bytes, self._shown)
            self._shown_state = state
        return self._shown

    def _read(self, name: str, key: str, make: Callable[[bytes], _T], nothing: _T) -> _T:
        """Read a file if it is another one than before; of one that is damaged give what was."""
        state = self._state(name)
        known: _T
        known_state, known = self._known.get(key, (None, nothing))
        if known_state != state:
            with open(f"{self.path}/{name}", "rb") as file:  # noqa: PTH123 - as above
                data = file.read()
            try:
                known = make(data)
            except ValueError as error:
                self.damaged.append(f"{self.path}/{name}: {error}")
            self._known[key] = state, known
        return known

    @contextmanager
    def _alone(self, *, is_urgent: bool = True) -> Iterator[bool]:
        """Hold the lock of what many write, if it can be had."""
        handle = Handle(f"{self.path}/files.lock")
        try:
            yield _until(handle.lock_here) if is_urgent else handle.lock_here()
        finally:
            handle.close()

    def _state(self, name: str) -> tuple[int, ...]:
        try:
            status = os.stat(f"{self.path}/{name}")  # noqa: PTH116 - pathlib costs more
        except FileNotFoundError:
            return ()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _replace(self, name: str, data: bytes) -> None:
        # One of its own each time: a signal handler may interrupt this and do the same.
        temporary = f"{self._identity()}-{next(_SERIAL)}{_UNFINISHED}"
        try:
            # Unbuffered: a process that is forked meanwhile has a copy of any buffer.
            with open(f"{self.path}/{temporary}", "wb", buffering=0) as file:  # noqa: PTH123 - as above
                written = 0
                while written < len(data):
                    written += file.write(data[written:]) or 0
            os.replace(f"{self.path}/{temporary}", f"{self.path}/{name}")  # noqa: PTH105 - as above
        except BaseException:
            with suppress(OSError):
                self._unlink(temporary)
            raise

    def _unlink(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(f"{self.path}/{name}")  # noqa: PTH108 - as above


_SERIAL: Final = count()


def _until(get: Callable[[], bool]) -> bool:
    """Try to get a lock that nobody keeps for long."""
    for _ in range(_TRIES):
        if get():
            return True
        sleep(_PAUSE)
    return get()


def _age(who: str) -> tuple[int, str, int]:
    _, start, began = who.split("-")
    return len(start), start, int(began, 16)
