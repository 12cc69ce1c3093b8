"""Collects the findings of one map: a path of keys goes in, a finding with its place comes out."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from ancestry_obs.exceptions import Finding, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = ["Report", "allowed_names", "differing", "key_text", "nearest_name"]


_LONGEST_NAME = 500


class Report:
    """The findings so far, and what is needed to say where one is.

    Args:
        source: The map's file as it was named, or ``<mapping>``.
        lines: Gives the line of each key, once one is needed; none where the source has none.
        findings: Those of the files that are read together with this one.

    Attributes:
        findings: In the order they were made.
        source: The map's file as it was named, or ``<mapping>``.
    """

    def __init__(
        self,
        source: str,
        lines: Callable[[], Mapping[KeyPath, int]] = dict,
        findings: list[Finding] | None = None,
    ) -> None:
        self.findings: list[Finding] = [] if findings is None else findings
        self.source = source
        self._lines = cache(lines)

    def add(self, path: KeyPath, message: str, remedy: str = "") -> None:
        """Note a mistake at a key."""
        self.findings.append(Finding(message, self.where(path), remedy))

    def where(self, path: KeyPath) -> Where:
        """Give the place of a key; one that is missing has the line of what should hold it."""
        return Where(self.source, partial(self._line, path), key_text(path))

    def _line(self, path: KeyPath) -> int | None:
        lines = self._lines()
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path)


def differing(where: Where, other: Where, what: str = "it is") -> Finding:
    """Make the finding that two files of which neither includes the other disagree.

    Args:
        where: The place in the one.
        other: The place in the other.
        what: What they disagree on, with its verb.
    """
    return Finding(
        f"{what} not the same as in {other.file_and_line}",
        where,
        "make the two the same, or write it in the map that includes both, which wins",
    )


def key_text(path: KeyPath) -> str:
    """Write a path of keys as a user would: ``instrument[0].record[1].metric``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{_printable(part)}" if text else _printable(part)
    return text


def allowed_names(found: str, names: Iterable[str]) -> str:
    """Write the remedy for an unknown name: the nearest one, then all."""
    known = list(names)
    nearest = nearest_name(found, known)
    hint = f"did you mean {nearest!r}? " if nearest else ""
    return f"{hint}allowed: {', '.join(map(_printable, known)) or 'none'}"


def nearest_name(found: str, names: Iterable[str]) -> str | None:
    """Give the name that an unknown one was probably meant to be."""
    # A search in a text of 100 kB takes half a second, and such a text is no name's misspelling.
    if len(found) > _LONGEST_NAME:
        return None
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes alone

    return next(iter(get_close_matches(found, names, n=1)), None)


def _printable(name: str) -> str:
    # A quoted key may hold a line break, and a finding is one line.
    return name if name.isprintable() else repr(name)
