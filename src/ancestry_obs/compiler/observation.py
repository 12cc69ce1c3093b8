"""The text of observations: streams and the moment come in, the lines that record them go out.

The lines look up a buffer for each stream, and when all of them are there they append to each. In
between nothing can interrupt them: of the streams of one call either all get their value or none.
Whatever goes wrong in a look-up is left to the stream's slow path, which starts over. Label
expressions stand in the lines themselves, and all that they need of the stream is an attribute of
its recorder, a constant of the woven code.

A side is where the lines are: ``call`` (before the call), ``item`` (where a generator hands one
over), ``return`` or ``raise`` (after it). It decides what `result`, `error` and `elapsed` are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ancestry_obs.compiler.dotted import local_name
from ancestry_obs.expressions.emission import emit
from ancestry_obs.recording.buffers import FULL
from ancestry_obs.recording.sampled import UNTIMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ancestry_obs.compiler.aspect import Part
    from ancestry_obs.compiler.keys import Key
    from ancestry_obs.compiler.signature import Names
    from ancestry_obs.expressions.parser import Expression

__all__ = [
    "ObservationWriter",
    "each_name",
    "elapsed_line",
    "indented",
    "labels_source",
    "marked",
    "parameter",
    "written",
]


class ObservationWriter:
    """Writes the observations of one aspect.

    Args:
        names: Makes identifiers.
        variables: The identifier of each variable besides the special ones.
    """

    def __init__(self, names: Names, variables: Mapping[str, str]) -> None:
        self._names = names
        self._variables = variables

    def write(self, parts: Sequence[Part], side: str, ended: Sequence[str] = ()) -> list[str]:
        """Write the look-ups and the appends of what one moment records.

        Args:
            parts: The streams.
            side: Where the lines are.
            ended: The lines that note that the call is counted.
        """
        many = [part for part in parts if part.stream.each is not None]
        if many:
            calls = [line for part in many for line in self._each(part, side)]
            return [*self.write([p for p in parts if p not in many], side, ended), *calls]
        if not parts:
            return [*ended]
        names = self._names
        # Where there is no room for a call of ours, the values wait to be recorded without labels.
        # That is no call itself: on Python 3.11 there may be no room for one of C either.
        elapsed = self._elapsed(parts, side)
        lost = ", ".join(f"({self._recorder(part)}, {elapsed})" for part in parts)
        return [
            "try:",
            *indented([line for part in parts for line in self._find(part, side)]),
            f"except {names.no_room}:",
            *indented([*ended, f"{self._recorder(parts[0])}.store.lost += ({lost},)"]),
            "else:",
            *indented([*ended, *self._append(parts, side)]),
        ]

    def _each(self, part: Part, side: str) -> list[str]:
        """Write the call that records each of many items."""
        names, recorder, values = self._names, self._recorder(part), self._values(side)
        arguments = ", ".join([recorder, *(values[name] for name in part.given)])
        return [
            "try:",
            f"    {names(each_name(part, side))}({arguments})",
            f"except {names.no_room}:",
            f"    {recorder}.store.lost += (({recorder}, None),)",
        ]

    def _elapsed(self, parts: Sequence[Part], side: str) -> str:
        is_known = side != "call" and any("elapsed" in part.variables for part in parts)
        return self._names.elapsed if is_known else "None"

    def _find(self, part: Part, side: str) -> list[str]:
        buffer, value = self._buffer(part), self._number(part, side)
        find = self._finding(part, side, buffer)
        if value is not None:
            find = [f"{self._value(part)} = {value}", *find]
        begin: list[str] = []
        if part.stream.when is not None:
            begin = [f"{buffer} = None"]
            find = [f"if {self.expression(part.stream.when, side)}:", *indented(find)]
        return [*begin, *self._attempt(part, side, find, buffer)]

    def _attempt(self, part: Part, side: str, find: list[str], buffer: str) -> list[str]:
        """Write a look-up, and what to do where it fails: the slow path, or nothing at all."""
        if part.calls_program(side):
            find = marked(find, self._recorder(part), self._names)
        return [
            "try:",
            *indented(find),
            f"except {self._names.BaseException}:",
            f"    {self._miss(part, side)}",
            # It came from outside: what leaves the call is what interrupted it.
            f"    if {buffer} is None:",
            "        raise",
        ]

    def _append(self, parts: Sequence[Part], side: str) -> list[str]:
        """Write the appends: nothing but the last one is a call, after which Python looks up.

        A gauge is no list: what sets it is a call of ours.
        """
        names = self._names
        lists = [part for part in parts if part.stream.kind != "gauge"]
        appends: list[str] = []
        for part in lists:
            buffer, number = self._buffer(part), self._recorded(part)
            is_last = part is lists[-1]
            line = f"{buffer}.append({number})" if is_last else f"{buffer} += ({number},)"
            appends += self._if_wanted(part, [line])
        calls: list[str] = []
        for part in parts:
            buffer = self._buffer(part)
            sets = [] if part in lists else [f"{buffer}.append({self._recorded(part)})"]
            full = [f"if {names.len}({buffer}) >= {FULL}:", f"    {names.relieve}({buffer})"]
            calls += self._if_wanted(part, [*sets, *full, *self._exemplifying(part, side)])
        return [*appends, "try:", *indented(calls), f"except {names.no_room}:", "    pass"]

    def _exemplifying(self, part: Part, side: str) -> list[str]:
        """Write the call that keeps an exemplar, once the call itself is recorded."""
        if not part.stream.exemplary:
            return []
        values = self._values(side)
        given = "".join(f"{values[name]}, " for name in part.variables)
        recorder, number = self._recorder(part), self._recorded(part)
        names = self._names
        return [f"{names.exemplify}({recorder}, {self._buffer(part)}, {number}, ({given}))"]

    def _if_wanted(self, part: Part, lines: list[str]) -> list[str]:
        if part.stream.when is None:
            return lines
        return [f"if {self._buffer(part)} is not None:", *indented(lines)]

    def _recorded(self, part: Part) -> str:
        if part.stream.value is not None:
            return self._value(part)
        return "1.0" if part.stream.source == "one" else self._names.elapsed

    def _finding(self, part: Part, side: str, target: str) -> list[str]:
        memo = memo_of(self._recorder(part), side)
        keys = [self._key(part, key, index, side) for index, key in enumerate(part.keys_of(side))]
        return [f"{target} = {memo}[{']['.join(keys or ['0'])}]"]

    def _key(self, part: Part, key: Key, index: int, side: str) -> str:
        if key.kind == "label":
            return text_of(key.labels[0], self.expression(key.labels[0], side), self._names)
        variable = self._values(side)[key.variable]
        finished = f"{self._names(labels_name(part, index, side))}({variable})"
        if key.kind == "text":
            return text_key(variable, finished, self._names)
        known = f"{self._recorder(part)}.responses"
        other = f"None if {variable} is None else {finished}"
        return f"{variable}.status_code if {self._names.type}({variable}) in {known} else {other}"

    def _number(self, part: Part, side: str) -> str | None:
        if part.stream.value is None:
            return None
        return number_of(part, self.expression(part.stream.value, side), self._names)

    def expression(self, expression: Expression, side: str) -> str:
        """Write an expression as it is at a side."""
        return written(expression, self._values(side), self._names)

    def _values(self, side: str) -> Mapping[str, str]:
        """Give the identifier of each variable at a side."""
        if side == "call":
            return self._variables
        if side == "item":
            at_item = {"item": self._names.item, "elapsed": self._names.elapsed}
            return {**self._variables, **at_item}
        result, error = self._names.result, self._names.error
        after = ("None", error) if side == "raise" else (result, "None")
        known = dict(zip(("result", "error"), after, strict=True))
        return {**self._variables, **known, "elapsed": self._names.elapsed}

    def _miss(self, part: Part, side: str) -> str:
        """Write the call by which the part's slow path does what the look-up could not."""
        values = self._values(side)
        arguments = ", ".join([self._recorder(part), *(values[name] for name in part.variables)])
        given = self._gate(part) if part.stream.kind == "in_flight" else self._buffer(part)
        if part.stream.value is not None:
            given += f", {self._value(part)}"
        return f"{given} = {self._names(miss_name(part, side))}({arguments})"

    def _recorder(self, part: Part) -> str:
        return self._names(f"r{part.index}")

    def _buffer(self, part: Part) -> str:
        return self._names(f"buffer{part.index}")

    def _value(self, part: Part) -> str:
        return self._names(f"value{part.index}")

    def _gate(self, part: Part) -> str:
        return self._names(f"gate{part.index}")

    def write_gate(self, part: Part) -> list[str]:
        """Write the look-up of an in-flight gauge's buffer, kept for both ways of the count."""
        names, gate = self._names, self._gate(part)
        find = self._finding(part, "call", gate)
        if part.stream.when is not None:
            condition = self.expression(part.stream.when, "call")
            find = [f"{gate} = []", f"if {condition}:", *indented(find)]
        return [
            "try:",
            *indented(self._attempt(part, "call", find, gate)),
            f"    if {names.len}({gate}) >= {FULL}:",
            f"        {names.relieve}({gate})",
            f"except {names.no_room}:",
            f"    {gate} = []",
        ]


