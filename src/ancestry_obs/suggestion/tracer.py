"""What Python tells of calls -> a `CallCounter`: the calls of one package in this process.

By `sys.monitoring` from Python 3.12 on, which tells nothing more of a function that is not the
package's; by `sys.setprofile` before.
"""

from __future__ import annotations

import inspect
import sys
from dis import opmap
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.suggestion.call_counter import CallCounter

if TYPE_CHECKING:
    from types import CodeType, FrameType

__all__ = ["Tracer"]

_SUSPENDING: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
# No profiler or debugger has the first of these; there are six.
_TOOL_IDS: Final = (4, 3, 2)
# Python 3.11 has none.
_monitoring: Final[Any] = getattr(sys, "monitoring", None)


class Tracer:
    """Traces this process.

    Args:
        package: A module's or package's name, or ``__main__`` for the program's own file.
    """

    def __init__(self, package: str) -> None:
        self._counter = CallCounter(package)
        self._tool = -1
        self.take = self._counter.take
        self.forget = self._counter.forget

    @property
    def spent(self) -> float:
        """Seconds that went to counting since the beginning."""
        return self._counter.spent / 1e9

    def start(self) -> None:
        """Begin.

        Raises:
            RuntimeError: Every tool of `sys.monitoring` is taken.
        """
        self.forget()
        if _monitoring is not None:
            self._monitor()
        else:
            self._set_profile(self._profile)

    def stop(self) -> None:
        """End; what was counted stays."""
        if _monitoring is None:
            self._set_profile(None)
        elif self._tool >= 0:
            _monitoring.set_events(self._tool, 0)
            for event in self._callbacks():
                _monitoring.register_callback(self._tool, event, None)
            for code, _ in self._counter.codes.values():
                _monitoring.set_local_events(self._tool, code, 0)
            _monitoring.free_tool_id(self._tool)
            self._tool = -1

    @staticmethod
    def _set_profile(function: Any) -> None:  # noqa: ANN401 - of two modules, that differ in type
        import threading  # noqa: PLC0415 - from Python 3.12 on the program need not have it

        threading.setprofile(function)
        sys.setprofile(function)

    def _monitor(self) -> None:
        free = [each for each in _TOOL_IDS if _monitoring.get_tool(each) is None]
        if not free:
            raise RuntimeError("every tool of sys.monitoring is taken")
        self._tool = free[0]
        _monitoring.use_tool_id(self._tool, "ancestry-obs suggest")
        for event, callback in self._callbacks().items():
            _monitoring.register_callback(self._tool, event, callback)
        events = _monitoring.events
        # Those of functions that are traced come one by one; these two cannot.
        wanted = events.PY_START | events.PY_THROW | events.PY_UNWIND
        _monitoring.set_events(self._tool, wanted)
        # What an earlier tracer has switched off.
        _monitoring.restart_events()

    def _callbacks(self) -> dict[int, Any]:
        events = _monitoring.events
        return {
            events.PY_START: self._on_start,
            events.PY_RESUME: self._on_resume,
            events.PY_THROW: self._on_throw,
            events.PY_RETURN: self._on_return,
            events.PY_YIELD: self._on_yield,
            events.PY_UNWIND: self._on_unwind,
        }

    def _on_start(self, code: CodeType, _offset: int) -> object:
        frame = sys._getframe(1)  # noqa: SLF001 - there is no other way to the arguments
        if id(code) not in self._counter.codes:
            if not self._counter.is_wanted(code, frame):
                return _monitoring.DISABLE
            events = _monitoring.events
            mine = events.PY_RETURN | events.PY_YIELD | events.PY_RESUME
            _monitoring.set_local_events(self._tool, code, mine)
        self._counter.enter(code, frame)
        return None

    def _on_resume(self, code: CodeType, _offset: int) -> None:
        if id(code) in self._counter.codes:
            self._counter.push(code)

    def _on_throw(self, code: CodeType, _offset: int, _error: BaseException) -> None:
        if id(code) in self._counter.codes:
            self._counter.push(code)

    def _on_return(self, code: CodeType, _offset: int, result: object) -> None:
        if id(code) in self._counter.codes:
            self._counter.returned(code, result)

    def _on_yield(self, code: CodeType, _offset: int, _value: object) -> None:
        if id(code) in self._counter.codes:
            self._counter.pop(code)

    def _on_unwind(self, code: CodeType, _offset: int, _error: BaseException) -> None:
        if id(code) in self._counter.codes:
            self._counter.raised(code)

    def _profile(self, frame: FrameType, event: str, result: object) -> None:
        """Do the same for what `sys.setprofile` tells."""
        code = frame.f_code
        if event == "call":
            if id(code) not in self._counter.codes and not self._counter.is_wanted(code, frame):
                return
            if code.co_flags & _SUSPENDING and not _begins(code.co_code, frame.f_lasti):
                self._counter.push(code)
            else:
                self._counter.enter(code, frame)
        elif event == "return" and id(code) in self._counter.codes:
            operation = code.co_code[frame.f_lasti]
            if operation == opmap["RETURN_VALUE"]:
                self._counter.returned(code, result)
            elif operation == opmap["YIELD_VALUE"]:
                self._counter.pop(code)
            elif operation != opmap.get("RETURN_GENERATOR"):
                self._counter.raised(code)


def _begins(operations: bytes, at: int) -> bool:
    """Tell whether a generator's frame begins there, by the documentation of `dis`."""
    return operations[at] == opmap["RESUME"] and not operations[at + 1] & 3
