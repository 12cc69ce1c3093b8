"""A shape: what the woven statements of all targets have in common that want the same alike.

Two targets are of one shape if the same is wanted of them and their signatures differ in names
alone. Then their statements differ in names alone too: they are written and parsed once, and the
objects that they need are found once. Builtins are among those objects, since the program's modules
may have names of their own for them.
"""

from __future__ import annotations

import builtins
import sys
from functools import cache, lru_cache, partial
from threading import get_ident
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Final

from ancestry_obs.compiler.body import Template
from ancestry_obs.compiler.code import CONSTANT, quietly
from ancestry_obs.compiler.each import each_source
from ancestry_obs.compiler.guards import UNBOUND, begin_quietly, isolated
from ancestry_obs.compiler.handing import handing_constants, handing_objects, telling_source
from ancestry_obs.compiler.keys import absent_at, response_key
from ancestry_obs.compiler.observation import each_name, labels_name, labels_source, miss_name
from ancestry_obs.compiler.recorder import Recorder
from ancestry_obs.compiler.sampling import Countdown
from ancestry_obs.compiler.signature import binder
from ancestry_obs.compiler.slow_path import evaluators_source, miss_source
from ancestry_obs.compiler.statements import write, writes_failed
from ancestry_obs.exceptions import CompileError
from ancestry_obs.recording.failures import NO_ROOM
from ancestry_obs.recording.limits import label_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ancestry_obs.compiler.aspect import Aspect, Part
    from ancestry_obs.compiler.code import Unfilled
    from ancestry_obs.compiler.recorder import Evaluators
    from ancestry_obs.compiler.signature import Names

__all__ = ["Shape", "countdown_among", "shape_of"]

_MOST: Final = 1024
_MOST_KNOWN: Final = 64
_BUILTINS: Final = (
    "BaseException",
    "KeyError",
    "StopAsyncIteration",
    "StopIteration",
    "float",
    "id",
    "len",
    "next",
    "str",
    "type",
)


class Shape:
    """The common part of some aspects.

    Args:
        aspect: The first of them.

    Attributes:
        template: The statements.
        common: The object for each text in compiled statements that stands for the same one at all
            targets.

    Raises:
        CompileError: As `Aspect.parts`.
    """

    def __init__(self, aspect: Aspect) -> None:
        names, runtime = aspect.names, aspect.runtime
        self._parts = aspect.parts
        self._names = [f"{CONSTANT}{names.prefix}r{index}" for index in range(len(self._parts))]
        self._begin = CONSTANT + names.prefix
        self._bound = aspect.bound
        self._is_sampled = aspect.is_sampled
        self._acts = any((aspect.advice.before, aspect.advice.after, aspect.advice.track))
        self._known: dict[int, tuple[CodeType, Unfilled | str]] = {}
        parameters = tuple([aspect.placeholders[name] for name in aspect.named])
        self.template = Template(write(aspect), names.prefix, parameters)
        functions: dict[str, object] = {
            names(f"fn_{name}"): _hashable(runtime.functions[name]) for name in aspect.advice.called
        }
        self._responses: set[type] = set()
        self._evaluators = [
            cache(partial(_evaluators, part, names, functions)) for part in self._parts
        ]
        common: dict[str, object] = {
            **{names(name): getattr(builtins, name) for name in _BUILTINS},
            names.clock: runtime.clock,
            names.text: label_text,
            names.relieve: runtime.store.relieve,
            names.no_room: NO_ROOM,
            names.unbound: UNBOUND,
            names.unfit: (TypeError, *NO_ROOM),
            names.exception: sys.exception,
            names.response_key: response_key,
            names.begin: begin_quietly,
            names.unmark: runtime.store.evaluating.pop,
            names.mark_of: runtime.store.mark_of,
            names.is_evaluating: runtime.store.is_evaluating,
            names.thread: get_ident,
            **functions,
            **handing_objects(aspect.advice, names),
        }
        if any(part.stream.exemplary for part in self._parts):
            # Few maps have one.
            from ancestry_obs.compiler.exemplifying import exemplify  # noqa: PLC0415

            common[names.exemplify] = exemplify
        common |= _called(aspect, common)
        common |= dict.fromkeys([names.call, names.inner, names.permit, names.countdown])
        self._hands = bool(aspect.advice.handed.expressions or aspect.advice.dotted)
        self.common = {CONSTANT + name: value for name, value in common.items()}

    def known(self, original: CodeType) -> Unfilled | str | None:
        """Give what came of a definition, if it is one that makes many functions.

        Args:
            original: The code that they have.
        """
        return self._known.get(id(original), (None, None))[1]

    def know(self, original: CodeType, woven: Unfilled | str) -> None:
        """Keep what came of a definition, if it is one that makes many functions.

        Args:
            original: The code that they have.
            woven: The same with the statements in it, and nothing of one target; or why there is
                none.
        """
        if "<locals>" in original.co_qualname:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[id(original)] = original, woven

    def recorders(self, aspect: Aspect) -> tuple[Recorder, ...]:
        """Make what records at one target.

        Args:
            aspect: One of this shape.
        """
        store, target = aspect.runtime.store, aspect.target
        pairs = zip(self._parts, self._evaluators, strict=True)
        return tuple(
            [
                Recorder(
                    part.stream, part.variables, each, store, store.probe(target), self._responses
                )
                for part, each in pairs
            ]
        )

    def constants(
        self, aspect: Aspect, recorders: Sequence[Recorder], call: Callable[..., object] | None
    ) -> dict[str, object]:
        """Give the object for each text in compiled statements that stands for one of this target.

        Args:
            aspect: One of this shape.
            recorders: What records there.
            call: The original as a function of its own, where the code only calls it.

        Raises:
            CompileError: An action is unknown.
        """
        constants: dict[str, object] = dict(zip(self._names, recorders, strict=True))
        if self._acts:
            for name, action in _actions(aspect):
                constants[self._begin + name] = action
        if call is not None:
            constants[self._begin + "call"] = call
        if aspect.inner_test is not None:
            constants[self._begin + "inner"] = aspect.inner_test
            constants[self._begin + "permit"] = aspect.inner_test.permit
        if self._hands:
            for name, value in handing_constants(
                aspect.advice, aspect.target, aspect.runtime.store
            ):
                constants[self._begin + name] = value
        if self._is_sampled:
            countdown = Countdown(aspect.runtime.gaps, aspect.advice.share)
            constants[self._begin + "countdown"] = countdown
        if self._bound:
            constants[self._begin + "bind"] = binder(aspect.shown, self._bound)
        return constants


