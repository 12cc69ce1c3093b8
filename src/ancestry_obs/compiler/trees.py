"""The text of statements comes in, their trees come out, at any place and with any names.

The same statements go into thousands of functions, each time at another place and with other names
for the parameters. A place is part of a tree, so that no tree can be in two functions at a time.
But what was woven is compiled at once; then its trees are free for the next function, and to move a
tree costs a tenth of what it costs to make one.
"""

from __future__ import annotations

import ast
from collections import deque
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.compiler.code import NamesToConstants

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Block", "Place", "Tree", "shared"]

Place = dict[str, int]
"""Line and column of a node, as trees have them."""

_MOST_FREE: Final = 128
# Where a name is that a function may have another one for.
_NAMES: Final[dict[type[ast.AST], str]] = {
    ast.Name: "id",
    ast.keyword: "arg",
    ast.Attribute: "attr",
}
# What may be written several times in a block and stand for one.
_EXPRESSIONS: Final = (ast.Attribute, ast.Constant, ast.Name)


class Tree:
    """Some statements that can be moved.

    Args:
        statements: What it is to be a copy of.
        differing: The names that may be others in each function.
        free: Where it waits while nobody needs it.

    Attributes:
        statements: The statements.
    """

    __slots__ = ("_differing", "_free", "_named", "_place", "_placed", "statements")

    def __init__(
        self, statements: Sequence[ast.stmt], differing: frozenset[str], free: list[Tree]
    ) -> None:
        self._free = free
        self._differing = differing
        self._place: Place | None = None
        self._placed: list[dict[str, object]] = []
        self._named: list[tuple[dict[str, object], str, str]] = []
        duplicates: dict[int, Any] = {}
        self.statements = [self._duplicate(each, duplicates) for each in statements]

    def _duplicate(self, node: Any, duplicates: dict[int, Any]) -> Any:  # noqa: ANN401 - any node, of which the same kind comes out
        if id(node) in duplicates:
            return duplicates[id(node)]
        kind: type[ast.AST] = type(node)
        # Its own `__init__` would look at each field, and complain of what is not there yet.
        duplicate = duplicates[id(node)] = kind.__new__(kind)
        fields = vars(duplicate)
        for name, value in vars(node).items():
            if isinstance(value, ast.AST):
                fields[name] = self._duplicate(value, duplicates)
            elif isinstance(value, list):
                fields[name] = [self._duplicate(each, duplicates) for each in value]
            else:
                fields[name] = value
        if "lineno" in fields:
            self._placed.append(fields)
        where = _NAMES.get(kind)
        if where is not None and fields[where] in self._differing:
            self._named.append((fields, where, fields[where]))
        return duplicate

    def move(self, place: Place, names: Mapping[str, str]) -> None:
        """Move the statements.

        Args:
            place: Where all of them are to stand.
            names: What each of the differing names is there.
        """
        # What handles an exception is nowhere, always.
        if place is not self._place:
            self._place = place
            # All of it in C: most of what is done to move a tree.
            deque(map(dict.update, self._placed, repeat(place)), maxlen=0)
        for fields, name, written in self._named:
            fields[name] = names[written]

    def give_back(self) -> None:
        """Let others have it: what it was put into is compiled."""
        if len(self._free) < _MOST_FREE:
            self._free.append(self)


class Block:
    """Some statements, as often as they are wanted at a time.

    Args:
        text: The statements.
        constants: The names in them that stand for objects.
        differing: The names that may be others in each function.
    """

    __slots__ = ("constants", "differing", "text")

    def __init__(self, text: str, constants: frozenset[str], differing: frozenset[str]) -> None:
        self.text = text
        self.constants = constants
        self.differing = differing

    def at(self, place: Place, names: Mapping[str, str]) -> Tree:
        """Give the statements at a place, until they are given back.

        Args:
            place: Where they stand.
            names: What each of the differing names is there.
        """
        original, free = _made(self)
        try:
            tree = free.pop()
        except IndexError:
            tree = Tree(original, self.differing, free)
        tree.move(place, names)
        return tree


# Functions of many shapes have blocks in common.
shared = lru_cache(maxsize=1024)(Block)


# A tree takes some 15 kB: only what is in use lately is kept.
@lru_cache(maxsize=16)
def _made(made: Block) -> tuple[list[ast.stmt], list[Tree]]:
    """Give the statements of a block, and the trees of them that are free."""
    parsed = NamesToConstants(made.constants.__contains__).visit(ast.parse(made.text))
    return _Once().visit(parsed).body, []


class _Once(ast.NodeTransformer):
    """Makes one node of what is written several times: all of it stands at one place."""

    def __init__(self) -> None:
        self._written: dict[str, ast.AST] = {}

    def visit(self, node: ast.AST) -> Any:  # noqa: ANN401 - as in `ast`
        """Give the node that stands for all that are written alike."""
        self.generic_visit(node)
        return (
            self._written.setdefault(ast.dump(node), node) if type(node) in _EXPRESSIONS else node
        )
