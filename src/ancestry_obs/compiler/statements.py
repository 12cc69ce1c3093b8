"""The text of an aspect's statements: a checked plan comes in, three blocks of Python go out.

Pure text: nothing is compiled or bound here. Each object that the text needs is a name that begins
with the aspect's prefix; the weaver turns those names into constants of the code. What is not asked
for is not in it: no clock where nothing is timed, no ``try`` where nothing is recorded.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.compiler.aspect import SPECIAL, known_at
from ancestry_obs.compiler.dotted import given_texts
from ancestry_obs.compiler.handing import HandingWriter
from ancestry_obs.compiler.observation import ObservationWriter, elapsed_line, indented
from ancestry_obs.compiler.slow_path import failed_source
from ancestry_obs.frozen import frozen, replaced
from ancestry_obs.mapfile.specs import HANDED_OVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ancestry_obs.compiler.aspect import Aspect, Part

__all__ = ["Statements", "passing_text", "write", "writes_failed"]

_CALLS: Final = {
    "function": "return {}".format,
    "coroutine": "return await {}".format,
    "generator": "return (yield from {})".format,
}


@frozen(slots=False)
class Statements:
    """What is woven into a body.

    Args:
        entry: Before the body.
        begin: First of all where an exception already counts as the body's.
        leave: Where a call returns; reads the result's name.
        failure: Where an exception leaves the body.
        names: The names that the code keeps as variables of its own; all others are constants.
        take: Before everything else: takes the permit of a call that came up from an override.
        give: Before a call of the method above: finds out where it leads, and gives its permit.
        recall: Where an exception leaves the body: takes back a permit that nobody took.
        way: The name that tells which permit was given; none at first.
        up: The name that has the method above, if it is known.
        method: What stands for the method's name.
        item: Before a generator hands an item over, which has the name `handed`.
        resumed: Where it is asked for the next one.
        handed: The name that holds the item; empty where nobody asks for items.
        started: The name that tells whether a call is still to be recorded.
        result: The name that holds what the body returned.
        saved: The names that keep parameters as they came in, by placeholder.
        alone: The same for a body with one end, if less is enough there: nothing of the program
            comes after the `leave`, which nothing has to keep from being reached twice.
    """

    entry: str
    begin: str
    leave: str
    failure: str
    names: frozenset[str]
    started: str
    result: str
    saved: dict[str, str]
    take: str
    give: str
    recall: str
    way: str
    up: str
    method: str
    item: str = ""
    resumed: str = ""
    handed: str = ""
    alone: Statements | None = None

    @property
    def is_entry_only(self) -> bool:
        """Whether the end of a call is of no interest."""
        return not self.leave and not self.failure


def write(aspect: Aspect) -> Statements:
    """Write the statements of an aspect.

    Args:
        aspect: What is wanted.

    Raises:
        CompileError: As `Aspect.parts`.
    """
    return _Writer(aspect).write()


class _Writer:
    def __init__(self, aspect: Aspect) -> None:
        self._aspect = aspect
        self._names = aspect.names
        at_call = self._parts("call")
        self._gates = [part for part in at_call if part.stream.kind == "in_flight"]
        self._begun = [part for part in at_call if part not in self._gates]
        self._returned = self._parts("return", "exit")
        self._raised = self._parts("raise", "exit")
        self._items = self._parts(*HANDED_OVER)
        # Before the call parameters are what they are; after it the body may have changed them.
        self._early = ObservationWriter(aspect.names, aspect.variables)
        self._saved = self._save()
        self._late_variables = {**aspect.variables, **self._saved_variables()}
        self._late = ObservationWriter(aspect.names, self._late_variables)
        around = {**aspect.variables, **given_texts(aspect.advice, aspect.names, outside=True)}
        outside = ObservationWriter(aspect.names, around)
        self._handing = HandingWriter(aspect.advice, aspect.names, outside, self._late)
        late = self._returned + self._raised + self._items
        asked = any("elapsed" in part.variables for part in late)
        self._timed = self._tells_seconds or asked

    def write(self) -> Statements:
        names = self._names
        statements = Statements(
            entry="\n".join(self._entry()),
            begin="\n".join(self._beginning()),
            leave="\n".join(self._leaving()),
            failure="\n".join(self._failing()),
            names=frozenset(self._locals()),
            started=names.started,
            result=names.result,
            saved=self._saved,
            take="\n".join(self._taking()),
            give="\n".join(self._giving()),
            recall=f"if {names.way} is not None:\n    {names.way}.permit.first = None",
            way=names.way,
            up=names.up,
            method=names.method,
            **self._handing_over(),
        )
        if not self._ends() or not self._begins_with_the_clock():
            return statements
        alone = replaced(
            statements,
            entry="\n".join(self._starting()) if self._timed else "",
            leave="\n".join(self._leaving_alone()),
            failure="\n".join(self._failing_alone()),
        )
        return replaced(statements, alone=alone)

    def _begins_with_the_clock(self) -> bool:
        """Whether a call begins with nothing that depends on whether it is to be recorded.

        That may then be seen at its end, if it ends where it began: what runs in several steps may
        end while an expression is evaluated that did not make it.
        """
        aspect = self._aspect
        advice = aspect.advice
        more = self._begun or self._gates or aspect.bound or advice.before or advice.hands_on
        return aspect.kind == "function" and not more and aspect.inner_test is None

    @property
    def _evaluates(self) -> bool:
        aspect = self._aspect
        return any(part.evaluates for part in aspect.parts) or aspect.advice.handed.evaluates

    @property
    def _tells_seconds(self) -> bool:
        return any("elapsed" in each.names for _, each in self._aspect.advice.handed.tell)

    def failed(self) -> Callable[[], str]:
        """Give what writes the function that `_failed` calls; it keeps nothing of the aspect."""
        variables, asks = failure_variables(self._raised), self._asks()
        recorders = failure_recorders(self._raised, asks)
        raised, names = tuple(self._raised), self._names
        return partial(failed_source, raised, recorders, variables, asks=asks, names=names)

    def _parts(self, *moments: str) -> list[Part]:
        return [part for part in self._aspect.parts if part.stream.moment in moments]

    def _save(self) -> dict[str, str]:
        """Name a copy for each parameter that is read once the call is over."""
        aspect = self._aspect
        parts = self._returned + self._raised + self._items
        # A parameter that is called like what is known by then is not what is meant.
        late = {
            name
            for part in parts
            for name in set(part.given).difference(known_at(part.stream.moment))
        }
        late.update(*(each.names.difference(SPECIAL) for _, each in aspect.advice.handed.tell))
        read = {aspect.variables[name] for name in late if name in aspect.variables}
        if aspect.advice.track and self._first in aspect.placeholders.values():
            read.add(self._first)
        return {
            text: self._names(f"in{index}")
            for index, text in enumerate(aspect.placeholders.values())
            if text in read
        }

    def _saved_variables(self) -> dict[str, str]:
        return {
            name: self._saved[text]
            for name, text in self._aspect.variables.items()
            if text in self._saved
        }

    @property
    def _first(self) -> str:
        """The text of the first argument, or what passes it on if it may not be there."""
        return self._aspect.taken.first_argument

    def _locals(self) -> Iterable[str]:
        names = self._names
        yield from (names.started, names.elapsed, names.result, names.me, names.others)
        for part in self._aspect.parts:
            yield from (names(f"buffer{part.index}"), names(f"value{part.index}"))
        yield from (names.kind, names.way, names.up)
        # What the loop around an async generator needs.
        yield from (names.driven, names.box, names.step, names.thrown)
        yield from (
            (names.item, names.items, names.asked, names.sent)
            if _follows_items(self._aspect)
            else ()
        )
        yield from (names(f"gate{part.index}") for part in self._gates)
        yield from self._handing.locals if self._aspect.advice.hands_on else ()
        yield from self._saved.values()
        yield from (self._aspect.variables[name] for name in self._aspect.bound)
        yield from (self._aspect.placeholders[name] for name in self._aspect.named)

    def _entry(self) -> list[str]:
        names, guard = self._names, self._guard()
        kind = f"{names.kind} = {names.type}({self._first})"
        first = [kind] if self._aspect.knows_its_class else []
        first += [f"{names.items} = 0"] if self._counts else []
        first += self._handing.look
        begin = [
            *(f"{names(f'before{index}')}()" for index in range(len(self._aspect.advice.before))),
            *self._binding(),
            *self._handing.entry,
            *self._early.write(self._begun, "call"),
            *(line for part in self._gates for line in self._early.write_gate(part)),
        ]
        starting = self._starting()
        if self._ends() and guard and not begin and len(starting) == 1:
            name, _, started = starting[0].partition(" = ")
            return [*first, f"{name} = None if {guard} else {started}"]
        if self._ends() or self._items:
            begin += starting
        if not guard:
            return [*first, *begin]
        gates = [names(f"gate{part.index}") for part in self._gates]
        keep = [f"{' = '.join([names.started, *gates])} = None", *self._handing.unset]
        return [*first, f"if {guard}:", *indented(keep), "else:", *indented(begin)]

    @property
    def _counts(self) -> bool:
        """Whether those have to be counted."""
        is_first = any(part.stream.moment == "first" for part in self._items)
        return is_first or self._aspect.counts_items

    @property
    def _times_items(self) -> bool:
        """Whether it is to be known how long each of them takes."""
        items = (part for part in self._items if part.stream.moment == "item")
        return any("elapsed" in part.variables for part in items)

    def _handing_over(self) -> dict[str, Any]:
        """Write what comes before and after a generator's ``yield``."""
        names = self._names
        if not _follows_items(self._aspect):
            return {}
        # Nothing comes in between the counting and the handing over.
        lines = [*self._at_item(), *([f"{names.items} += 1"] if self._counts else [])]
        lines = [f"if {names.started} is not None:", *indented(lines)]
        resumed = f"{names.asked} = {names.clock}()" if self._times_items else ""
        if resumed and self._aspect.is_sampled:
            resumed = f"if {names.started} is not False:\n    {resumed}"
        return {"item": "\n".join(lines), "resumed": resumed, "handed": names.item}

    def _at_item(self) -> list[str]:
        names = self._names
        firsts = [part for part in self._items if part.stream.moment == "first"]
        others = [part for part in self._items if part not in firsts]
        # Both are the same for the first item.
        since = names.asked if self._times_items else names.started
        elapsed = elapsed_line(names, is_sampled=self._aspect.is_sampled, since=since)
        is_first = f"if not {names.items}:"
        lines = [elapsed] if self._times_items else []
        if firsts:
            is_timed = any("elapsed" in part.variables for part in firsts)
            own = [elapsed] if is_timed and not lines else []
            lines += [is_first, *indented([*own, *self._late.write(firsts, "item")])]
        return [*lines, *self._late.write(others, "item")]

    def _starting(self) -> list[str]:
        """Note when the call begins: False if that is not to be known."""
        names = self._names
        asked = [f"{names.asked} = {names.started}"] if self._times_items else []
        return [*self._noting_start(), *asked]

    def _noting_start(self) -> list[str]:
        names = self._names
        if not self._timed:
            return [f"{names.started} = True"]
        timed = f"{names.started} = {names.clock}()"
        if not self._aspect.is_sampled:
            return [timed]
        left = f"{names.countdown}.left"
        return [
            # Threads may count it below 0 together.
            f"if {left} > 0:",
            f"    {left} -= 1",
            f"    {names.started} = False",
            "else:",
            *indented(self._drawing(left)),
            f"    {timed}",
        ]

    def _drawing(self, left: str) -> list[str]:
        names = self._names
        if not self._aspect.advice.can_be_budgeted:
            return [f"{left} = {names.next}({names.countdown}.gaps)"]
        # Looked at once: a budget may take them away at any time.
        return [
            f"{names.started} = {names.countdown}.gaps",
            f"if {names.started} is not None:",
            f"    {left} = {names.next}({names.started})",
        ]

    def _taking(self) -> list[str]:
        names = self._names
        if not self._aspect.takes_permits:
            return []
        return [
            f"{names.started} = {names.permit}.first",
            f"if {names.started} is not None:",
            f"    {names.permit}.first = None",
        ]

    def _giving(self) -> list[str]:
        """Ask where `super()` leads as often as the program does: any class may have changed."""
        aspect, names = self._aspect, self._names
        # Where an exception leaves it has to be known which permit was given.
        if not aspect.gives_permits or not self._ends():
            return []
        others = f"{names.inner}.find({names.id}({names.kind}))"
        above = f"super(__class__, {names.kind}).{names.method}"
        return [
            f"{names.way} = {names.inner}.own if {names.kind} is __class__ else {others}",
            f"if {names.way} is not None and ({names.up} := {above}) is {names.way}():",
            f"    {names.way}.permit.first = {self._first}",
            "else:",
            f"    {names.up} = None",
        ]

    def _beginning(self) -> list[str]:
        """Count a call as begun just where nothing can keep its end from being counted."""
        lines = [f"{self._names(f'gate{part.index}')}.append(1.0)" for part in self._gates]
        lines += self._handing.begin
        if not lines:
            return []
        return [f"if {self._names.started} is not None:", *indented(lines)]

    def _guard(self) -> str:
        """Leave out what is not to be recorded: calls by expressions, and through ``super()``."""
        names, tests = self._names, []
        if self._aspect.takes_permits:
            tests.append(f"{names.started} is not None and {names.started} is {self._first}")
        if self._evaluates:
            tests.append(f"{names.r0}.evaluating and {names.is_evaluating}()")
        if self._aspect.inner_test is not None:
            first = self._first
            test = f"{names.inner}.is_inner({first})"
            if not first.startswith("*"):
                is_known = self._aspect.knows_its_class
                kind = names.kind if is_known else f"{names.type}({first})"
                test = f"{names.id}({kind}) not in {names.inner}.plain and {test}"
                if is_known:
                    test = f"{kind} is not __class__ and {test}"
            tests.append(test)
        return " or ".join([*tests, *filter(None, [self._handing.guard])])

    def _binding(self) -> list[str]:
        aspect = self._aspect
        if not aspect.bound:
            return []
        targets = [aspect.variables[name] for name in aspect.bound]
        return [
            "try:",
            f"    ({', '.join(targets)},) = {self._names.bind}({aspect.taken.call})",
            f"except {self._names.unfit}:",
            f"    {' = '.join(targets)} = {self._names.unbound}",
        ]

    def _ends(self) -> bool:
        advice = self._aspect.advice
        ends = self._returned or self._raised or self._gates or advice.hands_on
        return bool(ends or advice.after or advice.track)

    def _leaving(self) -> list[str]:
        if not self._ends():
            return []
        names = self._names
        lines = [*self._elapsed()]
        for part in self._gates:
            gate = names(f"gate{part.index}")
            # Once, whatever becomes of the rest.
            lines += [f"{gate} += (-1.0,)", f"{gate} = []"]
        lines += self._handing.end
        lines += self._late.write(self._returned, "return", [f"{names.started} = None"])
        lines += self._handing.telling
        lines += self._handing.forget
        return [f"if {names.started} is not None:", *indented([*lines, *self._afterwards()])]

    def _leaving_alone(self) -> list[str]:
        lines = [*self._elapsed(), *self._late.write(self._returned, "return")]
        lines, guard = [*lines, *self._afterwards()], self._guard()
        return [f"if not ({guard}):", *indented(lines or ["pass"])] if guard else lines

    def _elapsed(self) -> list[str]:
        names = self._names
        asked = any("elapsed" in part.variables for part in self._returned)
        is_asked = asked or self._tells_seconds
        return [elapsed_line(names, is_sampled=self._aspect.is_sampled)] if is_asked else []

    def _afterwards(self) -> Iterator[str]:
        names, advice = self._names, self._aspect.advice
        track = self._saved.get(self._first, self._first)
        yield from (f"{names(f'after{index}')}()" for index in range(len(advice.after)))
        yield from (f"{names(f'track{index}')}({track})" for index in range(len(advice.track)))

    def _failing(self) -> list[str]:
        if not self._ends():
            return []
        names, started = self._names, self._names.started
        ended = [f"{names(f'gate{part.index}')}.append(-1.0)" for part in self._gates]
        ended += self._handing.end_by_error
        told = self._handing.telling_failed(self._late_variables)
        ended = [f"if {started} is not None:", *indented(ended)] if ended else []
        # It is over for the records first: what interrupts the telling is no second end.
        noted = [f"{names.telling} = {started}"] if told else []
        told += self._handing.forget
        if not self._raised:
            return [*ended, *noted, f"{started} = None", *told]
        return [
            *ended,
            *noted,
            "try:",
            f"    {started} = {self._failed(started)}",
            f"except {names.no_room}:",
            f"    if {started} is not None:",
            f"        {self._lost()}",
            f"    {started} = None",
            *told,
        ]

    def _failing_alone(self) -> list[str]:
        started = self._names.started if self._timed else "True"
        if not self._raised:
            return []
        failed, lost = self._failed(started), self._lost()
        return ["try:", f"    {failed}", f"except {self._names.no_room}:", f"    {lost}"]

    def _failed(self, started: str) -> str:
        """Write a call that may itself raise: near the limit of a recursion there is no frame."""
        names = self._names
        read = [self._late_variables[name] for name in failure_variables(self._raised)]
        recorders = [names(f"r{index}") for index in failure_recorders(self._raised, self._asks())]
        return f"{names.failed}({', '.join([*recorders, started, *read])})"

    def _asks(self) -> bool:
        """Whether it is seen at the end whether the call is to be recorded; see `_guard`."""
        return self._ends() and self._begins_with_the_clock() and self._evaluates

    def _lost(self) -> str:
        """Write what is done where there is no room for that call, nor for a look at the clock."""
        recorders = [self._names(f"r{part.index}") for part in self._raised]
        entries = ", ".join(f"({recorder}, None)" for recorder in recorders)
        return f"{recorders[0]}.store.lost += ({entries},)"


