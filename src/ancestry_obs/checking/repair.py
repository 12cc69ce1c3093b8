"""A map's text and the new names of targets -> the text with them, all else as it was."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["renamed", "targets_in"]

# Comments and strings as TOML has them; a quote in a comment begins no string.
_TOKEN: Final = re.compile(
    r"#[^\n]*"
    r'|"""(?:\\.|[^\\])*?"""(?:"(?!")|""(?!"))?'
    r"|'''.*?'''(?:'(?!')|''(?!'))?"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
# The tables of a map that have targets.
_PARTS: Final = ("instrument", "sample", "hook")
# What no map has, and a number.
_MARK: Final = "\N{OBJECT REPLACEMENT CHARACTER}"


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Write new names of targets into a map.

    Args:
        text: The map, which `tomllib` accepts.
        names: The new name of each target, by the text that stands there now.

    Returns:
        The map with each such target exchanged, in the quotes that it has. What says the same
        elsewhere (a label's value, a text) stays.
    """
    tokens = [each for each in _TOKEN.finditer(text) if not each[0].startswith("#")]
    said = [tomllib.loads(f"key = {each[0]}")["key"] for each in tokens]
    marks = {number: f"{_MARK}{number}" for number, value in enumerate(said) if value in names}
    targets = targets_in(_written(text, tokens, marks)) if marks else set()
    new = {n: names[said[n]] for n, mark in marks.items() if mark in targets}
    return _written(text, tokens, new)


def targets_in(text: str) -> set[str]:
    """Give the targets that a map writes.

    Args:
        text: The map, which `tomllib` accepts.
    """
    return {*_targets_of(tomllib.loads(text))}


def _targets_of(data: Mapping[str, Any]) -> Iterator[str]:
    for each in (table for part in _PARTS for table in data.get(part, ())):
        target = each.get("target")
        yield from [target] if isinstance(target, str) else target or ()


def _written(text: str, tokens: list[re.Match[str]], new: Mapping[int, str]) -> str:
    """Write other values for some tokens, each in its quotes: a target needs no escapes."""
    parts, end = [], 0
    for number, value in new.items():
        token = tokens[number]
        quotes = re.match(r"\"\"\"|'''|\"|'", token[0])
        mark = quotes[0] if quotes else '"'
        parts += [text[end : token.start()], f"{mark}{value}{mark}"]
        end = token.end()
    return "".join([*parts, text[end:]])
