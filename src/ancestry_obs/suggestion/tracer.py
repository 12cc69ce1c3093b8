"""Calls of a package's functions -> how often, how long, what they raise, and with which values.

Works in the traced program: by `sys.monitoring` from Python 3.12 on, by `sys.setprofile` before. It
looks at values of the simplest types alone, so that no code of the program runs for it, and never
at parameters whose names say that they hold an id, a secret or somebody's data.
"""

from __future__ import annotations

import inspect
import sys
from _thread import _local
from dis import opmap
from enum import EnumMeta
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.suggestion.personal import is_personal

if TYPE_CHECKING:
    from types import CodeType, FrameType

__all__ = ["Tracer"]

_MAINS: Final = ("__main__", "__mp_main__")
_SUSPENDING: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_YIELDING: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_MOST_VALUES: Final = 12
_MOST_LOOKS: Final = 5000
_LONGEST: Final = 24
_OBJECTS: Final = object()
# No profiler or debugger has these of the six that there are.
_TOOL_IDS: Final = (4, 3, 2)


class _Calls:
    """What one thread called of one function."""

    __slots__ = ("active", "calls", "module", "names", "own", "raised", "results", "seconds", "values")

    def __init__(self, code: CodeType, module: str) -> None:
        self.module = module
        self.calls = self.raised = self.own = self.seconds = self.active = 0
        count = code.co_argcount + code.co_kwonlyargcount
        names = [each for each in code.co_varnames[:count] if not is_personal(each)]
        self.names = [each for each in names if each not in {"self", "cls"}]
        self.values: dict[str, dict[Any, int] | None] = {each: {} for each in self.names}
        self.results: dict[str, int] = {}


class _Thread(_local):
    """One thread's calls that are under way, and the counts of those before."""

    def __init__(self, every: list[_Kept]) -> None:
        self.stack: list[list[Any]] = []
        self.calls: dict[int, _Calls] = {}
        every.append((self.stack, self.calls))


_Kept = tuple[list[list[Any]], dict[int, _Calls]]


