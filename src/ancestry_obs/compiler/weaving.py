"""Aspects come in, woven code goes out: the function's own, with the statements inside.

    the code's source -> the same code with the statements in it (inlining) -> its objects (shape)

Where that is not possible the woven code calls the original, and says why. Nothing is exchanged
here: who gives the code to the function, and takes it away again, is the patcher.
"""

from __future__ import annotations

import ast
import re
import weakref
from dataclasses import dataclass, replace
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Final

from ancestry_obs.compiler.body import calling_function, weave_body
from ancestry_obs.compiler.code import (
    CONSTANT,
    codes_in,
    copied,
    embed,
    inner_code,
    key_of,
    with_constants,
)
from ancestry_obs.compiler.inlining import READ, inlined, woven_tree
from ancestry_obs.compiler.shape import shape_of
from ancestry_obs.compiler.sources import source_of
from ancestry_obs.compiler.statements import passing_text
from ancestry_obs.exceptions import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ancestry_obs.compiler.aspect import Aspect
    from ancestry_obs.compiler.body import Function
    from ancestry_obs.compiler.definitions import Key
    from ancestry_obs.compiler.recorder import Recorder
    from ancestry_obs.compiler.shape import Shape

__all__ = ["Woven", "weave", "weave_callable"]

_STANDS_FOR: Final = re.compile(rf"'{re.escape(CONSTANT.encode('unicode_escape').decode())}(\w+)'")

_TAKEN_OUT: Final = re.compile(r"return \((_obs\w+) := \1\)")


@dataclass(eq=False)
class Woven:
    """What was woven at one join point, and what is known of it.

    Args:
        aspect: What was wanted.
        code: The woven code.
        recorders: What records there; each call leaves one float at the first one.
        why_called: Why the original is called instead of being woven into; empty where it is not.
    """

    aspect: Aspect
    code: CodeType
    recorders: Sequence[Recorder]
    why_called: str = ""

    def __post_init__(self) -> None:
        self._calls = self.recorders[0].probe
        self._recorder = weakref.ref(self.recorders[0])
        self._before = 0
        self._former: list[Woven] = []

    @property
    def source(self) -> str:
        """The function with the statements in it, as Python."""
        if self.why_called:
            tree = _calling_tree(self.aspect)
            weave_body(tree, shape_of(self.aspect).template, self.aspect.signature.names, 1)
        else:
            tree = _File([self.aspect]).tree()
        text = ast.unparse(ast.fix_missing_locations(tree))
        return _TAKEN_OUT.sub(r"return \1", _STANDS_FOR.sub(lambda found: found[1], text))

    @property
    def parts(self) -> tuple[object, ...]:
        """What of it holds the callable that it calls."""
        return self.aspect, self.code.co_consts

    def calls(self) -> int:
        """Count the calls so far, exactly; calls that were left out as inner ones are not in it."""
        # One whose recorder is gone counts nothing more, and need not be kept.
        for each in [each for each in self._former if each.is_over]:
            self._before += each.calls()
            self._former.remove(each)
        return self._calls.observed() + self._before + sum(each.calls() for each in self._former)

    @property
    def is_over(self) -> bool:
        """Whether no call will ever be counted here any more."""
        return self._recorder() is None and not self._former

    def take_over(self, former: Woven) -> None:
        """Count the calls of another one, which has been retired, with one's own.

        Args:
            former: What was woven at the same join point before.
        """
        self._former.append(former)
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
        self.recorders = ()
        del self.aspect, self.code

    def is_in(self, code: CodeType) -> bool:
        """Whether the statements are in some code: it may be a changed copy of what was woven."""
        return any(each in code.co_consts for each in self.recorders)

    def disarm(self) -> None:
        """Record nothing any more, though somebody may still run the code."""
        for recorder in self.recorders:
            recorder.disarm()


