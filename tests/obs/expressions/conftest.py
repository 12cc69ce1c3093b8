"""What the expression tests share: a reference evaluator, and the grammar as a strategy."""

from __future__ import annotations

import ast
import operator

import pytest
from hypothesis import strategies as st

from ancestry_obs.expressions import BUILTIN_FUNCTIONS

NAMES = ("url", "method", "self", "result", "error", "elapsed", "value")
TEXTS = st.sampled_from(["", "a", "GET", "x'y", 'x"y', "é", "\n", "\\"])
NUMBERS = st.one_of(st.integers(-9, 99), st.floats(-5, 5).map(lambda number: round(number, 2)))

BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    # The language has no repeated text or list, and no text formatted by %.
    ast.Mult: lambda left, right: (+left) * (+right),
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: lambda left, right: (+left) % right,
}
COMPARISON = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
}
UNARY = {ast.Not: operator.not_, ast.USub: operator.neg, ast.UAdd: operator.pos}


def evaluate(node, variables, functions):  # noqa: C901, PLR0911, PLR0912 - a case for each node
    """Walk the tree, node by node: an independent meaning of the language, without compile()."""

    def value(part):
        return evaluate(part, variables, functions)

    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return variables[node.id]
        case ast.Attribute():
            return getattr(value(node.value), node.attr)
        case ast.Call(func=ast.Name()):
            return functions[node.func.id](*map(value, node.args))
        case ast.Call():
            return value(node.func)()
        case ast.IfExp():
            return value(node.body) if value(node.test) else value(node.orelse)
        case ast.UnaryOp():
            return UNARY[type(node.op)](value(node.operand))
        case ast.BinOp():
            return BINARY[type(node.op)](value(node.left), value(node.right))
        case ast.Slice():
            bounds = (node.lower, node.upper, node.step)
            return slice(*(bound and value(bound) for bound in bounds))
        case ast.Subscript():
            return value(node.value)[value(node.slice)]
        case ast.Tuple():
            return tuple(map(value, node.elts))
        case ast.BoolOp():
            for part in node.values:
                last = value(part)
                if bool(last) is isinstance(node.op, ast.Or):
                    break
            return last
        case ast.Compare():
            left = value(node.left)
            for operation, part in zip(node.ops, node.comparators, strict=True):
                right = value(part)
                answer = COMPARISON[type(operation)](left, right)
                if not answer:
                    break
                left = right
            return answer
    raise AssertionError(f"{type(node).__name__} is not in the grammar")


def literals():
    constants = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none())
    return constants.map(repr)


def compound(inner):
    """Build larger expressions of smaller ones; each form of the grammar is here once."""
    one, two = inner, st.tuples(inner, inner)
    arguments = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        two.flatmap(
            lambda pair: st.sampled_from(["+", "-", "*", "/", "//", "%"]).map(
                lambda sign: f"({pair[0]} {sign} {pair[1]})"
            )
        ),
        two.flatmap(
            lambda pair: st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]).map(
                lambda sign: f"({pair[0]} {sign} {pair[1]})"
            )
        ),
        two.map(lambda pair: f"({pair[0]} in ({pair[1]}, 'b', 3))"),
        one.map(lambda text: f"({text} is not None)"),
        two.map(lambda pair: f"({pair[0]} and {pair[1]})"),
        two.map(lambda pair: f"({pair[0]} or {pair[1]})"),
        one.map(lambda text: f"(not {text})"),
        one.map(lambda text: f"(-{text})"),
        st.tuples(inner, inner, inner).map(lambda three: "({} if {} else {})".format(*three)),
        two.map(lambda pair: f"({pair[0]})[{pair[1]}]"),
        st.tuples(inner, st.sampled_from(["1:", ":-1", "::2", "1:3"])).map(
            lambda pair: f"({pair[0]})[{pair[1]}]"
        ),
        one.map(lambda text: f"({text}).real"),
        st.tuples(st.sampled_from(sorted(BUILTIN_FUNCTIONS)), arguments).map(
            lambda pair: f"{pair[0]}({pair[1]})"
        ),
    )


@pytest.fixture(scope="session")
def reference():
    """Give the reference evaluator: (tree, variables, functions) -> value."""
    return evaluate


@pytest.fixture(scope="session")
def expression_texts():
    """Give the strategy of expression texts; a few of them the grammar refuses ('a' * 9)."""
    leaves = st.one_of(literals(), st.sampled_from(NAMES))
    return st.recursive(leaves, compound, max_leaves=8).filter(lambda text: len(text) <= 500)
