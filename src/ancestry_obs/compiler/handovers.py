"""What woven statements hand values over with, from call to call and past a call's body.

Each value has a context variable, so that what runs in another task, or in a thread that copied the
context, sees it too. What stands in it is a `Scope`, one for each call. A call keeps what was there
before it, sets its own, and puts back what was there if its own is still there: it may end in
another context than it began in, or after a call that began later. By value and not by token, since
what interrupts it in between may come before the token is kept.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Never

from ancestry_obs.notices import Notices
from ancestry_obs.recording.failures import came_from_outside, shown, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_obs.recording.store import Store

__all__ = [
    "NOBODY",
    "ROOT",
    "Scope",
    "ValueFailures",
    "context_variable",
    "restore",
    "tell",
    "told",
]

_LOG: Final = Notices()


class Scope:
    """What one call is for those within it. Statements make it, without a frame for that.

    Attributes:
        value: What is set for them; of what is told to the call the last of each name that its
            records read, None for what nobody told.
        around: The scope around it. What runs on when its call is over may have it still, so that
            one that is over leads past others that are, lest they be kept for ever.
        is_over: Whether it is to be passed over.
    """

    __slots__ = ("around", "is_over", "value")

    value: Any
    around: Scope | None
    is_over: bool


def _scope(value: object) -> Scope:
    scope = Scope()
    scope.value, scope.around, scope.is_over = value, None, False
    return scope


ROOT: Final = _scope(None)
"""Stands where no call is around."""

NOBODY: Final = _scope({})
"""Stands for the scope of a call that has none."""

told: Final[ContextVar[Scope]] = ContextVar("ancestry_obs.told", default=ROOT)
"""What is told where the code is that runs now."""

_variables: dict[str, ContextVar[Scope]] = {}


def context_variable(name: str) -> ContextVar[Scope]:
    """Get the variable of a name, the same one for all maps; `ROOT` where nobody has set it.

    Args:
        name: As the map has it, with its root.
    """
    found = _variables.get(name)
    if found is None:
        # Of two threads that make one at once, one wins for both.
        found = _variables.setdefault(name, ContextVar(name, default=ROOT))
    return found


def restore(
    *scopes: tuple[Callable[[], Scope], Callable[[Scope], object], Scope, Scope, bool],
) -> None:
    """Put back what was there before a call that may have ended elsewhere, or before another.

    It may do so more than once.

    Args:
        scopes: For each of them what gives the scope that is there, what sets it, that of the call,
            what was there before, and whether what runs on when the call is over sees it still.
    """
    for get, put, mine, old, stays in scopes:
        if mine is NOBODY:
            continue
        while old.is_over and old.around is not None:
            old = old.around  # noqa: PLW2901 - a walk from there on
        found = get()
        # Whoever kept it as what was there before does not put it back.
        if not stays or found not in {mine, old}:
            mine.around = old
            mine.is_over = True
        if found is mine:
            put(old)


def tell(to: Scope, name: str, value: object) -> None:
    """Hand a value to the nearest call that wants it and is not over.

    Args:
        to: That of the nearest call.
        name: What the value is called.
        value: Any object; None is nothing to tell, and what was told before stays.
    """
    scope: Scope | None = to if value is not None else ROOT
    while scope is not None and scope is not ROOT:
        if not scope.is_over and name in scope.value:
            scope.value[name] = value
            return
        scope = scope.around


class Unknown:
    """A value whose expression has failed: whatever asks it anything fails, too.

    Args:
        name: What the value is called.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_name", name)

    def _refuse(self, *_: object) -> Never:
        raise LookupError(f"the expression for {object.__getattribute__(self, '_name')!r} failed")

    __str__ = __bool__ = __len__ = __iter__ = __hash__ = __int__ = __float__ = _refuse
    __getattribute__ = __getitem__ = __contains__ = __eq__ = __ne__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __pos__ = __index__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _refuse


class ValueFailures:
    """Counts what could not be worked out at one target.

    Args:
        target: The target.
        store: Has the counts.

    Attributes:
        unknown: Stands for a value where there was no room even to count its failure.
    """

    def __init__(self, target: str, store: Store) -> None:
        self._target = target
        self._store = store
        self._said: frozenset[str] = frozenset()
        # No constant of its own: whoever hashes or compares the code asks all of its constants.
        self.unknown = Unknown("a value")

    def failed(self, name: str) -> Unknown:
        """Count a failure, that of the exception which is being handled; log the first.

        Args:
            name: What the value is called.

        Returns:
            What stands for the value.

        Raises:
            BaseException: The exception, if it came from outside.
        """
        error = sys.exception()
        assert error is not None  # noqa: S101 - woven code calls this where it handles one
        if came_from_outside(error):
            raise error
        self._store.count_failure(self._target, "", name)
        if name not in self._said:
            self._said |= {name}
            text = "%s: the expression for %r failed with %s; further failures are counted only"
            warn(_LOG, text, self._target, name, shown(error))
        return Unknown(name)
