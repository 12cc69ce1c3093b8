"""What can be said of an expression's value without evaluating it.

The loader uses it to find a label value that no enumeration has; the compiler, to leave out the
conversion to text where the value is text anyway. In doubt the answer is "cannot say".
"""

from __future__ import annotations

import ast
from typing import Final

from ancestry_obs.expressions.given import TARGET

__all__ = ["TEXT_FUNCTIONS", "is_text", "literal", "outcomes"]

# Built-in functions that return a str or raise; a map cannot take their names for its own.
TEXT_FUNCTIONS: Final = frozenset(
    {
        "bucket", "endpoint", "first_word", "full_type_name", "host", "lower", "outcome",
        "path_prefix", "status_family", "strip", "text", "type_name", "upper",
    }
)  # fmt: skip


def literal(node: ast.expr) -> tuple[object, ...]:
    """Give a literal's value as a tuple of one (a sign included), and ``()`` for anything else."""
    match node:
        case ast.Constant(value=value):
            return (value,)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return (-value,)
        case _:
            return ()


def outcomes(node: ast.expr) -> tuple[object, ...]:
    """Give the literals that the value can be, through conditions and the last of ``or``."""
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            return outcomes(body) + outcomes(orelse)
        case ast.BoolOp(op=ast.Or(), values=values):
            return outcomes(values[-1])
        case _:
            return literal(node)


def is_text(node: ast.expr) -> bool:
    """Tell whether the value is a `str`, whatever the variables hold."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, str)
        case ast.Call(func=ast.Name(id=name)):
            return name in TEXT_FUNCTIONS
        case ast.Name(id=name):
            return name in TARGET
        case _:
            parts = _alternatives(node)
            return bool(parts) and all(map(is_text, parts))


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """Give the parts of which a value is made, if it is text when they are."""
    match node:
        case ast.IfExp(body=left, orelse=right) | ast.BinOp(op=ast.Add(), left=left, right=right):
            return [left, right]
        case ast.BoolOp(values=values):
            return values
        case ast.Subscript(value=value):
            return [value]
        case _:
            return []
