"""What woven statements hand values over with, from call to call and past a call's body.

Each value has a context variable, so that what runs in another task, or in a thread that copied the
context, sees it too. A call keeps what was there before it, sets its own, and puts back what was
there: by value and not by token, since what interrupts it in between may come before the token is
kept.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Never

from ancestry_obs.recording.failures import came_from_outside, shown, warn

if TYPE_CHECKING:
    from ancestry_obs.recording.store import Store

__all__ = ["NOBODY", "ToldValues", "Unknown", "ValueFailures", "context_variable", "tell", "told"]

_LOG: Final = logging.getLogger("ancestry_obs")

_variables: dict[str, ContextVar[Any]] = {}


def context_variable(name: str) -> ContextVar[Any]:
    """Get the variable of a name, the same one for all maps; None where nobody has set it.

    Args:
        name: As the map has it, with its root.
    """
    found = _variables.get(name)
    if found is None:
        # Of two threads that make one at once, one wins for both.
        found = _variables.setdefault(name, ContextVar(name, default=None))
    return found


class ToldValues:
    """What one call is told by those inside of it.

    Args:
        wanted: The names that its records read.
        around: The next such call around it, if there is one.

    Attributes:
        values: What was told last, by name.
    """

    __slots__ = ("around", "values", "wanted")

    def __init__(self, wanted: tuple[str, ...], around: ToldValues | None) -> None:
        self.wanted = wanted
        self.around = around
        self.values: dict[str, object] = {}


NOBODY: Final = ToldValues((), None)
"""Stands for that of a call which is not to be recorded."""

told: Final[ContextVar[ToldValues | None]] = ContextVar("ancestry_obs.told", default=None)
"""What is told where the code is that runs now."""


def tell(to: ToldValues | None, name: str, value: object) -> None:
    """Hand a value to the nearest call that wants it.

    Args:
        to: That of the nearest call.
        name: What the value is called.
        value: Any object; None is nothing to tell, and what was told before stays.
    """
    while to is not None and value is not None:
        if name in to.wanted:
            to.values[name] = value
            return
        to = to.around


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
    """

    def __init__(self, target: str, store: Store) -> None:
        self._target = target
        self._store = store
        self._said: frozenset[str] = frozenset()

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