def writes_failed(aspect: Aspect) -> Callable[[], str]:
    """Give what writes the function that the statements call where an exception leaves the body.

    Args:
        aspect: One of the shape; nothing of it is kept.
    """
    return _Writer(aspect).failed()


def failure_recorders(raised: Iterable[Part], asks: bool) -> list[int]:  # noqa: FBT001 - of one caller
    """Give the numbers of the recorders that are handed over, in this order."""
    return list(dict.fromkeys([*([0] if asks else []), *(part.index for part in raised)]))


def failure_variables(raised: Iterable[Part]) -> list[str]:
    """Give the variables of a call that raised, in the order in which they are handed over.

    Args:
        raised: The parts that record it.
    """
    return list(dict.fromkeys(n for part in raised for n in part.given if n not in SPECIAL))


def passing_text(aspect: Aspect) -> str:
    """Write a function that calls the original code, named ``call``, and nothing else.

    A generator is run by ``yield from``, at the speed of C. PEP 380 makes that exact but for two
    corners: ``throw(GeneratorExit)`` closes, and ``close()`` (3.13) does not give back what the
    generator returns.
    """
    signature, free = aspect.signature, aspect.code.co_freevars if aspect.code else ()
    asynchronous = aspect.kind in {"coroutine", "async_generator"}
    variables = f"({', '.join(free)},)" if free else "()"
    # One inside another is made at each call: of this lambda, whose code is exchanged then.
    original = f"(lambda: {variables})" if aspect.function is None else aspect.names.call
    call = f"{original}({signature.call})"
    if _follows_items(aspect):
        body = _drive_items(aspect, call)
    elif aspect.kind == "async_generator":
        body = _drive(aspect, call)
    else:
        body = [_CALLS[aspect.kind](call)]
    # Never executed, but so the function has the variables around it that the original has.
    uses = [f"if 0: {variables}"] if free else []
    head = f"{'async def' if asynchronous else 'def'} call({signature.definition}):"
    return "\n".join([head, *indented([*uses, *body])])


