"""Write to standard output, which may be full, or closed by whoever read it.

In: what a command has to say. Out: the same on standard output, or an `OutputError` of one line.
Notes and errors are no result: they go to standard error, not through here.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ancestry_core.exceptions import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """Give standard output; what is written in the block has left the process at its end.

    Yields:
        The stream.

    Raises:
        OutputError: If it cannot be written.

    Example:
        >>> with standard_output() as out:
        ...     _ = out.write("done")
        done
    """
    try:
        yield sys.stdout
        sys.stdout.flush()
    except OSError as error:
        _give_up()
        raise OutputError(
            f"standard output cannot be written ({error.strerror}); "
            "send it elsewhere and run again, what was done is kept"
        ) from None


def _give_up() -> None:
    """Let Python's own flush at exit, whose error nobody can catch, go nowhere.

    The way is that of the "Note on SIGPIPE" in the documentation of Python's `signal` module.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
