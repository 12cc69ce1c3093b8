"""Building blocks for the map's grammar: each checks a value and describes itself as JSON Schema.

`grammar` puts them together. One block does both, so the loader and the schema cannot disagree about
keys, types and enumerations. Rules between keys (a record's labels are its metric's) are not here.

`check` gives back what it could use: a broken value becomes `None`, so that whoever reads the result
can tell "broken, already reported" from "not there".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ancestry_obs.spec.report import allowed_names

if TYPE_CHECKING:
    from ancestry_obs.spec.report import Report
    from ancestry_obs.spec.toml_lines import KeyPath

__all__ = [
    "Array",
    "Choice",
    "Either",
    "Field",
    "Flag",
    "Named",
    "Number",
    "Shape",
    "Table",
    "Text",
]

Schema = dict[str, Any]


class Shape(Protocol):
    """What a value in the map may be."""

    @property
    def expected(self) -> str:
        """What is allowed, for a message."""
        ...

    def accepts(self, value: object) -> bool:
        """Tell whether the value is of this kind at all; what is inside it is not looked at."""
        ...

    def check(self, value: object, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - TOML's any
        """Report each mistake in a value, and give what is usable of it."""
        ...

    def schema(self) -> Schema:
        """Describe the shape as JSON Schema, draft 2020-12."""
        ...


class _Scalar:
    """What shapes without an inside share: a value is accepted as a whole or not."""

    def check(self: Shape, value: object, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - see Shape
        return value if _is_accepted(self, value, path, report) else None


def _is_accepted(shape: Shape, value: object, path: KeyPath, report: Report) -> bool:
    if shape.accepts(value):
        return True
    report.add(path, f"found {_described(value)}", f"allowed is {shape.expected}")
    return False


def _described(value: object) -> str:
    if isinstance(value, Mapping):
        return "a table" if value else "an empty table"
    if isinstance(value, list | tuple):
        return "an array" if value else "an empty array"
    kind = {str: "text", bool: "boolean", int: "number", float: "number"}.get(type(value))
    return f"the {kind} {value!r}" if kind else f"a {type(value).__name__}"


@dataclass(frozen=True)
class Text(_Scalar):
    """Text that is not blank.

    Args:
        meaning: What the text is, for messages: ``an expression``.
    """

    meaning: str

    @property
    def expected(self) -> str:
        return f"{self.meaning}, as a text"

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and bool(value.strip())

    def schema(self) -> Schema:
        return {"type": "string", "pattern": r"\S"}


@dataclass(frozen=True)
class Choice(_Scalar):
    """One of a few texts."""

    values: tuple[str, ...]

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(self.values)

    def accepts(self, value: object) -> bool:
        return value in self.values

    def check(self, value: object, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - see Shape
        if not isinstance(value, str) or self.accepts(value):
            return super().check(value, path, report)
        report.add(path, f"found {_described(value)}", allowed_names(value, self.values))
        return None

    def schema(self) -> Schema:
        return {"enum": list(self.values)}


@dataclass(frozen=True)
class Flag(_Scalar):
    """A boolean."""

    expected: str = "true or false"

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool)

    def schema(self) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Number(_Scalar):
    """A finite number."""

    expected: str = "a finite number (a histogram's last bucket, +Inf, comes by itself)"

    def accepts(self, value: object) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value)

    def schema(self) -> Schema:
        return {"type": "number"}


@dataclass(frozen=True)
class Whole(_Scalar):
    """A whole number in a range, both ends included."""

    least: int
    most: int

    @property
    def expected(self) -> str:
        if self.least == self.most:
            return str(self.least)
        return f"a whole number from {self.least} to {self.most}"

    def accepts(self, value: object) -> bool:
        return type(value) is int and self.least <= value <= self.most

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Array:
    """An array of items of one shape.

    Args:
        item: The shape of each.
        least: How many there must be.
        unique: Whether an item may occur once only.
    """

    item: Shape
    least: int = 1
    unique: bool = False

    @property
    def expected(self) -> str:
        return f"{'a non-empty' if self.least else 'an'} array, each item {self.item.expected}"

    def accepts(self, value: object) -> bool:
        return isinstance(value, list | tuple) and len(value) >= self.least

    def check(self, value: Any, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - see Shape
        if not _is_accepted(self, value, path, report):
            return None
        for index, item in enumerate(value):
            if self.unique and item in value[:index]:
                report.add((*path, index), f"{item!r} is there twice", "take one out")
        return [self.item.check(item, (*path, at), report) for at, item in enumerate(value)]

    def schema(self) -> Schema:
        unique = {"uniqueItems": True} if self.unique else {}
        return {"type": "array", "items": self.item.schema(), "minItems": self.least, **unique}


@dataclass(frozen=True)
class Either:
    """A value of one of two kinds; the first that accepts it decides."""

    first: Shape
    second: Shape

    @property
    def expected(self) -> str:
        return f"{self.first.expected}; or {self.second.expected}"

    def accepts(self, value: object) -> bool:
        return self.first.accepts(value) or self.second.accepts(value)

    def check(self, value: object, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - see Shape
        if not _is_accepted(self, value, path, report):
            return None
        shape = self.first if self.first.accepts(value) else self.second
        return shape.check(value, path, report)

    def schema(self) -> Schema:
        return {"anyOf": [self.first.schema(), self.second.schema()]}


@dataclass(frozen=True)
class Field:
    """A key of a table.

    Args:
        shape: What its value may be.
        help: One sentence for the schema, shown by editors.
        required: Whether the key must be there.
    """

    shape: Shape
    help: str
    required: bool = False


@dataclass(frozen=True)
class Table:
    """A table with known keys.

    Args:
        fields: The keys.
        extra: More JSON Schema, for what binds several keys; the loader has it as code.
    """

    fields: Mapping[str, Field]
    extra: Mapping[str, Any] | None = None

    @property
    def expected(self) -> str:
        return f"a table with {', '.join(self.fields)}"

    def accepts(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def check(self, value: Any, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - see Shape
        if not _is_accepted(self, value, path, report):
            return None
        usable = {}
        for key, inner in value.items():
            if key in self.fields:
                usable[key] = self.fields[key].shape.check(inner, (*path, key), report)
            else:
                remedy = allowed_names(str(key), self.fields)
                report.add((*path, str(key)), f"unknown key {key!r}", remedy)
        for key, field in self.fields.items():
            if field.required and key not in value:
                expected = f"allowed is {field.shape.expected}"
                report.add(path, f"the key {key!r} is missing", expected)
        return usable

    def schema(self) -> Schema:
        return {
            "type": "object",
            "properties": {
                key: {"description": field.help, **field.shape.schema()}
                for key, field in self.fields.items()
            },
            "required": [key for key, field in self.fields.items() if field.required],
            "additionalProperties": False,
            **(self.extra or {}),
        }


@dataclass(frozen=True)
class Named:
    """A table whose keys are names that the user chooses.

    Args:
        item: The shape of each value.
        pattern: The names allowed, as a regular expression that Python and ECMAScript read alike.
        rule: The pattern in words, for messages.
    """

    item: Shape
    pattern: str
    rule: str

    @property
    def expected(self) -> str:
        return f"a table of names, each {self.item.expected}"

    def accepts(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def check(self, value: Any, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - see Shape
        if not _is_accepted(self, value, path, report):
            return None
        for name in value:
            if not isinstance(name, str) or not re.fullmatch(self.pattern, name):
                report.add((*path, str(name)), f"the name {name!r} is not allowed", self.rule)
        return {
            str(name): self.item.check(inner, (*path, str(name)), report)
            for name, inner in value.items()
        }

    def schema(self) -> Schema:
        return {
            "type": "object",
            "propertyNames": {"pattern": self.pattern},
            "additionalProperties": self.item.schema(),
        }
