"""What several commands print: columns of text, and JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from ancestry_obs.exceptions import ObservabilityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["say", "say_json", "table"]


def say(text: str = "") -> None:
    """Print to stdout.

    Raises:
        ObservabilityError: it cannot be written: the disk is full, or who reads it has gone.
    """
    try:
        print(text, flush=True)  # noqa: T201  a command prints
    except OSError as error:
        # What is left in the buffer must not fail once more when Python ends ("Note on SIGPIPE" in
        # the documentation of `signal`).
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise ObservabilityError(
            f"standard output cannot be written ({error.strerror}); send it elsewhere"
        ) from error


def say_json(data: object) -> None:
    """Print one JSON document to stdout."""
    say(json.dumps(data, indent=2, ensure_ascii=False))


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
