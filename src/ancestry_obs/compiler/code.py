"""Compilation: the text of a wrapper and the objects it needs come in, a function comes out.

The function has the original's globals, as code that walks them expects; what the wrapper needs are
the cells of its closure. Its source can be had from `linecache` under a pseudo file name, so that a
debugger can step in and a traceback shows the line.
"""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from functools import WRAPPER_ASSIGNMENTS, cached_property
from inspect import CO_ITERABLE_COROUTINE
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["build", "closure_source", "forget_source", "inner_code", "keep_source", "relabel"]

# Assigned, not copied: a default or an annotation is the very same object.
_COPIED: Final = (*WRAPPER_ASSIGNMENTS, "__defaults__", "__kwdefaults__", "__type_params__")
# Entries of a code object's table of locations: Objects/locations.md in CPython, 3.11 and later.
_LINE_ONLY, _NO_LOCATION = 13, 15
_LONGEST_ENTRY: Final = 8


def closure_source(definition: str, free: Iterable[str]) -> str:
    """Put a ``def`` into a function whose parameters are the free variables of the ``def``.

    Args:
        definition: The text of the ``def``.
        free: The names.
    """
    body = "".join(f"    {line}\n" for line in definition.splitlines())
    return f"def closure({', '.join(free)}):\n{body}"


def inner_code(source: str) -> CodeType:
    """Compile what `closure_source` gave.

    Args:
        source: The text, with placeholders for names.

    Returns:
        The code of the inner function. It knows its lines but no columns: those of the text that is
        shown are others.
    """
    module = compile(source, "<ancestry-obs>", "exec", dont_inherit=True)
    outer = next(constant for constant in module.co_consts if isinstance(constant, CodeType))
    inner = next(constant for constant in outer.co_consts if isinstance(constant, CodeType))
    return inner.replace(co_linetable=b"".join(_locations(inner)))


def _locations(code: CodeType) -> Iterator[bytes]:
    last = code.co_firstlineno
    for start, end, line in code.co_lines():
        # Two bytes make a unit, and an entry has at most eight of them.
        for units in range((end - start) // 2, 0, -_LONGEST_ENTRY):
            kind = _NO_LOCATION if line is None else _LINE_ONLY
            entry = bytes([0x80 | kind << 3 | min(units, _LONGEST_ENTRY) - 1])
            yield entry if line is None else entry + _signed(line - last)
            last = last if line is None else line


def _signed(number: int) -> bytes:
    """Write a number in groups of six bits, the lowest first, its sign in the lowest bit."""
    rest = -number << 1 | 1 if number < 0 else number << 1
    groups = bytearray()
    while rest >= 0x40:  # noqa: PLR2004 - the bit that says that more groups follow
        groups.append(rest & 0x3F | 0x40)
        rest >>= 6
    return bytes([*groups, rest])


def relabel(
    code: CodeType, original: Callable[..., Any], filename: str, names: Mapping[str, str]
) -> CodeType:
    """Give a code object the names of the function that it stands for.

    Args:
        code: What `inner_code` gave.
        original: The function, or another callable.
        filename: The pseudo file.
        names: The parameters' names, by their placeholders.
    """
    variables = tuple(names.get(name, name) for name in code.co_varnames)
    constants = tuple(_renamed(constant, names) for constant in code.co_consts)
    if not isinstance(original, FunctionType):
        return code.replace(co_filename=filename, co_name="call", co_qualname="call")
    like = original.__code__
    return code.replace(
        co_filename=filename,
        co_name=like.co_name,
        co_qualname=like.co_qualname,
        # What `types.coroutine` made awaitable stays awaitable.
        co_flags=code.co_flags | like.co_flags & CO_ITERABLE_COROUTINE,
        co_varnames=variables,
        co_consts=constants,
    )


def _renamed(constant: object, names: Mapping[str, str]) -> object:
    # A call's keywords are constants too, one by one or as a tuple.
    if type(constant) is tuple and not names.keys().isdisjoint(constant):
        return tuple(names.get(each, each) for each in constant)
    return names.get(constant, constant) if type(constant) is str else constant


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


class _Lines(Sequence[str]):
    """The lines of a source that is written when somebody looks at it."""

    def __init__(self, write: Callable[[], str]) -> None:
        self._write = write

    @cached_property
    def _lines(self) -> list[str]:
        return self._write().splitlines(keepends=True)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._lines[index]

    def __len__(self) -> int:
        return len(self._lines)


def keep_source(filename: str, write: Callable[[], str]) -> None:
    """Let tracebacks and debuggers find the source of a pseudo file.

    Args:
        filename: The pseudo file.
        write: Gives the source; called when it is asked for.
    """
    # Without a time stamp `linecache.checkcache` leaves the entry alone, and its size unread.
    linecache.cache[filename] = (0, None, _Lines(write), filename)  # type: ignore[assignment]  # a list's reading side


def forget_source(filename: str) -> None:
    """Drop what `keep_source` kept."""
    linecache.cache.pop(filename, None)
