"""The code of a program's main module comes in; the same with a look after each statement goes out.

Nothing tells of a main module: Python executes it without importing it, and most of them call what
they define before they end. So their own code says after each statement that something may have
been defined. It is one code object all the same, executed as Python would execute the other, with
the very functions inside.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from ancestry_obs.compiler.code import (
    CONSTANT,
    FILENAME,
    compiled,
    quietly,
    with_constants,
    with_inside_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

__all__ = ["with_looks"]

_LOOK: Final = CONSTANT + "look"


def with_looks(code: CodeType, source: str | bytes, look: Callable[[], object]) -> CodeType:
    """Let a module's code call something after each of its statements.

    After those in the blocks of `if`, `try`, `with` and `match` too; not in loops, where that would
    cost each turn, but after them.

    Args:
        code: What would be executed.
        source: What it was compiled of.
        look: What is called, from the module's frame; it must raise nothing.

    Returns:
        The very same code if the source is not that of the code.
    """
    with quietly():
        tree = ast.parse(source, FILENAME)
    pristine = compiled(tree)
    if pristine != code:
        return code
    tree.body = _with_looks(tree.body, is_beginning=True)
    made = compiled(ast.fix_missing_locations(tree))
    return with_inside_of(with_constants(made, code, {_LOOK: look}), code)


def _with_looks(body: list[ast.stmt], *, is_beginning: bool = False) -> list[ast.stmt]:
    looking: list[ast.stmt] = []
    for statement in body:
        for block in _blocks(statement):
            block[:] = _with_looks(block)
        looking.append(statement)
        # A docstring and imports from `__future__` have to stand first.
        is_beginning = is_beginning and _stands_first(statement)
        if not is_beginning:
            call = ast.Call(ast.Constant(_LOOK), [], [])
            looking.append(ast.copy_location(ast.Expr(call), statement))
    return looking


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    match statement:
        case ast.If():
            return [statement.body, statement.orelse]
        case ast.With():
            return [statement.body]
        case ast.Try() | ast.TryStar():
            handlers = [each.body for each in statement.handlers]
            return [statement.body, *handlers, statement.orelse, statement.finalbody]
        case ast.Match():
            return [each.body for each in statement.cases]
    return []


def _stands_first(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "__future__"
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
