"""A Python process of a traced command begins: its calls are counted, and left at its end.

`startup/sitecustomize.py` calls this in each of them. A process never fails because of us.
"""

from __future__ import annotations

import atexit
import marshal
import os
import signal
import sys
from time import monotonic_ns
from typing import TYPE_CHECKING, Final

from ancestry_obs.process_tree.endings import Endings
from ancestry_obs.process_tree.new_run import check_private
from ancestry_obs.suggestion.tracer import Tracer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENDING", "PACKAGE", "begin"]

ENDING: Final = ".calls"
"""What the name of a file with counts ends in."""

PACKAGE: Final = "package"
"""The file that says what is traced."""

_HELPER: Final = "resource_tracker import main"


def begin(folder: str) -> None:
    """Trace this process, and each that is forked from it.

    Args:
        folder: Where the package is named, and the counts are left.
    """
    if any(_HELPER in word for word in sys.orig_argv[:8]):
        return
    try:
        check_private(folder)
        with open(f"{folder}/{PACKAGE}", encoding="utf-8") as file:  # noqa: PTH123 - each start waits for it
            tracer = Tracer(file.read())
        tracer.start()
    except Exception as error:  # noqa: BLE001 - see above
        os.write(2, f"ancestry-obs: not traced: {error}\n".encode(errors="backslashreplace"))
        return

    def leave() -> None:
        _leave(folder, tracer)

    atexit.register(leave)
    os.register_at_fork(after_in_child=tracer.forget)
    Endings(leave, leave).watch()
    _leave_at_termination(leave)


def _leave_at_termination(leave: Callable[[], None]) -> None:
    """Leave the counts where a signal ends the process; a server is ended so.

    A program that has a handler of its own ends by itself.
    """

    def end(number: int, _: object) -> None:
        leave()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _leave(folder: str, tracer: Tracer) -> None:
    taken = tracer.take()
    path = f"{folder}/{os.getpid()}-{monotonic_ns()}{ENDING}"
    try:
        with open(path, "xb") as file:  # noqa: PTH123 - pathlib need not be imported
            file.write(marshal.dumps(taken))
    except OSError as error:
        os.write(2, f"ancestry-obs: calls are lost: {error}\n".encode(errors="backslashreplace"))
