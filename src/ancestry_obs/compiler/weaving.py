"""Aspects come in, woven code goes out: the function's own, with the statements inside.

    the code's source -> the same code with the statements in it (inlining) -> its objects (shape)

Where that is not possible the woven code calls the original, and says why. Nothing is exchanged
here: who gives the code to the function, and takes it away again, is the patcher.
"""

from __future__ import annotations

import ast
import os
import re
import weakref
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Final

from ancestry_obs.compiler.body import calling_function, weave_body
from ancestry_obs.compiler.code import (
    CONSTANT,
    codes_in,
    copied,
    embed,
    filled,
    inner_code,
    key_of,
    unfilled,
)
from ancestry_obs.compiler.inlining import NOT_YET, READ, inlined, woven_tree
from ancestry_obs.compiler.shape import countdown_among, shape_of
from ancestry_obs.compiler.sources import Source, source_of
from ancestry_obs.compiler.statements import passing_text
from ancestry_obs.exceptions import CompileError
from ancestry_obs.frozen import define, field, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ancestry_obs.compiler.aspect import Aspect
    from ancestry_obs.compiler.body import Function
    from ancestry_obs.compiler.code import Unfilled
    from ancestry_obs.compiler.definitions import Key
    from ancestry_obs.compiler.recorder import Recorder
    from ancestry_obs.compiler.sampling import Countdown
    from ancestry_obs.compiler.shape import Shape
    from ancestry_obs.recording.buffers import Probe

__all__ = ["Woven", "weave", "weave_callable"]


# One for each target: what is small is made quickly, and looked through by the garbage collector.
@define(eq=False, weakref_slot=True)
class Woven:
    """What was woven at one join point, and what is known of it.

    Args:
        aspect: What was wanted.
        code: The woven code.
        recorders: What records there; each call leaves one float at the first one.
        why_called: Why the original is called instead of being woven into; empty where it is not.
        countdown: What says which calls are timed, where not all need be; None when it is retired.
    """

    aspect: Aspect
    code: CodeType
    recorders: Sequence[Recorder]
    why_called: str = ""
    countdown: Countdown | None = None
    _calls: Probe = field(init=False)
    _recorder: weakref.ref[Recorder] | None = None
    _before: int = 0
    _former: tuple[Woven, ...] = ()

    def __post_init__(self) -> None:
        self._calls = self.recorders[0].probe

    @property
    def source(self) -> str:
        """The function with the statements in it, as Python."""
        if self.why_called:
            tree = _calling_tree(self.aspect)
            weave_body(tree, shape_of(self.aspect).template, self.aspect.named, 1)
        else:
            try:
                tree = _File([self.aspect]).tree()
            except CompileError as error:
                return f"# {error}"
        text = ast.unparse(ast.fix_missing_locations(tree))
        return _read_by_people(text)

    @property
    def parts(self) -> tuple[object, ...]:
        """What of it holds the callable that it calls."""
        return self.aspect, self.code.co_consts

    def calls(self) -> int:
        """Count the calls so far, exactly; calls that were left out as inner ones are not in it."""
        if not self._former:
            return self._calls.observed() + self._before
        # One whose recorder is gone counts nothing more, and need not be kept.
        over = [each for each in self._former if each.is_over]
        if over:
            self._before += sum(each.calls() for each in over)
            self._former = tuple(each for each in self._former if each not in over)
        return self._calls.observed() + self._before + sum(each.calls() for each in self._former)

    def _begin_child(self) -> None:
        """Count from nothing in a forked child; the store makes what still records do so."""
        self._before = 0
        if self._recorder is not None and self._recorder() is None:
            self._calls.forget()

    @property
    def is_over(self) -> bool:
        """Whether no call will ever be counted here any more."""
        is_gone = self._recorder is not None and self._recorder() is None
        return is_gone and not self._former

    def take_over(self, former: Woven) -> None:
        """Count the calls of another one, which has been retired, with one's own.

        Args:
            former: What was woven at the same join point before.
        """
        self._former += (former,)
        self.calls()

    def watch(self, look: Callable[[], object]) -> None:
        """Call `look` at calls that are new to the recorder, the first one among them."""
        self.recorders[0].look = look

    def retire(self) -> None:
        """Let go of what was recorded once no call runs the code any more."""
        for recorder in self.recorders:
            recorder.look = None
            recorder.store.retire(recorder.probe, recorder)
        # The recorders live as long as code that has them; only their count is of interest now.
        self._recorder = weakref.ref(self.recorders[0])
        _RETIRED.add(self)
        self.recorders = ()
        self.countdown = None
        del self.aspect, self.code

    def is_in(self, code: CodeType) -> bool:
        """Whether the statements are in some code: it may be a changed copy of what was woven."""
        return any(each in code.co_consts for each in self.recorders)

    def disarm(self) -> None:
        """Record nothing any more, though somebody may still run the code."""
        for recorder in self.recorders:
            recorder.disarm()


