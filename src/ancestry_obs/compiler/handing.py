"""The text and the objects of what a call hands on: an advice comes in, lines go out.

Around the body stands a scope for each value that others are to see: the context variables of the
map, the mark of a call within which others do not count, and what is told to this one. Before the
body what was there is kept, first of all in the body the own value is set, and at each of its ends
the old one is put back. `handovers` has what the lines call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.compiler.dotted import local_name
from ancestry_obs.compiler.handovers import (
    NOBODY,
    ToldValues,
    ValueFailures,
    context_variable,
    tell,
    told,
)
from ancestry_obs.compiler.keys import ABSENT, may_call_program
from ancestry_obs.compiler.observation import ObservationWriter, indented, parameter
from ancestry_obs.expressions.given import TARGET, entry_variable
from ancestry_obs.mapfile.targets import facts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ancestry_obs.compiler.advice import Advice
    from ancestry_obs.compiler.signature import Names
    from ancestry_obs.expressions.parser import Expression
    from ancestry_obs.mapfile.specs import HandedSpec, RecordSpec
    from ancestry_obs.recording.store import Store

__all__ = [
    "HandingWriter",
    "handing_constants",
    "handing_objects",
    "telling_source",
    "told_variables",
]


def handing_objects(advice: Advice, names: Names) -> dict[str, object]:
    """Give what the lines need, the same for all targets.

    Args:
        advice: What is wanted.
        names: Makes identifiers.
    """
    objects: dict[str, object] = {}
    read = (f"context.{name}" for root, name in advice.dotted if root == "context")
    for each in {*read, *(f"context.{name}" for name, _ in advice.handed.context), *advice.nested}:
        variable = context_variable(each)
        objects[names(f"get_{local_name(each)}")] = variable.get
        objects[names(f"set_{local_name(each)}")] = variable.set
    if advice.told or advice.handed.tell:
        objects |= {names.get_told: told.get, names.set_told: told.set, names.tell: tell}
        objects |= {names.ToldValues: ToldValues, names.nobody: NOBODY}
    return objects


def handing_constants(advice: Advice, target: str, store: Store) -> Iterator[tuple[str, object]]:
    """Yield what the lines need of one target, by names without their prefix.

    Args:
        advice: What is wanted.
        target: ``module:qualname``.
        store: Counts the failures.
    """
    if advice.handed.expressions:
        yield "failures", ValueFailures(target, store)
    facts = facts_of(target)
    read = (name for name in TARGET if name in advice.names)
    yield from ((local_name(name), facts[name]) for name in read)


class HandingWriter:
    """Writes the lines of one aspect.

    Args:
        advice: What is wanted.
        names: Makes identifiers.
        outside: Writes expressions as they are around the call.
        late: Writes expressions as they are after it.
    """

    def __init__(
        self, advice: Advice, names: Names, outside: ObservationWriter, late: ObservationWriter
    ) -> None:
        self._handed = advice.handed
        self._told = advice.told
        self._names = names
        self._outside = outside
        self._late = late
        context = [f"context.{name}" for name, _ in advice.handed.context]
        # What a call within is to see: the variable, and the value.
        self._scopes = {each: names(local_name(each)) for each in dict.fromkeys(context)}
        self._scopes |= dict.fromkeys(advice.nested, "True")
        # What a call is told that is itself within others of its kind, is for the outermost.
        told, old = names.told, self._before("told")
        reading = [each for each in advice.records if _reads_told(each)]
        marks = {each.outermost for each in reading}
        self._inner = " and ".join(map(self._before, sorted(marks))) if all(marks) else ""
        mine = f"{old} if {told} is {names.nobody} else {told}" if self._inner else told
        self._scopes |= {"told": mine} if advice.told else {}

    @property
    def locals(self) -> Iterator[str]:
        """The variables that the lines give a value to."""
        names = self._names
        yield from self._values
        yield from (self._before(each) for each in self._scopes)
        yield from (names.told, names.telling, names.listener)

    @property
    def _values(self) -> list[str]:
        names, handed = self._names, self._handed
        entry = [entry_variable(name, each.source) for name, each in handed.entry]
        context = [f"context.{name}" for name, _ in handed.context]
        return [names(local_name(each)) for each in dict.fromkeys((*entry, *context))]

    @property
    def unset(self) -> list[str]:
        """The lines for a call that is not to be recorded, whose end may look all the same."""
        lines = [f"{each} = None" for each in (*self._values, *map(self._before, self._scopes))]
        return [*lines, *([f"{self._names.told} = {self._names.nobody}"] if self._told else [])]

    @property
    def entry(self) -> Iterator[str]:
        """The lines before the body."""
        names, handed = self._names, self._handed
        for name, expression in handed.entry:
            local = names(local_name(entry_variable(name, expression.source)))
            yield from self._worked_out(local, f"entry.{name}", expression)
        for name, expression in handed.context:
            yield from self._worked_out(names(f"context_{name}"), f"context.{name}", expression)
        for each in self._scopes:
            yield f"{self._before(each)} = {names(f'get_{local_name(each)}')}()"
        if self._told:
            told = f"{names.ToldValues}({self._told!r}, {self._before('told')})"
            told = f"{names.nobody} if {self._inner} else {told}" if self._inner else told
            yield f"{names.told} = {told}"

    @property
    def begin(self) -> Iterator[str]:
        """The lines that come first in the body."""
        for each, value in self._scopes.items():
            yield f"{self._names(f'set_{local_name(each)}')}({value})"

    @property
    def end(self) -> Iterator[str]:
        """The lines where the body is over, however that came; they may run more than once."""
        for each in reversed(self._scopes):
            yield f"{self._names(f'set_{local_name(each)}')}({self._before(each)})"

    @property
    def telling(self) -> list[str]:
        """The lines that tell the call around this one, where this one returned."""
        lines = told_lines(self._handed, "return", self._late, self._names)
        names = self._names
        if not lines:
            return []
        return [
            f"{names.listener} = {names.get_told}()",
            f"if {names.listener} is not None:",
            *(f"    {each}" for each in lines),
            f"{names.listener} = None",
        ]

    def telling_failed(self, values: Mapping[str, str]) -> list[str]:
        """Write the same where an exception leaves the call: a call of `telling_source`'s.

        Args:
            values: The identifier of each variable there.
        """
        names = self._names
        read = told_variables(self._handed)
        if read is None:
            return []
        given = ", ".join([names.failures, names.r0, *(values[each] for each in read)])
        return [
            f"if {names.telling}:",
            "    try:",
            f"        {names.tell_failed}({given})",
            f"    except {names.no_room}:",
            "        pass",
        ]

    def _worked_out(self, local: str, name: str, expression: Expression) -> list[str]:
        value = f"{local} = {self._outside.expression(expression, 'call')}"
        failed = f"{local} = {_failed(name, self._names)}"
        return _tried(value, failed, expression, self._outside, self._names)

    def _before(self, scope: str) -> str:
        """Name what was there before the call; of a mark it is whether the call is inside."""
        return self._names(
            local_name(scope) if scope.startswith("nested.") else f"old_{local_name(scope)}"
        )


def _reads_told(record: RecordSpec) -> bool:
    return any(name.startswith("told.") for each in record.expressions for name in each.names)


def told_variables(handed: HandedSpec) -> list[str] | None:
    """Give the variables that a call which raised reads to tell the one around it.

    Args:
        handed: What it hands on.

    Returns:
        Their names, in the order in which they are handed over; `None` if there is nothing to tell.
    """
    told = [each for _, each in _told_at("raise", handed)]
    read = (name for each in told for name in sorted(each.names) if name not in {"error", "result"})
    return list(dict.fromkeys(read)) if told else None


def telling_source(handed: HandedSpec, names: Names) -> str:
    """Write the function that woven code calls to tell of a call that raised.

    It is no part of that code, since the compiler of Python 3.13.0 fails on some coroutines with so
    much in their handlers.

    Args:
        handed: What the call hands on.
        names: Makes identifiers.
    """
    read = told_variables(handed) or []
    values = {each: parameter(each, names) for each in read}
    writer = ObservationWriter(names, values, steps=True)
    lines = [
        f"{names.error} = {names.exception}()",
        f"{names.listener} = {names.get_told}()",
        f"if {names.listener} is not None:",
        *indented(told_lines(handed, "raise", writer, names)),
    ]
    parameters = ", ".join([names.failures, names.r0, *values.values()])
    return "\n".join([f"def {names.tell_failed}({parameters}):", *indented(lines)])


def told_lines(handed: HandedSpec, side: str, writer: ObservationWriter, names: Names) -> list[str]:
    """Write the lines that hand values to who listens.

    Args:
        handed: What the call hands on.
        side: Where they are: ``return`` or ``raise``.
        writer: Writes expressions.
        names: Makes identifiers.
    """
    lines: list[str] = []
    for name, expression in _told_at(side, handed):
        told = f"{names.tell}({names.listener}, {name!r}, {{}})".format
        value, failed = writer.expression(expression, side), _failed(f"tell.{name}", names)
        lines += _tried(told(value), told(failed), expression, writer, names)
    return lines


def _told_at(side: str, handed: HandedSpec) -> Iterator[tuple[str, Expression]]:
    """Yield what can be told at a side: of two things it reads the one that is there."""
    absent = ABSENT[side]
    for name, expression in handed.tell:
        if absent not in expression.names or {"error", "result"} <= expression.names:
            yield name, expression


def _tried(
    line: str, failed: str, expression: Expression, writer: ObservationWriter, names: Names
) -> list[str]:
    lines = writer.marked([line], "r0") if may_call_program(expression) else [line]
    return ["try:", *indented(lines), f"except {names.BaseException}:", f"    {failed}"]


def _failed(name: str, names: Names) -> str:
    return f"{names.failures}.failed({name!r})"
