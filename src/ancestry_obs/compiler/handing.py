"""The text and the objects of what a call hands on: an advice comes in, lines go out.

Around the body stands a scope for each value that others are to see: the context variables of the
map, the mark of a call within which others do not count, and what is told to this one. Before the
body what was there is kept, first of all in the body the own scope is set, and at each of its ends
the old one is put back. `handovers` has what the lines call.

Nothing here may raise: near the limit of a recursion there is no room for a call, and on Python
3.11 not even for one of C. What may meet it says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.compiler.dotted import local_name
from ancestry_obs.compiler.handovers import (
    NOBODY,
    ROOT,
    Scope,
    ValueFailures,
    context_variable,
    restore,
    tell,
    told,
)
from ancestry_obs.compiler.keys import ABSENT, may_call_program
from ancestry_obs.compiler.observation import ObservationWriter, indented, marked, parameter
from ancestry_obs.expressions.given import TARGET, entry_variable
from ancestry_obs.mapfile.targets import facts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
    contexts = {*advice.contexts, *dict(advice.handed.context)}
    for each in (*(f"context.{name}" for name in contexts), *advice.nested):
        variable = context_variable(each)
        objects[names(f"get_{local_name(each)}")] = variable.get
        objects[names(f"set_{local_name(each)}")] = variable.set
    if advice.told or advice.handed.tell:
        objects |= {names.get_told: told.get, names.set_told: told.set, names.tell: tell}
    if objects:
        objects |= {names.Scope: Scope, names.nobody: NOBODY, names.root: ROOT}
        objects[names.restore] = restore
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
        # The value of each: what is set for those within, nothing for a mark, or who is to be told.
        self._scopes = {f"context.{name}": names(f"context_{name}") for name, _ in self._context}
        self._scopes |= dict.fromkeys(advice.nested, "")
        self._outermost = advice.outermost
        # What a call is told that is itself within others of its kind, is for the outermost.
        reading = [each for each in advice.records if _reads_told(each)]
        marks = {each.outermost for each in reading}
        is_part = all(marks) and not advice.outermost
        self._inner = " and ".join(map(self._is_inside, sorted(marks))) if is_part else ""
        if advice.told:
            self._scopes["told"] = f"{{{', '.join(f'{each!r}: None' for each in advice.told)}}}"

    @property
    def _context(self) -> tuple[tuple[str, Expression], ...]:
        return self._handed.context

    @property
    def locals(self) -> Iterator[str]:
        """The variables that the lines give a value to."""
        names = self._names
        yield from self._values
        for each in self._scopes:
            yield from (self._mine(each), self._old(each))
        yield from map(self._is_inside, self._marks)
        yield from (names.telling, names.listener)

    @property
    def _marks(self) -> list[str]:
        asked = (each for each in self._scopes if each != self._outermost)
        return [each for each in asked if each.startswith("nested.")]

    @property
    def _values(self) -> list[str]:
        names = self._names
        entry = [entry_variable(name, each.source) for name, each in self._handed.entry]
        context = [f"context.{name}" for name, _ in self._context]
        return [names(local_name(each)) for each in dict.fromkeys((*entry, *context))]

    @property
    def unset(self) -> list[str]:
        """The lines for a call that is not to be recorded, whose end may look all the same."""
        inside = map(self._is_inside, self._marks)
        return [f"{each} = None" for each in (*self._values, *inside)] + self._without_scopes

    @property
    def _without_scopes(self) -> list[str]:
        nobody, root = self._names.nobody, self._names.root
        mine = [f"{self._mine(each)} = {nobody}" for each in self._scopes]
        return [*mine, *(f"{self._old(each)} = {root}" for each in self._scopes)]

    @property
    def entry(self) -> Iterator[str]:
        """The lines before the body."""
        names = self._names
        for name, expression in self._handed.entry:
            local = names(local_name(entry_variable(name, expression.source)))
            yield from self._worked_out(local, f"entry.{name}", expression)
        for name, expression in self._context:
            yield from self._worked_out(names(f"context_{name}"), f"context.{name}", expression)
        if self._scopes:
            inside = [f"{self._is_inside(each)} = False" for each in self._marks]
            made = [line for each in self._scopes for line in self._made(each)]
            yield from self._with_room(made, [*self._without_scopes, *inside])

    @property
    def look(self) -> list[str]:
        """The lines before all others: whether the call is within another one, and of no use."""
        if not self._outermost:
            return []
        return self._with_room(
            self._around(self._outermost), [f"{self._old(self._outermost)} = {self._names.root}"]
        )

    @property
    def guard(self) -> str:
        """What is true of a call within another one; empty if that does not matter."""
        old = self._old(self._outermost) if self._outermost else ""
        return f"{old} is not {self._names.root}" if old else ""

    def _around(self, scope: str) -> list[str]:
        old = self._old(scope)
        return [f"{old} = {self._names(f'get_{local_name(scope)}')}()", *self._past(old)]

    def _made(self, scope: str) -> Iterator[str]:
        names, mine, old = self._names, self._mine(scope), self._old(scope)
        if scope != self._outermost:
            yield from self._around(scope)
        if scope in self._marks:
            yield f"{self._is_inside(scope)} = {old} is not {names.root}"
        values = [f"{mine} = {names.Scope}()", f"{mine}.is_over = False"]
        if self._scopes[scope]:
            values.append(f"{mine}.value = {self._scopes[scope]}")
        if not scope.startswith("context."):
            values.append(f"{mine}.around = {old}")
        # Within others of its kind a call is part of the outermost one.
        inside = self._is_inside(scope) if scope in self._marks else ""
        inside = self._inner if scope == "told" else inside
        if inside:
            nobody = [f"if {inside}:", f"    {mine} = {names.nobody}", "else:"]
            values = [*nobody, *indented(values)]
        yield from values

    @staticmethod
    def _past(scope: str) -> list[str]:
        return [f"while {scope}.is_over:", f"    {scope} = {scope}.around"]

    def _with_room(self, lines: list[str], instead: list[str]) -> list[str]:
        return [
            "try:",
            *indented(lines),
            f"except {self._names.no_room}:",
            *indented(instead),
        ]

    @property
    def begin(self) -> list[str]:
        """The lines that come first in the body."""
        lines: list[str] = []
        for each in self._scopes:
            mine = self._mine(each)
            lines.append(f"if {mine} is not {self._names.nobody}:")
            lines.append(f"    {self._names(f'set_{local_name(each)}')}({mine})")
        return self._with_room(lines, ["pass"]) if lines else []

    @property
    def end(self) -> Iterator[str]:
        """The lines where the body is over; they may run more than once."""
        names = self._names
        for each in reversed(self._scopes):
            mine, old, lost = self._mine(each), self._old(each), self._lost(each)
            get, put = self._access(each)
            back = [
                f"if {old}.is_over or {get}() is not {mine}:",
                f"    {names.restore}({self._scope(each)})",
                "else:",
                f"    {put}({old})",
            ]
            yield f"if {mine} is not {names.nobody}:"
            # What runs on has a context still.
            if not each.startswith("context."):
                yield f"    {mine}.is_over = True"
            yield from indented(self._with_room(back, [lost]))

    @property
    def end_by_error(self) -> list[str]:
        """The lines where an exception leaves the body, to which no others come back."""
        if not self._scopes:
            return []
        names = self._names
        back = f"{names.restore}({', '.join(map(self._scope, reversed(self._scopes)))})"
        lost = [
            line
            for each in self._scopes
            for line in (f"if {self._mine(each)} is not {names.nobody}:", f"    {self._lost(each)}")
        ]
        return [
            *self._with_room([back], lost),
            # It was interrupted.
            f"except {names.BaseException}:",
            f"    {back}",
            "    raise",
        ]

    def _lost(self, scope: str) -> str:
        """Write what does without a call that nobody sees the scope any more."""
        mine, old = self._mine(scope), self._old(scope)
        if scope.startswith("context."):
            return f"{mine}.value = {old}.value"
        return f"{mine}.is_over = True"

    def _access(self, scope: str) -> tuple[str, str]:
        local = local_name(scope)
        return self._names(f"get_{local}"), self._names(f"set_{local}")

    def _scope(self, scope: str) -> str:
        """Write it as `restore` takes it."""
        stays = scope.startswith("context.")
        parts = (*self._access(scope), self._mine(scope), self._old(scope), str(stays))
        return f"({', '.join(parts)})"

    @property
    def forget(self) -> list[str]:
        """The lines after everything: a frame may outlive its call, as part of a traceback does."""
        names = self._names
        lines = [f"{names.told}.value = {names.nobody}.value"] if self._told else []
        return [*lines, *self._without_scopes, *(f"{each} = None" for each in self._values)]

    @property
    def telling(self) -> list[str]:
        """The lines that tell the call around this one, where this one returned."""
        lines = told_lines(self._handed, "return", self._late, self._names)
        names = self._names
        if not lines:
            return []
        telling = [
            f"{names.listener} = {names.get_told}()",
            f"if {names.listener} is not {names.root}:",
            *indented(lines),
        ]
        return [*self._with_room(telling, ["pass"]), f"{names.listener} = None"]

    def telling_failed(self, values: Mapping[str, str]) -> list[str]:
        """Write the same where an exception leaves the call: a call of `telling_source`'s.

        Args:
            values: The identifier of each variable there.
        """
        names = self._names
        read = told_variables(self._handed)
        if read is None:
            return []
        given = ", ".join(
            [names.failures, names.r0, *({**values, "elapsed": names.elapsed}[n] for n in read)]
        )
        telling = [f"{names.tell_failed}({given})"]
        if "elapsed" in read:
            telling = [f"{names.elapsed} = {names.clock}() - {names.telling}", *telling]
        telling = self._with_room(telling, ["pass"])
        return [f"if {names.telling} is not None:", *indented(telling)]

    def _worked_out(self, local: str, name: str, expression: Expression) -> list[str]:
        value = f"{local} = {self._outside.expression(expression, 'call')}"
        failed = [f"{local} = {_failed(name, self._names)}"]
        failed = self._with_room(failed, [f"{local} = {self._names.failures}.unknown"])
        return _tried(value, failed, expression, self._names)

    def _mine(self, scope: str) -> str:
        """Name the scope of the call itself."""
        return self._names.told if scope == "told" else self._names(f"mine_{local_name(scope)}")

    def _old(self, scope: str) -> str:
        """Name what was there before the call."""
        return self._names(f"old_{local_name(scope)}")

    def _is_inside(self, mark: str) -> str:
        """Name whether the call is within others of its kind."""
        return self._names(local_name(mark))


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
    # Found out where it ended, and there by this name.
    values |= {"elapsed": names.elapsed} if "elapsed" in values else {}
    writer = ObservationWriter(names, values)
    lines = [
        f"{names.error} = {names.exception}()",
        f"{names.listener} = {names.get_told}()",
        f"if {names.listener} is not {names.root}:",
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
        lines += _tried(told(value), [told(failed)], expression, names)
    return lines


def _told_at(side: str, handed: HandedSpec) -> Iterator[tuple[str, Expression]]:
    """Yield what can be told at a side: of two things it reads the one that is there."""
    absent = ABSENT[side]
    for name, expression in handed.tell:
        if absent not in expression.names or {"error", "result"} <= expression.names:
            yield name, expression


def _tried(
    line: str,
    failed: Iterable[str],
    expression: Expression,
    names: Names,
) -> list[str]:
    lines = marked([line], names.r0, names) if may_call_program(expression) else [line]
    return ["try:", *indented(lines), f"except {names.BaseException}:", *indented(failed)]


def _failed(name: str, names: Names) -> str:
    return f"{names.failures}.failed({name!r})"
