"""Source text and the code that is wanted of it come in, the definitions of that code come out.

A definition is found by its qualified name and first line, as code objects tell them. What comes
out is a tree of those definitions alone, with the classes around them: it compiles to the same code
for them as the whole module does, since only a module's imports have a say in a function's code:
those from the future, and (3.13) a method that is called of an imported name is looked up
otherwise.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ancestry_obs.frozen import define, field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Definitions", "Key", "decorators"]

Key = tuple[str, int]
"""Qualified name and first line."""

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_LAMBDA: Final = "<lambda>"
_STAND_IN: Final = "_obs_lambda"
# So many lines at most may be looked for without the rest of a source being read again.
_FEW: Final = 4


@define(slots=False)
class _Scope:
    """A module or class with the definitions in it that are wanted."""

    node: ast.Module | ast.ClassDef
    statements: dict[int, ast.stmt] = field(default_factory=dict)
    classes: dict[int, _Scope] = field(default_factory=dict)

    def tree(self) -> list[ast.stmt]:
        """Build the statements of a body that has nothing else."""
        return [*self.statements.values(), *(scope.definition() for scope in self.classes.values())]

    def definition(self) -> ast.ClassDef:
        """Build the class with that body; its bases have no say in its methods' code."""
        node = self.node
        duplicate = ast.ClassDef.__new__(ast.ClassDef)
        emptied: dict[str, object] = {"bases": [], "keywords": [], "decorator_list": []}
        vars(duplicate).update({**vars(node), **emptied, "body": self.tree()})
        return duplicate


@define(slots=False)
class _Statements:
    """A module's statements, as far as it need not be read again.

    Args:
        spans: First and last line of each, and whether it imports something.
        other_names: See `Definitions`.
    """

    spans: tuple[tuple[int, int, bool], ...]
    other_names: dict[str, str]

    def with_lines(self, source: str, wanted: Collection[int]) -> str:
        """Blank out each statement that neither imports anything nor has one of some lines."""
        lines = source.split("\n")
        kept = [""] * len(lines)
        for first, last, imports in self.spans:
            if imports or any(first <= each <= last for each in wanted):
                kept[first - 1 : last] = lines[first - 1 : last]
        return "\n".join(kept)


@lru_cache(maxsize=4)
def _statements(source: str, filename: str) -> _Statements:
    body = ast.parse(source, filename).body
    spans = tuple(
        (_first_line(each), each.end_lineno or each.lineno, any(_imports([each]))) for each in body
    )
    return _Statements(spans, dict(_other_names(body)))