# They know of calls that the store knows of no more.
_RETIRED: Final[weakref.WeakSet[Woven]] = weakref.WeakSet()


def _begin_children() -> None:
    for woven in tuple(_RETIRED):
        woven._begin_child()  # noqa: SLF001 - a part of it, outside it for the weak set


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_children)


def weave(
    aspects: Iterable[Aspect], source: str | Source | None = None
) -> list[Woven | CompileError]:
    """Weave some join points.

    Args:
        aspects: What is wanted, of functions; one without a function is woven into its code or
            not at all.
        source: What the codes come from, where it need not be looked for.

    Returns:
        For each what was woven, or why nothing could be, in their order.
    """
    wanted = list(aspects)
    by_file: dict[str, list[Aspect]] = {}
    for aspect in wanted:
        by_file.setdefault(aspect.known_code.co_filename, []).append(aspect)
    results: dict[int, Woven | CompileError] = {}
    for group in by_file.values():
        results |= _File(group, source).weave()
    return [results[id(aspect)] for aspect in wanted]


def weave_callable(aspect: Aspect) -> tuple[FunctionType, Woven]:
    """Make a function that calls a callable of another kind, with the statements around the call.

    Args:
        aspect: What is wanted; it has no code.

    Raises:
        CompileError: As `Aspect.parts`, or an action is unknown.
    """
    shape = shape_of(aspect)
    recorders = shape.recorders(aspect)
    own = shape.constants(aspect, recorders, aspect.function)
    code = _calling(aspect, shape)
    named = filled(unfilled(code, code), code, own, shape.common)
    return FunctionType(named, {"__builtins__": __builtins__}), Woven(
        aspect, named, recorders, "it is no function", countdown_among(own.values())
    )


class _File:
    """Some join points of one file.

    Args:
        aspects: What is wanted.
        source: What they come from, where it need not be looked for.
    """

    def __init__(self, aspects: Sequence[Aspect], source: str | Source | None = None) -> None:
        self._aspects = aspects
        self._source = source if isinstance(source, Source) else Source(lambda: self._text(source))

    def weave(self) -> dict[int, Woven | CompileError]:
        """Give for the id of each aspect what was woven, or why nothing could be."""
        results: dict[int, Woven | CompileError] = {}
        for now in self._rounds(results):
            for aspect, result in zip(now, self._inlined(now), strict=True):
                try:
                    results[id(aspect)] = _bound(aspect, result)
                except CompileError as error:
                    results[id(aspect)] = error
        return results

    def _rounds(self, results: dict[int, Woven | CompileError]) -> list[list[Aspect]]:
        """Give the aspects such that in each round those of one definition are of one shape.

        Args:
            results: Gets the mistake of what has no shape.
        """
        fine: list[Aspect] = []
        for aspect in self._aspects:
            try:
                shape_of(aspect)
            except CompileError as error:
                results[id(aspect)] = error
            else:
                fine.append(aspect)
        keys = [key_of(each.known_code) for each in fine]
        if len({*keys}) == len(keys):
            return [fine] if fine else []
        groups: dict[Key, list[Aspect]] = {}
        for key, aspect in zip(keys, fine, strict=True):
            groups.setdefault(key, []).append(aspect)
        rounds: list[list[Aspect]] = []
        for alike in groups.values():
            # Functions made by one definition may be wanted in several ways, or in the same.
            numbers = {id(shape_of(each)): 0 for each in alike}
            for number, shape in enumerate(reversed(numbers)):
                if number == len(rounds):
                    rounds.append([])
                rounds[number] += [each for each in alike if id(shape_of(each)) == shape]
        return rounds

    def tree(self) -> Function:
        """Give the woven tree of the one aspect there is."""
        return woven_tree(self._aspects[0], self._source.text or "")

    def _inlined(self, aspects: Sequence[Aspect]) -> list[Unfilled | str]:
        """Give each one's code with the statements in it, or why there is none."""
        # A decorator makes many functions of one definition.
        known = [shape_of(each).known(each.known_code) for each in aspects]
        new = [each for each, found in zip(aspects, known, strict=True) if found is None]
        made = iter(inlined(new, self._source) if new else ())
        results = [next(made) if found is None else found for found in known]
        for aspect, result in zip(aspects, results, strict=True):
            if aspect.function is not None:
                shape_of(aspect).know(aspect.known_code, result)
        return results

    def _text(self, text: str | None) -> str | None:
        if text is None:
            first = self._aspects[0]
            namespace = getattr(first.function, "__globals__", {})
            text = source_of(first.known_code, namespace)
        return text


