"""Replace a file in one step: a reader sees the old content or the new, never half of it.

What a writer that was killed has left is cleared by the next writer of the same file. It is told by
its lock: a temporary file is locked as long as its writer lives, and the system takes the lock of
who does not, in whatever container that was.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import tempfile
from contextlib import suppress
from itertools import islice
from pathlib import Path

from ancestry_obs.exceptions import ExporterError

__all__ = ["replace_file", "try_textfile", "write_textfile"]

# The collector that reads the file seldom runs as the user who wrote it.
_READABLE_BY_ALL = 0o644
# What one writer clears at most; it has not got to pay for all that ever went wrong.
_MOST_CLEARED = 100


def write_textfile(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file for the textfile collector of the node exporter, or any other reader.

    The data goes into a temporary file in the same folder, whose name ends in ``.tmp`` so that the
    textfile collector (which reads ``*.prom``) passes it by, and is renamed when it is on the disk.

    Args:
        path: The file to write or replace.
        data: Its whole content.

    Raises:
        ExporterError: The folder is missing, full or not writable; what was there before stays.
    """
    try:
        replace_file(Path(path), data)
    except OSError as error:
        raise _cannot_write(path, error) from error


def try_textfile(path: str | os.PathLike[str]) -> None:
    """See whether `write_textfile` could write a file now, and leave what is there.

    Args:
        path: The file.

    Raises:
        ExporterError: As for `write_textfile`.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        handle, temporary = _temporary_of(target)
        os.close(handle)
        Path(temporary).unlink()
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: str | os.PathLike[str], error: OSError) -> ExporterError:
    return ExporterError(
        f"cannot write {path}: {error.strerror or error}; its folder must exist and be writable, "
        "with space left"
    )


def replace_file(target: Path, data: bytes) -> None:
    """Do what `write_textfile` does, for who tells of failures in other words.

    Args:
        target: The file to write or replace.
        data: Its whole content.

    Raises:
        OSError: What the system says.
    """
    _clear(target)
    handle, temporary = _temporary_of(target)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), _READABLE_BY_ALL)
            os.fsync(file.fileno())
            # Before the lock is given back: what is not locked is anybody's to clear.
            Path(temporary).replace(target)
    finally:
        # Not there any more if all went well; but a handler of the program may raise anything here.
        Path(temporary).unlink(missing_ok=True)


def _temporary_of(target: Path) -> tuple[int, str]:
    """Make a temporary file that is locked, and still there: another writer may have been quick."""
    while True:
        handle, temporary = tempfile.mkstemp(".tmp", f".{target.name}.", target.parent)
        if _try_lock(handle) and os.fstat(handle).st_nlink:
            return handle, temporary
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # A file system may know no locks: nothing is ever cleared there.
        return not isinstance(error, BlockingIOError)
    return True


def _clear(target: Path) -> None:
    """Remove the temporary files of writers that live no more."""
    # As `mkstemp` makes names up.
    is_temporary = re.compile(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8}}\.tmp").fullmatch
    with os.scandir(target.parent) as entries:
        found = [each.path for each in entries if is_temporary(each.name)]
    for path in islice(found, _MOST_CLEARED):
        # Another one may clear, too, or it is another user's.
        with suppress(OSError):
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                Path(path).unlink()
            finally:
                os.close(handle)