class Tracer:
    """Traces this process.

    Args:
        package: A module's or package's name, or ``__main__`` for the program's own file.
    """

    def __init__(self, package: str) -> None:
        self._package = package
        self._codes: dict[int, tuple[CodeType, str]] = {}
        self._every: list[_Kept] = []
        self._thread = _Thread(self._every)
        self._began = perf_counter_ns()
        self._main_path = ""
        self._tool = -1

    def start(self) -> None:
        """Begin.

        Raises:
            ValueError: Every tool of `sys.monitoring` is taken.
        """
        self._began = perf_counter_ns()
        if sys.version_info >= (3, 12):
            self._monitor()
        else:
            import threading  # noqa: PLC0415 - the program need not have it otherwise

            threading.setprofile(self._profile)
            sys.setprofile(self._profile)

    def stop(self) -> None:
        """End; what was counted stays."""
        if sys.version_info >= (3, 12):
            if self._tool >= 0:
                sys.monitoring.set_events(self._tool, 0)
                sys.monitoring.free_tool_id(self._tool)
                self._tool = -1
        else:
            import threading  # noqa: PLC0415 - see above

            threading.setprofile(None)
            sys.setprofile(None)

    def forget(self) -> None:
        """Begin anew, such as in a child whose parent tells what was before."""
        for stack, calls in self._every:
            stack.clear()
            calls.clear()
        self._began = perf_counter_ns()

    def take(self) -> dict[str, Any]:
        """Give what was counted since the beginning or the last time, as plain data.

        Returns:
            ``ns`` that were traced, the ``path`` of the program's own file if it is of the package,
            and ``rows``: of each thread and function.
        """
        now = perf_counter_ns()
        rows = [
            _row(self._codes[key][0], each)
            for _, calls in [*self._every]
            for key, each in [*calls.items()]
        ]
        taken = {"ns": now - self._began, "path": self._main_path, "rows": rows}
        self.forget()
        return taken

    def _monitor(self) -> None:
        monitoring = sys.monitoring
        self._tool = next(e for e in _TOOL_IDS if monitoring.get_tool(e) is None)
        monitoring.use_tool_id(self._tool, "ancestry-obs suggest")
        events = monitoring.events
        for event, callback in (
            (events.PY_START, self._on_start),
            (events.PY_RESUME, self._on_resume),
            (events.PY_THROW, self._on_throw),
            (events.PY_RETURN, self._on_return),
            (events.PY_YIELD, self._on_yield),
            (events.PY_UNWIND, self._on_unwind),
        ):
            monitoring.register_callback(self._tool, event, callback)
        # Those of functions that are traced come one by one; these two cannot.
        wanted = events.PY_START | events.PY_THROW | events.PY_UNWIND
        monitoring.set_events(self._tool, wanted)

    def _on_start(self, code: CodeType, _offset: int) -> object:
        frame = sys._getframe(1)  # noqa: SLF001 - there is no other way to the arguments
        if id(code) not in self._codes:
            if not self._is_wanted(code, frame):
                return sys.monitoring.DISABLE
            events = sys.monitoring.events
            mine = events.PY_RETURN | events.PY_YIELD | events.PY_RESUME
            sys.monitoring.set_local_events(self._tool, code, mine)
        self._enter(code, frame)
        return None

    def _on_resume(self, code: CodeType, _offset: int) -> None:
        if id(code) in self._codes:
            self._push(code)

    def _on_throw(self, code: CodeType, _offset: int, _error: BaseException) -> None:
        if id(code) in self._codes:
            self._push(code)

    def _on_return(self, code: CodeType, _offset: int, result: object) -> None:
        if id(code) in self._codes:
            self._returned(code, result)

    def _on_yield(self, code: CodeType, _offset: int, _value: object) -> None:
        if id(code) in self._codes:
            self._pop(code)

    def _on_unwind(self, code: CodeType, _offset: int, _error: BaseException) -> None:
        if id(code) in self._codes:
            self._raised(code)

    def _profile(self, frame: FrameType, event: str, result: object) -> None:
        """Do the same for what `sys.setprofile` tells of Python 3.11."""
        code = frame.f_code
        if event == "call":
            if id(code) not in self._codes and not self._is_wanted(code, frame):
                return
            if code.co_flags & _SUSPENDING and not _begins(code.co_code, frame.f_lasti):
                self._push(code)
            else:
                self._enter(code, frame)
        elif event == "return" and id(code) in self._codes:
            operation = code.co_code[frame.f_lasti]
            if operation == opmap["RETURN_VALUE"]:
                self._returned(code, result)
            elif operation == opmap["YIELD_VALUE"]:
                self._pop(code)
            elif operation != opmap.get("RETURN_GENERATOR"):
                self._raised(code)

    def _is_wanted(self, code: CodeType, frame: FrameType) -> bool:
        """Tell whether a function is the package's own, with a name that a map can say."""
        # A generated function has no source; neither a module's nor a class's body is a function.
        if code.co_filename[:1] == "<" or not code.co_flags & inspect.CO_NEWLOCALS:
            return False
        if not code.co_flags & inspect.CO_OPTIMIZED:
            return False
        if "<" in code.co_qualname.replace("<locals>", ""):
            return False
        module, is_main = _module_of(frame.f_globals)
        wanted = self._package
        if module != wanted and not module.startswith(f"{wanted}."):
            if not (is_main and wanted == _MAINS[0]):
                return False
        if is_main:
            self._main_path = code.co_filename
        self._codes[id(code)] = code, module
        return True

    def _enter(self, code: CodeType, frame: FrameType) -> None:
        calls = self._push(code)
        calls.calls += 1
        if calls.names and calls.calls <= _MOST_LOOKS:
            given = frame.f_locals
            for name in [*calls.names]:
                value = _plain(given[name]) if name in given else _OBJECTS
                _note(calls, name, value)
            if (3, 12) <= sys.version_info < (3, 13):
                # A copy, which would keep the arguments alive.
                given.clear()

    def _push(self, code: CodeType) -> _Calls:
        thread = self._thread
        calls = thread.calls.get(id(code))
        if calls is None:
            calls = thread.calls[id(code)] = _Calls(code, self._codes[id(code)][1])
        calls.active += 1
        thread.stack.append([calls, code, perf_counter_ns(), 0])
        return calls

    def _pop(self, code: CodeType) -> _Calls | None:
        """Take a call off the stack, and what has left it unseen; nothing if it is not there."""
        now, stack = perf_counter_ns(), self._thread.stack
        if not any(entry[1] is code for entry in reversed(stack)):
            return None
        while True:
            calls, ended, began, inner = stack.pop()
            calls.active -= 1
            calls.own += now - began - inner
            if not calls.active:
                calls.seconds += now - began
            if stack:
                stack[-1][3] += now - began
            if ended is code:
                return calls  # type: ignore[no-any-return]  # what was pushed

    def _returned(self, code: CodeType, result: object) -> None:
        calls = self._pop(code)
        if calls is not None and not code.co_flags & _YIELDING:
            kind = type(result).__name__
            if kind in calls.results or len(calls.results) < _MOST_VALUES:
                calls.results[kind] = calls.results.get(kind, 0) + 1

    def _raised(self, code: CodeType) -> None:
        calls = self._pop(code)
        if calls is not None:
            calls.raised += 1


