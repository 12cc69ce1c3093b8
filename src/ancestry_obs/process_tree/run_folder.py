"""The private folder of a run, by which its processes know of each other.

Whoever begins a run makes it and puts into it what is to be measured and how it is let out; a
process that finds the folder's name in its environment takes part. Only this user can read it.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any, Final

__all__ = ["RUN_VARIABLE", "create", "measured"]

RUN_VARIABLE: Final = "ANCESTRY_OBS_RUN"
"""The variable that tells a process of a run where the run's folder is."""

_PREFIX: Final = "ancestry-obs-"
_MEASURED: Final = "measured"


def create(what: object) -> str:
    """Make the folder of a new run.

    Args:
        what: What is measured and how it is let out; anything that pickles.

    Returns:
        The folder's absolute path.

    Raises:
        OSError: It cannot be made or written.
    """
    folder = tempfile.mkdtemp(prefix=_PREFIX)
    Path(folder, _MEASURED).write_bytes(pickle.dumps(what))
    return os.path.abspath(folder)  # noqa: PTH100 - as it is written, links included


def measured(folder: str) -> Any:  # noqa: ANN401 - whatever was put there
    """Give what a run measures, as `create` was given it.

    Raises:
        OSError: The folder is not there, or not this user's.
    """
    status = os.stat(folder)  # noqa: PTH116 - each process of a run waits for this
    # Whoever can write there can run code here.
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o077):
        raise PermissionError(f"{folder}: others than this user can get at it")
    with open(f"{folder}/{_MEASURED}", "rb") as file:  # noqa: PTH123 - as above
        return pickle.load(file)  # noqa: S301 - only this user can have written it
