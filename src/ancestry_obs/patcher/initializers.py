"""A class whose `__init__` is C's -> an `__init__` of its own that does the same.

A slot of C cannot be replaced, but it can be overridden where a class is written in Python: the own
`__init__` goes up with `super()`, so that it stands in the way of no other base class. It is added
while it is woven and removed after that (see `proxied`); nothing is patched here.
"""

from __future__ import annotations

from types import WrapperDescriptorType
from typing import TYPE_CHECKING, Any

from ancestry_obs.patcher.namespaces import full_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Signature

__all__ = ["NAME", "is_overridable", "own_initializer"]

NAME = "__init__"
# Py_TPFLAGS_HEAPTYPE and Py_TPFLAGS_IMMUTABLETYPE: only the first is set for what Python wrote.
_HEAP_TYPE, _IMMUTABLE_TYPE = 1 << 9, 1 << 8


def is_overridable(slot: object, owner: type) -> bool:
    """Whether `slot` is an `__init__` of C that the class `owner` can have one of its own for."""
    kind = type.__dict__["__flags__"].__get__(owner) & (_HEAP_TYPE | _IMMUTABLE_TYPE)
    is_slot = type(slot) is WrapperDescriptorType and slot.__name__ == NAME
    return is_slot and kind == _HEAP_TYPE


def own_initializer(owner: type, slot: object) -> Callable[..., None]:
    """Make an `__init__` for a class that has none in Python.

    Args:
        owner: The class.
        slot: What it inherits instead.

    Returns:
        A function that accepts and refuses the arguments that the class did. It shows the class's
        signature; `*args, **kwargs` where that has none, as subclasses of `dict`.
    """

    def __init__(self: Any, /, *args: object, **kwargs: object) -> None:  # noqa: N807, ANN401 - its name shows in tracebacks; any instance
        cls: Any = type(self)
        following: Any = super(owner, self).__init__  # type: ignore[arg-type]  # of this very class
        if getattr(following, "__objclass__", None) is not object:
            following(*args, **kwargs)
        elif (args or kwargs) and cls.__new__ is object.__new__:
            # `object` leaves this to its `__new__`, which is content with any `__init__` but its
            # own; arguments of another `__new__` are ignored by its `__init__`.
            raise TypeError(f"{cls.__name__}() takes no arguments")

    __init__.__module__, _, __init__.__qualname__ = _address(owner)
    __init__.__doc__ = slot.__doc__
    __init__.__annotations__.clear()
    shown = _signature_of(owner)
    if shown is not None:
        __init__.__signature__ = shown  # type: ignore[attr-defined]  # any attribute can be set
    return __init__


def _address(owner: type) -> tuple[str, str, str]:
    qualname = type.__dict__["__qualname__"].__get__(owner)
    return full_name(owner).removesuffix(f".{qualname}"), ".", f"{qualname}.{NAME}"


def _signature_of(owner: type) -> Signature | None:
    from inspect import Parameter, signature  # noqa: PLC0415  see `code_facts`; few classes come here

    try:
        shown = signature(owner)
        parameters = [Parameter("self", Parameter.POSITIONAL_ONLY), *shown.parameters.values()]
        return shown.replace(parameters=parameters)
    except Exception:  # noqa: BLE001 - a foreign metaclass may raise anything when asked
        return None
