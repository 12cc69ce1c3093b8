"""What a wrapper calls besides expressions, made safe for the program around it.

Actions come in and go out isolated; the test for calls through `super()` and the start of an async
generator come out. Nothing here records a metric.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from ancestry_obs.recording import Store

__all__ = ["UNBOUND", "WOVEN_PREFIX", "begin_quietly", "inner_call_test", "isolated"]

_LOG: Final = logging.getLogger("ancestry_obs")
_DEEPEST: Final = 32

WOVEN_PREFIX: Final = "<ancestry-obs "
"""How the pseudo file name of a wrapper that is not disarmed begins."""


class _Unbound:
    """Stands for the parameters of a call whose arguments do not fit; labels of it fail."""

    def __str__(self) -> str:
        raise LookupError("the arguments of this call do not fit the signature")


UNBOUND: Final = _Unbound()


def isolated(
    action: Callable[..., object], name: str, target: str, store: Store
) -> Callable[..., None]:
    """Wrap an action so that nothing it raises leaves it.

    Args:
        action: What a hook or a sample's tracker does.
        name: Its name, for the count and the log line.
        target: The target at whose calls it runs.
        store: Counts the failures, as those of an expression called `name`.
    """
    said: list[bool] = []

    def run(*args: object) -> None:
        try:
            action(*args)
        except Exception as error:  # noqa: BLE001 - whatever an action raises stays here
            with suppress(Exception):
                store.count_failure(target, "", name)
                if not said:
                    said.append(True)
                    _LOG.warning("%s: the action %r failed: %r", target, name, error)

    return run


def begin_quietly(generator: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Ask an async generator for its first item without telling the event loop about it.

    The loop closes every async generator that it knows when it ends. It knows the wrapper, which
    closes this one; both at once would be an error ("already running").
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def inner_call_test(owner: type, name: str) -> Callable[[object], bool]:
    """Make the test whether a call came up through `super()` from a wrapped override.

    The test keeps no state, so that threads and recursion cannot confuse it: a call is an inner one
    if a class nearer to the instance's than `owner` has a wrapper of its own under the same name.

    Args:
        owner: The class that has the wrapper that asks.
        name: The attribute.

    Returns:
        A function of the first argument, an instance or a class; it never raises.
    """

    def is_inner(first: object = None) -> bool:
        with suppress(Exception):
            is_class = isinstance(first, type) and issubclass(first, owner)
            kind: Any = first if is_class else type(first)
            for base in kind.__mro__:
                if base is owner:
                    return False
                if _is_woven(vars(base).get(name)):
                    return True
        return False

    return is_inner


def _is_woven(attribute: object) -> bool:
    """Tell whether an attribute of a class is a wrapper, also below decorators that name it."""
    for _ in range(_DEEPEST):
        attribute = getattr(attribute, "__func__", None) or getattr(attribute, "fget", attribute)
        # A proxy for a callable with state keeps the wrapper where wrapt keeps a proxy's own state.
        attribute = getattr(attribute, "_self_woven", attribute)
        if isinstance(attribute, FunctionType) and attribute.__code__.co_filename.startswith(
            WOVEN_PREFIX
        ):
            return True
        attribute = getattr(attribute, "__wrapped__", None)
    return False
