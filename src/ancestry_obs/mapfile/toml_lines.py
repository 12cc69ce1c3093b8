"""The text of a TOML file goes in, the line of each key comes out; tomllib gives no positions.

One linear scan over the text: tables, arrays of tables, dotted keys, inline tables and arrays, with
strings and comments respected. It relies on `tomllib` having accepted the text before, so it checks
nothing, and it reads no values.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import Any

__all__ = ["KeyPath", "Lines", "locate_keys", "parse_toml", "syntax_error_line"]

KeyPath = tuple[str | int, ...]
Lines = Callable[[], dict[KeyPath, int]]
"""Gives the line of each key, once somebody asks."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"(?!")|""(?!"))?'
    r"|'''.*?'''(?:'(?!')|''(?!'))?"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
# Numbers, dates and booleans: whatever stands before the next delimiter.
_SCALAR: Final = re.compile(r"[^,\]}#\n]*")
_ERROR_LINE: Final = re.compile(r"\(at line (\d+)(?:, column \d+)?\)")


def parse_toml(text: str) -> tuple[dict[str, Any], Lines]:
    """Parse a document.

    Args:
        text: A TOML document.

    Returns:
        Its data, and what finds the line of each key: nobody asks where there are no mistakes.

    Raises:
        TOMLDecodeError: It is none, is nested deeper than can be parsed, or has a number of more
            digits than Python reads. Of the last two `tomllib` makes errors of its own.
    """
    try:
        return tomllib.loads(text), partial(_located, text)
    except tomllib.TOMLDecodeError:
        raise
    except (RecursionError, ValueError) as error:
        is_deep = isinstance(error, RecursionError)
        lines = text.split("\n")
        # Where it is likely to be: `tomllib` does not say.
        amounts = [line.count("[") + line.count("{") if is_deep else len(line) for line in lines]
        what = "Values are nested too deeply" if is_deep else "A number has too many digits"
        message = f"{what} (at line {amounts.index(max(amounts)) + 1})"
        raise tomllib.TOMLDecodeError(message) from None


def locate_keys(text: str) -> dict[KeyPath, int]:
    r"""Find the line of each key and each element of an array.

    Args:
        text: A TOML document that `tomllib` accepts.

    Returns:
        For the path of each key, with indices for elements of arrays, its line from 1. A table that
        is opened more than once has the line where it is first seen.

    Example:
        >>> locate_keys("[a]\nb = [{c = 1}]")
        {('a',): 1, ('a', 'b'): 2, ('a', 'b', 0): 2, ('a', 'b', 0, 'c'): 2}
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def _located(text: str) -> dict[KeyPath, int]:
    try:
        return locate_keys(text)
    except RecursionError:
        # It was parsed, but who asks for a line may have less room: a finding then names none.
        return {}


def syntax_error_line(error: tomllib.TOMLDecodeError, text: str) -> int:
    """Give the line that tomllib names in its message; the last one for "end of document"."""
    match = _ERROR_LINE.search(str(error))
    return int(match[1]) if match else text.rstrip("\n").count("\n") + 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._arrays: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        line = self._current_line()
        *parents, name = self._key()
        self._at += 2 if is_array else 1
        path: KeyPath = ()
        for parent in parents:
            path = self._element((*path, parent), line)
        path = (*path, name)
        if not is_array:
            return self._element(path, line)
        self._note(path, line)
        self._arrays[path] = self._arrays.get(path, -1) + 1
        return self._element(path, line)

    def _element(self, path: KeyPath, line: int) -> KeyPath:
        """Note a table; within an array of tables a header means the last element so far."""
        self._note(path, line)
        if path not in self._arrays:
            return path
        element = (*path, self._arrays[path])
        self._note(element, line)
        return element

    def _pair(self, table: KeyPath) -> None:
        line = self._current_line()
        path = table
        for name in self._key():
            path = (*path, name)
            self._note(path, line)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        """Read a key with its dots; it ends before ``=`` or ``]``."""
        names = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                names.append(_unquoted(self._skip(_STRING)))
            else:
                names.append(self._skip(_BARE_KEY))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        match self._text[self._at]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        index = 0
        while self._next_item("]"):
            element = (*path, index)
            self._note(element, self._current_line())
            self._value(element)
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        while self._next_item("}"):
            self._pair(path)

    def _next_item(self, closing: str) -> bool:
        """Step to the next item; tell whether there is one, and if not, step over the end."""
        self._skip(_BLANK)
        if self._text[self._at] != closing:
            self._at += 1
            self._skip(_BLANK)
        if self._text[self._at] != closing:
            return True
        self._at += 1
        return False

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _current_line(self) -> int:
        # Counted from the last place on, so that a long file takes one pass in all.
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _note(self, path: KeyPath, line: int) -> None:
        self.lines.setdefault(path, line)


def _unquoted(literal: str) -> str:
    """Give the name that a quoted key means; tomllib itself resolves the escapes."""
    key: str = tomllib.loads(f"key = {literal}")["key"]
    return key
