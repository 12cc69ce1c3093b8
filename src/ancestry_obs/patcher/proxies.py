"""A callable with state and its woven function -> a wrapt proxy that is called in its place.

For what is no plain function, or is one that carries attributes (`cache_info`, `register`, a
decorator's `__wrapped__`): those stay the original's own, read and written. Binding follows the
original's own descriptor. Plain functions need no proxy and never come here.
"""

from __future__ import annotations

import copy
import inspect
from functools import partial, partialmethod, singledispatchmethod
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

import wrapt

from ancestry_obs.patcher.super_calls import call_woven

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WovenProxy", "bind_explicitly", "binds_like_a_function"]

# Py_TPFLAGS_METHOD_DESCRIPTOR, PEP 590: `bound(*args)` is the same as `unbound(instance, *args)`.
_METHOD_DESCRIPTOR = 1 << 17
_Binding = Literal["instance", "class", "static"]


def binds_like_a_function(raw: object) -> bool:
    """Whether calling `raw` with the instance first is the same as calling it bound."""
    return bool(type(raw).__flags__ & _METHOD_DESCRIPTOR)


def _binding(raw: object) -> _Binding:
    # isinstance() asks __class__, which a wrapt wrapper around a classmethod answers with it.
    if isinstance(raw, (staticmethod, MethodType)):
        return "static"
    return "class" if isinstance(raw, classmethod) else "instance"


def bind_explicitly(raw: object, owner: type) -> Callable[..., object]:
    """Return a function that binds `raw` to its first argument and calls the result.

    For a descriptor such as wrapt's `FunctionWrapper` or `functools.partialmethod`, which behaves
    differently when it is called without having been bound.
    """
    bind = type(raw).__get__  # type: ignore[attr-defined]  # the caller has seen that it is there

    def through_instance(instance: object, /, *args: object, **kwargs: object) -> object:
        return bind(raw, instance, type(instance))(*args, **kwargs)

    def through_class(cls: type, /, *args: object, **kwargs: object) -> object:
        return bind(raw, None, cls)(*args, **kwargs)

    def unbound(*args: object, **kwargs: object) -> object:
        return bind(raw, None, owner)(*args, **kwargs)

    caller: Callable[..., object] = {
        "instance": through_instance,
        "class": through_class,
        "static": unbound,
    }[_binding(raw)]
    described = raw.func if isinstance(raw, (partialmethod, singledispatchmethod)) else raw
    if inspect.iscoroutinefunction(getattr(described, "__func__", described)):
        caller = _awaiting(caller)
    _describe(caller, raw, described)
    return caller


def _awaiting(call: Callable[..., Any]) -> Callable[..., object]:
    async def awaited(*args: object, **kwargs: object) -> object:
        return await call(*args, **kwargs)

    return awaited


def _describe(caller: Callable[..., object], raw: object, described: object) -> None:
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        value = getattr(described, name, None)
        if isinstance(value, str):
            setattr(caller, name, value)
    # A partialmethod has filled some parameters already: its function's signature would mislead.
    if not isinstance(raw, partialmethod):
        caller.__wrapped__ = described  # type: ignore[attr-defined]  # as functools.wraps does


class _Woven(wrapt.CallableObjectProxy):  # type: ignore[type-arg]  # no generic at run time
    """A proxy that is copied and pickled as what it stands for, and is called otherwise."""

    def __init__(self, original: object, call: Callable[..., object]) -> None:
        super().__init__(original)
        self._self_woven = call

    __call__ = call_woven

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        original = self.__wrapped__
        # pickle knows plain functions by their exact type, so they have no __reduce_ex__ to ask.
        if isinstance(original, FunctionType):
            return original.__qualname__
        reduced: str | tuple[Any, ...] = original.__reduce_ex__(protocol)
        return reduced

    def __copy__(self) -> object:
        duplicate = copy.copy(self.__wrapped__)
        return self if duplicate is self.__wrapped__ else duplicate

    def __deepcopy__(self, memo: dict[int, object]) -> object:
        duplicate = copy.deepcopy(self.__wrapped__, memo)
        return self if duplicate is self.__wrapped__ else duplicate


class _BoundProxy(_Woven):
    """What a `WovenProxy` gives when looked up on an instance: the bound original, woven."""


class WovenProxy(_Woven):
    """Stands for a callable with state; calls go to the woven function.

    Args:
        original: The callable.
        call: The woven function, which calls the original in its turn.
    """

    def __get__(self, instance: object, owner: type | None = None) -> object:
        original = self.__wrapped__
        if binds_like_a_function(original):
            return self if instance is None else MethodType(self, instance)
        bind = getattr(type(original), "__get__", None)
        return self if bind is None else self._bound(bind, instance, owner)

    def _bound(self, bind: Callable[..., object], instance: object, owner: type | None) -> object:
        binding = _binding(self.__wrapped__)
        if binding == "instance" and instance is None:
            return self
        bound = bind(self.__wrapped__, instance, owner)
        if binding == "static":
            return _BoundProxy(bound, self._self_woven)
        first = instance if binding == "instance" else owner or type(instance)
        return _BoundProxy(bound, partial(self._self_woven, first))
