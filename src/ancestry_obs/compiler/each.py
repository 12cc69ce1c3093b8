"""The text of the function that records for each of many items: a stream comes in, it goes out.

Woven code calls it once in a call, after the streams that record the call itself. It finds the
buffer of every item first, and appends to all of them in one step: where something interrupts it,
no item is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.compiler.keys import absent_at
from ancestry_obs.compiler.observation import (
    ObservationWriter,
    each_name,
    indented,
    marked,
    parameter,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_obs.compiler.aspect import Part
    from ancestry_obs.compiler.signature import Names

__all__ = ["each_source"]


def each_source(part: Part, side: str, names: Names) -> str:
    """Write the function; it takes the recorder and what the call came to.

    Args:
        part: A stream with an expression for its items.
        side: Where it is called.
        names: Makes identifiers.
    """
    return _EachWriter(part, side, names).function()


class _EachWriter(ObservationWriter):
    def __init__(self, part: Part, side: str, names: Names) -> None:
        super().__init__(names, {})
        self._part = part
        self._side = side
        self._parameters = [parameter(each, names) for each in part.given]
        own = dict(zip(part.given, self._parameters, strict=True))
        absent = absent_at(side, part.stream.moment)
        self._own = {**own, absent: "None", "item": names.item}

    def _values(self, side: str) -> Mapping[str, str]:  # noqa: ARG002 - it is written for one
        return self._own

    def function(self) -> str:
        part, side, names = self._part, self._side, self._names
        recorder, each = self._recorder(part), part.stream.each
        assert each is not None  # noqa: S101 - only then it is called
        find = [
            "try:",
            f"    {names.items} = {recorder}.items_of({written(each, self._own, names)})",
            f"except {names.BaseException} as {names.error}:",
            f"    {recorder}.no_items({names.error}, ({self._all_values()}))",
            "    return",
            f"for {names.item} in {names.items}:",
            *indented(self._of_an_item()),
        ]
        lines = [
            f"{names.item} = None",
            f"{names.buffers} = []",
            f"{names.numbers} = []",
            *([f"{names.kept} = []"] if part.stream.exemplary else []),
            *marked(find, recorder, names),
            f"{recorder}.add({names.buffers}, {names.numbers})",
            *(self._exemplifying_all() if part.stream.exemplary else []),
        ]
        head = f"def {names(each_name(part, side))}({', '.join([recorder, *self._parameters])}):"
        return "\n".join([head, *indented(lines)])

    def _exemplifying_all(self) -> list[str]:
        """Write what keeps exemplars, once all items are recorded."""
        names = self._names
        call = f"{names.exemplify}({self._recorder(self._part)}, *{names.item})"
        loop = [f"for {names.item} in {names.kept}:", f"    {call}"]
        return ["try:", *indented(loop), f"except {names.no_room}:", "    pass"]

    def _of_an_item(self) -> list[str]:
        """Write what finds the buffer of an item, and its number if they differ."""
        part, names, buffer = self._part, self._names, self._buffer(self._part)
        kept = [f"{names.buffers}.append({buffer})"]
        if part.stream.value is not None:
            kept.append(f"{names.numbers}.append({self._recorded(part)})")
        if part.stream.exemplary:
            given = f"({buffer}, {self._recorded(part)}, ({self._all_values()}))"
            kept.append(f"{names.kept}.append({given})")
        is_chosen = part.stream.when is not None
        return [
            *([f"{buffer} = None"] if is_chosen else []),
            "try:",
            *indented(self._looking_up()),
            f"except {names.BaseException}:",
            f"    {self._miss(part, self._side)}",
            f"    if {buffer} is None:",
            "        raise",
            *([f"if {buffer} is not None:", *indented(kept)] if is_chosen else kept),
        ]

    def _all_values(self) -> str:
        return "".join(f"{self._own[name]}, " for name in self._part.variables)

    def _looking_up(self) -> list[str]:
        part, side = self._part, self._side
        lines = self._finding(part, side, self._buffer(part))
        number = self._number(part, side)
        if number is not None:
            lines = [f"{self._value(part)} = {number}", *lines]
        if part.stream.when is None:
            return lines
        return [f"if {self.expression(part.stream.when, side)}:", *indented(lines)]
