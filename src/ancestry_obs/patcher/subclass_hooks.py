"""Base classes -> a call for every class that is later derived from one of them.

A class of its own `__init_subclass__` does it (PEP 487), which first does what was there before:
the class's own one, or the next along the MRO. A subclass that overrides `__init_subclass__` and
does not call `super()` hides its own subclasses.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ancestry_obs.patcher.namespaces import MISSING, delete, namespace_of, write

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SubclassHooks"]

_logger = logging.getLogger(__name__)
_NAME = "__init_subclass__"


class SubclassHooks:
    """Keeps hooks on the classes that are wanted.

    Args:
        notify: Called with each new class; what it raises is logged.
    """

    def __init__(self, notify: Callable[[type], None]) -> None:
        self._notify = notify
        self._hooks: dict[type, tuple[object, object]] = {}

    def watch(self, base: type) -> None:
        """Put a hook on a class; watching it twice is watching it once."""
        if base not in self._hooks:
            self._install(base)

    def close(self) -> None:
        """Take every hook off."""
        for base in list(self._hooks):
            self._remove(base)

    def _install(self, base: type) -> None:
        previous = namespace_of(base).get(_NAME, MISSING)
        hook = classmethod(self._hook(base, previous))
        write(base, _NAME, hook)
        self._hooks[base] = (hook, previous)

    def _remove(self, base: type) -> None:
        hook, previous = self._hooks.pop(base)
        if namespace_of(base).get(_NAME) is not hook:
            return  # somebody has put another one on top, which calls ours; it tells nobody now
        if previous is MISSING:
            delete(base, _NAME)
        else:
            write(base, _NAME, previous)

    def _hook(self, base: type, previous: object) -> Callable[..., None]:
        def __init_subclass__(cls: type, /, **kwargs: object) -> None:  # noqa: N807 - its name shows in tracebacks
            if isinstance(previous, classmethod):
                previous.__get__(None, cls)(**kwargs)
            else:
                super(base, cls).__init_subclass__(**kwargs)  # type: ignore[arg-type]  # see PEP 487
            if base in self._hooks:
                self._tell(cls)

        return __init_subclass__

    def _tell(self, subclass: type) -> None:
        try:
            self._notify(subclass)
        except Exception:
            _logger.exception("subclass %r is not instrumented: its hook failed", subclass)
