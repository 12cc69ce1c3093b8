"""Compilation: the text of a wrapper and the objects it needs come in, a function comes out.

The function has the original's globals, as code that walks them expects; what the wrapper needs are
the cells of its closure. Its source is kept in `linecache` under a pseudo file name, so that a
debugger can step in and a traceback shows the line.
"""

from __future__ import annotations

import linecache
from functools import WRAPPER_ASSIGNMENTS, lru_cache
from inspect import CO_ITERABLE_COROUTINE
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["build", "closure_source", "forget_source", "inner_code", "keep_source", "relabel"]

# Assigned, not copied: a default or an annotation is the very same object.
_COPIED: Final = (*WRAPPER_ASSIGNMENTS, "__defaults__", "__kwdefaults__", "__type_params__")


def closure_source(definition: str, free: tuple[str, ...]) -> str:
    """Put a ``def`` into a function whose parameters are the free variables of the ``def``.

    Args:
        definition: The text of the ``def``.
        free: The names.
    """
    body = "".join(f"    {line}\n" for line in definition.splitlines())
    return f"def closure({', '.join(free)}):\n{body}"


def inner_code(source: str, name: str) -> CodeType:
    """Compile what `closure_source` gave.

    Args:
        source: The text.
        name: The name in its inner ``def``.

    Returns:
        The code of the inner function.
    """
    # A glob weaves the same text under many names; without the name it is compiled once.
    return _compiled(source.replace(f"def {name}(", "def call(", 1))


@lru_cache(maxsize=512)
def _compiled(source: str) -> CodeType:
    module = compile(source, "<ancestry-obs>", "exec", dont_inherit=True)
    outer = next(constant for constant in module.co_consts if isinstance(constant, CodeType))
    return next(constant for constant in outer.co_consts if isinstance(constant, CodeType))


def relabel(code: CodeType, original: Callable[..., Any], filename: str) -> CodeType:
    """Give a code object the name of the function that it stands for.

    Args:
        code: What `inner_code` gave.
        original: The function, or another callable.
        filename: The pseudo file.
    """
    code = code.replace(co_filename=filename)
    if not isinstance(original, FunctionType):
        return code
    like = original.__code__
    # What `types.coroutine` made awaitable stays awaitable.
    flags = code.co_flags | like.co_flags & CO_ITERABLE_COROUTINE
    return code.replace(co_name=like.co_name, co_qualname=like.co_qualname, co_flags=flags)


def build(
    code: CodeType, original: Callable[..., Any], bound: Mapping[str, object]
) -> FunctionType:
    """Make a function that looks like another one.

    Args:
        code: The code, with its free variables.
        original: What the function is to look like. All that a function has is copied, as far as
            the original has it: another kind of callable has less.
        bound: The value of each free variable.
    """
    closure = tuple(CellType(bound[name]) for name in code.co_freevars)
    namespace = getattr(original, "__globals__", {"__builtins__": __builtins__})
    function = FunctionType(code, namespace, code.co_name, None, closure)
    for name in _COPIED if isinstance(original, FunctionType) else WRAPPER_ASSIGNMENTS:
        if hasattr(original, name):
            setattr(function, name, getattr(original, name))
    if isinstance(original, FunctionType):
        vars(function).update(vars(original))
    # For `typing.get_type_hints`, `inspect.getsource` and `inspect.unwrap`.
    function.__wrapped__ = original  # type: ignore[attr-defined] # any attribute can be set
    return function


def keep_source(filename: str, source: str) -> None:
    """Let tracebacks and debuggers find the source of a pseudo file."""
    # Without a time stamp `linecache.checkcache` leaves the entry alone.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)


def forget_source(filename: str) -> None:
    """Drop what `keep_source` kept."""
    linecache.cache.pop(filename, None)
