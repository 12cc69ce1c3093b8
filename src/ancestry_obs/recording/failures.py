"""Whose an exception is that comes out of what the map has us do: the map's, or the program's.

What the map's own code raises (a label, a value, a condition, a sample, a hook) never reaches the
program. What comes from outside always does: what a signal handler raises, a tracer, Ctrl-C, an
exception that another thread has set. They come out of the same lines; the traceback tells them
apart.

- Python calls signal handlers and tracers with the frame that they interrupt: a function that has
  the frame below it among its arguments was not called by that.
- Between two instructions Python looks for what has come from outside at the beginning of a
  function, at a jump backwards and after a call. At the first two nothing else can raise.
- After a call it may be either. Then it is the map's, but for `KeyboardInterrupt`, which nothing
  that is written in C raises by itself, and for an exception without any argument, as those are
  that another thread has set: what raised it is done again, and if it is fine then it was not that.

Source: CPython's evaluation loop, which looks at RESUME, JUMP_BACKWARD and the CALLs.
"""

from __future__ import annotations

from opcode import opmap
from threading import get_ident, main_thread
from typing import TYPE_CHECKING, Final

from ancestry_obs.code_facts import CO_VARARGS

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from ancestry_obs.notices import Notices

__all__ = ["NO_ROOM", "came_from_outside", "has_been_given", "is_from_outside", "shown", "warn"]

NO_ROOM: Final = (RecursionError, MemoryError)
"""What may come of anything that is done at all, where the program has used up what there is."""

_TRACEBACK: Final = vars(BaseException)["__traceback__"]
_RAISE: Final = opmap["RAISE_VARARGS"]
# A number or a name comes first.
_LEAST_GIVEN: Final = 2
_LOOKS: Final = frozenset(
    code for name, code in opmap.items() if name == "RESUME" or "JUMP_BACKWARD" in name
)
_CALLS: Final = frozenset(code for name, code in opmap.items() if name.startswith("CALL"))


def is_from_outside(error: BaseException) -> bool | None:
    """Tell whether an exception came from outside of what raised it.

    Args:
        error: The exception, with the traceback that it has where it was caught.

    Returns:
        True if it is to reach the program, False if not; None if that has to be tried.
    """
    # Not by the attribute: a class of the program's may have one of its own.
    traceback: TracebackType | None = _TRACEBACK.__get__(error)
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        after = traceback.tb_next
        if _operation(traceback) in _LOOKS or has_been_given(after.tb_frame, traceback.tb_frame):
            return True
        traceback = after
    operation = _operation(traceback)
    if isinstance(error, KeyboardInterrupt):
        # Ctrl-C may come in the midst of any instruction that calls C.
        return operation != _RAISE
    if operation in _CALLS:
        return False if error.args else None
    return operation in _LOOKS


def came_from_outside(error: BaseException) -> bool:
    """Tell the same of what is not to be tried again: a sample, an import.

    In doubt it is their own. Signals interrupt the main thread alone; a scrape in the exporter's
    thread is nobody's whom an exception would be meant for.

    Args:
        error: As for `is_from_outside`.
    """
    if get_ident() != main_thread().ident:
        return False
    return is_from_outside(error) is True


def _operation(traceback: TracebackType) -> int:
    return traceback.tb_frame.f_code.co_code[traceback.tb_lasti]


def has_been_given(frame: FrameType, interrupted: FrameType) -> bool:
    """Tell whether a frame is that of a signal handler or a tracer, as Python calls them.

    Args:
        frame: A function's.
        interrupted: The one below it.
    """
    code = frame.f_code
    # Most functions that are asked about are properties: they take less than what is interrupted.
    if code.co_argcount < _LEAST_GIVEN and not code.co_flags & CO_VARARGS:
        return False
    variables = frame.f_locals
    for name in code.co_varnames[: code.co_argcount]:
        if variables.get(name) is interrupted:
            return True
    more = code.co_argcount + code.co_kwonlyargcount
    spread = variables.get(code.co_varnames[more], ()) if code.co_flags & CO_VARARGS else ()
    # No generator: what interrupts one as it is closed goes nowhere.
    for each in spread if type(spread) is tuple else ():  # noqa: SIM110 - as said
        if each is interrupted:
            return True
    return False


def shown(error: BaseException) -> str:
    """Give type and text of an exception, as far as it can be shown.

    Args:
        error: One that the map's code has raised.

    Raises:
        BaseException: What comes from outside meanwhile.
    """
    name: str = type.__dict__["__name__"].__get__(type(error))
    try:
        text = f"{error}"
    except BaseException as another:
        if is_from_outside(another):
            raise
        return f"{name}, which cannot be shown"
    return f"{name}: {text}" if text else name


def warn(
    log: Notices, message: str, *details: object, traceback_of: BaseException | None = None
) -> None:
    """Log a warning; a log of the program's that fails costs the program nothing.

    Args:
        log: Where to.
        message: What to say.
        details: What is put into it.
        traceback_of: An exception whose traceback is logged, too.

    Raises:
        BaseException: What comes from outside meanwhile.
    """
    try:
        log.warning(message, *details, exc_info=traceback_of)
    except BaseException as error:
        if is_from_outside(error):
            raise
