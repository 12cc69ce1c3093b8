"""Files that are kept open for the sake of their locks.

A program may close every file there is, as daemons do, and get the same numbers for files of its
own. So whoever lets go of a file here looks first whether it is still that one.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from posix import close

__all__ = ["Handle"]


class Handle:
    """A file or folder that is open, and not in programs that this process runs.

    Args:
        path: Which; a file is made if there is none.
        is_folder: Whether it is a folder.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: str, *, is_folder: bool = False) -> None:
        kind = os.O_RDONLY | os.O_DIRECTORY if is_folder else os.O_RDWR | os.O_CREAT
        self._number = os.open(path, kind | os.O_CLOEXEC, 0o600)
        self._file = _file(os.fstat(self._number))

    def is_open(self) -> bool:
        """Tell whether it is; somebody else may have closed it."""
        try:
            return _file(os.fstat(self._number)) == self._file
        except OSError:
            return False

    def is_at(self, path: str) -> bool:
        """Tell whether it is what is at a path now."""
        try:
            return _file(os.stat(path)) == self._file  # noqa: PTH116 - pathlib costs more
        except FileNotFoundError:
            return False

    def lock(self, *, is_shared: bool = False) -> bool:
        """Lock it for this process and those that it forks, and tell whether that was possible."""
        kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
        with suppress(BlockingIOError):
            fcntl.flock(self._number, kind | fcntl.LOCK_NB)
            return True
        return False

    def lock_here(self) -> bool:
        """Lock it for this process alone, and tell whether that was possible."""
        with suppress(BlockingIOError, PermissionError):
            fcntl.lockf(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def close(self) -> None:
        """Let go of it."""
        if self.is_open():
            with suppress(OSError):
                # gevent's `os.close` leaves it to its event loop, which may not turn again.
                close(self._number)


def _file(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
