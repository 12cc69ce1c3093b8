"""Threads, locks and sockets of the system, whatever gevent or eventlet put in their place later.

Both exchange names in the modules of the standard library when a program asks for it. A thread that
runs by then would go on with their sockets and locks, in an event loop that nobody turns: it hangs.
So what is to serve in a thread of its own imports `socket` and `threading` from here: copies whose
functions and methods look up every name among those of the moment when this module was imported.

A program that asks for it before that gets what it asked for: the copies are made of greenlets too.
`start_new_thread` and `allocate_lock` are the system's in any case.
"""

from __future__ import annotations

import _thread
import os
import select
import socket
import sys
import threading
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["allocate_lock", "socket", "start_new_thread", "threading", "wait_for_any"]


def _copied(module: ModuleType) -> ModuleType:
    """Copy a module: what is defined in it looks up names in the copy, data is shared.

    A class becomes a subclass of its original, so that `isinstance` and `super()` hold.
    """
    copy = ModuleType(module.__name__, module.__doc__)
    names = vars(copy)
    names.update(vars(module))
    for name, value in vars(module).items():
        if type(value) is type and value.__module__ == module.__name__:
            names[name] = _copied_class(value, vars(module), names)
        elif _is_of(value, vars(module)):
            names[name] = _copied_function(value, names)
    return copy


def _copied_class(original: type, old: dict[str, Any], names: dict[str, Any]) -> type:
    members: dict[str, Any] = {}
    for base in reversed(original.__mro__):
        for name, value in vars(base).items():
            if _is_of(value, old):
                members[name] = _copied_function(value, names)
            elif isinstance(value, property) and _is_of(value.fget, old):
                members[name] = _copied_property(value, names)
    return type(original.__name__, (original,), members)


def _copied_property(original: property, names: dict[str, Any]) -> property:
    accessors: list[Any] = [original.fget, original.fset, original.fdel]
    getter, setter, deleter = (each and _copied_function(each, names) for each in accessors)
    return property(getter, setter, deleter)


def _copied_function(function: FunctionType, names: dict[str, Any]) -> FunctionType:
    copy = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _is_of(value: object, names: dict[str, Any]) -> bool:
    return isinstance(value, FunctionType) and value.__globals__ is names


def _of_the_system(name: str) -> Callable[..., Any]:
    """Give a function of `_thread`, from where gevent or eventlet keep it if one has patched it."""
    found = getattr(_thread, name)
    gevent, eventlet = (sys.modules.get(each) for each in ("gevent.monkey", "eventlet.patcher"))
    if not isinstance(found, BuiltinFunctionType) and gevent is not None:
        found = gevent.get_original("_thread", name)
    if not isinstance(found, BuiltinFunctionType) and eventlet is not None:
        found = getattr(eventlet.original("_thread"), name)
    return found  # type: ignore[no-any-return]


start_new_thread = _of_the_system("start_new_thread")
allocate_lock = _of_the_system("allocate_lock")

# `selectors` looks up its own names, and so would ask for what has been patched since.
_poll, _POLLIN, _POLLOUT = (getattr(select, each, None) for each in ("poll", "POLLIN", "POLLOUT"))
_select = select.select


def wait_for_any(
    reading: Sequence[socket.socket],
    writing: Sequence[socket.socket] = (),
    seconds: float | None = None,
) -> bool:
    """Wait until a socket can be read or written without waiting, or has failed.

    Args:
        reading: Those that are to be read.
        writing: Those that are to be written.
        seconds: How long to wait at most; for ever if `None`.

    Returns:
        Whether there is one.

    Raises:
        ValueError: A socket is closed.
        OSError: The system cannot tell.
    """
    if _poll is None:  # Windows
        return any(_select(reading, writing, writing, seconds))
    found = _poll()
    for sockets, event in ((reading, _POLLIN), (writing, _POLLOUT)):
        for each in sockets:
            found.register(each.fileno(), event)
    return bool(found.poll(None if seconds is None else seconds * 1000))


if not TYPE_CHECKING:
    _threading = threading
    socket, threading = _copied(socket), _copied(threading)

    def _begin_child() -> None:
        """Take over the locks that `threading` has made anew: a thread may have held the old."""
        for name, value in vars(_threading).items():
            if not isinstance(value, type | FunctionType | BuiltinFunctionType):
                setattr(threading, name, value)

    os.register_at_fork(after_in_child=_begin_child)
