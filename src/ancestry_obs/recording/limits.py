"""Label limits: a label's text comes in, the text that may become a series goes out.

Wrapped calls come here from any thread, from signal handlers and from finalisers that interrupt
each other, so that nothing here may block: an admission is one atomic operation of a list or dict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ancestry_obs.spec.model import LabelSpec

__all__ = ["ERROR", "OTHER", "LabelLimit"]

OTHER = "other"
"""What a value becomes that is not enumerated, or comes after `max_values` others."""
ERROR = "error"
"""The value of a label whose expression failed."""


class LabelLimit:
    """What one label of one metric may be.

    Args:
        spec: The label's declaration.
    """

    __slots__ = ("_admitted", "_tickets", "name")

    def __init__(self, spec: LabelSpec) -> None:
        self.name = spec.name
        # Both values are possible for every label and cost no ticket.
        self._admitted: dict[str, int] = dict.fromkeys((*(spec.values or ()), OTHER, ERROR), -1)
        # A value that is not known yet takes a ticket; an enumeration has none to give.
        self._tickets = list(range(spec.max_values or 0))

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
            ticket = self._tickets.pop()
        except IndexError:
            return False
        if self._admitted.setdefault(value, ticket) != ticket:
            # Another thread admitted the same value in between: its ticket is the one that counts.
            self._tickets.append(ticket)
        return True
