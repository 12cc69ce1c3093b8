"""Compiled statements come in; the same code goes out as the source cannot say it: its lines.

Statements of ours are on no line of their own. Most take the line of those beside them when they
are written. Two kinds cannot:

- what several ways lead to (a ``finally``, which the compiler puts in many places) is written
  `AS_BEFORE`: here each instruction of it gets the line that whatever leads there was on;
- what handles an exception is `NOWHERE`, so that no line shows when one leaves. Here it is seen to
  that the frame is left from the line that raised, as after a ``with``.

And a result that is returned does not stay in its variable, where a frame that lives longer, as one
in the result's own traceback, would keep it.
"""

from __future__ import annotations

import re
import sys
from itertools import groupby
from opcode import hasjrel, opmap
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import CodeType

    _Line = tuple[int, int, int | None]
    _Handled = tuple[int, int, int, int]
    _Position = tuple[int | None, int | None, int | None, int | None]

__all__ = ["AS_BEFORE", "NEEDS_ROOM", "NOWHERE", "UNKNOWN", "first_line", "line_table", "settled"]


def _place(number: int) -> dict[str, int]:
    names = ("lineno", "end_lineno", "col_offset", "end_col_offset")
    return dict.fromkeys(names, number)


NOWHERE: Final = _place(-1)
"""The place of a node whose instructions have no line; Python itself has such ones."""

AS_BEFORE: Final = _place(0)
"""The place of a node whose instructions are on the line that was there before."""

NEEDS_ROOM: Final = "LOAD_FAST_AND_CLEAR" not in opmap
"""Whether a result is taken out of its variable where ``return (result := result)`` is written."""

_JUMPS: Final = frozenset(hasjrel)
_BACKWARD: Final = frozenset(code for name, code in opmap.items() if "BACKWARD" in name)
_RETURNS: Final = frozenset(
    opmap[each] for each in ("RETURN_VALUE", "RETURN_CONST") if each in opmap
)
_ENDS: Final = _RETURNS | {
    opmap[each]
    for each in (
        "RAISE_VARARGS",
        "RERAISE",
        "JUMP_FORWARD",
        "JUMP_BACKWARD",
        "JUMP_BACKWARD_NO_INTERRUPT",
    )
}
_LOADS: Final = frozenset(opmap[e] for e in ("LOAD_FAST", "LOAD_FAST_CHECK") if e in opmap)
_LEFT: Final = frozenset({opmap["POP_TOP"], opmap["POP_EXCEPT"]})
_MOST_SHORT: Final = 256  # from here on an argument is in more than one instruction
_EXTENDED: Final = opmap["EXTENDED_ARG"]
_SWAP: Final = opmap["SWAP"]
# Nothing comes in between but what the program is left by: a loop, a handler.
_RETURNED: Final = (opmap["RETURN_VALUE"], opmap["POP_EXCEPT"], _SWAP)
_TAKEN_FROM: Final = tuple(bytes([after]) for after in _RETURNED)
_TAKES: Final = bytes([opmap.get("LOAD_FAST_AND_CLEAR", 0)])
_CACHE: Final = opmap["CACHE"]
_CACHES: Final = bytes([_CACHE])
_HANDLES: Final = opmap["PUSH_EXC_INFO"]
_TAKES_ALL: Final = bytes([_HANDLES, opmap["POP_TOP"]])
_YIELDS: Final = opmap["YIELD_VALUE"]
# In an async generator an item is wrapped first: INTRINSIC_ASYNC_GEN_WRAP.
_WRAPS: Final = bytes([opmap.get("CALL_INTRINSIC_1", 0), 4, _YIELDS])
_HANDED: Final = (bytes([_YIELDS]), _WRAPS)
# The last steps of a handler that an exception leaves, and those that go back to where it raised.
_LEAVES: Final = bytes([opmap["COPY"], 3, opmap["POP_EXCEPT"], 0, opmap["RERAISE"], 1])
_GOES_BACK: Final = bytes([opmap["COPY"], 2, opmap["POP_EXCEPT"], 0, opmap["RERAISE"], 2])
UNKNOWN: Final = (3, 14)
"""From this Python on nobody has looked yet how code begins and ends."""

_LONG, _NO_COLUMNS, _NO_PLACE = 14, 13, 15  # kinds of entries in a table of lines
_MOST: Final = 8  # code units of one such entry
_MORE: Final = 64  # in both tables the bit that says that a number goes on
_ENTRY: Final = re.compile(rb"[\x80-\xff][\x00-\x7f]*")  # of an exception table
# In an exception table's depth of the stack: one more on it, and whether the place is kept.
_ONE_HIGHER, _KEEPS = 2, 1
_OPEN: Final = AS_BEFORE["lineno"]


