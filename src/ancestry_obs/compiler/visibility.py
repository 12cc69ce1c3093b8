"""A function's tree comes in, by what it could see the statements' variables goes out."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ancestry_obs.compiler.body import Function

__all__ = ["looks_at_locals"]

# What gives a caller's variables, and with how many arguments it gives something else.
_SEERS: Final = {"locals": 1, "vars": 1, "dir": 1, "exec": 2, "eval": 2}
# They give the frames of callers; `_GETFRAME` does unless it is asked for the first one.
_FURTHER: Final = frozenset({"f_back", "getouterframes", "stack", "walk_stack"})
_GETFRAME: Final = "_getframe"
_SUSPECTS: Final = frozenset({*_SEERS, "f_locals"})
_OWN_VARIABLES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def looks_at_locals(
    function: Function, names: Iterable[str], other_names: Mapping[str, str]
) -> str:
    """Tell by what a body could see the variables that the statements add; empty if by nothing.

    Args:
        function: The tree.
        names: Those that its code looks up: without one of the suspects the tree is not searched.
        other_names: What its module calls something of another name.
    """
    renamed = next(_renamed(function, names, other_names), "")
    if renamed or _SUSPECTS.isdisjoint(names):
        return renamed
    # Who reads the variables of a caller must not find one frame more on the way there.
    looks_further = _looks_further(function, other_names)
    plainly_called: set[int] = set()
    for node in _own_nodes(function):
        match node:
            case ast.Call(func=ast.Name(id=name) as seer, args=given) if name in _SEERS:
                if len(given) < _SEERS[name]:
                    return f"{name}()"
                plainly_called.add(id(seer))
            case ast.Name(id=name) if name in _SEERS and id(node) not in plainly_called:
                return f"{name}()"
            case ast.Attribute(ast.Name("builtins"), name) if name in _SEERS:
                return f"{name}()"
            case ast.Attribute(attr="f_locals") if not looks_further:
                return "f_locals"
    return ""


def _renamed(
    function: Function, names: Iterable[str], other_names: Mapping[str, str]
) -> Iterator[str]:
    """Yield what reaches the body under a name of the module's, or as a default value."""
    if other_names:
        yield from (f"{name}()" for name in names if other_names.get(name) in _SEERS)
    for default in (*function.args.defaults, *function.args.kw_defaults):
        if isinstance(default, ast.Name) and default.id in _SEERS:
            yield f"{default.id}()"


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a body, a call before what it calls; not those of functions inside."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _OWN_VARIABLES):
            waiting += ast.iter_child_nodes(node)


def _looks_further(function: Function, other_names: Mapping[str, str]) -> bool:
    """Whether a body may take the frame of a caller; any use of `_getframe` but for its own may."""
    nodes = [*ast.walk(function)]
    own = {id(node.func) for node in nodes if isinstance(node, ast.Call) and _gives_own(node.args)}
    for node in nodes:
        match node:
            # The text is what a `getattr` asks for.
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                meant = other_names.get(name, name) if isinstance(node, ast.Name) else name
                if meant in _FURTHER or (meant == _GETFRAME and id(node) not in own):
                    return True
    return False


def _gives_own(arguments: list[ast.expr]) -> bool:
    return all(isinstance(each, ast.Constant) and each.value == 0 for each in arguments)
