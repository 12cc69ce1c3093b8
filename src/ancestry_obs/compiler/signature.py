"""Signatures: code comes in, the text of a ``def`` line and of a call comes out.

A function is described by its code, not by `inspect.signature`: what the interpreter passes is what
expressions can read, and a decorated function often takes ``*args`` while it shows another
signature. Names of the shown signature that the taken one lacks are bound by a `binder`.
"""

from __future__ import annotations

from functools import cached_property
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from ancestry_obs.code_facts import (
    CO_VARARGS,
    CO_VARKEYWORDS,
    KEYWORD_ONLY,
    POSITIONAL_ONLY,
    POSITIONAL_OR_KEYWORD,
    VAR_KEYWORD,
    VAR_POSITIONAL,
)
from ancestry_obs.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from inspect import Parameter

__all__ = ["Names", "Signature", "binder", "shown_parameters", "signature_of"]

_POSITIONAL = (POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD)


class Names:
    """Identifiers for the woven statements that no name of the code can collide with.

    Args:
        taken: The code's own names.

    Example:
        >>> Names(["url"]).clock, Names(["_obs_x"]).clock
        ('_obs_clock', '_obs2_clock')
    """

    def __init__(self, taken: Iterable[str]) -> None:
        names, number = tuple(taken), 1
        prefix = "_obs_"
        is_free = "_obs" not in "".join(names)
        # One underscore at the front always: two would be mangled in a class.
        while not is_free and any(name.startswith(prefix) for name in names):
            number += 1
            prefix = f"_obs{number}_"
        self.prefix = prefix

    def __getattr__(self, name: str) -> str:
        return self.prefix + name

    def __call__(self, name: str) -> str:
        """Give the identifier of a name that is not known before: ``names("memo0")``."""
        return self.prefix + name


@frozen(slots=False)
class Signature:
    """What a call takes, and how it is passed on.

    Args:
        parameters: Name and kind of each, in order.
    """

    parameters: tuple[tuple[str, object], ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parameters' names."""
        return tuple(name for name, _ in self.parameters)

    @property
    def kinds(self) -> tuple[object, ...]:
        """The parameters' kinds."""
        return tuple(kind for _, kind in self.parameters)

    def renamed(self, names: Mapping[str, str]) -> Signature:
        """Give the same signature with other names.

        Args:
            names: The new name of each parameter.
        """
        return Signature(tuple((names[name], kind) for name, kind in self.parameters))

    @property
    def first(self) -> str | None:
        """The first parameter that is passed by position, which is a method's ``self``."""
        return next((name for name, kind in self.parameters if kind in _POSITIONAL), None)

    @property
    def first_argument(self) -> str:
        """The text that passes the first argument on, or nothing if there may be none."""
        spread = (f"*{name}[:1]" for name, kind in self.parameters if kind == VAR_POSITIONAL)
        return self.first or next(spread, "")

    @property
    def definition(self) -> str:
        """The text between the parentheses of ``def``; defaults are no part of a code object."""
        parts: list[str] = []
        kinds = [kind for _, kind in self.parameters]
        for index, (name, kind) in enumerate(self.parameters):
            if kind == KEYWORD_ONLY and not {"*", VAR_POSITIONAL} & {
                *parts,
                *kinds[:index],
            }:
                parts.append("*")
            parts.append(_starred(name, kind))
            if kind == POSITIONAL_ONLY and kind not in kinds[index + 1 :]:
                parts.append("/")
        return ", ".join(parts)

    @property
    def call(self) -> str:
        """The text between the parentheses of a call that passes everything on."""
        return ", ".join(
            f"{name}={name}" if kind == KEYWORD_ONLY else _starred(name, kind)
            for name, kind in self.parameters
        )


def signature_of(code: CodeType | None) -> Signature:
    """Describe what a callable takes.

    Args:
        code: A function's code. A callable that has none takes whatever is passed, since passing a
            default on to it could change what it does (an `lru_cache` would keep two entries).
    """
    if code is None:
        return Signature((("args", VAR_POSITIONAL), ("kwargs", VAR_KEYWORD)))
    names, flags = code.co_varnames, code.co_flags
    only, positional = code.co_posonlyargcount, code.co_argcount
    spread = positional + code.co_kwonlyargcount
    parameters: list[tuple[str, object]] = [
        *[(name, POSITIONAL_ONLY) for name in names[:only]],
        *[(name, POSITIONAL_OR_KEYWORD) for name in names[only:positional]],
    ]
    if flags & CO_VARARGS:
        parameters.append((names[spread], VAR_POSITIONAL))
    parameters += [(name, KEYWORD_ONLY) for name in names[positional:spread]]
    if flags & CO_VARKEYWORDS:
        parameters.append((names[spread + (flags & CO_VARARGS != 0)], VAR_KEYWORD))
    return Signature(tuple(parameters))


def _starred(name: str, kind: object) -> str:
    stars = "*" if kind == VAR_POSITIONAL else "**" if kind == VAR_KEYWORD else ""
    return stars + name


def shown_parameters(function: Callable[..., object]) -> dict[str, Parameter]:
    """Give the parameters that `inspect.signature` shows; none where it cannot tell."""
    import inspect  # noqa: PLC0415  see `code_facts`; few functions show another signature

    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}


def binder(
    shown: dict[str, Parameter], wanted: tuple[str, ...]
) -> Callable[..., tuple[object, ...]]:
    """Make a function that takes a call's arguments and gives the values of some parameters.

    Args:
        shown: What `shown_parameters` gave.
        wanted: Which of them to give, in this order.
    """
    signature = Signature(tuple((name, parameter.kind) for name, parameter in shown.items()))
    values = "".join(f"{name}, " for name in wanted)
    text = f"lambda {signature.definition}: ({values})"
    code = next(
        constant
        for constant in compile(text, "<ancestry-obs binder>", "eval").co_consts
        if isinstance(constant, CodeType)
    )
    # Far cheaper per call than `inspect.Signature.bind`, and as strict.
    function = FunctionType(code, {})
    defaults = {n: p.default for n, p in shown.items() if p.default is not p.empty}
    function.__defaults__ = tuple(
        default for name, default in defaults.items() if shown[name].kind in _POSITIONAL
    )
    function.__kwdefaults__ = {
        name: value for name, value in defaults.items() if shown[name].kind not in _POSITIONAL
    }
    return function
