"""What a namespace holds -> the callable inside it, and how it is woven; nothing is patched here.

A function gets other code, wherever it is: itself, or inside a property or static method. A cache
(`functools.lru_cache`) answers without entering its function, a generic method enters another one,
and what is compiled has no code to exchange: their name is bound to a proxy. For whatever else a
decorator made of a function, that function is woven.
"""

from __future__ import annotations

import copy
from functools import _lru_cache_wrapper, cached_property, partialmethod, singledispatchmethod
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import TYPE_CHECKING, Final, cast

from ancestry_obs.exceptions import TargetError
from ancestry_obs.patcher.definitions_in import definition_in
from ancestry_obs.patcher.namespaces import is_class

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_obs.patcher.join_points import Accessor, At

__all__ = [
    "COMPILED",
    "core_of",
    "is_function_like",
    "is_plain_data",
    "is_static",
    "repack",
    "unpack",
]

_IN_C = (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodWrapperType,
    WrapperDescriptorType,
)
_ACCESSOR_WORDS = {"fget": "getter", "fset": "setter", "fdel": "deleter"}
_COMPILERS: Final = frozenset({"numba"})
COMPILED: Final = "cython_function_or_method"
"""The name of the type that Cython gives to functions."""


def is_static(raw: object) -> bool:
    """Whether what a class holds is called without the instance."""
    return issubclass(type(raw), staticmethod)


def core_of(raw: object, accessor: Accessor = "fget") -> object:
    """Return what `raw` holds inside: a property's function, a static method's, or `raw` itself."""
    kind = type(raw)
    if kind is FunctionType:
        return raw
    if issubclass(kind, property):
        return getattr(raw, accessor)
    if issubclass(kind, cached_property):
        return cast("cached_property[object]", raw).func
    if issubclass(kind, (staticmethod, classmethod)):
        return cast("staticmethod[..., object]", raw).__func__
    return raw


def is_function_like(core: object) -> bool:
    """Whether a glob takes an object in for itself: a function, a cache around one, a compiled one.

    No code runs for that: a lazy object must not wake up because somebody looked for names.
    """
    kind = type(core)
    return kind is FunctionType or issubclass(kind, _lru_cache_wrapper) or kind.__name__ == COMPILED


def is_plain_data(core: object) -> bool:
    """Whether no decorator can have made the object, so that no definition is inside it."""
    kind = type(core)
    return issubclass(kind, (type, ModuleType)) or kind.__module__ in {"builtins", "types"}


def unpack(  # noqa: PLR0913 - what the pattern says, and what the place says
    raw: object, accessor: Accessor, module: str, qualname: str, at: At, *, named: bool = True
) -> Callable[..., object]:
    """Give the callable that is to be woven.

    Args:
        raw: What the namespace holds.
        accessor: Which of a property's functions is meant.
        module: The module of the name.
        qualname: Its qualified name there, which a definition under that name has as well.
        at: Whether the object or the definition is meant.
        named: Whether the pattern names it; a glob takes no proxies of just any callable.

    Returns:
        A function; or a callable of another kind, whose name is to be bound to a proxy.

    Raises:
        TargetError: It is of a kind that cannot be woven; the message says why.
    """
    if type(raw) is FunctionType and at != "definition":
        return raw
    core = core_of(raw, accessor)
    _refuse(core, raw, accessor)
    if at != "definition" and type(core) is FunctionType:
        return core
    if at == "definition" or not _is_proxied(core):
        definition = definition_in(core, module, qualname)
        if definition is not None:
            return definition
    if at == "definition":
        raise TargetError("has no definition of that name that could be found in it")
    if issubclass(type(core), _IN_C):
        raise TargetError("is implemented in C and cannot be replaced; name a Python caller of it")
    if not named and not is_function_like(core) and not _is_proxied(core):
        raise TargetError("is no function and has none of its name inside")
    if not callable(core) and not issubclass(type(core), (partialmethod, singledispatchmethod)):
        raise TargetError(f"is not callable but a value of type {type(core).__name__!r}")
    return cast("Callable[..., object]", core)


def _refuse(core: object, raw: object, accessor: Accessor) -> None:
    if core is None and issubclass(type(raw), property):
        raise TargetError(f"is a property without a {_ACCESSOR_WORDS[accessor]}")
    if is_class(core):
        raise TargetError("is a class; name a method of it, such as '.__init__'")
    if type(core).__module__.partition(".")[0] in _COMPILERS:
        raise TargetError("is compiled from its bytecode, which has to stay; name a caller of it")


def _is_proxied(core: object) -> bool:
    # Neither enters the function that was defined for every call.
    return issubclass(type(core), (_lru_cache_wrapper, singledispatchmethod))


def repack(raw: object, inner: object, accessor: Accessor = "fget") -> object:
    """Return a copy of `raw` that holds `inner` in place of its own.

    Raises:
        TargetError: It is of a kind of which nobody knows how to make a copy.
    """
    kind = type(raw)
    if issubclass(kind, cached_property):
        duplicate = copy.copy(cast("cached_property[object]", raw))
        duplicate.func = cast("Callable[[object], object]", inner)
        return duplicate
    if issubclass(kind, (staticmethod, classmethod)):
        holder = cast("Callable[[object], object]", kind)(inner)
        # A subclass may keep attributes of its own; the standard ones now describe `inner`.
        vars(holder).update({k: v for k, v in vars(raw).items() if k not in vars(holder)})
        return holder
    if kind is property:
        held = cast("property", raw)
        functions = {name: getattr(held, name) for name in _ACCESSOR_WORDS} | {accessor: inner}
        return property(**functions, doc=held.__doc__)
    if issubclass(kind, property):
        raise TargetError(f"is a {kind.__name__!r} around no function, which cannot be copied")
    return inner
