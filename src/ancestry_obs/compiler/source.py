"""The text of a wrapper: the plan of one target comes in, Python source goes out.

Pure text: nothing is compiled or bound here. The text reads every object that it needs as a free
variable, whose names `Names` keeps apart from the parameters. What is not asked for is not in it:
no clock where nothing is timed, no ``try`` where nothing is recorded of calls that raise.

A generator is run by ``yield from``, at the speed of C. PEP 380 makes that exact but for two
corners: ``throw(GeneratorExit)`` closes, and ``close()`` (3.13) does not give back what the
generator returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ancestry_obs.compiler.observation import ObservationWriter, indented

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ancestry_obs.compiler.outline import Outline, Part

__all__ = ["Writer"]

_CALLS: Final = {
    "function": "{}({})",
    "coroutine": "await {}({})",
    "generator": "(yield from {}({}))",
}


class Writer:
    """Writes the source of one wrapper.

    Args:
        outline: What the wrapper is to do.
    """

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._names = outline.names
        self._observations = ObservationWriter(outline)
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
                *(line for part in self._gates for line in self._observations.write_gate(part)),
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
        line = f"{head} {self._names.name}({self._outline.signature.definition}):"
        return "\n".join([line, *indented(body), ""])

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
        """Pass on what is not to be recorded: calls by expressions, and through ``super()``."""
        names, tests = self._names, []
        if any(part.evaluates for part in self._outline.parts):
            tests.append(f"{names.busy} and {names.thread}() in {names.busy}")
        if self._outline.guarded:
            tests.append(f"{names.inner}({self._outline.signature.first_argument})")
        return [f"if {' or '.join(tests)}:", *indented(self._pass_on())] if tests else []

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
        return [line for part in parts for line in self._observations.write(part, side)]

    def _call(self) -> list[str]:
        block = self._raising(self._calling())
        if not self._gates:
            return block
        gates = [self._names(f"gate{part.index}") for part in self._gates]
        # Inside the `try`: a signal between the two would leave the call in flight for ever.
        up = [f"{gate}.append(1.0)" for gate in gates]
        down = [f"{gate}.append(-1.0)" for gate in gates]
        return ["try:", *indented([*up, *block]), "finally:", *indented(down)]

    def _calling(self) -> list[str]:
        if self._outline.kind == "async_generator":
            return self._drive()
        return [f"{self._names.result} = {self._value()}" if self._ends() else self._last()]

    def _last(self) -> str:
        return f"return {self._value()}"

    def _raising(self, block: list[str]) -> list[str]:
        if not self._raised:
            return block
        records = [self._observations.recorder("record", part, "raise") for part in self._raised]
        handler = f"except {self._names.BaseException} as {self._names.error}:"
        return ["try:", *indented(block), handler, *indented([*self._stop(), *records, "raise"])]

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
