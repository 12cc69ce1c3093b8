"""The private folder of a new run, with nothing in it but who made it.

A launcher makes it and starts the program then, which waits for whatever is imported here.
"""

from __future__ import annotations

import os

from ancestry_obs.process_tree.identity import start_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["PREFIX", "RUN_VARIABLE", "check_private", "first_of", "make", "own_identity"]

RUN_VARIABLE: Final = "ANCESTRY_OBS_RUN"
"""The variable that tells a process of a run where the run's folder is."""

PREFIX: Final = "ancestry-obs-"
"""What the name of each such folder begins with."""

_FIRST: Final = "first"
_OTHERS: Final = 0o077
# In the order of the standard library's `tempfile`, whose import takes longer than all of this.
_VARIABLES: Final = ("TMPDIR", "TEMP", "TMP")
_PLACES: Final = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - the folder in it is private


def make() -> str:
    """Make the folder of a new run.

    Returns:
        The folder's absolute path.

    Raises:
        OSError: It cannot be made.
    """
    named = [os.environ[name] for name in _VARIABLES if os.environ.get(name)]
    refusals: list[OSError] = []
    for place in (*named, *_PLACES, os.curdir):
        folder = f"{os.path.abspath(place)}/{PREFIX}{os.urandom(8).hex()}"  # noqa: PTH100 - as it is written, links included
        try:
            os.mkdir(folder, 0o700)  # noqa: PTH102 - pathlib costs more
            with open(f"{folder}/{_FIRST}", "x", encoding="utf-8") as file:  # noqa: PTH123 - as above
                file.write(own_identity())
        except OSError as error:
            refusals.append(error)
        else:
            return folder
    raise refusals[0]


def first_of(folder: str) -> str:
    """Give the identity of the process that has made a run's folder.

    Raises:
        OSError: The folder is not there, or not this user's.
    """
    check_private(folder)
    with open(f"{folder}/{_FIRST}", encoding="utf-8") as file:  # noqa: PTH123 - as above
        return file.read()


def check_private(folder: str) -> None:
    """Refuse a folder that others can get at.

    Raises:
        OSError: The folder is not there, or not this user's.
    """
    status = os.stat(folder)  # noqa: PTH116 - each process of a run waits for this
    # Whoever can write there can run code here.
    if status.st_uid != os.getuid() or status.st_mode & _OTHERS:
        raise PermissionError(f"{folder}: others than this user can get at it")


def own_identity() -> str:
    """Give what tells this process from all others, also when its number is another one's."""
    process = os.getpid()
    return f"{process}-{start_of(process)}"
