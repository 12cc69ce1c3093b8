"""A call of a method and the frame that it came from -> whether an override counted it already.

A call that goes up through `super()` from an override counts once, at the override. One that comes
from anywhere else counts where it arrives: `Base.save(sub)`, or `super().save()` from a method of
another name.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

__all__ = ["SuperCalls"]

_MOST_TYPES: Final = 1024
# A comprehension has a frame of its own before Python 3.12.
_IN_BETWEEN: Final = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
_CALLED, _TEST = 1, 2


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
            # What only ever goes up by `super()` does so for its own instance.
            known[id(code)] = "super" in code.co_names and name not in code.co_varnames

    def remove(self, name: str, *codes: CodeType) -> None:
        """Forget code that is out of use."""
        for code in codes:
            self._codes.get(name, {}).pop(id(code), None)

    def test(self, owner: type, name: str) -> Callable[[object], bool]:
        """Make the test for calls of one method.

        Args:
            owner: The class that defines it.
            name: Its name.

        Returns:
            A function of the first argument, an instance or a class, to be called from the
            method's own frame. It never raises.
        """
        plain: set[type] = {owner}
        codes = self._codes.setdefault(name, {})

        def is_inner(first: object = None) -> bool:
            kind: Any = type(first)
            if kind in plain:
                return False
            try:
                if issubclass(kind, type) and issubclass(first, owner):  # type: ignore[arg-type]
                    kind = first
                if not _is_overridden(kind, owner, name):
                    if len(plain) < _MOST_TYPES and kind is type(first):
                        plain.add(kind)
                    return False
                return _came_from(sys._getframe(_TEST), first, codes)  # noqa: SLF001 - its way
            except Exception:  # noqa: BLE001 - a class may raise whatever it likes when asked
                return False

        return is_inner


def _is_overridden(kind: type, owner: type, name: str) -> bool:
    for each in type.__dict__["__mro__"].__get__(kind):
        if each is owner:
            return False
        if name in type.__dict__["__dict__"].__get__(each):
            return True
    return False


def _came_from(frame: FrameType | None, first: object, codes: dict[int, bool]) -> bool:
    while frame is not None and frame.f_code.co_name in _IN_BETWEEN:
        frame = frame.f_back
    if frame is None:
        return False
    goes_up = codes.get(id(frame.f_code))
    if goes_up is None:
        return False
    return goes_up or frame.f_locals.get(frame.f_code.co_varnames[0]) is first
