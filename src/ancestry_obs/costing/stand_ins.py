"""Stand-ins: functions that do nothing but give what a captured call gave, plain and woven.

A stand-in takes what its target takes, is of the same kind, and is woven in the same way with the
same aspect, so that the map's expressions meet the values of a real call. What the woven one takes
longer than the plain one is the price of one call.
"""

from __future__ import annotations

import inspect
from inspect import Signature
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.code_facts import KEYWORD_ONLY, VAR_KEYWORD, VAR_POSITIONAL
from ancestry_obs.compiler import weave, weave_callable
from ancestry_obs.compiler.signature import signature_of
from ancestry_obs.costing.between import work
from ancestry_obs.costing.capturing_map import without_captures
from ancestry_obs.exceptions import CompileError
from ancestry_obs.frozen import define, replaced
from ancestry_obs.patcher.definitions_in import functions_with
from ancestry_obs.patcher.proxies import WovenProxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FunctionType

    from ancestry_obs.compiler import Aspect, Woven
    from ancestry_obs.costing.captures import Captured

__all__ = ["StandIns", "shown_signature", "stand_ins"]

_FILE: Final = "<stand-in>"
_OUTCOME: Final = "_ancestry_obs_outcome"
_WORK: Final = "_ancestry_obs_work"


@define()
class StandIns:
    """Two functions that do the same, the one measured, the other not.

    Args:
        plain: calls the one that is not measured, so many times.
        woven: calls the one that is.
        forget: lets the measured one forget which labels it has seen.
    """

    plain: Callable[[int], object]
    woven: Callable[[int], object]
    forget: Callable[[], None]


def stand_ins(
    woven: Woven, way: str, shown: Signature | None, call: Captured, work_steps: tuple[int, int]
) -> StandIns:
    """Make the stand-ins for one call of a target.

    Args:
        woven: what is woven at the target.
        way: how it is woven, as in a target's status.
        shown: what `shown_signature` gave for it.
        call: the call whose outcome they give.
        work_steps: how much work is done in a call, and how much between two (see `between`).

    Raises:
        CompileError: the aspect cannot be woven into a stand-in.
    """
    aspect = woven.aspect
    within, outside = work_steps
    source = _source(aspect, call, within)
    plain, function = _made(source, call), _made(source, call)
    function.__signature__ = shown  # type: ignore[attr-defined]  # `inspect` asks for it
    wanted = replaced(aspect, advices=tuple(map(without_captures, aspect.advices)), inner_test=None)
    measured: Any = function
    if aspect.code is None:
        calling, made = weave_callable(replaced(wanted, function=function))
        measured = WovenProxy(function, calling)
    else:
        wanted = replaced(wanted, code=function.__code__, function=function)
        result = weave([wanted], source if way == "inline" else "")[0]
        if isinstance(result, CompileError):
            raise result
        made, function.__code__ = result, result.code
    arguments, keywords = _passed(plain.__code__, call.arguments)
    run = _RUNS[aspect.kind]

    def forget() -> None:
        for recorder in made.recorders:
            recorder.forget()

    return StandIns(
        lambda times: run(plain, arguments, keywords, outside, times),
        lambda times: run(measured, arguments, keywords, outside, times),
        forget,
    )


def _source(aspect: Aspect, call: Captured, steps: int) -> str:
    kind, has_failed = aspect.kind, call.error is not None
    is_asynchronous = kind in {"coroutine", "async_generator"}
    lines = [
        f"{'async def' if is_asynchronous else 'def'} stand_in({aspect.signature.definition}):"
    ]
    if kind.endswith("generator"):
        lines.append("    if 0: yield")
    if steps:
        lines.append(f"    {_WORK}({steps})")
    if has_failed:
        # An exception that is raised again and again would have an ever longer traceback.
        lines.append(f"    raise {_OUTCOME}.with_traceback(None)")
    else:
        lines.append("    return" if kind == "async_generator" else f"    return {_OUTCOME}")
    return "\n".join([*lines, ""])


def _made(source: str, call: Captured) -> FunctionType:
    names: dict[str, Any] = {
        _OUTCOME: call.result if call.error is None else call.error,
        _WORK: work,
    }
    exec(compile(source, _FILE, "exec", dont_inherit=True), names)  # noqa: S102  the text is ours
    function: FunctionType = names["stand_in"]
    return function


def shown_signature(woven: Woven) -> Signature | None:
    """Give the signature that a target shows: expressions may name parameters of it."""
    shown: Any = next(iter(functions_with([woven.code])), woven.aspect.function)
    try:
        return inspect.signature(shown)
    except (TypeError, ValueError):
        return None


def _passed(code: CodeType, values: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Give what is passed by position and by name, so that the parameters have those values."""
    arguments: list[Any] = []
    keywords: dict[str, Any] = {}
    for (name, kind), value in zip(signature_of(code).parameters, values, strict=True):
        if kind == VAR_POSITIONAL:
            arguments += value
        elif kind == VAR_KEYWORD:
            keywords |= value
        elif kind == KEYWORD_ONLY:
            keywords[name] = value
        else:
            arguments.append(value)
    return tuple(arguments), keywords


# What a captured call raised, its stand-in raises.
def _call(function: Any, arguments: Any, keywords: Any, steps: int, times: int) -> None:  # noqa: ANN401  as captured
    for _ in repeat(None, times):
        work(steps)
        try:  # noqa: SIM105  that takes longer than the call
            function(*arguments, **keywords)
        except BaseException:  # noqa: BLE001, S110  the captured call's; the other is slow
            pass


def _step(function: Any, arguments: Any, keywords: Any, steps: int, times: int) -> None:  # noqa: ANN401  as captured
    for _ in repeat(None, times):
        work(steps)
        try:  # noqa: SIM105  that takes longer than the call
            function(*arguments, **keywords).send(None)
        except BaseException:  # noqa: BLE001, S110  as above
            pass


def _step_first(function: Any, arguments: Any, keywords: Any, steps: int, times: int) -> None:  # noqa: ANN401  as captured
    for _ in repeat(None, times):
        work(steps)
        try:  # noqa: SIM105  that takes longer than the call
            function(*arguments, **keywords).asend(None).send(None)
        except BaseException:  # noqa: BLE001, S110  as above
            pass


# A generator ends as a coroutine does, with StopIteration.
_RUNS: Final[dict[str, Callable[[Any, Any, Any, int, int], None]]] = {
    "function": _call,
    "coroutine": _step,
    "generator": _step,
    "async_generator": _step_first,
}
