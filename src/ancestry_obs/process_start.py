"""A Python process of a run begins: it joins the run before anything of the program is imported.

`startup/sitecustomize.py` calls this in each of them. A process never fails because of us: what
goes wrong is a line, and the process goes on unmeasured. Only the process that the command itself
became refuses a wrong map, with exit code 2, since nothing of the program has happened by then.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from typing import TYPE_CHECKING, Final
from zlib import crc32

from ancestry_obs import lifecycle, main_program
from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.process_tree.launch_note import is_command, is_first_to, is_shown

if TYPE_CHECKING:
    from ancestry_obs.installation_status import Status

__all__ = ["begin"]

logger = logging.getLogger("ancestry_obs")

_USAGE: Final = 2
_NAMED_AT_MOST: Final = 5
# What `multiprocessing` and joblib start beside their workers: nothing of the program runs there.
_HELPER: Final = "resource_tracker import main"


def begin(folder: str) -> None:
    """Join a run.

    Args:
        folder: the run's folder.
    """
    if any(_HELPER in word for word in sys.orig_argv[:8]):
        return
    _log_to_stderr(folder)
    try:
        lifecycle.join_run(folder)
        main_program.follow(watches_end=lifecycle.pushes())
    except ObservabilityError as error:
        if is_command(folder):
            _refuse(error)
        logger.warning("not measured: %s", error)
    except Exception as error:  # noqa: BLE001 - see above
        logger.warning("not measured: %s: %s", type(error).__name__, error)
    else:
        if is_first_to(folder, "begin"):
            atexit.register(_tell_unreached, os.getpid())


def _refuse(error: ObservabilityError) -> None:
    lines = "".join(f"ancestry-obs: {line}\n" for line in str(error).splitlines())
    os.write(2, lines.encode(errors="backslashreplace"))
    # Python takes an exception here for its own failure, and says so at length.
    os._exit(_USAGE)


def _tell_unreached(process: int) -> None:
    """Say which targets are still waited for: a name that is nowhere looks just like that."""
    # A child that the program has forked comes by here too.
    if process != os.getpid():
        return
    status: Status = lifecycle.status()
    rare = lifecycle.rare_targets()
    pending = [e for e in status.targets if e.state == "pending" and e.target not in rare]
    if pending:
        named = [f"{each.target} ({each.reason})" for each in pending[:_NAMED_AT_MOST]]
        more = len(pending) - len(named)
        rest = f" and {more} more" if more else ""
        logger.warning("never reached, so not measured: %s%s", ", ".join(named), rest)


def _log_to_stderr(folder: str) -> None:
    """Show where the metrics are served and what cannot be measured, however the program logs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("ancestry-obs: %(message)s"))
    handler.addFilter(_Once(folder))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _Once(logging.Filter):
    """Lets each line pass once for a run, and none into what the program reads of its children.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder
        self._command = os.getpid() if is_command(folder) else None

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is shown."""
        # The folder's files stay bounded in number, whatever is said.
        key = crc32(record.getMessage().encode(errors="backslashreplace")) & 0xFFFF
        is_new = is_first_to(self._folder, f"said-{key:04x}")
        # A child that the command has forked comes by here too.
        return os.getpid() == self._command or (is_new and is_shown(self._folder))
