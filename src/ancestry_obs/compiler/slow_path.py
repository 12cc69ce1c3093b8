"""The text of what woven code calls: where a look-up fails, and where an exception leaves a call.

A stream and a side come in, a function comes out as text; what it is made of besides is
`observation`. The functions are one for all targets of a shape. Whatever they cannot do straight
away, since an expression fails, they leave to the recorder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ancestry_obs.compiler.keys import absent_at
from ancestry_obs.compiler.observation import (
    ObservationWriter,
    elapsed_line,
    indented,
    marked,
    memo_of,
    miss_name,
    number_of,
    parameter,
    text_key,
    text_of,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ancestry_obs.compiler.aspect import Part
    from ancestry_obs.compiler.keys import Key
    from ancestry_obs.compiler.signature import Names
    from ancestry_obs.expressions.parser import Expression

__all__ = ["evaluators_source", "failed_source", "miss_source"]

_REMEMBERED: Final = 2048
"""How many calls one memo learns from; then it stays as it is for some time."""
_MISSES: Final = 5 * _REMEMBERED
"""After how many misses it begins anew: what it knows may be out of use."""
_LONGEST_KEY: Final = 512


def miss_source(part: Part, side: str, names: Names) -> str:
    """Write the function that finds a buffer without the memo, and teaches it.

    Args:
        part: The stream.
        side: Where its look-up is.
        names: Makes identifiers.
    """
    return _MissWriter(part, side, names).write()


class _MissWriter:
    """Writes the function of one stream at one side."""

    def __init__(self, part: Part, side: str, names: Names) -> None:
        self._part = part
        self._side = side
        self._names = names
        self._parameters = [parameter(name, names) for name in part.variables]
        self._values = dict(zip(part.variables, self._parameters, strict=True))
        self._values[absent_at(side, part.stream.moment)] = "None"

    def write(self) -> str:
        names, part = self._names, self._part
        recorder, error = names.recorder, names.error
        given = f"({', '.join(self._parameters)}{',' if part.variables else ''})"
        other = f"{names.type}({error}) is not {names.KeyError}"
        find = [
            # Anything but the miss itself: an expression failed, or something came from outside.
            f"if {other} or {error}.__traceback__.tb_next is not None:",
            f"    return {recorder}.sort_out({error}, {given})",
            "try:",
            *indented(self._found()),
            f"except {names.BaseException} as {error}:",
            f"    return {recorder}.sort_out({error}, {given}, True)",
        ]
        lines = [
            f"{error} = {names.exception}()",
            *marked(find, recorder, names),
            f"return {self._answer(names.buffer)}",
        ]
        parameters = ", ".join([recorder, *self._parameters])
        head = f"def {names(miss_name(part, self._side))}({parameters}):"
        return "\n".join([head, *indented(lines)])

    def _answer(self, buffer: str) -> str:
        return buffer if self._part.stream.value is None else f"({buffer}, {self._names.value})"

    def _found(self) -> list[str]:
        names, stream = self._names, self._part.stream
        lines: list[str] = []
        if stream.when is not None:
            condition = self._written(stream.when)
            nothing = "[]" if stream.value is None else "([], 0.0)"
            lines += [f"if not {condition}:", f"    return {nothing}"]
        if stream.value is not None:
            number = number_of(self._part, self._written(stream.value), names)
            lines.append(f"{names.value} = {number}")
        texts = [self._label(index) for index in range(len(stream.labels))]
        for index, label in enumerate(stream.labels):
            lines.append(f"{texts[index]} = {text_of(label, self._written(label), names)}")
        found = f"({', '.join(texts)}{',' if texts else ''})"
        return [
            *lines,
            f"{names.buffer} = {names.recorder}.probe.buffers.get({found})",
            f"if {names.buffer} is None:",
            f"    {names.buffer} = {names.recorder}.open({found})",
            *self._learning(),
            f"if {names.recorder}.look is not None:",
            f"    {names.recorder}.seen()",
        ]

    def _learning(self) -> list[str]:
        """Teach the memo, unless it has learnt so much lately that it would learn for nothing."""
        names, recorder = self._names, self._names.recorder
        memo = memo_of(recorder, self._side)
        *outer, last = [self._key(key) for key in self._part.keys_of(self._side)] or ["0"]
        texts = [
            self._values[key.variable]
            for key in self._part.keys_of(self._side)
            if key.kind == "text"
        ]
        kind, long = names.type, f"{names.len}({{}}) > {_LONGEST_KEY}".format
        is_long = [f"{kind}({text}) is {names.str} and {long(text)}" for text in texts]
        short = f" and not ({' or '.join(is_long)})" if texts else ""
        path = "".join(f".setdefault({key}, {{}})" for key in outer)
        return [
            f"{recorder}.misses += 1",
            f"if {recorder}.misses <= {_REMEMBERED}{short}:",
            f"    {memo}{path}[{last}] = {names.buffer}",
            f"elif {recorder}.misses >= {_MISSES}:",
            f"    {recorder}.forget()",
        ]

    def _key(self, key: Key) -> str:
        names = self._names
        labels = [self._label(self._part.stream.labels.index(label)) for label in key.labels]
        if key.kind == "label":
            return labels[0]
        finished, variable = f"({', '.join(labels)},)", self._values[key.variable]
        if key.kind == "text":
            return text_key(variable, finished, names)
        return f"{names.response_key}({names.recorder}.responses, {variable}, {finished})"

    def _label(self, index: int) -> str:
        return self._names(f"label{index}")

    def _written(self, expression: Expression) -> str:
        return written(expression, self._values, self._names)


def failed_source(
    raised: Sequence[Part],
    recorders: Sequence[int],
    variables: Sequence[str],
    *,
    asks: bool,
    names: Names,
) -> str:
    """Write the function that woven code calls where an exception leaves it.

    It takes the recorders, the beginning's time (None for a call that is not to be recorded any
    more) and the variables.

    Args:
        raised: The streams that record it.
        recorders: The numbers of the recorders.
        variables: The names of what it is given.
        asks: Whether it is to see for itself that the call is not one of an expression.
        names: Makes identifiers.
    """
    started = names.started
    guard = f" or {names.r0}.evaluating and {names.is_evaluating}()" if asks else ""
    is_timed = any("elapsed" in part.variables for part in raised)
    lines = [
        f"{names.error} = {names.exception}()",
        f"if {started} is None{guard}:",
        "    return",
        *([elapsed_line(names, is_sampled=raised[0].stream.is_sampled)] if is_timed else []),
        *ObservationWriter(names, {n: parameter(n, names) for n in variables}).write(
            raised, "raise"
        ),
    ]
    values = [parameter(each, names) for each in variables]
    parameters = [*(names(f"r{index}") for index in recorders), started, *values]
    return "\n".join([f"def {names.failed}({', '.join(parameters)}):", *indented(lines)])


def evaluators_source(expressions: Iterable[Expression], part: Part, names: Names) -> str:
    """Write a tuple of functions, one for each expression, for a recorder.

    Each takes the values of the part's variables by position.
    """
    values = {name: parameter(name, names) for name in part.variables}
    lines = ["("]
    for expression in expressions:
        text = written(expression, values, names)
        lines.append(f"    lambda {', '.join(values.values())}: {text},")
    return "\n".join([*lines, ")"])
