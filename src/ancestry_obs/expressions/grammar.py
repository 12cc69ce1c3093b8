"""The grammar of label expressions, as a walk over a syntax tree that refuses what is not listed.

Allowed: names; attributes without a leading double underscore that are none of Python's own frames,
code, generators, coroutines and tracebacks; literals (text, numbers, booleans, None); comparisons,
with a tuple on the right side of ``in``; ``and``, ``or``, ``not``; ``a if b else c``; subscripts
and slices with constant bounds; ``+ - * / // %`` and a sign; calls of label functions by bare name
with positional arguments.

Two things follow from the lists, and neither makes a map harmless: who writes it may name any
function of any module as a label function. No expression can build a value much bigger than what it
is given: powers, shifts, f-strings (their width), and ``*`` or ``%`` with text are refused. And
nothing but label functions is called, apart from what reading an attribute, comparing or
subscripting calls in the program's own classes: that is the program's code, and a failure in it
becomes the label value ``error``.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from ancestry_obs.expressions.functions import BUILTIN_FUNCTIONS, arguments_of
from ancestry_obs.expressions.given import NOTHING, Given

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "Grammar", "Refusal", "given_variable"]

MAX_LENGTH: Final = 500
MAX_DEPTH: Final = 30

_LITERALS: Final = (str, int, float, bool, type(None))
_ARITHMETIC: Final = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
_UNARY: Final = (ast.Not, ast.USub, ast.UAdd)

# How Python names the attributes of its own objects (`inspect` has the tables). Through one of them
# an expression would reach every global of the program, and put what stands there on the page. By
# prefix, since the next Python may have more of them.
_INSIDES: Final = {
    "_co_": "code",
    "ag_": "async generators",
    "co_": "code",
    "cr_": "coroutines",
    "f_": "frames",
    "gi_": "generators",
    "tb_": "tracebacks",
}

_INSTEAD: Final[dict[type[ast.AST], str]] = {
    ast.Lambda: "a lambda is not allowed; register a label function under [functions]",
    ast.NamedExpr: "an assignment ':=' is not allowed; write the value out where it is needed",
    ast.JoinedStr: "an f-string is not allowed; join with '+', as in text(a) + '/' + text(b)",
    ast.List: "a list is not allowed; write a tuple after 'in'",
    ast.Set: "a set is not allowed; write a tuple after 'in'",
    ast.Dict: "a dict is not allowed; use conditions, or a label function",
    ast.Starred: "a starred argument is not allowed; name each argument",
    ast.Slice: "a slice is only allowed as a subscript with constant bounds, as in path[:3]",
    ast.Tuple: "a tuple is only allowed on the right side of 'in'",
}


class Refusal(Exception):  # noqa: N818 - a signal between these two modules, never seen outside
    """A node that the grammar does not have, with the message for the user."""

    def __init__(self, message: str, node: ast.AST) -> None:
        super().__init__(message)
        self.message = message
        self.node = node


class Grammar:
    """One walk over one expression; collects the names and functions it meets.

    Args:
        allow_methods: Whether ``self.method()`` is part of the grammar.
        given: The names with a dot that are variables.

    Attributes:
        names: The variables read.
        dotted: Those of them that are written with a dot.
        functions: The label functions called.
    """

    def __init__(self, *, allow_methods: bool, given: Given = NOTHING) -> None:
        self.names: set[str] = set()
        self.dotted: set[str] = set()
        self.functions: set[str] = set()
        self._allow_methods = allow_methods
        self._given = given
        self._depth = 0

    def visit(self, node: ast.expr) -> None:
        """Accept an expression with all its parts.

        Raises:
            Refusal: Something in it is not in the grammar.
        """
        # The class's own name picks the rule: a node type without a rule is refused.
        rule = getattr(self, f"_{type(node).__name__}", None)
        if rule is None:
            raise _refusal(node)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Refusal(f"nested deeper than {MAX_DEPTH}; move the work into a function", node)
        rule(node)
        self._depth -= 1

    def _visit_all(self, nodes: Iterable[ast.expr]) -> None:
        for node in nodes:
            self.visit(node)

    def _Name(self, node: ast.Name) -> None:  # noqa: N802 - named after the node type
        _refuse_dunder(node.id, node)
        self.names.add(node.id)

    def _Constant(self, node: ast.Constant) -> None:  # noqa: N802 - named after the node type
        if not isinstance(node.value, _LITERALS):
            kind = type(node.value).__name__
            raise Refusal(f"a literal of type {kind} is not allowed; use text or a number", node)

    def _Attribute(self, node: ast.Attribute) -> None:  # noqa: N802 - named after the node type
        _refuse_dunder(node.attr, node)
        _refuse_insides(node)
        variable = given_variable(node, self._given)
        if variable is None:
            if isinstance(root := node.value, ast.Name):
                message = self._given.unknown(root.id, node.attr)
                if message:
                    raise Refusal(message, node)
            self.visit(node.value)
        else:
            self.names.add(variable)
            self.dotted.add(variable)

    def _Compare(self, node: ast.Compare) -> None:  # noqa: N802 - named after the node type
        self.visit(node.left)
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn) and isinstance(right, ast.Tuple):
                self._visit_all(right.elts)
            else:
                self.visit(right)

    def _BoolOp(self, node: ast.BoolOp) -> None:  # noqa: N802 - named after the node type
        self._visit_all(node.values)

    def _IfExp(self, node: ast.IfExp) -> None:  # noqa: N802 - named after the node type
        self._visit_all((node.test, node.body, node.orelse))

    def _UnaryOp(self, node: ast.UnaryOp) -> None:  # noqa: N802 - named after the node type
        if not isinstance(node.op, _UNARY):
            raise Refusal("the operator '~' is not allowed; allowed are 'not', '-' and '+'", node)
        self.visit(node.operand)

    def _BinOp(self, node: ast.BinOp) -> None:  # noqa: N802 - named after the node type
        if not isinstance(node.op, _ARITHMETIC):
            raise Refusal("this operator is not allowed; allowed are + - * / // %", node)
        self._visit_all((node.left, node.right))
        # 'x' * 10**9 and '%999999999d' % 1 would fill the memory from a few characters.
        repeats = isinstance(node.op, ast.Mult) and _holds_text(node.left, node.right)
        if repeats or (isinstance(node.op, ast.Mod) and _holds_text(node.left)):
            raise Refusal("text cannot be repeated or %-formatted; join with '+'", node)

    def _Subscript(self, node: ast.Subscript) -> None:  # noqa: N802 - named after the node type
        self.visit(node.value)
        if isinstance(node.slice, ast.Slice):
            bounds = (node.slice.lower, node.slice.upper, node.slice.step)
            if not all(bound is None or _is_whole(bound) for bound in bounds):
                raise _refusal(node.slice)
        else:
            self.visit(node.slice)

    def _Call(self, node: ast.Call) -> None:  # noqa: N802 - named after the node type
        if node.keywords:
            raise Refusal("a keyword argument is not allowed; pass it by position", node)
        if isinstance(node.func, ast.Name):
            _refuse_dunder(node.func.id, node)
            self.functions.add(node.func.id)
            self._visit_all(node.args)
            _refuse_count(node.func.id, node)
        else:
            self._method(node)

    def _method(self, node: ast.Call) -> None:
        if not self._allow_methods or not _is_path_from_self(node.func):
            raise Refusal("only label functions can be called, by bare name; methods cannot", node)
        if node.args:
            raise Refusal("a method is called without arguments here", node)
        self.visit(node.func)


def given_variable(node: ast.Attribute, given: Given) -> str | None:
    """Give the variable that is written as an attribute, if it is one.

    Args:
        node: The attribute.
        given: The names with a dot that are variables.
    """
    root = node.value
    return given.variable(root.id, node.attr) if isinstance(root, ast.Name) else None


def _refusal(node: ast.AST) -> Refusal:
    kind = type(node).__name__
    default = f"{kind} is not allowed; see 'Label expressions' in docs/map.md for what is"
    return Refusal(_INSTEAD.get(type(node), default), node)


def _refuse_dunder(name: str, node: ast.AST) -> None:
    """Refuse ``__x``, which leads to Python's insides; one underscore is a private name's."""
    if name.startswith("__"):
        raise Refusal(f"the name {name!r} is not allowed: it starts with two underscores", node)


def _refuse_insides(node: ast.Attribute) -> None:
    """Refuse what leads from a value to the program around it; see `_INSIDES`."""
    for prefix, owners in _INSIDES.items():
        if node.attr.startswith(prefix):
            raise Refusal(
                f"the attribute {node.attr!r} is not allowed: those that begin with {prefix!r} are "
                f"of Python's {owners}; read one of your own in a label function",
                node,
            )


def _refuse_count(function: str, node: ast.Call) -> None:
    """Refuse a call of a built-in function that could only ever fail."""
    if function not in BUILTIN_FUNCTIONS:
        return
    least, most = arguments_of(function)
    found = len(node.args)
    if found < least or (most is not None and found > most):
        upper = " or more" if most is None else f" to {most}" if most > least else ""
        message = f"the function {function!r} is called with {found} arguments, not {least}{upper}"
        raise Refusal(message, node)


def _is_whole(node: ast.expr) -> bool:
    number = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(number, ast.Constant) and type(number.value) is int


def _is_path_from_self(node: ast.expr) -> bool:
    steps = 0
    while isinstance(node, ast.Attribute):
        node = node.value
        steps += 1
    return bool(steps) and isinstance(node, ast.Name) and node.id == "self"


def _holds_text(*nodes: ast.expr) -> bool:
    """Tell whether a literal text can get into a value; calls and subscripts pass it through."""
    return any(
        isinstance(node.value, str)
        if isinstance(node, ast.Constant)
        else _holds_text(*_passed_through(node))
        for node in nodes
    )


def _passed_through(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.BinOp(left=left, right=right) | ast.IfExp(body=left, orelse=right):
            return [left, right]
        case ast.BoolOp(values=parts) | ast.Call(args=parts):
            return parts
        case ast.Subscript(value=value) | ast.Attribute(value=value):
            return [value]
        case _:
            return []
