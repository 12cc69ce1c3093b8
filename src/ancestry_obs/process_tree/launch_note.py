"""What `ancestry-obs run` leaves in a run's folder for the processes of the run.

The settings are left as they were read, the map by its name alone: reading it would take the
launcher longer than all else, and the first process that is measured needs it anyway. What a
process has to ask before it can import anything is told by the name of an empty file: which
standard error was the launcher's.
"""

from __future__ import annotations

import marshal
import os

from ancestry_obs.process_tree.identity import identity
from ancestry_obs.process_tree.new_run import check_private, first_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

__all__ = ["is_command", "is_first_to", "is_shown", "read", "write"]

_NOTE: Final = "launched"
_STANDARD_ERROR: Final = "stderr"
_ERROR_DESCRIPTOR: Final = 2


def write(folder: str, values: dict[str, object]) -> None:
    """Leave the note; this process is the one that becomes the command.

    Args:
        folder: The run's folder.
        values: The values of the settings by their names.

    Raises:
        OSError: It cannot be written.
    """
    with open(f"{folder}/{_NOTE}", "wb") as file:  # noqa: PTH123 - each start waits for this
        file.write(marshal.dumps(values))
    try:
        where = _standard_error()
    except OSError:
        return  # it is closed: nothing is shown in this run
    is_first_to(folder, where)


def read(folder: str) -> dict[str, Any]:
    """Give the values of the settings that the launcher has left.

    Raises:
        OSError: There is no note, or the folder is not this user's.
    """
    check_private(folder)
    with open(f"{folder}/{_NOTE}", "rb") as file:  # noqa: PTH123 - as above
        return marshal.loads(file.read())  # type: ignore[no-any-return]  # noqa: S302 - only this user can have written it


def is_command(folder: str) -> bool:
    """Tell whether this process is the one that the launcher has become."""
    try:
        return first_of(folder) == identity()
    except OSError:
        return False


def is_shown(folder: str) -> bool:
    """Tell whether standard error leads where the launcher's led.

    What the program has sent elsewhere it may read, so that a line of ours would be in the way.
    """
    try:
        return os.path.exists(f"{folder}/{_standard_error()}")  # noqa: PTH110 - as above
    except OSError:
        return False


def is_first_to(folder: str, what: str) -> bool:
    """Tell whether no process of the run has done something yet; from now on one has.

    Args:
        folder: The run's folder.
        what: What is done; part of a file's name.
    """
    try:
        os.close(os.open(f"{folder}/{what}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    except OSError:
        return True  # who cannot know does it once too often
    return True


def _standard_error() -> str:
    """Name what standard error leads to.

    Raises:
        OSError: It is closed.
    """
    status = os.fstat(_ERROR_DESCRIPTOR)
    return f"{_STANDARD_ERROR}-{status.st_dev}-{status.st_ino}"
