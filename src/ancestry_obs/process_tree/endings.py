"""Ends of a process that Python tells nobody of: `os._exit`, and another program in its place.

Children of `multiprocessing` end by the one, some servers that reload themselves by the other.
While somebody watches, these functions of `os` do first what is to be done at the end.
"""

from __future__ import annotations

import os
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Endings"]


class Endings:
    """What is to be done before a process ends in a way of these.

    Args:
        exits: Called before it exits at once, which it does whatever is raised there.
        gives_way: Called before it runs another program, which may turn out to be impossible.
    """

    def __init__(self, exits: Callable[[], None], gives_way: Callable[[], None]) -> None:
        self._steps = {"_exit": exits, "execv": gives_way, "execve": gives_way}
        self._given: dict[str, tuple[Any, Any]] = {}

    def watch(self) -> None:
        """Begin; to begin twice is to begin once."""
        for name, step in self._steps.items():
            if name not in self._given:
                original = getattr(os, name)
                make = _exit_after if name == "_exit" else _run_after
                given = make(original, step)
                self._given[name] = original, given
                setattr(os, name, given)

    def stop(self) -> None:
        """Put back what was there, unless somebody has put something else there meanwhile."""
        for name, (original, given) in self._given.items():
            if getattr(os, name) is given:
                setattr(os, name, original)
        self._given.clear()


def _exit_after(original: Callable[..., Any], step: Callable[[], None]) -> Callable[..., Any]:
    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the original's
        # A forked child that did not exit would go on with what is its parent's to do.
        try:
            step()
        finally:
            original(*args, **kwargs)

    return call


def _run_after(original: Callable[..., Any], step: Callable[[], None]) -> Callable[..., Any]:
    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the original's
        step()
        return original(*args, **kwargs)

    return call
