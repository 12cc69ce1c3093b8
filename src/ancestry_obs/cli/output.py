"""What several commands print: columns of text, and JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from ancestry_obs.exceptions import ObservabilityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["counted", "say", "say_json", "table"]

_READER_GONE = 128 + 13
"""What a shell makes of a program that SIGPIPE (13) has ended, as it ends most others here."""


def say(text: str = "") -> None:
    """Print to stdout.

    Raises:
        ObservabilityError: it cannot be written, such as on a disk that is full.
        SystemExit: who reads it has gone, such as `head`, which has seen enough: no error.
    """
    try:
        print(text, flush=True)  # noqa: T201  a command prints
    except OSError as error:
        # What is left in the buffer must not fail once more when Python ends ("Note on SIGPIPE" in
        # the documentation of `signal`).
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        if isinstance(error, BrokenPipeError):
            raise SystemExit(_READER_GONE) from None
        raise ObservabilityError(
            f"standard output cannot be written ({error.strerror}); send it elsewhere"
        ) from error


def say_json(data: object) -> None:
    """Print one JSON document to stdout."""
    say(json.dumps(data, indent=2, ensure_ascii=False))


def counted(number: int, noun: str) -> str:
    """Write a number with its noun, which takes an s unless it is one.

    Example:
        >>> counted(1, "target"), counted(2000, "target")
        ('1 target', '2,000 targets')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Set rows in columns under their heads, each as wide as its widest cell.

    Args:
        heads: one for each column.
        rows: cells, shown by `str()`; numbers stand at the right.
    """
    lines = [tuple(heads), *rows]
    widths = [max(len(str(line[column])) for line in lines) for column in range(len(heads))]
    return "\n".join("  ".join(map(_cell, line, widths)).rstrip() for line in lines)


def _cell(value: object, width: int) -> str:
    return str(value).rjust(width) if isinstance(value, (int, float)) else str(value).ljust(width)