def _begins(operations: bytes, at: int) -> bool:
    """Tell whether a generator's frame begins there, and does not go on (documentation of `dis`)."""
    return operations[at] == opmap["RESUME"] and not operations[at + 1] & 3


def _module_of(namespace: dict[str, Any]) -> tuple[str, bool]:
    """Give a module's name by its namespace, and whether it is the program's own."""
    name = namespace.get("__name__")
    if type(name) is not str:
        return "", False
    if name not in _MAINS:
        return name, False
    spec, path = namespace.get("__spec__"), namespace.get("__file__")
    if spec is not None and spec.name not in _MAINS:
        return spec.name, True
    if type(path) is not str:
        return name, True
    if spec is not None:  # `__main__.py` of a folder or an archive
        path = path.rpartition("/")[0]
    return path.rpartition("/")[2].rpartition(".")[0] or name, True


def _plain(value: object) -> object:
    """Give a value that may be a label's; `_OBJECTS` if it is none.

    Only exact types of Python's are looked at, so that nothing of the program runs.
    """
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return value
    if kind is str and len(value) <= _LONGEST:  # type: ignore[arg-type]  # it is text
        return value
    if issubclass(type(kind), EnumMeta):
        return f"{kind.__name__}.{object.__getattribute__(value, '_name_')}"
    return _OBJECTS


def _note(calls: _Calls, name: str, value: object) -> None:
    seen = calls.values[name]
    # True is 1 and 1 is 1, as keys.
    key = (type(value).__name__, value)
    if seen is None or value is _OBJECTS or (key not in seen and len(seen) >= _MOST_VALUES):
        calls.values[name] = None
        calls.names.remove(name)
    else:
        seen[key] = seen.get(key, 0) + 1


def _row(code: CodeType, calls: _Calls) -> dict[str, Any]:
    lines = [line for *_, line in code.co_lines() if line]
    return {
        "module": calls.module,
        "qualname": code.co_qualname,
        "first": code.co_firstlineno,
        "last": max(lines, default=code.co_firstlineno),
        "calls": calls.calls,
        "raised": calls.raised,
        "own": calls.own,
        "ns": calls.seconds,
        "values": {
            name: [(*key, count) for key, count in seen.items()]
            for name, seen in calls.values.items()
            if seen
        },
        "many": [name for name, seen in calls.values.items() if seen is None],
        "results": {**calls.results},
    }
