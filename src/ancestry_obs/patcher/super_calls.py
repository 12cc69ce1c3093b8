"""A call of a method and the frame that it came from -> whether an override counted it already.

A call that goes up through `super()` from an override counts once, at the override. One that comes
from anywhere else counts where it arrives: `Base.save(sub)`, or `super().save()` from a method of
another name.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from sys import _getframe as getframe
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import CodeType, FrameType

__all__ = ["SuperCalls", "SuperTest"]

_MOST_TYPES: Final = 1024
_CALLER: Final = 2
# A comprehension has a frame of its own before Python 3.12.
_IN_BETWEEN: Final = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


# Compared by identity, as constants of code are.
@dataclass(eq=False, slots=True)
class SuperTest:
    """The test for calls of one method.

    Args:
        owner: The class that defines it.
        name: Its name.
        codes: The code of each override, and whether it only ever goes up by `super()`.

    Attributes:
        plain: Types whose instances cannot have come up from an override, since they have none.
    """

    owner: type
    name: str
    codes: dict[int, bool]
    plain: set[type] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.plain.add(self.owner)

    def is_inner(self, first: object = None) -> bool:
        """Tell whether a call came up from an override; to be called from the method's own frame.

        Args:
            first: The method's first argument, an instance or a class.
        """
        try:
            frame: FrameType | None = getframe(_CALLER)
            while frame is not None and frame.f_code.co_name in _IN_BETWEEN:
                frame = frame.f_back
            goes_up = self.codes.get(id(frame.f_code)) if frame is not None else None
            if goes_up is not None and frame is not None:
                # One that names a class may call its method for another instance, too.
                return goes_up or frame.f_locals.get(frame.f_code.co_varnames[0]) is first
            kind = type(first)
            if not issubclass(kind, type) and not self._is_overridden(kind):
                if len(self.plain) >= _MOST_TYPES:
                    self.plain.clear()
                self.plain.add(kind)
        except Exception:  # noqa: BLE001 - a class may raise whatever it likes when asked
            return False
        return False

    def _is_overridden(self, kind: type) -> bool:
        for each in type.__dict__["__mro__"].__get__(kind):
            if each is self.owner:
                return False
            if self.name in type.__dict__["__dict__"].__get__(each):
                return True
        return False


class SuperCalls:
    """Knows the code of every override, by the name of the method."""

    def __init__(self) -> None:
        self._codes: dict[str, dict[int, bool]] = {}

    def add(self, name: str, *codes: CodeType) -> None:
        """Note code that runs an override.

        Args:
            name: The method's name.
            codes: What its frames may have: the woven code, and the original if that is called.
        """
        known = self._codes.setdefault(name, {})
        for code in codes:
            if id(code) not in known:
                # Another code may come to lie where this one did.
                weakref.finalize(code, known.pop, id(code), None).atexit = False
            # What goes up by `super()` does so for its own instance.
            known[id(code)] = "super" in code.co_names

    def remove(self, name: str, *codes: CodeType) -> None:
        """Forget code that is out of use."""
        for code in codes:
            self._codes.get(name, {}).pop(id(code), None)

    def test(self, owner: type, name: str) -> SuperTest:
        """Make the test for calls of one method.

        Args:
            owner: The class that defines it.
            name: Its name.
        """
        return SuperTest(owner, name, self._codes.setdefault(name, {}))
