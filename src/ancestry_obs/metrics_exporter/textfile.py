"""Replace a file in one step: a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ancestry_obs.exceptions import ExporterError

__all__ = ["write_textfile"]

# The collector that reads the file seldom runs as the user who wrote it.
_READABLE_BY_ALL = 0o644


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
    target = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(".tmp", f".{target.name}.", target.parent)
    except OSError as error:
        raise _failure(target, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), _READABLE_BY_ALL)
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise _failure(target, error) from error


def _failure(target: Path, error: OSError) -> ExporterError:
    reason = error.strerror or error
    return ExporterError(
        f"cannot write {target}: {reason}; its folder must exist and be writable, with space left"
    )
