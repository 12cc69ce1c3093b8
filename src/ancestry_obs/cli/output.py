"""What several commands print: columns of text, and JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["say", "say_json", "table"]


def say(text: str = "") -> None:
    """Print to stdout."""
    print(text)  # noqa: T201  a command prints


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