class Definitions:
    """The wanted definitions of one source.

    Args:
        source: The text of the module.
        filename: What warnings about it would name.
        by_statement: Whether each statement is compiled by itself, so that imports have no say.
        lines: Where the wanted definitions begin. A program's own file is looked at anew for each
            function that it defines: of a few the rest is left out.

    Attributes:
        found: The function of each key that was found. A lambda of a module or class gets a
            function that does the same and is compiled beside it, since statements are to go in.
        compiled: The key under which the code of each of them is found.
        other_names: What the module calls something of another name: ``show = locals``, also
            ``show = builtins.locals`` and ``from builtins import locals as show``.

    Raises:
        SyntaxError: It is no Python.
    """

    def __init__(
        self, source: str, filename: str, lines: Collection[int], *, by_statement: bool = False
    ) -> None:
        if len(lines) <= _FEW and "\r" not in source:
            statements = _statements(source, filename)
            self._module = ast.parse(statements.with_lines(source, lines), filename)
            self.other_names = statements.other_names
        else:
            self._module = ast.parse(source, filename)
            self.other_names = dict(_other_names(self._module.body))
        self._root = _Scope(self._module)
        self._lines: dict[int, list[int]] = {}
        self.found: dict[Key, ast.FunctionDef | ast.AsyncFunctionDef] = {}
        self.compiled: dict[Key, Key] = {}
        for statement in () if by_statement else _imports(self._module.body):
            self._root.statements[id(statement)] = statement

    def want(self, key: Key) -> bool:
        """Look for a definition, and take it into the tree.

        Args:
            key: Qualified name and first line.

        Returns:
            Whether it is there.
        """
        if key in self.found:
            return True
        outer, dot, name = key[0].rpartition(".")
        if name == _LAMBDA:
            return self._want_lambda(key, outer + dot)
        for path in self._paths(self._module.body, key[1]):
            node = path[-1]
            if isinstance(node, _FUNCTIONS) and node.name == name and _first_line(node) == key[1]:
                self._take(path)
                self.found[key], self.compiled[key] = node, key
                return True
        return False

    def _want_lambda(self, key: Key, outer: str) -> bool:
        line = key[1]
        found = [
            (path, node)
            for path in self._paths(self._module.body, line, definitions=False)
            for node in ast.walk(path[-1])
            if isinstance(node, ast.Lambda) and node.lineno == line
        ]
        # Two on one line cannot be told apart, and one inside a function would add a name to it.
        if len(found) != 1 or any(isinstance(node, _FUNCTIONS) for node in found[0][0]):
            return False
        path, node = found[0]
        scope = self._scope(path)
        scope.statements[id(path[-1])] = path[-1]
        function = self.found[key] = _as_function(node, f"{_STAND_IN}{line}")
        scope.statements[id(function)] = function
        self.compiled[key] = f"{outer}{function.name}", line
        return True

    def tree(self) -> ast.Module:
        """Build a module that has the wanted definitions and nothing else."""
        return ast.Module(self._root.tree(), [])

    def _take(self, path: list[ast.stmt]) -> None:
        # With all that is in it: a function inside shares variables with it.
        outermost = next(node for node in path if isinstance(node, _FUNCTIONS))
        self._scope(path).statements[id(outermost)] = outermost

    def _scope(self, path: list[ast.stmt]) -> _Scope:
        scope = self._root
        for node in path:
            if isinstance(node, _FUNCTIONS):
                break
            if isinstance(node, ast.ClassDef):
                scope = scope.classes.setdefault(id(node), _Scope(node))
        return scope

    def _paths(
        self, block: list[ast.stmt], line: int, *, definitions: bool = True
    ) -> Iterator[list[ast.stmt]]:
        """Yield the way to each definition that begins on a line, through what it stands in.

        Args:
            block: Where to look.
            line: The line.
            definitions: Whether to look for definitions; otherwise for what else is on the line.
        """
        lines = self._lines.get(id(block))
        if lines is None:
            lines = self._lines[id(block)] = list(map(_first_line, block))
        index = bisect_right(lines, line) - 1
        while index >= 0:
            statement = block[index]
            if (statement.end_lineno or 0) < line:
                return
            inner = list(_blocks(statement))
            if lines[index] == line if definitions else not inner:
                yield [statement]
            for each in inner:
                for path in self._paths(each, line, definitions=definitions):
                    yield [statement, *path]
            index -= 1


def decorators(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """Give the last names of a function's decorators.

    Args:
        function: Its tree.
    """
    return frozenset(map(_last_name, function.decorator_list))


def _last_name(decorator: ast.expr) -> str:
    match decorator:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=called):
            return _last_name(called)
        case _:
            return ""


def _imports(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in block:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        elif not isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            for inner in _blocks(statement):
                yield from _imports(inner)


def _other_names(block: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield a module's own name and the last name of what it calls by it."""
    for statement in block:
        match statement:
            case ast.Assign(value=ast.Name(id=name) | ast.Attribute(attr=name)):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        yield target.id, name
            case ast.ImportFrom():
                yield from ((each.asname, each.name) for each in statement.names if each.asname)


def _first_line(statement: ast.stmt) -> int:
    """Give the line that code says it begins on: that of the first decorator, if there is one."""
    decorated: list[ast.expr] = getattr(statement, "decorator_list", [])
    return (
        min([statement.lineno, *[each.lineno for each in decorated]])
        if decorated
        else statement.lineno
    )


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block
    for name in ("handlers", "cases"):
        for each in getattr(node, name, ()):
            yield each.body


def _as_function(node: ast.Lambda, name: str) -> ast.FunctionDef:
    value = ast.copy_location(ast.Return(node.body), node.body)
    function = ast.FunctionDef.__new__(ast.FunctionDef)
    vars(function).update(
        name=name, args=node.args, body=[value], decorator_list=[], returns=None,
        type_comment=None, type_params=[],
    )  # fmt: skip
    return ast.copy_location(function, node)
