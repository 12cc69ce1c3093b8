"""The text of statements comes in, a function that builds their tree goes out.

The same statements go into thousands of functions, each time at another place and with other names
for the parameters. A tree cannot be shared, since a place is part of it; so what builds it is
written and compiled once, which is several times cheaper than to copy a tree node by node.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Block", "Place", "block"]

Place = Mapping[str, int]
"""Line and column of a node, as trees have them."""

Block = Callable[[Place, Mapping[str, str]], list[ast.stmt]]
"""Builds statements at a place, with the names of the function that they are for."""


def block(text: str, is_name: Callable[[str], bool], constant: str) -> Block:
    """Make what builds the tree of some statements.

    Args:
        text: The statements.
        is_name: Tells whether a name is one; any other stands for an object.
        constant: How the text of a constant begins that stands for an object.

    Returns:
        A function of a place and of the names that differ between functions.
    """
    written = _Writer(is_name, constant)
    source = f"lambda _place, _names: [{', '.join(map(written.node, ast.parse(text).body))}]"
    made: Block = eval(source, {"_make": _make, **written.objects})  # noqa: S307 - written here
    return made


def _make(kind: type[ast.AST], fields: dict[str, object]) -> ast.AST:
    # Its own `__init__` would look at each field, and complain of what is not there yet.
    node = kind.__new__(kind)
    node.__dict__ = fields
    return node


class _Writer:
    def __init__(self, is_name: Callable[[str], bool], constant: str) -> None:
        self._is_name = is_name
        self._constant = constant
        self.objects: dict[str, Any] = {}

    def node(self, node: ast.AST) -> str:
        """Write the call that makes a node."""
        kind = type(node)
        has_place = bool(kind._attributes)  # noqa: SLF001 - how `ast` tells what has a place
        if not kind._fields and not has_place:
            return self._object(f"_c_{kind.__name__}", node)
        if isinstance(node, ast.Name) and not self._is_name(node.id):
            return self.node(ast.Constant(self._constant + node.id))
        fields = [f"{name!r}: {text}" for name, text in self._fields(node)]
        fields += ["**_place"] if has_place else []
        return f"_make({self._object(f'_k_{kind.__name__}', kind)}, {{{', '.join(fields)}}})"

    def _fields(self, node: ast.AST) -> Iterator[tuple[str, str]]:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                yield name, self.node(value)
            elif isinstance(value, list):
                yield name, f"[{', '.join(map(self.node, value))}]"
            elif (name, type(node)) in {("id", ast.Name), ("arg", ast.keyword)} and value:
                yield name, f"_names.get({value!r}, {value!r})"
            elif type(value) in {str, int, bool, type(None)}:
                yield name, repr(value)
            else:  # such as an infinite number, whose text is a name
                yield name, self._object(f"_v_{len(self.objects)}", value)

    def _object(self, name: str, value: object) -> str:
        self.objects[name] = value
        return name
