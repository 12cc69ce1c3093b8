"""The text of statements comes in, their trees come out, at any place and with any names.

The same statements go into thousands of functions, each time at another place and with other names
for the parameters. A place is part of a tree, so that no tree can be in two functions at a time.
But what was woven is compiled at once; then its trees are free for the next function, and to move a
tree costs a tenth of what it costs to make one.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.compiler.code import NamesToConstants

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Block", "Place", "Tree"]

Place = dict[str, int]
"""Line and column of a node, as trees have them."""

_MOST_FREE: Final = 16
# Where a name is that a function may have another one for.
_NAMES: Final[dict[type[ast.AST], str]] = {ast.Name: "id", ast.keyword: "arg"}


class Tree:
    """Some statements that can be moved.

    Args:
        statements: What it is to be a copy of.
        free: Where it waits while nobody needs it.

    Attributes:
        statements: The statements.
    """

    __slots__ = ("_free", "_named", "_placed", "statements")

    def __init__(self, statements: Sequence[ast.stmt], free: list[Tree]) -> None:
        self._free = free
        self._placed: list[dict[str, object]] = []
        self._named: list[tuple[dict[str, object], str, str]] = []
        self.statements = [self._duplicate(each) for each in statements]

    def _duplicate(self, node: Any) -> Any:  # noqa: ANN401 - any node, of which the same kind comes out
        kind: type[ast.AST] = type(node)
        # Its own `__init__` would look at each field, and complain of what is not there yet.
        duplicate = kind.__new__(kind)
        fields = vars(duplicate)
        for name, value in vars(node).items():
            if isinstance(value, ast.AST):
                fields[name] = self._duplicate(value)
            elif isinstance(value, list):
                fields[name] = [self._duplicate(each) for each in value]
            else:
                fields[name] = value
        if "lineno" in fields:
            self._placed.append(fields)
        if kind in _NAMES:
            self._named.append((fields, _NAMES[kind], fields[_NAMES[kind]]))
        return duplicate

    def move(self, place: Place, names: Mapping[str, str]) -> None:
        """Move the statements.

        Args:
            place: Where all of them are to stand.
            names: What each name that differs between functions is there.
        """
        for fields in self._placed:
            fields.update(place)
        for fields, name, written in self._named:
            fields[name] = names.get(written, written)

    def give_back(self) -> None:
        """Let others have it: what it was put into is compiled."""
        if len(self._free) < _MOST_FREE:
            self._free.append(self)


class Block:
    """Some statements, as often as they are wanted at a time.

    Args:
        text: The statements.
        is_constant: Tells whether a name stands for an object.
    """

    def __init__(self, text: str, is_constant: Callable[[str], bool]) -> None:
        self._original: Sequence[ast.stmt] = (
            NamesToConstants(is_constant).visit(ast.parse(text)).body
        )
        self._free: list[Tree] = []

    def at(self, place: Place, names: Mapping[str, str]) -> Tree:
        """Give the statements at a place, until they are given back.

        Args:
            place: Where they stand.
            names: What each name that differs between functions is there.
        """
        try:
            tree = self._free.pop()
        except IndexError:
            tree = Tree(self._original, self._free)
        tree.move(place, names)
        return tree
