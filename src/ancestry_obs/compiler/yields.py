"""A generator's tree comes in, where statements can follow its items goes out."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hands_over_inside", "is_handing_over"]


def is_handing_over(statement: ast.AST) -> bool:
    """Tell whether a statement is one ``yield``, whose value may get a name."""
    match statement:
        case (
            ast.Expr(value=ast.Yield())
            | ast.Assign(value=ast.Yield())
            | ast.AnnAssign(value=ast.Yield(), simple=1)
        ):
            return True
    return False


def hands_over_inside(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Tell how a generator hands items over where no statement can be; empty if it does not.

    Args:
        function: Its tree.
    """
    by_themselves = 0
    yields = 0
    for node in _own_nodes(function.body):
        if isinstance(node, ast.YieldFrom):
            return "by 'yield from'"
        yields += isinstance(node, ast.Yield)
        by_themselves += is_handing_over(node)
    return "in the midst of an expression" if yields > by_themselves else ""


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield what runs in a function itself; of those inside only what makes them."""
    waiting: list[ast.AST | None] = [*body]
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        yield node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                waiting += (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults)
            case ast.Lambda():
                waiting += (*node.args.defaults, *node.args.kw_defaults)
            case _:
                waiting += ast.iter_child_nodes(node)
