"""The private folder of a new run, with nothing in it; its name says who has made it.

A launcher makes it and starts the program then, which waits for whatever is imported here.
"""

from __future__ import annotations

import os
import stat

from ancestry_obs.process_tree.identity import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

__all__ = [
    "PREFIX",
    "RUN_VARIABLE",
    "check_private",
    "first_of",
    "followed",
    "left",
    "make",
    "take_away",
]

RUN_VARIABLE: Final = "ANCESTRY_OBS_RUN"
"""The variable that tells a process of a run where the run's folder is."""

PREFIX: Final = "ancestry-obs-run-"
"""What the name of each such folder begins with."""

_PATH: Final = "PYTHONPATH"
_STARTUP: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "startup")  # noqa: PTH118, PTH120 - pathlib costs more
_OTHERS: Final = 0o077
# In the order of the standard library's `tempfile`, whose import takes longer than all of this.
_VARIABLES: Final = ("TMPDIR", "TEMP", "TMP")
_PLACES: Final = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - the folder in it is private


def make(fill: Callable[[str], object] | None = None) -> str:
    """Make the folder of a new run, in the first place that has room for it.

    Args:
        fill: Puts into a folder what is to be there from the beginning: a full disk may have room
            for a folder, and for nothing in it.

    Returns:
        The folder's absolute path.

    Raises:
        OSError: It cannot be made and filled anywhere; `filename` is the place that was to be the
            first. Whatever `fill` raises, the folder is gone.
    """
    named = [os.environ[name] for name in _VARIABLES if os.environ.get(name)]
    refusals: list[OSError] = []
    for place in (*named, *_PLACES, os.curdir):
        name = f"{PREFIX}{identity()}-{os.urandom(8).hex()}"
        try:
            folder = f"{os.path.abspath(place)}/{name}"  # noqa: PTH100 - as it is written, links included
            os.mkdir(folder, 0o700)  # noqa: PTH102 - pathlib costs more
            if fill is not None:
                _fill(folder, fill)
        except OSError as error:
            error.filename = place
            refusals.append(error)
        else:
            return folder
    raise refusals[0]


def _fill(folder: str, fill: Callable[[str], object]) -> None:
    try:
        fill(folder)
    except BaseException:
        take_away(folder)
        raise


def take_away(folder: str) -> None:
    """Take a folder away although a process may be about to write there, and leave nothing of it.

    What a command has started may end after it, as the helper of `multiprocessing` does. Nobody
    finds a folder that has another name, so that nothing is put into it while it is emptied.

    Args:
        folder: The folder; one that is gone already stays so, and what cannot be removed is left.
    """
    import shutil  # noqa: PLC0415 - whoever makes a folder waits for what is imported

    unknown = f"{folder}-gone"
    try:
        os.rename(folder, unknown)  # noqa: PTH104 - pathlib costs more
    except OSError:
        unknown = folder
    shutil.rmtree(unknown, ignore_errors=True)


def followed(environ: Mapping[str, str], folder: str) -> dict[str, str]:
    """Give the variables by which a Python that is started finds the run.

    Args:
        environ: The variables that there are.
        folder: The run's folder.
    """
    paths = [_STARTUP, *filter(None, [environ.get(_PATH)])]
    return {RUN_VARIABLE: folder, _PATH: os.pathsep.join(paths)}


def left(environ: Mapping[str, str], folder: str) -> dict[str, str | None]:
    """Give the variables as they were before `followed`; nothing for one that was not there.

    Args:
        environ: The variables that there are.
        folder: The run's folder.
    """
    if environ.get(RUN_VARIABLE) != folder:
        return {}
    paths = environ.get(_PATH, "").split(os.pathsep)
    if _STARTUP in paths:
        paths.remove(_STARTUP)
    return {RUN_VARIABLE: None, _PATH: os.pathsep.join(paths) or None}


def first_of(folder: str) -> str:
    """Tell from a folder's name which process has begun its run.

    Raises:
        OSError: The folder is not there, or not this user's.
        ValueError: It is of no run.
    """
    check_private(folder)
    name = os.path.basename(folder)  # noqa: PTH119 - pathlib costs more
    process, start, rest = name.removeprefix(PREFIX).split("-", 2)
    if not (name.startswith(PREFIX) and process.isdecimal() and start and rest):
        raise ValueError(f"{folder}: it is of no run")
    return f"{process}-{start}"


def check_private(folder: str) -> None:
    """Refuse a folder that others can get at.

    Raises:
        OSError: The folder is not there, or not this user's.
    """
    status = os.lstat(folder)
    # Whoever can write there can run code here.
    is_private = status.st_uid == os.getuid() and not status.st_mode & _OTHERS
    if not (is_private and stat.S_ISDIR(status.st_mode)):
        raise PermissionError(f"{folder}: others than this user can get at it")