def _drive(aspect: Aspect, call: str) -> list[str]:
    """Write the loop that passes everything between an async generator and its user.

    One list holds what is on its way, so that no value lives longer than without it.
    """
    names = aspect.names
    inner, box, step = names.driven, names.box, names.step
    return [
        f"{inner} = {call}",
        f"{box} = []",
        "try:",
        f"    {box}.append(await {names.begin}({inner}))",
        "    while True:",
        "        try:",
        f"            {box}.append((yield {box}.pop()))",
        f"            {step} = {inner}.asend",
        f"        except {names.BaseException} as {names.thrown}:",
        f"            {box}.append({names.thrown})",
        f"            {step} = {inner}.athrow",
        f"        {box}.append(await {step}({box}.pop()))",
        f"except {names.StopAsyncIteration}:",
        "    pass",
    ]


def _follows_items(aspect: Aspect) -> bool:
    """Whether the items that a generator hands over are of interest."""
    return aspect.counts_items or any(each.on in HANDED_OVER for each in aspect.advice.records)


def _drive_items(aspect: Aspect, call: str) -> list[str]:
    """Write the same loop for a generator of either kind, with a ``yield`` that can be woven.

    What is on its way is in the list again, but for the item and what was sent, which leave their
    variables before anything else runs.
    """
    names = aspect.names
    inner, box, step, sent = names.driven, names.box, names.step, names.sent
    if aspect.kind == "async_generator":
        begin, send, throw = f"await {names.begin}({inner})", "asend", "athrow"
        over, do, leave = names.StopAsyncIteration, "await ", "pass"
    else:
        begin, send, throw = f"{names.next}({inner})", "send", "throw"
        over, do, leave = names.StopIteration, "", f"return {names.thrown}.value"
    return [
        f"{inner} = {call}",
        f"{box} = []",
        "try:",
        f"    {box}.append({begin})",
        "    while True:",
        "        try:",
        f"            {sent} = yield {box}.pop()",
        f"            {box}.append({sent})",
        f"            {sent} = None",
        f"            {step} = {inner}.{send}",
        f"        except {names.BaseException} as {names.thrown}:",
        f"            {box}.append({names.thrown})",
        f"            {step} = {inner}.{throw}",
        f"        {box}.append({do}{step}({box}.pop()))",
        f"except {over} as {names.thrown}:",
        f"    {leave}",
    ]
