"""Annotations, and values that were seen -> labels with few values.

A value that may be an id, a secret or somebody's name is no label's, and then neither is its
parameter: one such value is enough. What was seen once says nothing of how many there are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.checking.types import values_of
from ancestry_obs.suggestion.personal import is_personal

if TYPE_CHECKING:
    from ancestry_obs.checking.resolution import Found
    from ancestry_obs.checking.types import Typing
    from ancestry_obs.suggestion.traced_command import TracedFunction

__all__ = ["Proposal", "by_annotations", "by_calls"]

_MOST_VALUES: Final = 10
_MOST_LABELS: Final = 2
_TIMES_SEEN: Final = 2
_MOST_NUMBER: Final = 1000
_NAME: Final = re.compile("[a-z][a-z0-9_]*")
# What the map itself needs, and what expressions call something else.
_TAKEN: Final = frozenset({"elapsed", "error", "function", "le", "quantile", "result", "self"})
# A word or several, all small, all capital or capitalised; but nothing that may be hexadecimal.
_WORD: Final = re.compile(
    "(?:[a-z]+|[A-Z]+|[A-Z][a-z]+)(?:[-_.](?:[a-z]+|[A-Z]+|[A-Z][a-z]+)){0,2}"
)
_HEXADECIMAL: Final = re.compile("[0-9a-fA-F]{6,}")
_LONGEST: Final = 16


@dataclass(frozen=True)
class Proposal:
    """A label.

    Args:
        name: Its name.
        expression: What gives its value.
        values: Every value; empty where they are not listed.
    """

    name: str
    expression: str
    values: tuple[str, ...] = ()


def by_annotations(found: Found, typing: Typing) -> list[Proposal]:
    """Propose labels of a function whose parameters are annotated with few values.

    Args:
        found: The function.
        typing: Reads annotations.
    """
    proposals = []
    for name, kind, annotation, _ in found.symbol.arguments if found.symbol else ():
        if kind in {"*", "**"} or not annotation or not _is_fit(name):
            continue
        values = values_of(typing.annotation(annotation, found.item), typing.program)
        if values and 1 < len(values) <= _MOST_VALUES:
            # What an enumeration's member becomes as text is its class's affair.
            is_plain = not any("." in each for each in values)
            proposals.append(Proposal(name, name, tuple(sorted(values)) if is_plain else ()))
    return proposals[:_MOST_LABELS]


def by_calls(function: TracedFunction) -> list[Proposal]:
    """Propose labels of a function by the values that it was called with."""
    proposals = []
    for name, seen in function.values.items():
        if _is_fit(name) and 1 < len(seen) <= _MOST_VALUES and all(map(_is_common, seen.items())):
            is_plain = all(kind in {"NoneType", "bool", "int", "str"} for kind, _ in seen)
            values = tuple(sorted({str(value) for _, value in seen}))
            proposals.append(Proposal(name, name, values if is_plain else ()))
    kinds = function.results
    if not proposals and 1 < len(kinds) <= _MOST_VALUES and min(kinds.values()) >= _TIMES_SEEN:
        proposals.append(Proposal("result_type", "type_name(result)", tuple(sorted(kinds))))
    return proposals[:_MOST_LABELS]


def _is_fit(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name not in _TAKEN and not is_personal(name)


def _is_common(item: tuple[tuple[str, Any], int]) -> bool:
    """Tell whether a value is one of few that come again, and says nothing of anybody."""
    (kind, value), count = item
    if count < _TIMES_SEEN:
        return False
    if kind == "int":
        return bool(0 <= value < _MOST_NUMBER)
    if kind == "str":
        return (
            len(value) <= _LONGEST
            and bool(_WORD.fullmatch(value))
            and not _HEXADECIMAL.fullmatch(value)
        )
    return True