def _can_be_made(aspect: Aspect, reason: str) -> bool:
    """Whether code that has no function yet may call the original all the same.

    A function inside another one comes and goes: there is none to wait for.
    """
    return "<locals>" in aspect.known_code.co_qualname and reason not in {READ, NOT_YET}


def _bound(aspect: Aspect, inline: Unfilled | str) -> Woven:
    """Give code its objects; where the statements cannot be inside, they are around a call."""
    reason, made = (inline, None) if isinstance(inline, str) else ("", inline)
    is_made_later = bool(reason) and aspect.function is None
    if is_made_later and not _can_be_made(aspect, reason):
        raise CompileError(reason)
    shape = shape_of(aspect)
    recorders = shape.recorders(aspect)
    function = aspect.function if reason else None
    call = copied(function) if isinstance(function, FunctionType) else None
    made = made or unfilled(_calling(aspect, shape), aspect.known_code)
    own = shape.constants(aspect, recorders, call)
    finished = filled(made, aspect.known_code, own, shape.common)
    if is_made_later:
        finished = embed(finished, {id(next(codes_in(finished))): aspect.known_code})
    aspect.forget()
    known = aspect if reason else _let_go(aspect)
    return Woven(known, finished, recorders, reason, countdown_among(own.values()))


def _let_go(aspect: Aspect) -> Aspect:
    """Keep nothing of what a function has around it, such as its class, for its text alone."""
    function = aspect.function
    if not isinstance(function, FunctionType) or not function.__closure__:
        return aspect
    cells = tuple(CellType() for _ in function.__closure__)
    bare = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, cells
    )
    bare.__kwdefaults__ = function.__kwdefaults__
    return replaced(aspect, function=bare)


def _calling(aspect: Aspect, shape: Shape) -> CodeType:
    """Compile code that has the statements around a call of the original.

    Raises:
        CompileError: The code cannot have the original's place.
    """
    function = _calling_tree(aspect)
    put = weave_body(function, shape.template, aspect.named, function.lineno)
    free = aspect.code.co_freevars if aspect.code else ()
    code = put.finished(inner_code(function, free))
    for tree in put.trees:
        tree.give_back()
    if code.co_freevars != free:
        raise CompileError(f"{aspect.target}: no other code has its variables")
    return code


def _read_by_people(text: str) -> str:
    """Write names for what stands among the constants, and no value that is only taken out."""
    constant = re.escape(CONSTANT.encode("unicode_escape").decode())
    text = re.sub(rf"'{constant}(\w+)'", lambda found: found[1], text)
    return re.sub(r"\b(return|yield) \((_obs\w+) := \2\)", r"\1 \2", text)


def _calling_tree(aspect: Aspect) -> Function:
    template = shape_of(aspect).template
    line = aspect.code.co_firstlineno if aspect.code else 1
    return calling_function(passing_text(aspect), template, line)
