"""Aspects come in, woven code goes out: the function's own, with the statements inside.

    the code's source -> its definition (definitions) -> the same code, as proof (code)
        -> the statements in its tree (shape, body) -> woven code, with its constants (code)

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
    FILENAME,
    codes_in,
    compiled,
    embed,
    inner_code,
    key_of,
    quietly,
    unmarked,
    with_constants,
)
from ancestry_obs.compiler.definitions import Definitions, decorators
from ancestry_obs.compiler.lines import first_line, settled
from ancestry_obs.compiler.shape import shape_of
from ancestry_obs.compiler.sources import source_of
from ancestry_obs.compiler.statements import passing_text
from ancestry_obs.compiler.visibility import looks_at_locals
from ancestry_obs.exceptions import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ancestry_obs.compiler.aspect import Aspect
    from ancestry_obs.compiler.body import Function
    from ancestry_obs.compiler.definitions import Key
    from ancestry_obs.compiler.recorder import Recorder
    from ancestry_obs.compiler.shape import Shape

__all__ = ["Woven", "weave", "weave_callable"]

# What reads a function's bytecode, at once or later, finds the statements' objects in it.
_READ_CODE: Final = frozenset({"cfunc", "guvectorize", "jit", "njit", "stencil", "vectorize"})
_READ: Final = "what reads its code must find its own"
# The name leads to the getter; these have names of their own, ``name.fset`` and ``name.fdel``.
_OTHER_ACCESSORS: Final = frozenset({"deleter", "setter"})
_STANDS_FOR: Final = re.compile(rf"'{re.escape(CONSTANT.encode('unicode_escape').decode())}(\w+)'")


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
        return _STANDS_FOR.sub(lambda found: found[1], text)

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
        by_file.setdefault(_code_of(aspect).co_filename, []).append(aspect)
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
        self._reasons: dict[int, str] = {}
        self._codes: dict[int, CodeType] = {}

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
                group = groups.setdefault(key_of(_code_of(aspect)), {})
                group.setdefault(id(shape), []).append(aspect)
        waiting = {key: list(group.values()) for key, group in groups.items()}
        while waiting:
            now = [waiting[key] for key in waiting if not _is_inside(key, waiting)]
            self._inline([alike[-1] for alike in now])
            for alike in now:
                results |= self._woven(alike.pop())
            waiting = {key: alike for key, alike in waiting.items() if alike}
        return results

    def tree(self) -> Function:
        """Give the woven tree of the one aspect there is."""
        _, (woven,) = self._trees([self._aspects])
        return woven

    def _woven(self, alike: Sequence[Aspect]) -> dict[int, Woven | CompileError]:
        made: dict[int, Woven | CompileError] = {}
        for aspect in alike:
            try:
                made[id(aspect)] = self._bound(aspect)
            except CompileError as error:
                made[id(aspect)] = error
        return made

    def _bound(self, aspect: Aspect) -> Woven:
        shape, code = shape_of(aspect), self._codes.get(id(aspect))
        reason = self._reasons.get(id(aspect), "")
        is_made_later = code is None and aspect.function is None
        if is_made_later and not _can_be_made(aspect, reason):
            raise CompileError(reason)
        recorders = shape.recorders(aspect)
        call = None if code or is_made_later else _copy(aspect.function)
        constants = shape.constants(aspect, recorders, call)
        finished = with_constants(code or _calling(aspect, shape), _code_of(aspect), constants)
        if is_made_later:
            finished = embed(finished, {id(next(codes_in(finished))): _code_of(aspect)})
        return Woven(aspect if reason else _let_go(aspect), finished, recorders, reason)

    def _inline(self, groups: Sequence[Sequence[Aspect]]) -> None:
        """Weave what can be woven into its source; for the others the reason is kept."""
        try:
            self._inline_together(groups)
        # Python's limits: blocks in blocks, and how deep a tree may be.
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if len(groups) == 1:
                reason = f"Python compiles no statements into it: {error}"
                self._reasons.update((id(aspect), reason) for aspect in groups[0])
                return
            half = len(groups) // 2
            self._inline(groups[:half])
            self._inline(groups[half:])

    def _inline_together(self, groups: Sequence[Sequence[Aspect]]) -> None:
        definitions, _ = self._trees(groups)
        if definitions is None:
            return
        codes = {key_of(code): code for code in codes_in(compiled(definitions.tree()))}
        for aspect in (each for group in groups for each in group):
            if id(aspect) in self._reasons:
                continue
            original = _code_of(aspect)
            code = codes.get(definitions.compiled[key_of(original)])
            if code is None or code.co_freevars != original.co_freevars:
                self._reasons[id(aspect)] = "statements inside would change its variables"
            else:
                self._codes[id(aspect)] = settled(code)

    def _trees(
        self, groups: Sequence[Sequence[Aspect]]
    ) -> tuple[Definitions | None, list[Function]]:
        """Put the statements into the definitions of groups whose functions are proven."""
        every = [aspect for group in groups for aspect in group]
        try:
            definitions = self._definitions(every[0])
        except _NoProofError as failure:
            self._reasons.update((id(aspect), str(failure)) for aspect in every)
            return None, []
        self._prove(definitions, every)
        woven = []
        for group in groups:
            proven = [aspect for aspect in group if id(aspect) not in self._reasons]
            if proven:
                first = proven[0]
                woven.append(definitions.found[key_of(_code_of(first))])
                template, line = shape_of(first).template, first_line(_code_of(first))
                weave_body(woven[-1], template, first.signature.names, line)
        return definitions, woven

    def _prove(self, definitions: Definitions, aspects: Sequence[Aspect]) -> None:
        """Compile the untouched source: what gives the very code that runs can be woven."""
        present = {id(each) for each in aspects if definitions.want(key_of(_code_of(each)))}
        codes: dict[Key, list[CodeType]] = {}
        for each in codes_in(compiled(definitions.tree())):
            codes.setdefault(key_of(each), []).append(each)
        for aspect in aspects:
            code = _code_of(aspect)
            key = key_of(code)
            if id(aspect) not in present:
                self._reasons[id(aspect)] = "its definition is not in its source"
            elif unmarked(code) not in codes.get(key, ()):
                self._reasons[id(aspect)] = "its source gives other code than what runs"
            elif aspect.function is None and not _keeps_function(definitions.found[key], aspect):
                self._reasons[id(aspect)] = _READ
            elif seen := looks_at_locals(
                definitions.found[key], code.co_names, definitions.other_names
            ):
                self._reasons[id(aspect)] = f"it could see the statements' variables by {seen}"

    def _definitions(self, any_of_them: Aspect) -> Definitions:
        text, code = self._source, _code_of(any_of_them)
        if text is None:
            text = source_of(code, getattr(any_of_them.function, "__globals__", {}))
        if text is None:
            raise _NoProofError("its source is not there")
        try:
            with quietly():
                return Definitions(text, FILENAME)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise _NoProofError(f"its source is no Python: {error}") from error


def _keeps_function(node: Function, aspect: Aspect) -> bool:
    """Whether code can be woven into that is no function yet, as far as its definition tells.

    Whatever a decorator makes of it, its calls count until the name is there; then it is seen to
    which function the name leads.
    """
    names = decorators(node)
    # What a class calls without the instance is known when the class is there.
    is_other = (aspect.is_method and "staticmethod" in names) or names & _OTHER_ACCESSORS
    return not is_other and (aspect.is_definition or names.isdisjoint(_READ_CODE))


def _can_be_made(aspect: Aspect, reason: str) -> bool:
    """Whether code that has no function yet may call the original all the same.

    A function inside another one comes and goes: there is none to wait for.
    """
    return "<locals>" in _code_of(aspect).co_qualname and reason != _READ


def _is_inside(key: Key, others: Iterable[Key]) -> bool:
    """Whether a function is inside one of the others, whose tree would then have both woven."""
    name = key[0]
    if "<locals>" not in name:
        return False
    return any(name.startswith(f"{other}.<locals>.") for other, _ in others)


class _NoProofError(Exception):
    """No code of a file can be proven; the message says why."""


def _code_of(aspect: Aspect) -> CodeType:
    assert aspect.code is not None  # noqa: S101 - a callable without code is woven otherwise
    return aspect.code


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


def _copy(function: object) -> FunctionType:
    """Make a function that is what the original was before its code was exchanged."""
    assert isinstance(function, FunctionType)  # noqa: S101 - others have no code
    # Its defaults are not needed: the woven code passes every argument on.
    return FunctionType(
        function.__code__, function.__globals__, function.__name__, None, function.__closure__
    )


def _calling(aspect: Aspect, shape: Shape) -> CodeType:
    """Compile code that has the statements around a call of the original.

    Raises:
        CompileError: The code cannot have the original's place.
    """
    function = _calling_tree(aspect)
    weave_body(function, shape.template, aspect.signature.names, function.lineno)
    free = aspect.code.co_freevars if aspect.code else ()
    code = settled(inner_code(function, free))
    if code.co_freevars != free:
        raise CompileError(f"{aspect.target}: no other code has its variables")
    return code


def _calling_tree(aspect: Aspect) -> Function:
    template = shape_of(aspect).template
    line = aspect.code.co_firstlineno if aspect.code else 1
    return calling_function(passing_text(aspect), template, line)
