"""The private folder of a run, by which its processes know of each other.

Whoever begins a run makes it and puts into it what is to be measured and how it is let out; a
process that finds the folder's name in its environment takes part. Only this user can read it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

__all__ = ["RUN_VARIABLE", "create", "has_measured", "make", "measured", "put"]

RUN_VARIABLE: Final = "ANCESTRY_OBS_RUN"
"""The variable that tells a process of a run where the run's folder is."""

_PREFIX: Final = "ancestry-obs-"
_MEASURED: Final = "measured"
# In the order of the standard library's `tempfile`, whose import takes longer than all of this.
_VARIABLES: Final = ("TMPDIR", "TEMP", "TMP")
_PLACES: Final = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - the folder in it is private


def create(what: object) -> str:
    """Make the folder of a new run.

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


def make() -> str:
    """Make the folder of a new run, with nothing in it yet.

    Returns:
        The folder's absolute path.

    Raises:
        OSError: It cannot be made.
    """
    named = [os.environ[name] for name in _VARIABLES if os.environ.get(name)]
    refusals: list[OSError] = []
    for place in (*named, *_PLACES, os.curdir):
        folder = f"{os.path.abspath(place)}/{_PREFIX}{os.urandom(8).hex()}"  # noqa: PTH100 - as it is written, links included
        try:
            os.mkdir(folder, 0o700)  # noqa: PTH102 - each start of a program waits for this
        except OSError as error:
            refusals.append(error)
        else:
            return folder
    raise refusals[0]


def put(folder: str, what: object) -> None:
    """Tell the processes of a run what is measured; they see all of it or nothing.

    Raises:
        OSError: It cannot be written.
    """
    import pickle  # noqa: PLC0415 - who only makes the folder does not wait for it

    path = f"{folder}/{_MEASURED}"
    own = f"{path}.{os.getpid()}"
    with open(own, "wb") as file:  # noqa: PTH123 - as above
        pickle.dump(what, file)
    os.replace(own, path)  # noqa: PTH105 - as above


def has_measured(folder: str) -> bool:
    """Tell whether something was put there."""
    return os.path.exists(f"{folder}/{_MEASURED}")  # noqa: PTH110 - as above


def measured(folder: str) -> Any:  # noqa: ANN401 - whatever was put there
    """Give what a run measures, as `put` was given it.

    Raises:
        OSError: The folder is not there, or not this user's.
    """
    import pickle  # noqa: PLC0415 - as above

    check_private(folder)
    with open(f"{folder}/{_MEASURED}", "rb") as file:  # noqa: PTH123 - as above
        return pickle.load(file)  # noqa: S301 - only this user can have written it


def check_private(folder: str) -> None:
    """Refuse a folder that others can get at.

    Raises:
        OSError: The folder is not there, or not this user's.
    """
    status = os.stat(folder)  # noqa: PTH116 - as above
    # Whoever can write there can run code here.
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o077):
        raise PermissionError(f"{folder}: others than this user can get at it")
