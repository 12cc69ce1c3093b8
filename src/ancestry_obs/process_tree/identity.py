"""Which process it is that a number once meant, and whether it still runs.

The number of a process is soon given to another one; number and start together are not.
"""

from __future__ import annotations

import os

__all__ = ["identity", "is_running", "start_of"]

_PROC = "/proc"


def start_of(process: int) -> str | None:
    """Give when a process was started, as Linux counts it; `None` if it runs no more.

    Where the system has no ``/proc``, it is one text for every process that runs.

    Args:
        process: Its number.

    Raises:
        OSError: It cannot be told, for want of file descriptors for one. Whoever took that for an
            end would count twice what the process goes on to measure.
    """
    try:
        with open(f"{_PROC}/{process}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - a scrape asks for each process
            # The name, in parentheses, may hold anything; the state is the first field behind it
            # and the start the twentieth (proc_pid_stat(5)).
            fields = file.read().rpartition(b")")[2].split(maxsplit=20)
    except (FileNotFoundError, ProcessLookupError):
        return _start_without_proc(process)
    state, start = fields[0], fields[19]
    return None if state in {b"Z", b"X"} else start.decode()


def identity() -> str:
    """Name this process as no other one is named before the next start of the system."""
    process = os.getpid()
    return f"{process}-{start_of(process)}"


def is_running(who: str) -> bool:
    """Tell whether a process runs.

    Args:
        who: What `identity` gave there; more may follow after a dash.

    Raises:
        OSError: As for `start_of`.
    """
    process, start, *_ = who.split("-")
    return start_of(int(process)) == start


def _start_without_proc(process: int) -> str | None:
    if os.path.exists(f"{_PROC}/self/stat"):  # noqa: PTH110 - as above
        return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # somebody else's process is alive too
    return "unknown"
