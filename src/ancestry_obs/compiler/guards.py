"""What woven statements call besides expressions, made safe for the program around them.

Actions come in and go out isolated; the start of an async generator comes out. Nothing here records
a metric.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.notices import Notices
from ancestry_obs.recording.failures import is_from_outside, shown, warn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from ancestry_obs.recording.store import Store

__all__ = ["UNBOUND", "begin_quietly", "isolated"]

_LOG: Final = Notices()


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
        except BaseException as error:
            if is_from_outside(error):
                raise
            store.count_failure(target, "", name)
            if not said:
                said.append(True)
                warn(_LOG, "%s: the action %r failed: %s", target, name, shown(error))

    return run


def begin_quietly(generator: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Ask an async generator for its first item without telling the event loop about it.

    The loop closes every async generator that it knows when it ends. It knows the one around this,
    which closes this one; both at once would be an error ("already running").
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)
