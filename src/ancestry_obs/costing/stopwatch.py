"""What weaving, handing over and ending take in a process that is measured.

Works in each process of a run with the map. Not timed is what comes before there is a map: most of
it is importing modules of the standard library, many of which the program would import anyway.
Times are processor time, in seconds.
"""

from __future__ import annotations

import atexit
import os
from time import monotonic_ns, thread_time

from ancestry_obs.costing.conventions import SECONDS, leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["begin"]


class _Stopwatch:
    """Adds up times; what is timed within something that is timed counts once."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._seconds = 0.0
        self._started = 0
        self._is_running = False
        self._ending = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Give the same function with its time added up."""

        def call(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  whatever it takes
            if self._is_running:
                return function(*arguments, **keywords)
            self._is_running = True
            try:
                return added(*arguments, **keywords)
            finally:
                self._is_running = False

        added = self.added(function)
        return call

    def added(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Give the same, for a function that is called within nothing that is timed."""

        def call(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  as above
            began = thread_time()
            try:
                return function(*arguments, **keywords)
            finally:
                self._seconds += thread_time() - began

        return call

    def begin_weaving(self) -> None:
        """Time what is done for modules of the program as they are loaded."""
        from ancestry_obs import lifecycle  # noqa: PLC0415  as in `begin`
        from ancestry_obs.process_tree.member import Member  # noqa: PLC0415  as in `begin`

        installed: Any = lifecycle.install()
        if installed.enabled:
            self._started = 1
            installed.weave_main = self.timed(installed.weave_main)
            # The thread that hands over what was counted, once a second.
            Member._step = self.added(Member._step)  # type: ignore[method-assign]  # noqa: SLF001
            hooks = installed._patcher._imports  # noqa: SLF001  nobody else asks for it
            hooks._prepare = self.timed(hooks._prepare)  # noqa: SLF001  as above
            hooks._loaded = self.timed(hooks._loaded)  # noqa: SLF001  as above

    def begin_child(self) -> None:
        """Begin at nothing in a forked child."""
        self._seconds = self._ending = 0.0
        self._started = 0

    def begin_end(self) -> None:
        """Note that nothing of the program is to come."""
        self._ending = thread_time()

    def end(self) -> None:
        """Leave what it came to."""
        if self._ending:
            self._seconds += thread_time() - self._ending
            self._ending = 0.0
        path = f"{self._folder}/{os.getpid()}-{monotonic_ns()}{SECONDS}"
        leave(path, f"{self._seconds} {self._started}")
        self._seconds, self._started = 0.0, 0


def begin(folder: str) -> None:
    """Time the toolkit from now on; to be called before the process joins its run.

    Args:
        folder: where to leave what it came to.
    """
    from ancestry_obs import process_start  # noqa: PLC0415  it is not to be imported for nothing

    watch = _Stopwatch(folder)
    # Python does last what was registered first.
    atexit.register(watch.end)
    join = process_start.begin

    def begin_process(folder: str) -> None:
        join(folder)
        watch.begin_weaving()
        atexit.register(watch.begin_end)
        os.register_at_fork(after_in_child=watch.begin_child)

    process_start.begin = begin_process
