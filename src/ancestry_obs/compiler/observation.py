"""The text of one observation: a stream and the moment come in, the lines that record it go out.

The lines look up a buffer and append to it; whatever goes wrong before the append is left to the
stream's recorder, which starts over. Label expressions stand in the lines themselves, and all that
they need of the stream is an attribute of its recorder, a constant of the woven code.

A signal whose handler raises an `Exception` within the look-up (some 200 ns) is taken for such a
failure; a `BaseException`, as Ctrl-C raises, is not.

A side is where the lines are: ``call`` (before the call), ``return`` or ``raise`` (after it). It
decides what `result`, `error` and `elapsed` are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ancestry_obs.expressions.emission import emit
from ancestry_obs.recording.buffers import FULL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ancestry_obs.compiler.aspect import Aspect, Part
    from ancestry_obs.compiler.keys import Key
    from ancestry_obs.compiler.signature import Names
    from ancestry_obs.expressions.parser import Expression

__all__ = ["ObservationWriter", "evaluators_source", "indented", "labels_source"]


class ObservationWriter:
    """Writes the observations of one aspect.

    Args:
        aspect: What is wanted.
        variables: The identifier of each variable besides the special ones.
    """

    def __init__(self, aspect: Aspect, variables: dict[str, str]) -> None:
        self._names = aspect.names
        self._variables = variables
        self._is_stepwise = aspect.kind != "function"

    def write(self, part: Part, side: str) -> list[str]:
        """Write a look-up and an append; what goes wrong in between goes to the recorder."""
        buffer = self._names.buffer
        value = self._number(part, side)
        find = self._finding(part, side, buffer)
        number = "1.0" if part.stream.source == "one" else self._names.elapsed
        if value is not None:
            number = self._names.value
            find = [f"{number} = {value}", *find]
        append = [
            f"{buffer}.append({number})",
            f"if {self._names.len}({buffer}) >= {FULL}:",
            f"    {self._names.relieve}({buffer})",
        ]
        if part.stream.when is None:
            return self._attempt(part, find, self._miss(part, side), append)
        condition = self._expression(part.stream.when, side)
        return [
            f"{buffer} = None",
            *self._attempt(
                part,
                [f"if {condition}:", *indented(find)],
                self._miss(part, side),
                [f"if {buffer} is not None:", *indented(append)],
            ),
        ]

    def _attempt(self, part: Part, find: list[str], otherwise: str, then: list[str]) -> list[str]:
        # The append stays outside the `try`: an error after it would record the call twice.
        handler = f"except {self._names.Exception}:"
        find = self._marked(find) if part.calls_program else find
        return ["try:", *indented(find), handler, f"    {otherwise}", "else:", *indented(then)]

    def _marked(self, find: list[str]) -> list[str]:
        """Note meanwhile that this thread evaluates expressions; see `Store.evaluating`."""
        names = self._names
        me = f"{names.thread}()"
        if self._is_stepwise:
            # An expression may run the rest of what began outside of it: its mark has to stay.
            me = f"None if {names.r0}.evaluating and {names.is_evaluating}() else {me}"
        return [
            f"{names.me} = {me}",
            "try:",
            f"    {names.mark}({names.me})",
            *indented(find),
            "finally:",
            f"    {names.unmark}({names.me})",
        ]

    def _finding(self, part: Part, side: str, target: str) -> list[str]:
        memo = f"{self._recorder(part)}.memo"
        if not part.keys:
            return [f"{target} = {memo}[0]"]
        keys = [self._key(part, index, side) for index in range(len(part.keys))]
        return [f"{target} = {memo}[{']['.join(keys)}]"]

    def _key(self, part: Part, index: int, side: str) -> str:
        key = part.keys[index]
        if key.kind == "label":
            return self._text(key.labels[0], side)
        variable = self._values(side)[key.variable]
        kind = f"{self._names.type}({variable})"
        finished = f"{self._names(f'labels{part.index}_{index}')}({variable})"
        if key.kind == "text":
            return f"{variable} if {kind} is {self._names.str} else {finished}"
        known = f"{self._recorder(part)}.responses"
        return f"{variable}.status_code if {kind} in {known} else {finished}"

    def _text(self, expression: Expression, side: str) -> str:
        return _text(expression, self._expression(expression, side), self._names)

    def _number(self, part: Part, side: str) -> str | None:
        if part.stream.value is None:
            return None
        text = self._expression(part.stream.value, side)
        if part.stream.source == "hit":
            return f"1.0 if {text} else 0.0"
        return f"{self._names.float}({text})"

    def _expression(self, expression: Expression, side: str) -> str:
        return _written(expression, self._values(side), self._names)

    def _values(self, side: str) -> dict[str, str]:
        """Give the identifier of each variable before the call, or after one that returned."""
        if side == "call":
            return self._variables
        after = {
            "result": self._names.result,
            "error": "None",
            "elapsed": self._names.elapsed,
        }
        return self._variables | after

    def _miss(self, part: Part, side: str) -> str:
        """Write the call by which the part's recorder does what the look-up could not."""
        values = self._values(side)
        arguments = ", ".join(values[name] for name in part.variables)
        return f"{self._recorder(part)}.miss({arguments})"

    def _recorder(self, part: Part) -> str:
        return self._names(f"r{part.index}")

    def write_gate(self, part: Part) -> list[str]:
        """Write the look-up of an in-flight gauge's buffer, kept for both ways of the count."""
        gate = self._names(f"gate{part.index}")
        miss = f"{gate} = {self._miss(part, 'call')}"
        find = self._finding(part, "call", gate)
        if part.stream.when is not None:
            condition = self._expression(part.stream.when, "call")
            find = [f"{gate} = []", f"if {condition}:", *indented(find)]
        full = [
            f"if {self._names.len}({gate}) >= {FULL}:",
            f"    {self._names.relieve}({gate})",
        ]
        return self._attempt(part, find, miss, full)


def evaluators_source(expressions: Iterable[Expression], part: Part, names: Names) -> str:
    """Write a tuple of functions, one for each expression, for a recorder.

    Each takes the values of the part's variables by position.
    """
    values = {name: name for name in part.variables}
    lines = ["("]
    for expression in expressions:
        text = _written(expression, values, names)
        lines.append(f"    lambda {', '.join(part.variables)}: {text},")
    return "\n".join([*lines, ")"])


def labels_source(key: Key, names: Names) -> str:
    """Write a function of the key's variable that gives the finished labels, as a tuple.

    It is for calls that returned, or have not begun: there `error` is None.
    """
    values = {key.variable: "value", "error": "None"}
    texts = [_text(label, _written(label, values, names), names) for label in key.labels]
    return f"lambda value: ({', '.join(texts)},)"


def _text(expression: Expression, written: str, names: Names) -> str:
    return written if expression.is_text else f"{names.text}({written})"


def _written(expression: Expression, values: dict[str, str], names: Names) -> str:
    variables = tuple((name, values[name]) for name in sorted(expression.names))
    functions = tuple((name, names(f"fn_{name}")) for name in sorted(expression.functions))
    return _emit(expression, variables, functions)


def indented(lines: list[str]) -> list[str]:
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
