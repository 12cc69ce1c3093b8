"""The values a map may hold: each shape checks a value and describes itself as JSON Schema.

`language` puts them together with the arrays and tables of `containers`. Each does both jobs, so
the loader and the schema cannot disagree on keys, types and enumerations. Rules between keys (a
record's labels are its metric's) are not here.

`check` gives back what it could use: a broken value becomes `None`, so that its reader can tell
"broken, already reported" from "not there".
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from ancestry_obs.frozen import frozen
from ancestry_obs.mapfile.report import allowed_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = [
    "Scalar",
    "Schema",
    "Shape",
    "choice",
    "day_or_time",
    "flag",
    "is_accepted",
    "namespace",
    "number",
    "percent",
    "percentage",
    "text",
    "versions",
    "whole",
]

Schema = dict[str, Any]

_PERCENTAGE: Final = r"(?![0.]*%)([0-4]?[0-9](\.[0-9]{1,6})?|50(\.0{1,6})?)%"
_NAMESPACE: Final = r"((?!__)[a-zA-Z_][a-zA-Z0-9_]*)?"
_RELEASE: Final = r"(>=|<=|>|<|==|!=|~=) ?[0-9]{1,9}(\.[0-9]{1,9}){0,5}"
_LEGIBLE: Final = 10**100
_KINDS: Final = {str: "text", bool: "boolean", int: "number", float: "number"}


class Shape(Protocol):
    """What a value in the map may be."""

    @property
    def expected(self) -> str:
        """What is allowed, for a message."""
        ...

    def accepts(self, value: Any) -> bool:  # noqa: ANN401 - whatever TOML or Python can hold
        """Tell whether the value is of this kind at all; what is inside it is not looked at."""
        ...

    def check(self, value: Any, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - as above
        """Report each mistake in a value, and give what is usable of it."""
        ...

    def schema(self) -> Schema:
        """Describe the shape as JSON Schema, draft 2020-12."""
        ...


@frozen(slots=False)
class Scalar:
    """A value without an inside; `text`, `choice`, `flag`, `number` and `whole` make them.

    Args:
        expected: What is allowed, for a message.
        accepts: Whether a value is.
        json_schema: The same as JSON Schema.
        choices: All values there are, if they can be listed; a message then has the nearest one.
    """

    expected: str
    accepts: Callable[[Any], bool]
    json_schema: Schema
    choices: tuple[str, ...] = ()

    def check(self, value: Any, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - see Shape
        """Report the value if it is not allowed, and then give `None`."""
        if self.choices and isinstance(value, str) and not self.accepts(value):
            report.add(path, f"found {_described(value)}", allowed_names(value, self.choices))
            return None
        return value if is_accepted(self, value, path, report) else None

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        return self.json_schema


def namespace() -> Scalar:
    """Make the shape of what the names of metrics begin with; it may be nothing."""
    return Scalar(
        "letters, digits and underscores, no digit or '__' in front, or an empty text",
        lambda value: isinstance(value, str) and re.fullmatch(_NAMESPACE, value) is not None,
        {"type": "string", "pattern": f"^{_NAMESPACE}$"},
    )


def text(meaning: str) -> Scalar:
    """Make the shape of a text that is not blank and that UTF-8 can express.

    Args:
        meaning: What the text is, for messages: ``an expression``.
    """
    return Scalar(
        f"{meaning}, as a text",
        lambda value: isinstance(value, str) and bool(value.strip()) and _is_unicode(value),
        {"type": "string", "pattern": r"\S"},
    )


def choice(values: tuple[str, ...]) -> Scalar:
    """Make the shape of one of a few texts."""
    listed = ", ".join(values)
    return Scalar(f"one of {listed}", lambda value: value in values, {"enum": [*values]}, values)


def flag() -> Scalar:
    """Make the shape of a boolean."""
    return Scalar("true or false", lambda value: isinstance(value, bool), {"type": "boolean"})


def number(meaning: str) -> Scalar:
    """Make the shape of a finite number.

    Args:
        meaning: What the number is, for messages.
    """
    return Scalar(
        meaning,
        # A boolean is an int to Python; to a reader of the map it is a mistake.
        lambda value: type(value) in {int, float} and abs(value) <= sys.float_info.max,
        {"type": "number"},
    )


def between(least: float, most: float) -> Scalar:
    """Make the shape of a number in a range, both ends included."""
    return Scalar(
        f"a number from {least:g} to {most:g}",
        lambda value: type(value) in {int, float} and least <= value <= most,
        {"type": "number", "minimum": least, "maximum": most},
    )


def percentage() -> Scalar:
    """Make the shape of a percentage as text, above 0 and up to 50."""
    return Scalar(
        "a percentage above 0 and up to 50, such as '1%'",
        lambda value: isinstance(value, str) and percent(value) > 0,
        {"type": "string", "pattern": f"^{_PERCENTAGE}$"},
    )


def versions() -> Scalar:
    """Make the shape of the versions of a library: releases as `packaging` compares them."""
    pattern = f"{_RELEASE}( ?, ?{_RELEASE}){{0,9}}"
    return Scalar(
        "versions such as '>=2.3,<4', each by >=, >, <=, <, ==, != or ~= and numbers with dots",
        lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None,
        {"type": "string", "pattern": f"^({pattern})$"},
    )


def percent(text: str) -> float:
    """Read a percentage as `percentage` has it; give 0 for what is none."""
    return float(text[:-1]) if re.fullmatch(_PERCENTAGE, text, re.ASCII) else 0.0


def whole(least: int, most: int) -> Scalar:
    """Make the shape of a whole number in a range, both ends included."""
    return Scalar(
        str(least) if least == most else f"a whole number from {least} to {most}",
        lambda value: type(value) is int and least <= value <= most,
        {"type": "integer", "minimum": least, "maximum": most},
    )


def day_or_time() -> Scalar:
    """Make the shape of a date, or a time with its zone."""
    return Scalar(
        "a date such as 2027-01-01, or a time with its zone such as 2027-01-01T08:00:00Z, of the "
        "years 1 to 9999 in UTC",
        _is_day_or_time,
        # TOML's own dates; as JSON they are texts.
        {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]},
    )


def _is_day_or_time(value: Any) -> bool:  # noqa: ANN401 - whatever a map may have
    # Only who gives one has imported what makes them.
    if type(value).__module__ != "datetime":
        return False
    from ancestry_obs.mapfile.moments import is_moment  # noqa: PLC0415  few maps have one

    return is_moment(value)


def is_accepted(shape: Shape, value: Any, path: KeyPath, report: Report) -> bool:  # noqa: ANN401 - see Shape
    """Tell whether a shape accepts a value, and report it if not."""
    if shape.accepts(value):
        return True
    report.add(path, f"found {_described(value)}", f"allowed is {shape.expected}")
    return False


def _is_unicode(text: str) -> bool:
    # TOML has no lone surrogates but a mapping may, and one would make every page unreadable.
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _described(value: object) -> str:
    if isinstance(value, Mapping):
        return "a table" if value else "an empty table"
    if isinstance(value, list | tuple):
        return "an array" if value else "an empty array"
    if type(value) is int and abs(value) >= _LEGIBLE:
        # Python refuses to write one of several thousand digits.
        return "a number of more than a hundred digits"
    kind = _KINDS.get(type(value))
    return f"the {kind} {value!r}" if kind else f"a {type(value).__name__}"
