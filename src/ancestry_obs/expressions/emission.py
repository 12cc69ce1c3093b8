"""A parsed expression goes in; a check of its names, or its source for woven code, comes out.

Variables and functions are two namespaces (``endpoint(endpoint)`` is fine), so both steps take two
collections. The source is written from the syntax tree: the text of the map never gets into woven
code.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ancestry_obs.exceptions import ExpressionError
from ancestry_obs.expressions.given import EXPLAINED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ancestry_obs.expressions.parser import Expression

__all__ = ["check", "emit"]

# What people write from habit, and what it is called here.
_HABITS: Mapping[str, str] = {
    "float": "number",
    "int": "number",
    "str": "text",
    "type": "type_name",
}


def check(expression: Expression, *, names: Collection[str], functions: Collection[str]) -> None:
    """Check that everything an expression names exists.

    Args:
        expression: What `parse` gave.
        names: The variables there are.
        functions: The label functions there are.

    Raises:
        ExpressionError: A name is unknown; the message has the nearest one and all that there are.
    """
    for kind, used, known in (
        ("name", expression.names, names),
        ("function", expression.functions, functions),
    ):
        for name in sorted(used.difference(known)):
            column = _column(expression, name, called=kind == "function")
            why = EXPLAINED.get(name) if kind == "name" else None
            raise ExpressionError(_unknown(kind, name, known, why), expression.source, column)


def emit(expression: Expression, *, names: Mapping[str, str], functions: Mapping[str, str]) -> str:
    """Write an expression as Python source with other identifiers, in parentheses where needed.

    Args:
        expression: What `parse` gave.
        names: The identifier to use for each variable.
        functions: The identifier to use for each label function.

    Returns:
        Source that can stand as an operand anywhere.

    Raises:
        ExpressionError: A name of the expression is in neither mapping.

    Example:
        >>> from ancestry_obs.expressions import parse
        >>> emit(parse("upper(method)"), names={"method": "method"}, functions={"upper": "_f0"})
        '_f0(method)'
    """
    check(expression, names=names, functions=functions)
    # Copied through its text: a tree that is rewritten in place would be wrong the second time.
    tree = ast.parse(ast.unparse(expression.tree), mode="eval").body
    renamed = _Rename(names, functions).visit(tree)
    text = ast.unparse(renamed)
    bare = isinstance(renamed, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    # A literal needs no parentheses unless something follows its dot: 1.real is no Python.
    text_literal = isinstance(renamed, ast.Constant) and isinstance(renamed.value, str)
    return text if bare or text_literal else f"({text})"


class _Rename(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str], functions: Mapping[str, str]) -> None:
        self._names = names
        self._functions = functions

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._names[node.id], node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name):
            # What has a dot in its name was one when it was written out.
            variable = self._names.get(f"{node.value.id}.{node.attr}")
            if variable is not None:
                return ast.Name(variable, node.ctx)
        return ast.Attribute(self.visit(node.value), node.attr, node.ctx)

    def visit_Compare(self, node: ast.Compare) -> ast.Compare:
        left, *others = map(self.visit, (node.left, *node.comparators))
        if any(isinstance(each, ast.Is | ast.IsNot) for each in node.ops):
            left, *others = map(_known, (node.left, *node.comparators), (left, *others))
        return ast.Compare(left, node.ops, others)

    def visit_BinOp(self, node: ast.BinOp) -> ast.BinOp:
        left, right = self.visit(node.left), self.visit(node.right)
        # 'url * count' would fill the memory if the one is a text and the other a number; a sign
        # changes no number, and no text or list can have one.
        if isinstance(node.op, ast.Mult):
            left, right = _signed(left), _signed(right)
        elif isinstance(node.op, ast.Mod):
            left = _signed(left)
        return ast.BinOp(left, node.op, right)

    def visit_Call(self, node: ast.Call) -> ast.Call:
        if isinstance(node.func, ast.Name):
            function: ast.expr = ast.Name(self._functions[node.func.id], node.func.ctx)
        else:
            function = self.visit(node.func)
        # A function that asks for no more than a type would find that of what stands for a failure.
        arguments = [_known(argument, self.visit(argument)) for argument in node.args]
        return ast.Call(function, arguments, [])


def _known(written: ast.expr, node: ast.expr) -> ast.expr:
    """Have a value that was handed on say that it could not be found out; `is` would not ask it."""
    if not isinstance(written, ast.Attribute) or not isinstance(node, ast.Name):
        return node
    return ast.BoolOp(ast.And(), [ast.Attribute(node, "__class__", ast.Load()), node])


def _signed(node: ast.expr) -> ast.expr:
    return node if isinstance(node, ast.Constant) else ast.UnaryOp(ast.UAdd(), node)


def _unknown(kind: str, name: str, known: Collection[str], why: str | None) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes alone

    habit = _HABITS.get(name) if kind == "function" else None
    nearest = [habit] if habit in known else get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    if why:
        hint = f"{why}; "
    return f"unknown {kind} {name!r}; {hint}known are {', '.join(sorted(known)) or 'none'}"


def _column(expression: Expression, name: str, *, called: bool) -> int:
    """Give the column of a name's first use as a variable or as a function."""
    calls = {id(node.func) for node in ast.walk(expression.tree) if isinstance(node, ast.Call)}
    places = (
        node.col_offset
        for node in ast.walk(expression.tree)
        if isinstance(node, ast.Name) and node.id == name and (id(node) in calls) is called
    )
    return min(places, default=0) + 1