def weave(aspects: Iterable[Aspect], source: str | None = None) -> list[Woven | CompileError]:
    """Weave some join points.

    Args:
        aspects: What is wanted, of functions; one without a function is woven into its code or
            not at all.
        source: The text that the codes come from, where it need not be looked for.

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
    constants = shape.constants(aspect, recorders, aspect.function)
    code = _calling(aspect, shape)
    named = with_constants(code, code, constants)
    return FunctionType(named, {"__builtins__": __builtins__}), Woven(
        aspect, named, recorders, "it is no function"
    )


class _File:
    """Some join points of one file.

    Args:
        aspects: What is wanted.
        source: The text of the file, where it need not be looked for.
    """

    def __init__(self, aspects: Sequence[Aspect], source: str | None = None) -> None:
        self._aspects = aspects
        self._source = source

    def weave(self) -> dict[int, Woven | CompileError]:
        """Give for the id of each aspect what was woven, or why nothing could be."""
        results: dict[int, Woven | CompileError] = {}
        groups: dict[Key, dict[int, list[Aspect]]] = {}
        for aspect in self._aspects:
            try:
                shape = shape_of(aspect)
            except CompileError as error:
                results[id(aspect)] = error
            else:
                # Functions made by one definition may be wanted in several ways, or in the same.
                group = groups.setdefault(key_of(aspect.known_code), {})
                group.setdefault(id(shape), []).append(aspect)
        waiting = [list(group.values()) for group in groups.values()]
        while waiting:
            now = [aspect for alike in waiting for aspect in alike.pop()]
            for aspect, result in zip(now, self._inlined(now), strict=True):
                try:
                    results[id(aspect)] = _bound(aspect, result)
                except CompileError as error:
                    results[id(aspect)] = error
            waiting = [alike for alike in waiting if alike]
        return results

    def tree(self) -> Function:
        """Give the woven tree of the one aspect there is."""
        return woven_tree(self._aspects[0], self._text() or "")

    def _inlined(self, aspects: Sequence[Aspect]) -> list[CodeType | str]:
        """Give each one's code with the statements in it, or why there is none."""
        # A decorator makes many functions of one definition.
        known = {id(each): shape_of(each).known(each.known_code) for each in aspects}
        new = [aspect for aspect in aspects if known[id(aspect)] is None]
        text = self._text() if new else None
        if text is None:
            return [known[id(aspect)] or "its source is not there" for aspect in aspects]
        made = {id(new): code for new, code in zip(new, inlined(new, text), strict=True)}
        for aspect in new:
            if aspect.function is not None:
                shape_of(aspect).know(aspect.known_code, made[id(aspect)])
        return [known[id(aspect)] or made[id(aspect)] for aspect in aspects]

    def _text(self) -> str | None:
        if self._source is None:
            first = self._aspects[0]
            namespace = getattr(first.function, "__globals__", {})
            self._source = source_of(first.known_code, namespace)
        return self._source


def _can_be_made(aspect: Aspect, reason: str) -> bool:
    """Whether code that has no function yet may call the original all the same.

    A function inside another one comes and goes: there is none to wait for.
    """
    return "<locals>" in aspect.known_code.co_qualname and reason != READ


def _bound(aspect: Aspect, inline: CodeType | str) -> Woven:
    """Give code its objects; where the statements cannot be inside, they are around a call."""
    reason, code = (inline, None) if isinstance(inline, str) else ("", inline)
    is_made_later = bool(reason) and aspect.function is None
    if is_made_later and not _can_be_made(aspect, reason):
        raise CompileError(reason)
    shape = shape_of(aspect)
    recorders = shape.recorders(aspect)
    function = aspect.function if reason else None
    call = copied(function) if isinstance(function, FunctionType) else None
    constants = shape.constants(aspect, recorders, call)
    finished = with_constants(code or _calling(aspect, shape), aspect.known_code, constants)
    if is_made_later:
        finished = embed(finished, {id(next(codes_in(finished))): aspect.known_code})
    aspect.forget()
    return Woven(aspect if reason else _let_go(aspect), finished, recorders, reason)


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
    return replace(aspect, function=bare)


def _calling(aspect: Aspect, shape: Shape) -> CodeType:
    """Compile code that has the statements around a call of the original.

    Raises:
        CompileError: The code cannot have the original's place.
    """
    function = _calling_tree(aspect)
    put = weave_body(function, shape.template, aspect.signature.names, function.lineno)
    free = aspect.code.co_freevars if aspect.code else ()
    code = put.finished(inner_code(function, free))
    for tree in put.trees:
        tree.give_back()
    if code.co_freevars != free:
        raise CompileError(f"{aspect.target}: no other code has its variables")
    return code


def _calling_tree(aspect: Aspect) -> Function:
    template = shape_of(aspect).template
    line = aspect.code.co_firstlineno if aspect.code else 1
    return calling_function(passing_text(aspect), template, line)
