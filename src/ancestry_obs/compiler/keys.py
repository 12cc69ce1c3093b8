"""The keys of a stream's memo: label expressions come in, cheap look-up keys come out.

Woven code finds the buffer of a call in nested dicts. What it looks up need not be the labels: if a
label is a pure function of one text parameter, the parameter itself is the key, and the function
runs only when a text is seen for the first time. The labels ``ok(result)`` and
``status_family(result)`` depend on a response's status alone, so that the status is their key.

Every key is chosen such that equal keys mean equal labels, for any Python object: a parameter is a
key only if it is exactly a `str` (1, True and 1.0 are equal as keys, and an enum's member may be
equal to a text that it does not print as). Otherwise a tuple of finished labels is the key, which
is never equal to a text or a number.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ancestry_obs.expressions import BUILTIN_FUNCTIONS
from ancestry_obs.expressions.given import TARGET
from ancestry_obs.frozen import frozen
from ancestry_obs.mapfile.specs import NOT_OVER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ancestry_obs.expressions import Expression

__all__ = ["ABSENT", "Key", "absent_at", "may_call_program", "plan_keys", "response_key"]

# What they ask of a value is its type, or the status of a response.
_HARMLESS_FUNCTIONS: Final = frozenset(
    {
        "endpoint", "first_word", "full_type_name", "host", "lower", "ok", "outcome", "path_prefix",
        "startswith", "status_family", "strip", "type_name", "upper",
    }
)  # fmt: skip
_HARMLESS_NODES: Final = (
    ast.BoolOp, ast.Call, ast.Constant, ast.IfExp, ast.Name, ast.Not, ast.UnaryOp,
    ast.boolop, ast.expr_context,
)  # fmt: skip
_STATUS_FUNCTIONS: Final = frozenset({"ok", "status_family"})
_CHANGING: Final = frozenset({"span_id", "trace_id"})
"""The built-in functions that give something else at each call."""
_KNOWN_TYPES: Final = 16

ABSENT: Final = {"return": "error", "raise": "result"}
"""By how a call ended the variable that is None then."""


@frozen(slots=False)
class Key:
    """One level of a memo.

    Args:
        kind: ``text`` (a parameter that is a text), ``status`` (of a response), ``label`` (the
        label itself).
        variable: The parameter, or ``result``; empty for ``label``.
        labels: The label expressions that the key stands for.
    """

    kind: str
    variable: str
    labels: tuple[Expression, ...]


def response_key(types: set[type], result: object, labels: tuple[str, ...]) -> object:
    """Give the key of a result: its status, or None if it is None.

    Its type is remembered if it carries its status as an `int`.

    Args:
        types: The types of which that is known; past the sixteenth no more is kept.
        result: What a call returned; it is asked for its ``status_code``.
        labels: The finished labels, which are the key where there is no such status.
    """
    if result is None:
        return None
    if type(result) not in types:
        if isinstance(result, int | BaseException | type) or len(types) >= _KNOWN_TYPES:
            return labels
        if type(getattr(result, "status_code", None)) is not int:
            return labels
        types.add(type(result))
    status = getattr(result, "status_code", None)
    return status if type(status) is int else labels


def absent_at(side: str, moment: str) -> str:
    """Give the variable that is None whenever a memo is asked.

    Before a call is over there is none: what is called like one is a parameter.

    Args:
        side: Which of a stream's memos; what has not ended asks the one of what has returned.
        moment: When the stream records; see `mapfile.specs.Moment`.
    """
    return "" if moment in NOT_OVER else ABSENT[side]


def plan_keys(
    labels: Sequence[Expression],
    parameters: Collection[str],
    functions: Mapping[str, Callable[..., object]],
    free: Collection[Expression] = (),
    absent: str = "error",
) -> tuple[Key, ...]:
    """Choose the levels of a stream's memo.

    Args:
        labels: The stream's label expressions.
        parameters: The names that may hold a text: the target's parameters without ``self``.
        functions: The label functions; only the built-in ones are known to be pure.
        free: The expressions whose labels are not enumerated. Their levels come last, where each
            value costs one entry and not a dict.
        absent: What is None whenever the memo is asked, as `absent_at` gives it.

    Returns:
        The levels, outermost first. An expression that is the same for all calls needs none.
    """
    groups: dict[tuple[str, str], list[Expression]] = {}
    for index, label in enumerate(labels):
        kind, variable = _classify(label, parameters, functions, absent)
        if kind:
            groups.setdefault((kind, variable or str(index)), []).append(label)
    keys = [
        Key(kind, "" if kind == "label" else variable, tuple(members))
        for (kind, variable), members in groups.items()
    ]
    return tuple(sorted(keys, key=lambda key: any(label in free for label in key.labels)))


def _classify(
    label: Expression,
    parameters: Collection[str],
    functions: Mapping[str, Callable[..., object]],
    absent: str,
) -> tuple[str, str]:
    pure = all(
        functions.get(name) is BUILTIN_FUNCTIONS.get(name) and name not in _CHANGING
        for name in label.functions
    )
    names = label.names - {absent}
    # What is known of the target is the same at all its calls, and a memo is of one target.
    if pure and names.issubset(TARGET):
        return "", ""
    if not pure or len(names) > 1:
        return "label", ""
    (name,) = names
    if name == "result" and _reads_status_alone(label):
        return "status", name
    # An attribute is read from an object, which is no text: then the parameter is never the key.
    if name in parameters and not _reads_attributes(label):
        return "text", name
    return "label", ""


# Cached, since a glob brings the same expressions to many targets.
@lru_cache(maxsize=1024)
def may_call_program(expression: Expression) -> bool:
    """Tell whether an expression asks objects of the program for more than their type or text.

    An attribute may be a property, a comparison the program's own: code that may itself be woven.
    """
    return not expression.functions <= _HARMLESS_FUNCTIONS or any(
        not isinstance(node, _HARMLESS_NODES) and not _is_identity(node)
        for node in ast.walk(expression.tree)
    )


def _is_identity(node: ast.AST) -> bool:
    match node:
        case ast.Compare(ops=operators):
            return all(isinstance(operator, ast.Is | ast.IsNot) for operator in operators)
        case _:
            return isinstance(node, ast.Is | ast.IsNot)


@lru_cache(maxsize=1024)
def _reads_attributes(label: Expression) -> bool:
    return any(isinstance(node, ast.Attribute) for node in ast.walk(label.tree))


@lru_cache(maxsize=1024)
def _reads_status_alone(label: Expression) -> bool:
    """Tell whether ``result`` is nothing but the argument of functions of a status."""
    calls = [
        node.args
        for node in ast.walk(label.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _STATUS_FUNCTIONS
    ]
    inside = sum(len(args) == 1 and _is_result(args[0]) for args in calls)
    return inside == sum(map(_is_result, ast.walk(label.tree)))


def _is_result(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "result"