def first_line(code: CodeType) -> int:
    """Give the line that shows first in a call, to who traces it."""
    begun = 2 * code.co_code[::2].index(opmap["RESUME"])
    later = (line for _, end, line in code.co_lines() if line is not None and end > begun + 2)
    return next(later, code.co_firstlineno)


def settled(code: CodeType, returned: str, handed: str = "") -> CodeType:
    """Give code whose statements that are `AS_BEFORE` or `NOWHERE` are so for a tracer.

    Args:
        code: What was compiled of a function with statements of ours.
        returned: The variable that each ``return`` reads last of all, to be taken out of there;
            empty if there is none.
        handed: The same of each ``yield``.
    """
    bytecode = _taking_out(code, code.co_code, returned, _TAKEN_FROM)
    bytecode = _taking_out(code, bytecode, handed, _HANDED) if handed else bytecode
    # One exchange of everything: to make a code object takes longer than to find out about it.
    changes: dict[str, Any] = {}
    lines = [*code.co_lines()]
    handled = _handled(code.co_exceptiontable)
    # Elsewhere exceptions leave it from no line.
    if sys.version_info < UNKNOWN and (ends := _ends(bytecode, handled, lines)):
        for _, end in ends:
            bytecode = bytecode[: 2 * end] + _GOES_BACK + bytecode[2 * end + len(_GOES_BACK) :]
        changes["co_exceptiontable"] = _going_back(code.co_exceptiontable, handled, ends)
        changes["co_stacksize"] = code.co_stacksize + 1
    if _OPEN in [line for _, _, line in lines]:
        changes["co_linetable"] = _on_lines_before(code, bytecode, handled)
    return code.replace(co_code=bytecode, **changes)


def _taking_out(code: CodeType, bytecode: bytes, name: str, followings: tuple[bytes, ...]) -> bytes:
    """Give a code's instructions, where a ``return name`` takes the value out of the variable.

    Args:
        code: The code.
        bytecode: Its instructions so far.
        name: The variable.
        followings: What comes after it has been read there.
    """
    index = code.co_varnames.index(name) if name in code.co_varnames else _MOST_SHORT
    if index >= _MOST_SHORT:
        return bytecode
    if NEEDS_ROOM:
        return _taking_out_in_room(bytecode, index)
    for load in _LOADS:
        instructions, place = bytes([load, index]), -1
        while (place := bytecode.find(instructions, place + 1)) >= 0:
            after = place + len(instructions)
            if place % 2 or not bytecode.startswith(followings, after):
                continue
            is_one = place == 0 or bytecode[place - 2] != _EXTENDED
            if is_one and (bytecode[after] != _SWAP or bytecode[after + 2] in _LEFT):
                bytecode = bytecode[:place] + _TAKES + bytecode[place + 1 :]
    return bytecode


def _taking_out_in_room(bytecode: bytes, index: int) -> bytes:
    given = bytes([index, opmap["COPY"], 1, opmap["STORE_FAST"], index])
    taken = bytes([index, opmap["NOP"], 0, opmap["DELETE_FAST"], index])
    place = 0
    while (place := bytecode.find(given, place + 1)) > 0:
        if place % 2 and bytecode[place - 1] in _LOADS:
            bytecode = bytecode[:place] + taken + bytecode[place + len(given) :]
    return bytecode


def _on_lines_before(code: CodeType, bytecode: bytes, handled: Iterable[_Handled]) -> bytes:
    """Write the table of lines anew, with those that are `AS_BEFORE` where they belong."""
    positions: list[_Position] = list(code.co_positions())
    lines: dict[int, int | None] = {unit: each[0] for unit, each in enumerate(positions) if each[0]}
    unknown = _predecessors(
        bytecode, handled, [unit for unit in range(len(positions)) if unit not in lines]
    )
    has_changed = True
    while has_changed:
        has_changed = False
        for unit, before in unknown.items():
            found = {lines[each] for each in before if each in lines}
            if found:
                line = found.pop() if len(found) == 1 else None
                has_changed |= unit not in lines or lines[unit] != line
                lines[unit] = line
    for unit in unknown:
        if positions[unit][0] == _OPEN:
            line = lines.get(unit)
            # Who asks where a function returned has to get an answer.
            if line is None and bytecode[2 * unit] in _RETURNS:
                line = first_line(code)
            positions[unit] = (line, line, None, None)
    return bytes(line_table(positions, code.co_firstlineno))


