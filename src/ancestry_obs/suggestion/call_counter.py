"""Beginnings and ends of calls -> how often, how long, what they raise, and with which values.

Works in the traced program. It looks at values of the simplest types alone, so that no code of the
program runs for it, and never at parameters whose names say that they hold an id, a secret or
somebody's data.
"""

from __future__ import annotations

import inspect
import sys
from _thread import _local
from enum import EnumMeta
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.suggestion.personal import is_personal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

__all__ = ["CallCounter"]

_MAINS: Final = ("__main__", "__mp_main__")
_YIELDING: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_MOST_VALUES: Final = 12
_MOST_LOOKS: Final = 5000
_LONGEST: Final = 24
# A metaclass may have a `__name__` of its own.
_name_of: Final[Callable[[type], str]] = type.__dict__["__name__"].__get__


class _Calls:
    """What one thread called of one function."""

    __slots__ = (
        "active",
        "calls",
        "module",
        "names",
        "own",
        "raised",
        "results",
        "seconds",
        "values",
    )

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
        # Nanoseconds that went to counting.
        self.spent = [0]
        every.append((self.stack, self.calls, self.spent))


_Kept = tuple[list[list[Any]], dict[int, _Calls], list[int]]


class CallCounter:
    """Counts the calls of a package in this process; `tracer` tells when they begin and end.

    Args:
        package: A module's or package's name, or ``__main__`` for the program's own file.
    """

    def __init__(self, package: str) -> None:
        self._package = package
        self.codes: dict[int, tuple[CodeType, str]] = {}
        """The functions that are counted, by the identity of their code, with their modules."""
        self._every: list[_Kept] = []
        self._thread = _Thread(self._every)
        self._began = perf_counter_ns()
        self._main_path = ""

    def forget(self) -> None:
        """Begin anew, such as in a child whose parent tells what was before."""
        for stack, calls, spent in self._every:
            stack.clear()
            calls.clear()
            spent[0] = 0
        self._began = perf_counter_ns()

    def take(self) -> dict[str, Any]:
        """Give what was counted since the beginning or the last time, as plain data.

        Returns:
            ``ns`` that were traced, those that were ``spent`` on counting, the ``path`` of the
            program's own file if it is of the package, and ``rows``: of each thread and function.
        """
        now = perf_counter_ns()
        rows = [
            _row(self.codes[key][0], each)
            for _, calls, _ in [*self._every]
            for key, each in [*calls.items()]
        ]
        taken = {
            "ns": now - self._began, "spent": self.spent, "path": self._main_path, "rows": rows,
        }  # fmt: skip
        self.forget()
        return taken

    @property
    def spent(self) -> int:
        """Nanoseconds that went to counting, in all threads."""
        return sum(spent[0] for *_, spent in self._every)

    def is_wanted(self, code: CodeType, frame: FrameType) -> bool:
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
        is_inside = module == wanted or module.startswith(f"{wanted}.")
        if not is_inside and not (is_main and wanted == _MAINS[0]):
            return False
        if is_main:
            self._main_path = code.co_filename
        self.codes[id(code)] = code, module
        return True

    def enter(self, code: CodeType, frame: FrameType) -> None:
        """A call begins, with its arguments in the frame."""
        asked = perf_counter_ns()
        calls = self.push(code)
        calls.calls += 1
        if calls.names and calls.calls <= _MOST_LOOKS:
            given = frame.f_locals
            for name in [*calls.names]:
                value = _plain(given[name]) if name in given else None
                _note(calls, name, value)
            if (3, 12) <= sys.version_info < (3, 13):
                # A copy, which would keep the arguments alive.
                given.clear()
        stack = self._thread.stack
        stack[-1][2] = now = perf_counter_ns()
        self._spend(now - asked, stack[-2] if len(stack) > 1 else None)

    def push(self, code: CodeType) -> _Calls:
        """A call begins or goes on: its time runs."""
        thread = self._thread
        calls = thread.calls.get(id(code))
        if calls is None:
            calls = thread.calls[id(code)] = _Calls(code, self.codes[id(code)][1])
        calls.active += 1
        thread.stack.append([calls, code, perf_counter_ns(), 0])
        return calls

    def pop(self, code: CodeType) -> _Calls | None:
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

    def returned(self, code: CodeType, result: object) -> None:
        """A call has returned."""
        asked = perf_counter_ns()
        calls = self.pop(code)
        if calls is not None and not code.co_flags & _YIELDING:
            kind = _name_of(type(result))
            if kind in calls.results or len(calls.results) < _MOST_VALUES:
                calls.results[kind] = calls.results.get(kind, 0) + 1
        stack = self._thread.stack
        self._spend(perf_counter_ns() - asked, stack[-1] if stack else None)

    def _spend(self, nanoseconds: int, caller: list[Any] | None) -> None:
        """Note what counting has taken, which is not the caller's own time either."""
        self._thread.spent[0] += nanoseconds
        if caller is not None:
            caller[3] += nanoseconds

    def raised(self, code: CodeType) -> None:
        """A call has raised."""
        calls = self.pop(code)
        if calls is not None:
            calls.raised += 1


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


def _plain(value: object) -> tuple[str, Any] | None:
    """Give the kind of a value that may be a label's, and the value; `None` if it is none.

    Only exact types of Python's are looked at, so that nothing of the program runs.
    """
    kind = type(value)
    if value is None or kind is bool or kind is int:
        # The kind, too, since True is 1 as a key.
        return kind.__name__, value
    if kind is str and len(value) <= _LONGEST:  # type: ignore[arg-type]  # it is text
        return "str", value
    if issubclass(type(kind), EnumMeta):
        try:
            return "enum", f"{_name_of(kind)}.{object.__getattribute__(value, '_name_')}"
        except AttributeError:  # it is being made
            return None
    return None


def _note(calls: _Calls, name: str, value: tuple[str, Any] | None) -> None:
    seen = calls.values[name]
    if seen is None or value is None or (value not in seen and len(seen) >= _MOST_VALUES):
        calls.values[name] = None
        calls.names.remove(name)
    else:
        seen[value] = seen.get(value, 0) + 1


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
