"""What several commands print: columns of text, and JSON for programs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from itertools import accumulate
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from ancestry_obs.exceptions import ObservabilityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

__all__ = [
    "broken", "counted", "is_terminal", "say", "say_json", "say_source", "table", "tell",
    "terminal_width",
]  # fmt: skip

_GAP: Final = "  "

_LONG_FROM: Final = 0x10000
"""From this character on an escape has eight digits."""
_READER_GONE = 128 + 13
"""What a shell makes of a program that SIGPIPE (13) has ended, as it ends most others here."""


def say(text: str = "") -> None:
    """Print to stdout; what its encoding lacks is escaped, as Python does it on stderr.

    Raises:
        ObservabilityError: it cannot be written, such as on a disk that is full.
        SystemExit: who reads it has gone, such as `head`, which has seen enough: no error.
    """
    try:
        print(_writable(text), flush=True)  # noqa: T201  a command prints
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


def tell(line: str) -> None:
    """Print a line to stderr, if it is open: `print` takes stdout where it is not."""
    if sys.stderr is not None:
        print(line, file=sys.stderr)  # noqa: T201  a command prints


def say_json(data: object) -> None:
    """Print one JSON document to stdout; its values are the same in any encoding."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    say(text if _has(text) else json.dumps(data, indent=2))


def say_source(text: str) -> None:
    r"""Print to stdout what has the escapes \u and \U in its texts: TOML, and YAML with PromQL."""
    say(text if _has(text) else "".join(each if _has(each) else _escape(each) for each in text))


def _has(text: str) -> bool:
    """Whether the encoding of standard output has all of a text."""
    try:
        text.encode(_encoding())
    except UnicodeEncodeError:
        return False
    return True


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < _LONG_FROM else f"\\U{number:08x}"


def _writable(text: str) -> str:
    """Escape what the encoding of standard output lacks, unless it has another way to write it."""
    encoding = _encoding()
    try:
        text.encode(encoding, getattr(sys.stdout, "errors", None) or "strict")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _encoding() -> str:
    # What takes text as it is, as `io.StringIO`, has none; nor has what is closed.
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun, which takes an s unless it is one.

    Example:
        >>> counted(1, "target"), counted(2000, "target")
        ('1 target', '2,000 targets')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a terminal is printed to; what is closed is none.

    Args:
        stream: where it goes; standard output if None.
    """
    stream = stream or sys.stdout
    return stream is not None and stream.isatty()


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Give how many columns the terminal has that is printed to; None if there is none.

    Args:
        stream: where it goes; standard output if None.
    """
    if not is_terminal(stream):
        return None
    return shutil.get_terminal_size().columns


def broken(text: str, width: int | None, margin: str = _GAP) -> list[str]:
    """Break a line between words, so that whoever copies a name or a figure has all of it.

    Args:
        text: the line.
        width: how many columns there are; None for as many as it takes.
        margin: what its further lines begin with.
    """
    if width is None or len(text) <= width:
        return [text]
    return wrap(
        text, width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None) -> str:
    """Set rows in columns under their heads, each as wide as its widest cell.

    Args:
        heads: one for each column.
        rows: cells, shown by `str()`; numbers stand at the right.
        width: how many columns of text there are. Where that is too few, the last cells of a row
            stand below the others. None for as many as it takes.
    """
    cells = [[_shown(cell) for cell in row] for row in (heads, *rows)]
    set_ = _set(cells, width, "")
    return "\n".join(line for lines in set_ for line in lines)


def _set(rows: Sequence[Sequence[object]], width: int | None, margin: str) -> list[list[str]]:
    """Give the lines of each row, the heads being the first."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    beside = _beside(widths, width, margin)
    left = [margin + _GAP.join(map(_cell, row[:beside], widths)).rstrip() for row in rows]
    lines = [broken(text, width, margin + _GAP) for text in left]
    if beside == len(widths):
        return lines
    below = _set([row[beside:] for row in rows], width, margin + _GAP)
    for number, more in enumerate(below):
        # What neighbours have alike stands above them once.
        above = lines[number] if not number or left[number] != left[number - 1] else []
        below[number] = above + [line for line in more if line.strip()]
    return below


def _beside(widths: Sequence[int], width: int | None, margin: str) -> int:
    """Count the columns that have room beside each other; it is one at the least."""
    if width is None:
        return len(widths)
    ends = accumulate(widths, lambda end, each: end + len(_GAP) + each)
    return max(sum(len(margin) + end <= width for end in ends), 1)


def _shown(value: object) -> object:
    """Give a cell as it will be written, so that columns are as wide as that."""
    return value if isinstance(value, (int, float)) else _writable(str(value))


def _cell(value: object, width: int) -> str:
    return str(value).rjust(width) if isinstance(value, (int, float)) else str(value).ljust(width)
