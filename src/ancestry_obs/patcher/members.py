"""What a namespace holds -> the callable inside it; and back, with woven callables inside.

The two directions stand side by side because they must agree on every kind. Nothing is looked up
or patched here.
"""

from __future__ import annotations

import copy
import inspect
from functools import cached_property, partialmethod, singledispatchmethod
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodWrapperType,
    WrapperDescriptorType,
)
from typing import TYPE_CHECKING, cast

from ancestry_obs.exceptions import TargetError
from ancestry_obs.patcher.proxies import WovenProxy, bind_explicitly, binds_like_a_function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ancestry_obs.patcher.model import Accessor, Kind

__all__ = ["core_of", "is_class", "is_plain", "repack", "unpack", "weavable_unnamed"]

_IN_C = (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodWrapperType,
    WrapperDescriptorType,
)
_ACCESSORS: tuple[Accessor, ...] = ("fget", "fset", "fdel")
_ACCESSOR_WORDS = {"fget": "getter", "fset": "setter", "fdel": "deleter"}
_CONVERTERS = {"fget": property.getter, "fset": property.setter, "fdel": property.deleter}


def is_class(value: object) -> bool:
    """Whether `value` is a class; a proxy that only says so is none."""
    return issubclass(type(value), type)


def core_of(raw: object, accessor: Accessor = "fget") -> object:
    """Return what `raw` holds inside: a property's function, a static method's, or `raw` itself."""
    kind = type(raw)
    if issubclass(kind, property):
        return getattr(raw, accessor)
    if issubclass(kind, cached_property):
        return cast("cached_property[object]", raw).func
    if issubclass(kind, (staticmethod, classmethod)):
        return cast("staticmethod[..., object]", raw).__func__
    return raw


def is_plain(function: object) -> bool:
    """Whether a generated function can simply take the place of `function`.

    A plain function whose attributes are marks such as ``__isabstractmethod__`` is; one with other
    attributes, or that decorates another one, has a life of its own and is proxied.
    """
    if type(function) is not FunctionType:
        return False
    return all(key.startswith("__") and key != "__wrapped__" for key in vars(function))


def weavable_unnamed(raw: object) -> bool:
    """Whether a glob takes `raw` in: functions and what decorators make of them."""
    core = core_of(raw)
    if type(core) is FunctionType or type(core) is singledispatchmethod:
        return True
    # Statically: a lazy object in a namespace must not wake up because somebody looked for names.
    return callable(core) and inspect.getattr_static(core, "__wrapped__", None) is not None


def unpack(
    raw: object, accessor: Accessor, owner: type | None
) -> tuple[Kind, Callable[..., object]]:
    """Tell what `raw` is and which callable is to be woven.

    Raises:
        TargetError: It is of a kind that cannot be woven; the message says why.
    """
    kind, core = _kind_of(raw, owner), core_of(raw, accessor)
    if core is None and kind == "property":
        raise TargetError(f"is a property without a {_ACCESSOR_WORDS[accessor]}")
    if issubclass(type(core), _IN_C):
        raise TargetError("is implemented in C and cannot be replaced; name a Python caller of it")
    if is_class(core):
        raise TargetError("is a class; name a method of it, such as '.__init__'")
    if owner is not None and core is raw and _needs_binding(core):
        return "callable", bind_explicitly(core, owner)
    if not callable(core):
        raise TargetError(f"is not callable but a value of type {type(core).__name__!r}")
    return kind, core


def _kind_of(raw: object, owner: type | None) -> Kind:
    kind = type(raw)
    for family in (property, cached_property, staticmethod, classmethod):
        if issubclass(kind, family):
            return cast("Kind", family.__name__)
    if not is_plain(raw):
        return "callable"
    return "function" if owner is None else "method"


def _needs_binding(core: object) -> bool:
    if binds_like_a_function(core) or not hasattr(type(core), "__get__"):
        return False
    return callable(core) or isinstance(core, (partialmethod, singledispatchmethod))


def repack(raw: object, functions: Mapping[Accessor, Callable[..., object]]) -> object:
    """Return a copy of `raw` that holds `functions` (woven) in place of its own."""
    kind = type(raw)
    if issubclass(kind, property):
        return _property(cast("property", raw), functions)
    inner = _stand_in(core_of(raw), functions["fget"])
    if issubclass(kind, cached_property):
        duplicate = copy.copy(cast("cached_property[object]", raw))
        duplicate.func = cast("Callable[[object], object]", inner)
        return duplicate
    if issubclass(kind, (staticmethod, classmethod)):
        holder = cast("Callable[[object], object]", kind)(inner)
        # A subclass may keep attributes of its own; the standard ones now describe `inner`.
        vars(holder).update({k: v for k, v in vars(raw).items() if k not in vars(holder)})
        return holder
    return inner


def _property(raw: property, functions: Mapping[Accessor, Callable[..., object]]) -> property:
    result = raw
    for accessor in _ACCESSORS:
        if accessor in functions:
            inner = _stand_in(getattr(raw, accessor), functions[accessor])
            convert = cast("Callable[..., property]", _CONVERTERS[accessor])
            result = convert(result, inner)
    if hasattr(raw, "__dict__"):
        vars(result).update(vars(raw))
    return result


def _stand_in(original: object, woven: Callable[..., object]) -> object:
    return woven if is_plain(original) else WovenProxy(original, woven)