def elapsed_line(names: Names, *, is_sampled: bool, since: str = "") -> str:
    """Write the line that finds out how long a call took.

    Args:
        names: Makes identifiers.
        is_sampled: Whether it may be one that is not timed.
        since: The name of the moment from which on it counts; by default the call's beginning.
    """
    seconds = f"{names.clock}() - {since or names.started}"
    if is_sampled:
        seconds = f"{UNTIMED} if {names.started} is False else {seconds}"
    return f"{names.elapsed} = {seconds}"


def memo_of(recorder: str, side: str) -> str:
    """Write the memo that is asked at a side."""
    return f"{recorder}.{'raised' if side == 'raise' else 'memo'}"


def text_key(variable: str, finished: str, names: Names) -> str:
    """Write the key of a parameter: itself if it is exactly a text, else the finished labels."""
    return f"{variable} if {names.type}({variable}) is {names.str} else {finished}"


def miss_name(part: Part, side: str) -> str:
    """Name the function that a look-up goes on with where it failed."""
    return f"{'raised' if side == 'raise' else 'miss'}{part.index}"


def each_name(part: Part, side: str) -> str:
    """Name the function that records each of many items."""
    return f"{'raised_' if side == 'raise' else ''}each{part.index}"


def labels_name(part: Part, index: int, side: str) -> str:
    """Name the function that gives the finished labels of one level of a memo."""
    return f"{'raised_' if side == 'raise' else ''}labels{part.index}_{index}"


