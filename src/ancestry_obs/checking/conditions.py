"""The test of an ``if`` -> whether it holds in this interpreter, where its text alone tells that.

Only what compares the interpreter's own facts with literals: its version, platform and
implementation, and names that are always true or false for a module that is imported.
"""

from __future__ import annotations

import ast
import operator
import os
import sys
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["truth_of"]

_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}
_FACTS: Final[dict[str, object]] = {
    "sys.version_info": tuple(sys.version_info),
    "sys.version_info[0]": sys.version_info[0],
    "sys.version_info.major": sys.version_info.major,
    "sys.version_info[1]": sys.version_info[1],
    "sys.version_info.minor": sys.version_info.minor,
    "sys.version_info[:2]": tuple(sys.version_info[:2]),
    "sys.platform": sys.platform,
    "sys.implementation.name": sys.implementation.name,
    "os.name": os.name,
    "sys.byteorder": sys.byteorder,
}
_TYPING: Final = {"TYPE_CHECKING", "typing.TYPE_CHECKING", "t.TYPE_CHECKING"}


def truth_of(  # noqa: PLR0911 - a case for each form
    test: ast.expr,
) -> bool | Literal["types"] | None:
    """Tell whether a condition holds.

    Args:
        test: The condition.

    Returns:
        Whether it does; ``types`` if for type checkers alone; `None` if that cannot be told.
    """
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Name(id="__debug__"):
            return True
        case ast.Name() | ast.Attribute():
            return "types" if ast.unparse(test) in _TYPING else None
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = truth_of(operand)
            return True if inner == "types" else None if inner is None else not inner
        case ast.BoolOp(op=kind, values=values):
            return _joined([truth_of(each) for each in values], every=isinstance(kind, ast.And))
        case ast.Compare(left=ast.Name(id="__name__"), comparators=[ast.Constant("__main__")]):
            return isinstance(test.ops[0], ast.NotEq)
        case ast.Compare(left=left, ops=[operation], comparators=[right]):
            return _compared(left, operation, right)
        case ast.Call(
            func=ast.Attribute(value=value, attr="startswith"), args=[ast.Constant(value=start)]
        ) if isinstance(start, str):
            fact = _FACTS.get(ast.unparse(value))
            return fact.startswith(start) if isinstance(fact, str) else None
        case _:
            return None


def _joined(
    parts: list[bool | Literal["types"] | None], *, every: bool
) -> bool | Literal["types"] | None:
    if every:
        for decisive in (False, "types", None):
            if any(each is decisive or each == decisive for each in parts):
                return decisive
        return True
    if any(each is True for each in parts):
        return True
    return None if None in parts else "types" if "types" in parts else False


def _compared(left: ast.expr, operation: ast.cmpop, right: ast.expr) -> bool | None:
    fact = (
        _FACTS.get(ast.unparse(left)) if isinstance(left, ast.Attribute | ast.Subscript) else None
    )
    compare = _COMPARISONS.get(type(operation))
    if fact is None or compare is None:
        return None
    try:
        return compare(fact, ast.literal_eval(right))
    except (ValueError, TypeError):
        return None
