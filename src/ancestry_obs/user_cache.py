"""Where this user's programs keep what can be made again: a name comes in, a folder goes out."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["cache_folder", "user_cache"]


def user_cache(name: str) -> str | None:
    """Give the folder for one kind of what is kept; `None` if this user has none of their own.

    Args:
        name: Of what is kept.
    """
    folder = cache_folder(name, os.environ, sys.platform)
    return folder if folder is not None and _is_in_own(folder) else None


def cache_folder(name: str, environ: Mapping[str, str], platform: str) -> str | None:
    """Give the folder that variables tell; `None` if they tell none.

    As the XDG Base Directory Specification has it, and the guidelines of macOS and Windows.

    Args:
        name: Of what is kept.
        environ: The variables that tell it.
        platform: As `sys.platform` tells it.
    """
    given = environ.get("XDG_CACHE_HOME", "")
    if platform == "win32":
        given = given or environ.get("LOCALAPPDATA", "")
    elif not os.path.isabs(given) and environ.get("HOME"):  # noqa: PTH117 - of a text
        # The specification: a relative path is to be ignored.
        given = f"{environ['HOME']}/{'Library/Caches' if platform == 'darwin' else '.cache'}"
    return f"{given}/ancestry-obs/{name}" if os.path.isabs(given) else None  # noqa: PTH117 - as above


def _is_in_own(folder: str) -> bool:
    """Whether what there is of a path belongs to this user.

    One who runs as another user, as by ``sudo``, leaves nothing in the first one's home.
    """
    try:
        while not os.path.exists(folder):  # noqa: PTH110 - each start waits for this
            folder = os.path.dirname(folder)  # noqa: PTH120 - as above
        return not hasattr(os, "getuid") or os.stat(folder).st_uid == os.getuid()  # noqa: PTH116 - as above
    except OSError:
        return False