def countdown_among(constants: Iterable[object]) -> Countdown | None:
    """Give what counts down to the next call that is timed, of one target's constants."""
    return next((each for each in constants if type(each) is Countdown), None)


def shape_of(aspect: Aspect) -> Shape:
    """Get or make the shape of an aspect.

    Raises:
        CompileError: As `Aspect.parts`.
    """
    # Asked for several times, and the key is long.
    found: Shape | None = aspect.own_shape
    if found is None:
        shapes, key = aspect.runtime.shapes, aspect.shape
        found = shapes.get(key)
        if found is None:
            if len(shapes) >= _MOST:
                shapes.clear()
            found = shapes[key] = Shape(aspect)
        aspect.own_shape = found
    return found


def _hashable(function: Callable[..., object]) -> Callable[..., object]:
    # Constants are hashed with their code, which anybody may use as a key.
    is_hashable = type(function).__dict__.get("__hash__", hash) is not None
    return function if is_hashable else partial(_call, [function])


def _call(function: list[Callable[..., object]], *arguments: object) -> object:
    return function[0](*arguments)


def _actions(aspect: Aspect) -> Iterator[tuple[str, object]]:
    advice, runtime, target = aspect.advice, aspect.runtime, aspect.target
    store, actions = runtime.store, runtime.actions
    for moment, wanted in (("before", advice.before), ("after", advice.after)):
        for index, name in enumerate(wanted):
            if name not in actions:
                known = ", ".join(sorted(actions)) or "none"
                raise CompileError(f"{target}: unknown action {name!r}; known are: {known}")
            yield f"{moment}{index}", isolated(actions[name], name, target, store)
    for index, sample in enumerate(advice.track):
        yield f"track{index}", isolated(runtime.trackers[sample], sample.metric, target, store)


def _evaluators(part: Part, names: Names, functions: Mapping[str, object]) -> Evaluators:
    expressions = tuple(dict.fromkeys(part.stream.expressions))
    code = _expression_code(evaluators_source(expressions, part, names))
    # No builtins: an expression has the label functions, and nothing else to call.
    made = FunctionType(code, {**functions, "__builtins__": {}})()
    return dict(zip(expressions, made, strict=True))


def _called(aspect: Aspect, common: Mapping[str, object]) -> dict[str, object]:
    """Make the functions of the slow path, each of which is compiled when it is called first."""
    space = {**common, "__builtins__": {}}
    names = aspect.names
    texts: dict[str, Callable[[], str]] = {names.failed: writes_failed(aspect)}
    if aspect.advice.handed.tell:
        texts[names.tell_failed] = partial(telling_source, aspect.advice.handed, names)
    for part in aspect.parts:
        # What has not begun is looked up as what has returned.
        for side in ("return", "raise"):
            texts[names(miss_name(part, side))] = partial(miss_source, part, side, names)
            if part.stream.each is not None:
                texts[names(each_name(part, side))] = partial(each_source, part, side, names)
            for index, key in enumerate(part.keys_of(side)):
                # For a variable that is no text, or no response.
                if key.kind != "label":
                    name = names(labels_name(part, index, side))
                    absent = absent_at(side, part.stream.moment)
                    texts[name] = partial(labels_source, key, names, absent)
    made: dict[str, object] = {
        name: _compiled_when_called(name, text, space) for name, text in texts.items()
    }
    space |= made
    return made


def _compiled_when_called(
    name: str, text: Callable[[], str], space: dict[str, object]
) -> FunctionType:
    def finish() -> Callable[..., object]:
        function.__code__ = _function_code(text())
        return function

    function = FunctionType(_finishing.__code__, space, name)
    function.__kwdefaults__ = {"finish": finish}
    return function


def _finishing(*values: object, finish: Callable[[], Callable[..., object]]) -> object:
    return finish()(*values)


@lru_cache(maxsize=512)
def _function_code(source: str) -> CodeType:
    # After a call that raised, `result[0]` is `None[0]`.
    with quietly():
        module = compile(source, "<ancestry-obs slow path>", "exec", dont_inherit=True)
    return next(each for each in module.co_consts if isinstance(each, CodeType))


@lru_cache(maxsize=512)
def _expression_code(source: str) -> CodeType:
    return compile(source, "<ancestry-obs expressions>", "eval", dont_inherit=True)