def parameter(variable: str, names: Names) -> str:
    """Name the parameter by which a variable is handed to a function of its own.

    Args:
        variable: As an expression has it, maybe with a dot.
        names: Makes identifiers.
    """
    return names(local_name(variable)) if "." in variable else variable


def labels_source(key: Key, names: Names, absent: str) -> str:
    """Write a function of the key's variable that gives the finished labels, as a tuple.

    Args:
        key: The level of a memo.
        names: Makes identifiers.
        absent: What is None there, as `keys.absent_at` gives it.
    """
    values = {key.variable: "value", absent: "None"}
    texts = [text_of(label, written(label, values, names), names) for label in key.labels]
    return f"lambda value: ({', '.join(texts)},)"


def text_of(expression: Expression, source: str, names: Names) -> str:
    """Write what makes a label of an expression.

    Args:
        expression: The label's expression.
        source: The same as `written`.
        names: Makes identifiers.
    """
    return source if expression.is_text else f"{names.text}({source})"


def number_of(part: Part, source: str, names: Names) -> str:
    """Write what makes a number of a stream's value, given as `written`."""
    return (
        f"1.0 if {source} else 0.0" if part.stream.source == "hit" else f"{names.float}({source})"
    )


def written(expression: Expression, values: Mapping[str, str], names: Names) -> str:
    """Write an expression with the identifiers of its variables and functions.

    Args:
        expression: What the map has.
        values: The identifier of each variable.
        names: Makes those of functions.
    """
    variables = tuple((name, values[name]) for name in sorted(expression.names))
    functions = tuple((name, names(f"fn_{name}")) for name in sorted(expression.functions))
    return _emit(expression, variables, functions)


def marked(lines: Iterable[str], recorder: str, names: Names) -> list[str]:
    """Note where expressions are evaluated, while they are; see `Store.evaluating`.

    Args:
        lines: What evaluates them.
        recorder: The name of any recorder of the target.
        names: Makes identifiers.
    """
    return [
        f"{names.me} = {names.thread}()",
        # Within another call's expression, or a handler that has interrupted one.
        f"{names.others} = {names.mark_of}({names.me}) if {recorder}.evaluating else None",
        f"{recorder}.evaluating[{names.me}] = {names.me}",
        "try:",
        *indented(lines),
        "finally:",
        f"    if {names.others} is None:",
        f"        {names.unmark}({names.me}, None)",
        "    else:",
        f"        {recorder}.evaluating[{names.me}] = {names.others}",
        f"        {names.others} = None",
    ]


def indented(lines: Iterable[str]) -> list[str]:
    """Put lines one level deeper."""
    return [f"    {line}" for line in lines]


@lru_cache(maxsize=1024)
def _emit(
    expression: Expression,
    names: tuple[tuple[str, str], ...],
    functions: tuple[tuple[str, str], ...],
) -> str:
    # A glob weaves the same expressions into many targets, and writing a tree out is slow.
    return emit(expression, names=dict(names), functions=dict(functions))
