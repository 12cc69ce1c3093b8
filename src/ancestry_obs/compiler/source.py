"""The text of a wrapper: the plan of one target comes in, Python source goes out.

Pure text: nothing is compiled or bound here. The text reads every object that it needs as a free
variable, whose names `Names` keeps apart from the parameters. What is not asked for is not in it:
no clock where nothing is timed, no ``try`` where nothing is recorded of calls that raise.

A generator is run by ``yield from``, at the speed of C. PEP 380 makes that exact but for two
corners:
``throw(GeneratorExit)`` closes, and ``close()`` (3.13) does not give back what the generator
returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from ancestry_obs.expressions import emit
from ancestry_obs.recording import FULL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ancestry_obs.compiler.keys import Key
    from ancestry_obs.compiler.plan import Stream
    from ancestry_obs.compiler.signature import Names, Signature
    from ancestry_obs.expressions import Expression

__all__ = ["SPECIAL", "Kind", "Outline", "Part", "Writer", "evaluators_source"]

Kind = Literal["function", "coroutine", "generator", "async_generator"]

SPECIAL: Final = ("result", "error", "elapsed")
"""What an expression can read besides the parameters, once the call is over."""

_CALLS: Final = {
    "function": "{}({})",
    "coroutine": "await {}({})",
    "generator": "(yield from {}({}))",
}


@dataclass(frozen=True)
class Part:
    """A stream as the text needs it.

    Args:
        index: Its number, which the names of its memo and recorder end in.
        stream: What it records.
        keys: The levels of its memo.
        variables: What its recorder takes.
    """

    index: int
    stream: Stream
    keys: tuple[Key, ...]
    variables: tuple[str, ...]


@dataclass(frozen=True)
class Outline:
    """Everything that decides a wrapper's text.

    Args:
        name: The function's name, an identifier.
        kind: What it is.
        signature: What it takes.
        names: Makes the wrapper's own identifiers.
        variables: The identifier of each parameter that expressions can read.
        bound: Those among them that a binder has to find first.
        parts: The streams, in order.
        before: How many actions run before the call.
        after: How many run after it returned.
        tracks: How many take the new instance after it.
        guarded: Whether calls through ``super()`` are left out.
    """

    name: str
    kind: Kind
    signature: Signature
    names: Names
    variables: dict[str, str]
    bound: tuple[str, ...]
    parts: tuple[Part, ...]
    before: int = 0
    after: int = 0
    tracks: int = 0
    guarded: bool = False


class Writer:
    """Writes the source of one wrapper.

    Args:
        outline: What the wrapper is to do.
    """

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._names = outline.names
        at_call = self._parts("call")
        self._gates = [part for part in at_call if part.stream.kind == "in_flight"]
        self._begun = [part for part in at_call if part not in self._gates]
        self._returned = self._parts("return", "exit")
        self._raised = self._parts("raise", "exit")
        self._timed = any("elapsed" in part.variables for part in self._returned + self._raised)

    def wrapper(self) -> str:
        """Write the ``def`` of the wrapper, with its body."""
        return self._function(
            [
                *self._guard(),
                *(f"{self._names(f'before{index}')}()" for index in range(self._outline.before)),
                *self._binding(),
                *self._each(self._begun, "call"),
                *(line for part in self._gates for line in self._gate(part)),
                *([f"{self._names.started} = {self._names.clock}()"] if self._timed else []),
                *self._call(),
                *self._ending(),
            ]
        )

    def passing(self, free: Iterable[str]) -> str:
        """Write a ``def`` of the same signature that only passes on.

        Args:
            free: The free variables that it needs in order to fit the wrapper's closure.
        """
        return self._function([f"if 0: ({', '.join(free)},)", *self._pass_on()])

    def _parts(self, *moments: str) -> list[Part]:
        return [part for part in self._outline.parts if part.stream.moment in moments]

    def _function(self, body: list[str]) -> str:
        asynchronous = self._outline.kind in {"coroutine", "async_generator"}
        head = "async def" if asynchronous else "def"
        line = f"{head} {self._outline.name}({self._outline.signature.definition}):"
        return "\n".join([line, *_in(body), ""])

    @property
    def _original(self) -> str:
        return f"{self._names.call}({self._outline.signature.call})"

    def _pass_on(self) -> list[str]:
        if self._outline.kind == "async_generator":
            return [*self._drive(), "return"]
        return [f"return {self._value()}"]

    def _value(self) -> str:
        kind = self._outline.kind
        return _CALLS[kind].format(self._names.call, self._outline.signature.call)

    def _guard(self) -> list[str]:
        if not self._outline.guarded:
            return []
        first = self._outline.signature.first_argument
        return [f"if {self._names.inner}({first}):", *_in(self._pass_on())]

    def _binding(self) -> list[str]:
        if not self._outline.bound:
            return []
        targets = [self._outline.variables[name] for name in self._outline.bound]
        return [
            "try:",
            f"    ({', '.join(targets)},) = {self._names.bind}({self._outline.signature.call})",
            f"except {self._names.Exception}:",
            f"    {' = '.join(targets)} = {self._names.unbound}",
        ]

    def _each(self, parts: list[Part], side: str) -> list[str]:
        return [line for part in parts for line in self._observation(part, side)]

    def _observation(self, part: Part, side: str) -> list[str]:
        """Write a look-up and an append; what goes wrong in between goes to the recorder."""
        channel = self._names.channel
        value = self._number(part, side)
        find = self._finding(part, side, channel)
        number = "1.0" if part.stream.source == "one" else self._names.elapsed
        if value is not None:
            number = self._names.value
            find = [f"{number} = {value}", *find]
        append = [
            f"{channel}.append({number})",
            f"if {self._names.len}({channel}) >= {FULL}:",
            f"    {self._names.relieve}({channel})",
        ]
        if part.stream.when is None:
            return self._attempt(find, f"{self._recorder('miss', part, side)}", append)
        condition = self._expression(part.stream.when, side)
        return [
            f"{channel} = None",
            *self._attempt(
                [f"if {condition}:", *_in(find)],
                self._recorder("miss", part, side),
                [f"if {channel} is not None:", *_in(append)],
            ),
        ]

    def _attempt(self, find: list[str], otherwise: str, then: list[str]) -> list[str]:
        # The append stays outside the `try`: an error after it would record the call twice.
        handler = f"except {self._names.Exception}:"
        return ["try:", *_in(find), handler, f"    {otherwise}", "else:", *_in(then)]

    def _finding(self, part: Part, side: str, target: str) -> list[str]:
        memo = self._names(f"memo{part.index}")
        if not part.keys:
            return [f"{target} = {memo}[0]"]
        keys = [self._key(key, side) for key in part.keys]
        # One key on a line, for whoever steps through it.
        between = [line for key in keys[1:] for line in ("][", f"    {key}")]
        return [f"{target} = {memo}[", f"    {keys[0]}", *between, "]"]

    def _key(self, key: Key, side: str) -> str:
        texts = [self._text(label, side) for label in key.labels]
        if key.kind == "label":
            return texts[0]
        finished = f"({', '.join(texts)},)"
        kind = self._names.type
        if key.kind == "text":
            variable = self._outline.variables[key.variable]
            return f"{variable} if {kind}({variable}) is {self._names.str} else {finished}"
        result = self._names.result
        known = self._names.responses
        return f"{result}.status_code if {kind}({result}) in {known} else {finished}"

    def _text(self, expression: Expression, side: str) -> str:
        text = self._expression(expression, side)
        return text if expression.is_text else f"{self._names.text}({text})"

    def _number(self, part: Part, side: str) -> str | None:
        if part.stream.value is None:
            return None
        text = self._expression(part.stream.value, side)
        if part.stream.source == "hit":
            return f"1.0 if {text} else 0.0"
        return f"{self._names.float}({text})"

    def _expression(self, expression: Expression, side: str) -> str:
        values = self._values(side)
        names = tuple((name, values[name]) for name in sorted(expression.names))
        functions = tuple(
            (name, self._names(f"fn_{name}")) for name in sorted(expression.functions)
        )
        return _emit(expression, names, functions)

    def _values(self, side: str) -> dict[str, str]:
        """Give the identifier of each variable before the call, after it, or when it raised."""
        if side == "call":
            return self._outline.variables
        after = {
            "result": self._names.result if side == "return" else "None",
            "error": "None" if side == "return" else self._names.error,
            "elapsed": self._names.elapsed,
        }
        return self._outline.variables | after

    def _recorder(self, method: str, part: Part, side: str) -> str:
        values = self._values(side)
        arguments = ", ".join(values[name] for name in part.variables)
        return f"{self._names(f'{method}{part.index}')}({arguments})"

    def _gate(self, part: Part) -> list[str]:
        gate = self._names(f"gate{part.index}")
        miss = f"{gate} = {self._recorder('miss', part, 'call')}"
        find = self._finding(part, "call", gate)
        if part.stream.when is not None:
            condition = self._expression(part.stream.when, "call")
            find = [f"{gate} = []", f"if {condition}:", *_in(find)]
        full = [
            f"if {self._names.len}({gate}) >= {FULL}:",
            f"    {self._names.relieve}({gate})",
        ]
        return self._attempt(find, miss, full)

    def _call(self) -> list[str]:
        block = self._raising(self._calling())
        if not self._gates:
            return block
        gates = [self._names(f"gate{part.index}") for part in self._gates]
        # Inside the `try`: a signal between the two would leave the call in flight for ever.
        up = [f"{gate}.append(1.0)" for gate in gates]
        down = [f"{gate}.append(-1.0)" for gate in gates]
        return ["try:", *_in([*up, *block]), "finally:", *_in(down)]

    def _calling(self) -> list[str]:
        if self._outline.kind == "async_generator":
            return self._drive()
        return [f"{self._names.result} = {self._value()}" if self._ends() else self._last()]

    def _last(self) -> str:
        return f"return {self._value()}"

    def _raising(self, block: list[str]) -> list[str]:
        if not self._raised:
            return block
        records = [self._recorder("record", part, "raise") for part in self._raised]
        handler = f"except {self._names.BaseException} as {self._names.error}:"
        return ["try:", *_in(block), handler, *_in([*self._stop(), *records, "raise"])]

    def _stop(self) -> list[str]:
        names = self._names
        return [f"{names.elapsed} = {names.clock}() - {names.started}"] if self._timed else []

    def _ends(self) -> bool:
        return bool(self._returned or self._outline.after or self._outline.tracks)

    def _ending(self) -> list[str]:
        """Write what comes after a call that returned."""
        if not self._ends():
            return []
        no_result = self._outline.kind == "async_generator"
        first = self._outline.signature.first_argument
        return [
            *([f"{self._names.result} = None"] if no_result else []),
            *self._stop(),
            *self._each(self._returned, "return"),
            *(f"{self._names(f'after{index}')}()" for index in range(self._outline.after)),
            *(f"{self._names(f'track{index}')}({first})" for index in range(self._outline.tracks)),
            *([] if no_result else [f"return {self._names.result}"]),
        ]

    def _drive(self) -> list[str]:
        """Write the loop that passes everything between an async generator and its user.

        One list holds what is on its way, so that no value lives longer than without a wrapper.
        """
        names = self._names
        return [
            f"{names.inner_generator} = {self._original}",
            f"{names.box} = []",
            "try:",
            f"    {names.box}.append(await {names.begin}({names.inner_generator}))",
            "    while True:",
            "        try:",
            f"            {names.box}.append((yield {names.box}.pop()))",
            f"            {names.step} = {names.inner_generator}.asend",
            f"        except {names.BaseException} as {names.thrown}:",
            f"            {names.box}.append({names.thrown})",
            f"            {names.step} = {names.inner_generator}.athrow",
            f"        {names.box}.append(await {names.step}({names.box}.pop()))",
            f"except {names.StopAsyncIteration}:",
            "    pass",
        ]


def evaluators_source(expressions: Iterable[Expression], part: Part, names: Names) -> str:
    """Write a tuple of functions, one for each expression, for a recorder.

    Each takes the values of the part's variables by position.
    """
    values = {name: name for name in part.variables}
    lines = ["("]
    for expression in expressions:
        used = tuple((name, values[name]) for name in sorted(expression.names))
        functions = tuple((name, names(f"fn_{name}")) for name in sorted(expression.functions))
        text = _emit(expression, used, functions)
        lines.append(f"    lambda {', '.join(part.variables)}: {text},")
    return "\n".join([*lines, ")"])


def _in(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


@lru_cache(maxsize=1024)
def _emit(
    expression: Expression,
    names: tuple[tuple[str, str], ...],
    functions: tuple[tuple[str, str], ...],
) -> str:
    # A glob weaves the same expressions into many targets, and writing a tree out is slow.
    return emit(expression, names=dict(names), functions=dict(functions))
