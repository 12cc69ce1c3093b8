"""The shapes that hold other shapes: arrays, tables, and tables with names the user chooses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ancestry_obs.frozen import frozen
from ancestry_obs.mapfile.report import allowed_names, nearest_name
from ancestry_obs.mapfile.shapes import is_accepted

if TYPE_CHECKING:
    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.shapes import Schema, Shape
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = ["Array", "Either", "Field", "Named", "Table"]


@frozen(slots=False)
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
        """What is allowed, for a message."""
        return f"{'a non-empty' if self.least else 'an'} array, each item {self.item.expected}"

    def accepts(self, value: Any) -> bool:  # noqa: ANN401 - see Shape
        """Tell whether it is an array with enough items; a tuple is one too."""
        return isinstance(value, list | tuple) and len(value) >= self.least

    def check(self, value: Any, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - see Shape
        """Report each item's mistakes; give a list of the same length."""
        if not is_accepted(self, value, path, report):
            return None
        for index, item in enumerate(value):
            if self.unique and item in value[:index]:
                report.add((*path, index), f"{item!r} is there twice", "take one out")
        return [self.item.check(item, (*path, at), report) for at, item in enumerate(value)]

    def schema(self) -> Schema:
        """Describe the array."""
        unique = {"uniqueItems": True} if self.unique else {}
        return {"type": "array", "items": self.item.schema(), "minItems": self.least, **unique}


@frozen(slots=False)
class Either:
    """A value of one of two kinds; the first that accepts it decides."""

    first: Shape
    second: Shape

    @property
    def expected(self) -> str:
        """What is allowed, for a message."""
        return f"{self.first.expected}; or {self.second.expected}"

    def accepts(self, value: Any) -> bool:  # noqa: ANN401 - see Shape
        """Tell whether one of the two accepts it."""
        return self.first.accepts(value) or self.second.accepts(value)

    def check(self, value: Any, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - see Shape
        """Report the mistakes that the kind it is of finds."""
        if not is_accepted(self, value, path, report):
            return None
        shape = self.first if self.first.accepts(value) else self.second
        return shape.check(value, path, report)

    def schema(self) -> Schema:
        """Describe both kinds."""
        return {"anyOf": [self.first.schema(), self.second.schema()]}


@frozen(slots=False)
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


@frozen(slots=False)
class Table:
    """A table with known keys.

    Args:
        fields: The keys.
        extra: More JSON Schema, for what binds several keys; the loader has that as code.
    """

    fields: Mapping[str, Field]
    extra: Mapping[str, Any] | None = None

    @property
    def expected(self) -> str:
        """What is allowed, for a message."""
        return f"a table with {', '.join(self.fields)}"

    def accepts(self, value: Any) -> bool:  # noqa: ANN401 - see Shape
        """Tell whether it is a table."""
        return isinstance(value, Mapping)

    def check(self, value: Any, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - see Shape
        """Report unknown and missing keys and each value's mistakes; give the known keys."""
        if not is_accepted(self, value, path, report):
            return None
        usable = {}
        meant = set()
        for key, inner in value.items():
            if key in self.fields:
                usable[key] = self.fields[key].shape.check(inner, (*path, key), report)
            else:
                meant.add(nearest_name(str(key), self.fields))
                remedy = allowed_names(str(key), self.fields)
                report.add((*path, str(key)), f"unknown key {key!r}", remedy)
        for key, field in self.fields.items():
            # A key that is only misspelt was reported as what it is.
            if field.required and key not in {*value, *meant}:
                expected = f"allowed is {field.shape.expected}"
                report.add(path, f"the key {key!r} is missing", expected)
        return usable

    def schema(self) -> Schema:
        """Describe the table."""
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


@frozen(slots=False)
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
        """What is allowed, for a message."""
        return f"a table of names, each {self.item.expected}"

    def accepts(self, value: Any) -> bool:  # noqa: ANN401 - see Shape
        """Tell whether it is a table."""
        return isinstance(value, Mapping)

    def check(self, value: Any, path: KeyPath, report: Report) -> Any:  # noqa: ANN401 - see Shape
        """Report names that are not allowed and each value's mistakes; give all names."""
        if not is_accepted(self, value, path, report):
            return None
        for name in value:
            if not isinstance(name, str) or not re.fullmatch(self.pattern, name):
                report.add((*path, str(name)), f"the name {name!r} is not allowed", self.rule)
        return {
            str(name): self.item.check(inner, (*path, str(name)), report)
            for name, inner in value.items()
        }

    def schema(self) -> Schema:
        """Describe the table."""
        return {
            "type": "object",
            "propertyNames": {"pattern": self.pattern},
            "additionalProperties": self.item.schema(),
        }
