"""Counts calls by `sys.monitoring` (Python 3.12 and later), without a line of the toolkit.

Packages come in before they are imported; out goes, for each target, how many of its calls have
finished. Python tells when a function's body starts. The toolkit counts calls that have finished.
The difference is the calls that are still open at the end, and these are looked for: generators and
coroutines that somebody still holds, and frames that still run.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import sys
import threading
from collections import Counter
from importlib.machinery import PathFinder
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A code's place in the source. A woven code keeps it, and so do all functions of one closure.
_Place = tuple[str, str, int]


class Starts:
    """Every start of a function of some packages, from now on.

    Args:
        packages: the names of top-level packages that are not imported yet.
    """

    def __init__(self, packages: Iterable[str]) -> None:
        self._folders = tuple(folder for name in packages for folder in _folders(name))
        self._counts: Counter[int] = Counter()
        # The codes too, since an id is free for another code once its code is gone.
        self._codes: dict[int, CodeType] = {}
        self._lock = threading.Lock()
        monitoring = sys.monitoring
        tool = monitoring.PROFILER_ID
        monitoring.use_tool_id(tool, "independent count")
        monitoring.register_callback(tool, monitoring.events.PY_START, self._started)
        monitoring.set_events(tool, monitoring.events.PY_START)

    def finished(self, targets: Iterable[str]) -> dict[str, int | None]:
        """Stop counting, and give each target's finished calls; None where no code was found."""
        sys.monitoring.set_events(sys.monitoring.PROFILER_ID, 0)
        counts = self._counts - _open_calls()
        functions = {target: _function(target) for target in targets}
        places = {
            target: None if function is None else _place(function.__code__)
            for target, function in functions.items()
        }
        shared = Counter(places.values())
        by_place: Counter[_Place] = Counter()
        for key, code in self._codes.items():
            by_place[_place(code)] += counts[key]
        result: dict[str, int | None] = {}
        for target, place in places.items():
            function = functions[target]
            if place is None or function is None:
                result[target] = None
            elif shared[place] > 1 or "<locals>" in place[1]:
                # One closure of many: only its own code tells it from the others.
                result[target] = counts[id(function.__code__)]
            else:
                result[target] = by_place[place]
        return result

    def _started(self, code: CodeType, _offset: int) -> object:
        if not code.co_filename.startswith(self._folders):
            return sys.monitoring.DISABLE
        caller = sys._getframe(1).f_back  # noqa: SLF001  a callback is not given the frame
        if caller is not None and _passes_on(caller.f_code, code):
            return None
        with self._lock:
            self._codes[id(code)] = code
            self._counts[id(code)] += 1
        return None


def _passes_on(caller: CodeType, code: CodeType) -> bool:
    """Tell whether a call only comes from the code that stands in for it.

    Where the toolkit cannot write into a body it lets another code call the original one. Both are
    one call of the function. A function that calls itself has the same code, not only the place.
    """
    return caller is not code and _place(caller) == _place(code)


def _place(code: CodeType) -> _Place:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _folders(package: str) -> Iterator[str]:
    spec = PathFinder.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed; the count needs its files")
    origin = Path(spec.origin)
    yield str(origin.parent) if origin.name == "__init__.py" else str(origin)


def _open_calls() -> Counter[int]:
    """Count the calls that have started and not finished, by the id of their code."""
    gc.collect()
    frames: dict[int, FrameType] = {}
    for frame in sys._current_frames().values():  # noqa: SLF001  every thread's, not only ours
        running: FrameType | None = frame
        while running is not None:
            frames[id(running)] = running
            running = running.f_back
    for each in gc.get_objects():
        for attribute in ("gi_frame", "cr_frame", "ag_frame"):
            if type(each).__name__ not in {"generator", "coroutine", "async_generator"}:
                break
            suspended = getattr(each, attribute, None)
            if suspended is not None and suspended.f_lasti > 0 and not _unstarted(each):
                frames[id(suspended)] = suspended
    return Counter(id(frame.f_code) for frame in frames.values())


def _unstarted(each: Any) -> bool:
    if inspect.isgenerator(each):
        return inspect.getgeneratorstate(each) == inspect.GEN_CREATED
    if inspect.iscoroutine(each):
        return inspect.getcoroutinestate(each) == inspect.CORO_CREATED
    return inspect.getasyncgenstate(each) == inspect.AGEN_CREATED


def _function(target: str) -> FunctionType | None:
    """Find a target's function by its name, past what decorators made of it."""
    module, _, qualname = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        if name in {"fget", "fset", "fdel"}:
            found = getattr(found, name)
            continue
        found = inspect.getattr_static(found, name, None)
    file = getattr(sys.modules[module], "__file__", None)
    seen = 0
    while found is not None and seen < 10:
        if isinstance(found, FunctionType) and found.__code__.co_filename == file:
            return found
        if isinstance(found, property):
            found = found.fget
        else:
            found = getattr(found, "__func__", None) or getattr(found, "__wrapped__", None)
        seen += 1
    return None
