"""Counts calls by `sys.monitoring` (Python 3.12 and later), without a line of the toolkit.

Packages come in before they are imported; out goes, for each target, how many of its calls have
finished. Python tells when the body of a function starts: a generator's or coroutine's once, when
it is first resumed, and never if nobody does that. The toolkit counts calls that have finished. The
difference is the calls that are still open at the end, and these are looked for: generators and
coroutines that somebody still holds, and frames that still run in any thread.
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
from types import (
    AsyncGeneratorType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
)
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A code's place in the source. Woven code keeps it, and so do all functions of one closure.
_Place = tuple[str, str, int]
# Where what is no function itself keeps its function: static and class methods, properties, partial
# objects and cached properties, and whatever functools.wraps was used for.
_INSIDE: Final = ("__func__", "fget", "func", "__wrapped__")
_DEEPEST: Final = 10


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
        # Python tells of no call inside `_started`; a collection there could run finalisers.
        gc.disable()
        monitoring = sys.monitoring
        monitoring.use_tool_id(monitoring.PROFILER_ID, "independent count")
        monitoring.register_callback(
            monitoring.PROFILER_ID, monitoring.events.PY_START, self._started
        )
        monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.PY_START)

    def settle(self) -> None:
        """Let what nobody holds any more come to its end, and stop counting."""
        gc.collect()
        sys.monitoring.set_events(sys.monitoring.PROFILER_ID, 0)

    def finished(self, targets: Iterable[str]) -> dict[str, int | None]:
        """Give each target's finished calls; None where its function was not found."""
        found = {target: _find(target) for target in targets}
        places = {
            target: None if function is None else _place(function.__code__)
            for target, (function, _) in found.items()
        }
        sharing = Counter(places.values())
        counts = self._counts - _open_calls()
        by_place: Counter[_Place] = Counter()
        for key, code in self._codes.items():
            by_place[_place(code)] += counts[key]
        result: dict[str, int | None] = {}
        for target, (function, hits) in found.items():
            place = places[target]
            if function is None or place is None:
                result[target] = None
            elif sharing[place] > 1 or "<locals>" in place[1]:
                # One closure of many: only its own code tells it from the others.
                result[target] = hits + counts[id(function.__code__)]
            else:
                result[target] = hits + by_place[place]
        return result

    def _started(self, code: CodeType, _offset: int) -> object:
        # What dataclasses and the like generate has no file.
        if not code.co_filename.startswith((*self._folders, "<")):
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
    one call of the function. A function that calls itself has the same code, not only its place.
    """
    # The name first: it is what mostly differs, and this runs at every call.
    return (
        caller.co_qualname == code.co_qualname
        and caller is not code
        and _place(caller) == _place(code)
    )


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
    frames: dict[int, FrameType] = {}
    for frame in sys._current_frames().values():  # noqa: SLF001  every thread's, not only ours
        running: FrameType | None = frame
        while running is not None:
            frames[id(running)] = running
            running = running.f_back
    for each in gc.get_objects():
        suspended = _suspended(each)
        if suspended is not None:
            frames[id(suspended)] = suspended
    return Counter(id(frame.f_code) for frame in frames.values())


def _suspended(each: Any) -> FrameType | None:  # noqa: ANN401  it may be any object there is
    """Give the frame of what is between two of its steps; what was never resumed has no start."""
    # `isinstance` would ask objects of the program, and some lie about their class.
    kind = type(each)
    frame: FrameType | None = None
    if kind is GeneratorType and inspect.getgeneratorstate(each) == inspect.GEN_SUSPENDED:
        frame = each.gi_frame
    elif kind is CoroutineType and inspect.getcoroutinestate(each) == inspect.CORO_SUSPENDED:
        frame = each.cr_frame
    elif kind is AsyncGeneratorType and inspect.getasyncgenstate(each) == inspect.AGEN_SUSPENDED:
        frame = each.ag_frame
    return frame


def _find(target: str) -> tuple[FunctionType | None, int]:
    """Find a target's function by its name, past what decorators made of it.

    Returns:
        The function, if there is one, and how many calls a cache in front of it has answered.
    """
    module, _, qualname = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        accessor = isinstance(found, property)
        found = getattr(found, name) if accessor else inspect.getattr_static(found, name, None)
    hits = found.cache_info().hits if hasattr(found, "cache_info") else 0
    for _ in range(_DEEPEST):
        if type(found) is FunctionType and not found.__code__.co_filename.startswith("<ancestry"):
            return found, hits
        found = next((each for name in _INSIDE if (each := getattr(found, name, None))), None)
    return None, hits
