"""Base classes -> a call for every class that is later derived from one of them.

A class of its own `__init_subclass__` does it (PEP 487), which first does what was there before:
the class's own one, or the next along the MRO. A subclass that overrides `__init_subclass__` and
does not call `super()` hides its own subclasses.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, cast

from ancestry_obs.notices import Notices
from ancestry_obs.patcher.namespaces import MISSING, delete, namespace_of, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType

__all__ = ["SubclassHooks"]

_logger = Notices(__name__)
_NAME = "__init_subclass__"


class SubclassHooks:
    """Keeps hooks on the classes that are wanted.

    Args:
        notify: Called with each new class; what it raises is logged.
    """

    def __init__(self, notify: Callable[[type], None]) -> None:
        self._notify = notify
        # By id, since a metaclass may have an equality of its own; and nothing that is here leads
        # to the class.
        self._hooks: dict[int, tuple[weakref.ref[type], weakref.ref[FunctionType]]] = {}

    def watch(self, base: type) -> None:
        """Put a hook on a class; watching it twice is watching it once."""
        if id(base) not in self._hooks:
            self._install(base)

    def close(self) -> None:
        """Take every hook off."""
        for key in list(self._hooks):
            base, hook = (reference() for reference in self._hooks.pop(key))
            if base is not None and hook is not None:
                self._remove(cast("type", base), cast("FunctionType", hook))

    def _install(self, base: type) -> None:
        key, hooks = id(base), self._hooks
        hook = self._hook(base, namespace_of(base).get(_NAME, MISSING))
        write(base, _NAME, classmethod(hook))
        hooks[key] = weakref.ref(base, lambda _: hooks.pop(key, None)), weakref.ref(hook)

    def _remove(self, base: type, hook: FunctionType) -> None:
        current = namespace_of(base).get(_NAME)
        if not isinstance(current, classmethod) or current.__func__ is not hook:
            return  # somebody has put another one on top, which calls ours; it tells nobody now
        previous = vars(hook)["previous"]
        if previous is MISSING:
            delete(base, _NAME)
        else:
            write(base, _NAME, previous)

    def _hook(self, base: type, previous: object) -> FunctionType:
        def __init_subclass__(cls: type, /, **kwargs: object) -> None:  # noqa: N807 - its name shows in tracebacks
            if isinstance(previous, classmethod):
                previous.__get__(None, cls)(**kwargs)
            else:
                super(base, cls).__init_subclass__(**kwargs)  # type: ignore[arg-type]  # see PEP 487
            if id(base) in self._hooks:
                self._tell(cls)

        hook = cast("FunctionType", __init_subclass__)
        vars(hook)["previous"] = previous
        return hook

    def _tell(self, subclass: type) -> None:
        try:
            self._notify(subclass)
        except Exception:
            _logger.exception("subclass %r is not instrumented: its hook failed", subclass)