def _predecessors(
    bytecode: bytes, handled: Iterable[_Handled], wanted: Iterable[int]
) -> dict[int, list[int]]:
    """Give for some units of a code those from which it goes on there."""
    before: dict[int, list[int]] = {unit: [] for unit in wanted}
    operations, arguments = bytecode[::2], bytecode[1::2]
    argument, last = 0, None
    for unit, operation in enumerate(operations):
        if unit in before and last is not None:
            before[unit].append(last)
        if operation == _CACHE:
            continue
        argument |= arguments[unit]
        if operation in _JUMPS:
            after = unit + 1
            while operations.startswith(_CACHES, after):
                after += 1
            target = after + (-argument if operation in _BACKWARD else argument)
            if target in before:
                before[target].append(unit)
        argument = argument << 8 if operation == _EXTENDED else 0
        last = None if operation in _ENDS else unit
    for start, length, target, _ in handled:
        if target in before:
            before[target] += range(start, start + length)
    return before


def line_table(positions: Iterable[_Position], first: int) -> Iterator[int]:
    """Yield the bytes of a table of lines.

    Args:
        positions: Where each unit of the code is.
        first: The code's first line.
    """
    current = first
    for (line, end_line, column, end_column), units in groupby(positions):
        numbers = []
        kind = _NO_PLACE
        if line is not None:
            delta, current = line - current, line
            kind, numbers = _NO_COLUMNS, [_signed(delta)]
            if end_line is not None and column is not None and end_column is not None:
                kind = _LONG
                numbers += [end_line - line, column + 1, end_column + 1]
        left = len([*units])
        while left > 0:
            yield 128 | kind << 3 | min(left, _MOST) - 1
            for each in numbers:
                yield from _number(each)
            left -= _MOST
            numbers[:1] = [0] * bool(numbers)


def _signed(value: int) -> int:
    return -value << 1 | 1 if value < 0 else value << 1


def _number(value: int) -> Iterator[int]:
    """Write a number as a table of lines has it, the lowest bits first."""
    while value >= _MORE:
        yield value & _MORE - 1 | _MORE
        value >>= 6
    yield value


def _ends(
    bytecode: bytes, handled: Sequence[_Handled], lines: Sequence[_Line]
) -> list[tuple[int, int]]:
    """Give the handlers of ours that let exceptions through, each with where it is left."""
    ends: list[tuple[int, int]] = []
    targets = dict.fromkeys([target for _, _, target, _ in handled])
    handler = next((each for each in targets if _is_ours(bytecode, lines, each)), 0)
    # The one around it is ours as well: a ``finally``.
    while bytecode[2 * handler] == _HANDLES:
        end = _handler_of(handler, handled)
        if not bytecode.startswith(_LEAVES, 2 * end):
            return []
        ends.append((handler, end))
        handler = _handler_of(end, handled)
    return ends


def _going_back(
    table: bytes, handled: Sequence[_Handled], ends: Sequence[tuple[int, int]]
) -> bytes:
    """Have an exception that a handler of ours lets through leave from the line that raised it.

    A ``with`` keeps the place that raised on the stack while its manager is asked, and goes back
    there. So does a handler of ours then; all that it has on the stack is one place higher.

    Args:
        table: The code's exception table.
        handled: The same, read.
        ends: What `_ends` gave.

    Returns:
        The table as it has to be.
    """
    begun, left = [handler for handler, _ in ends], [end for _, end in ends]
    entries = _ENTRY.findall(table)
    for index, (start, _, target, depth) in enumerate(handled):
        changed = depth
        for handler, end in ends:
            if handler <= start < end:
                changed += _ONE_HIGHER
        if target in begun:
            changed |= _KEEPS
        elif target in left:
            changed &= ~_KEEPS
        if changed != depth:
            entries[index] = entries[index][: -len(_written(depth))] + _written(changed)
    return b"".join(entries)


def _handler_of(unit: int, handled: Iterable[_Handled]) -> int:
    """Give the handler of what is raised at a unit; the code's begin if there is none."""
    for start, length, handler, _ in handled:
        if start <= unit < start + length:
            return handler
    return 0


def _is_ours(bytecode: bytes, lines: Iterable[_Line], handler: int) -> bool:
    """Whether a handler takes every exception and has no line."""
    place = 2 * handler + 2
    if bytecode[place - 2 : place + 1 : 2] != _TAKES_ALL:
        return False
    return None in [line for start, end, line in lines if start <= place < end]


def _handled(table: bytes) -> list[_Handled]:
    """Read an exception table: first unit, number of units, handler, depth of the stack."""
    numbers, value = [], 0
    for byte in table:
        # The highest bits first, six in each byte.
        if byte & _MORE:
            value = value << 6 | byte & _MORE - 1
        else:
            numbers.append(value << 6 | byte & _MORE - 1)
            value = 0
    return [*zip(*[iter(numbers)] * 4, strict=True)]


def _written(value: int) -> bytes:
    """Write a number as an exception table has it."""
    if value < _MORE:
        return bytes([value])
    return bytes([*[each | _MORE for each in _written(value >> 6)], value & _MORE - 1])
