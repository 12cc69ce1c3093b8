"""Tells an exception that the map's own code raised from one that came into it from outside.

What an expression, a sample or a label function raises is its own failure: it is counted and goes
no further, whatever its class. What comes from outside is the program's business: Ctrl-C, or a time
limit whose signal handler raises in the midst of an expression. Both arrive in the same ``except``;
what differs is where they were raised, which the traceback tells:

- Python runs signal handlers in the main thread only; in any other thread nothing is from outside.
- A handler written in Python has a frame of its own in the traceback.
- Python's own handler of SIGINT has none: `KeyboardInterrupt` stands in the midst of some
  instruction then, and not at a ``raise``. What raises one in C, such as `Task.result` of a task
  that Ctrl-C ended, looks alike and is taken for an interruption: in doubt the program hears of it.

Not seen is who a handler is that is written in C, or that exchanged itself before it raised.
"""

from __future__ import annotations

import threading
from _signal import (  # type: ignore[import-not-found]  # no stubs: `signal` without enumerations
    NSIG,
    SIGINT,
    default_int_handler,
    getsignal,
)
from functools import partial
from opcode import opmap
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["came_from_outside"]

_RAISE: Final = opmap["RAISE_VARARGS"]
_TRACEBACK: Final = vars(BaseException)["__traceback__"]


def came_from_outside(error: BaseException) -> bool:
    """Tell whether an exception is none of the code that it was caught around.

    Args:
        error: What was caught, with its traceback.

    Returns:
        `True` where a signal handler raised it: raise it again. In doubt `True` for a
        `KeyboardInterrupt`, and `False` for all others.
    """
    if threading.get_ident() != threading.main_thread().ident:
        return False
    # Not by the attribute: a class of the program's may have one of its own.
    frames = _frames(_TRACEBACK.__get__(error))
    if type(error) is KeyboardInterrupt and _is_of_ctrl_c(*frames[-1]):
        return True
    codes = {code for code, _ in frames}
    return any(_code_of(handler) in codes for handler in _handlers())


def _frames(traceback: TracebackType | None) -> list[tuple[CodeType, int]]:
    """Give the code and the place in it of each frame, where it was raised last."""
    frames = []
    while traceback is not None:
        frames.append((traceback.tb_frame.f_code, traceback.tb_lasti))
        traceback = traceback.tb_next
    return frames


def _is_of_ctrl_c(code: CodeType, place: int) -> bool:
    return getsignal(SIGINT) is default_int_handler and code.co_code[place] != _RAISE


def _handlers() -> list[Any]:
    # The module `signal` makes an enumeration's member of each answer, which takes 2 µs.
    return [handler for number in range(1, NSIG) if callable(handler := getsignal(number))]


def _code_of(handler: Any) -> CodeType | None:  # noqa: ANN401 - whatever was given to `signal.signal`
    """Find the code that a handler runs."""
    while type(handler) is partial:
        handler = handler.func
    if type(handler) is MethodType:
        handler = handler.__func__
    if type(handler) is not FunctionType:
        handler = getattr(type(handler), "__call__", None)  # noqa: B004 - to have it, not to ask
    return handler.__code__ if type(handler) is FunctionType else None
