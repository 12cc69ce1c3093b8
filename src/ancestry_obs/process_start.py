"""A Python process of a run begins: it joins the run before anything of the program is imported.

`startup/sitecustomize.py` calls this in each of them. A process never fails because of us: what
goes wrong is a line, and the process goes on unmeasured. Only the process that the command itself
became refuses a wrong map, with exit code 2, since nothing of the program has happened by then.
"""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from zlib import crc32

from ancestry_obs import lifecycle
from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.kept_modules import kept_modules
from ancestry_obs.notices import Notices, say_without_logging
from ancestry_obs.process_tree import launch_note
from ancestry_obs.process_tree.launch_note import is_command, is_first_to, is_shown
from ancestry_obs.process_tree.new_run import take_away
from ancestry_obs.variables import NO_FOLDER

if TYPE_CHECKING:
    import logging

    from ancestry_obs.installation_status import Status

__all__ = ["begin"]

logger = Notices()

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
        with kept_modules(_code_cache(folder)):
            from ancestry_obs import main_program  # noqa: PLC0415  it is kept, too

            lifecycle.join_run(folder)
            main_program.follow(watches_end=lifecycle.pushes())
    except ObservabilityError as error:
        if is_command(folder):
            _refuse(error, folder)
        logger.warning("not measured: %s", error)
    except Exception as error:  # noqa: BLE001 - see above
        logger.warning("not measured: %s: %s", type(error).__name__, error)
    else:
        if is_first_to(folder, "begin"):
            atexit.register(_tell_unreached, os.getpid())


def _code_cache(folder: str) -> str | None:
    """Give the setting of the launcher; where there was none, nothing is kept for its processes."""
    try:
        setting: str | None = launch_note.read(folder).get("code_cache")
    except OSError:
        return NO_FOLDER
    return setting


def _refuse(error: ObservabilityError, folder: str) -> None:
    lines = "".join(f"ancestry-obs: {line}\n" for line in str(error).splitlines())
    # It may be closed.
    with suppress(OSError):
        os.write(2, lines.encode(errors="backslashreplace"))
    take_away(folder)
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
    is_shown_now = _Once(folder)
    # As it is now: the program may put something else in its place.
    stream = sys.stderr

    def write(line: str) -> None:
        if stream is not None and is_shown_now(line):
            # It may be closed, or nobody may read it any more.
            with suppress(OSError, ValueError):
                stream.write(f"ancestry-obs: {line}\n")
                stream.flush()

    def arrange(to_arrange: logging.Logger) -> None:
        import logging  # noqa: PLC0415  only where the program has it anyway

        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("ancestry-obs: %(message)s"))
        handler.addFilter(lambda record: is_shown_now(record.getMessage()))
        to_arrange.addHandler(handler)
        to_arrange.setLevel(logging.INFO)
        to_arrange.propagate = False

    say_without_logging(write, arrange)


class _Once:
    """Lets each line pass once for a run, and none into what the program reads of its children.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._command = os.getpid() if is_command(folder) else None

    def __call__(self, line: str) -> bool:
        """Tell whether a line is shown."""
        # The folder's files stay bounded in number, whatever is said.
        key = crc32(line.encode(errors="backslashreplace")) & 0xFFFF
        is_new = is_first_to(self._folder, f"said-{key:04x}")
        # A child that the command has forked comes by here too.
        return os.getpid() == self._command or (is_new and is_shown(self._folder))
