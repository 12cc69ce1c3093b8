"""Calls of targets, as they begin and end: of some the arguments and the outcome are kept.

The functions here are label functions of a map that `capturing_map` has made. The calls that are
kept are the 1st, 2nd, 4th, 8th and so on: from the whole run, few, whatever the number of calls.
What is kept lives as long as the process.
"""

from __future__ import annotations

import os
import sys
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.compiler.recorder import Recorder
from ancestry_obs.compiler.signature import signature_of
from ancestry_obs.frozen import define, field

if TYPE_CHECKING:
    from types import CodeType, FrameType

__all__ = ["Captured", "Captures", "begun", "captures", "raised", "returned"]


@define()
class Captured:
    """One call.

    Args:
        arguments: the values of the parameters in their order, as the call began.
        seconds: how long it took.
        result: what it returned.
        error: what it raised; None where it returned.
        context: what was set around it, such as a running span, which the map may ask for.
    """

    arguments: tuple[Any, ...]
    seconds: float
    result: object
    error: BaseException | None
    context: Context = field(default_factory=copy_context)


@define()
class Captures:
    """The calls of one target.

    Args:
        calls: how many have begun.
        misses: how many had labels that were not remembered from a call before.
        kept: those that are kept.
        under_way: the arguments of calls that are to be kept, by the frame.
    """

    calls: int = 0
    misses: int = 0
    kept: list[Captured] = field(default_factory=list)
    under_way: dict[FrameType, tuple[Any, ...]] = field(default_factory=dict)


captures: Final[dict[str, Captures]] = {}
"""By the target."""
# By id, with the code that keeps it: a code's hash is that of all its constants.
_of_code: Final[dict[int, tuple[CodeType, Captures | None]]] = {}


def begun(_: object) -> bool:
    """Note that a call begins; there is nothing to record."""
    frame = _target_of(sys._getframe(1))  # noqa: SLF001  there is no other way to the call
    found = _captures_of(frame)
    if found is not None:
        found.calls += 1
        # Powers of two have one bit.
        if not found.calls & (found.calls - 1):
            found.under_way[frame] = _arguments(frame)
    return False


def returned(seconds: float, result: object) -> bool:
    """Note that a call has returned; there is nothing to record."""
    _end(sys._getframe(1), seconds, result, None)  # noqa: SLF001  as above
    return False


def raised(seconds: float, error: BaseException) -> bool:
    """Note that a call has raised; there is nothing to record."""
    _end(sys._getframe(1), seconds, None, error)  # noqa: SLF001  as above
    return False


def _end(caller: FrameType, seconds: float, result: object, error: BaseException | None) -> None:
    frame = _target_of(caller)
    found = _captures_of(frame)
    arguments = None if found is None else found.under_way.pop(frame, None)
    if found is not None and arguments is not None:
        found.kept.append(Captured(arguments, seconds, result, error))


def _target_of(frame: FrameType) -> FrameType:
    """Give the frame of the target: a condition may be evaluated in a function of the toolkit's."""
    while not _recorders(frame.f_code):
        outer = frame.f_back
        if outer is None:
            break
        frame = outer
    return frame


def _recorders(code: CodeType) -> list[Recorder]:
    return [each for each in code.co_consts if isinstance(each, Recorder)]


def _captures_of(frame: FrameType) -> Captures | None:
    code = frame.f_code
    known = _of_code.get(id(code))
    if known is None:
        recorders = _recorders(code)
        target = recorders[0].probe.target if recorders else ""
        found = captures.setdefault(target, Captures()) if target else None
        if found is not None:
            _count_misses(found, recorders)
        known = _of_code[id(code)] = code, found
    return known[1]


def _count_misses(found: Captures, recorders: list[Recorder]) -> None:
    """Count the look-ups that miss, at the stream that counts the calls."""
    recorder = max(recorders, key=lambda each: len(each.stream.labels))
    before = recorder.look

    def look() -> None:
        found.misses += 1
        if before is not None:
            before()

    recorder.look = look


def _begin_child() -> None:
    # What the parent has captured is its own to tell.
    captures.clear()
    _of_code.clear()


os.register_at_fork(after_in_child=_begin_child)


def _arguments(frame: FrameType) -> tuple[Any, ...]:
    values = frame.f_locals
    return tuple([values[name] for name in signature_of(frame.f_code).names])
