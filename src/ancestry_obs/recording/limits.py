"""Label limits: a label's text comes in, the text that may become a series goes out.

Wrapped calls come here from any thread, from signal handlers and from finalisers that interrupt
each other, so that nothing here may block: an admission is one atomic operation of a list or dict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ancestry_obs.mapfile.specs import LabelSpec

__all__ = ["ERROR", "LONGEST", "OTHER", "LabelLimit", "label_text"]

OTHER: Final = "other"
"""What a value becomes that is not enumerated, or comes after `max_values` others."""
ERROR: Final = "error"
"""The value of a label whose expression failed."""
LONGEST: Final = 256
"""How many characters of a label value are kept."""


def label_text(value: object) -> str:
    """Make a label's text of any value: a `str` that UTF-8 can express, of bounded length.

    Raises:
        Exception: Whatever the value's own ``__str__`` raises.

    Example:
        >>> label_text(404), label_text(None)
        ('404', 'None')
    """
    text = str(value)
    if type(text) is not str:
        # A class of its own may do anything when it is cut, joined or written.
        text = str.__str__(text)
    text = text[:LONGEST]
    # Prometheus' formats are UTF-8: one lone surrogate would make the whole page unreadable.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class LabelLimit:
    """What one label of one metric may be.

    Args:
        spec: The label's declaration.
    """

    __slots__ = ("_admitted", "_places", "name")

    def __init__(self, spec: LabelSpec) -> None:
        self.name = spec.name
        # Both values are possible for every label and cost no place.
        self._admitted: dict[str, object] = dict.fromkeys((*(spec.values or ()), OTHER, ERROR))
        # A value that is not known yet takes a place; an enumeration has none to give.
        self._places = bytearray(spec.max_values or 0)

    def admit(self, value: str) -> bool:
        """Tell whether a value may become a label; a new one is admitted while there is room.

        Args:
            value: The label's text.

        Returns:
            `False` where the value has to be replaced by `OTHER`.
        """
        if value in self._admitted:
            return True
        try:
            place = self._places.pop()
        except IndexError:
            return False
        mine = object()
        if self._admitted.setdefault(value, mine) is not mine:
            # Another thread admitted the same value in between: its place is the one that counts.
            self._places.append(place)
        return True
