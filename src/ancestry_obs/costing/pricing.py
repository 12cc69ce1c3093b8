"""At the end of a process in which calls were captured: what measuring a call of each target takes.

Works in the processes of the run that captures. Prices are left in a file, for who has started it.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
from statistics import fmean, median
from time import monotonic_ns, process_time, thread_time_ns
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs import lifecycle
from ancestry_obs.costing.between import steps_for
from ancestry_obs.costing.captures import captures
from ancestry_obs.costing.conventions import PRICES, leave
from ancestry_obs.costing.stand_ins import shown_signature, stand_ins
from ancestry_obs.process_tree.endings import Endings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_obs.costing.captures import Captures
    from ancestry_obs.costing.stand_ins import StandIns
    from ancestry_obs.patcher import TargetReport

__all__ = ["begin", "price_of"]

_NANO: Final = 1e9
_CALLS: Final = 4
_ROUNDS: Final = 9
# How long a batch of calls takes, of a target that matters, and of one that does not.
_BATCH_NS: Final = 2_000_000
_SHORT_BATCH_NS: Final = 200_000
_MOST_TIMES: Final = 8192
_LEAST_SHARE: Final = 0.001
_GUESS_NS: Final = 1000


def begin(folder: str, seconds: float) -> None:
    """See to it that this process, and each that is forked from it, leaves its prices at its end.

    Args:
        folder: where to leave them.
        seconds: the processor time of the command without the map: capturing calls takes longer
            than they do.
    """
    said: list[int] = []

    def end() -> None:
        if os.getpid() not in said:
            said.append(os.getpid())
            _leave(folder, min(process_time(), seconds) * _NANO)

    atexit.register(end)
    Endings(end, lambda: None).watch()


def _leave(folder: str, taken: float) -> None:
    rows: dict[str, Any] = {}
    for report in _reports():
        found = captures.get(report.target)
        if found is not None and found.kept:
            rows[report.target] = _row(report, found, taken)
    path = f"{folder}/{os.getpid()}-{monotonic_ns()}{PRICES}"
    leave(path, json.dumps(rows))


def _reports() -> list[TargetReport]:
    installed: Any = lifecycle.install()
    if not installed.enabled:
        return []
    patterns = {each for target in installed.status().targets for each in target.patterns}
    found: list[TargetReport] = installed.reports(patterns)
    return found


def _row(report: TargetReport, found: Captures, taken: float) -> dict[str, Any]:
    """Price one target.

    Args:
        report: what is known of it.
        found: its calls.
        taken: the processor time of the process without the map, in nanoseconds.
    """
    woven: Any = report.woven[-1]
    call = median(each.seconds for each in found.kept)
    row = {"calls": found.calls, "price": None, "seconds": call, "reason": ""}
    between = taken / found.calls
    within = min(call * _NANO, between)
    work_steps = steps_for(within), steps_for(between - within)
    matters = found.calls * _GUESS_NS >= _LEAST_SHARE * taken
    try:
        shown = shown_signature(woven)
        pairs = [
            (each.context, stand_ins(woven, report.way, shown, each, work_steps))
            for each in found.kept[-_CALLS:]
        ]
        share_of_misses = min(1.0, found.misses / found.calls)
        batch = _BATCH_NS if matters else _SHORT_BATCH_NS
        row["price"] = fmean(
            context.run(price_of, pair, share_of_misses, batch) for context, pair in pairs
        )
    except Exception as error:  # noqa: BLE001  objects of the program may do anything
        row["reason"] = f"{type(error).__name__}: {error}"
    return row


def price_of(pair: StandIns, share_of_misses: float, batch: int) -> float:
    """Give what measuring takes longer than not measuring, in nanoseconds for a call.

    Args:
        pair: the stand-ins.
        share_of_misses: of how many calls, of all, the labels are new.
        batch: how long to look at a time, in nanoseconds.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        known = _difference(pair.plain, pair.woven, _times(pair.woven, batch))
        if not share_of_misses:
            return known
        plain, woven = _forgetting(pair, pair.plain), _forgetting(pair, pair.woven)
        new = _difference(plain, woven, _times(woven, batch))
        return known + share_of_misses * max(0.0, new - known)
    finally:
        if was_enabled:
            gc.enable()


def _times(run: Callable[[int], object], batch: int) -> int:
    """Tell how many calls take so long."""
    times = 16
    while times < _MOST_TIMES and _elapsed(run, times) < batch:
        times *= 2
    return times


def _difference(
    plain: Callable[[int], object], woven: Callable[[int], object], times: int
) -> float:
    # In turn, so that a machine that is busy for a while is so for both.
    differences = [-_elapsed(plain, times) + _elapsed(woven, times) for _ in range(_ROUNDS)]
    return median(differences) / times


def _forgetting(pair: StandIns, run: Callable[[int], object]) -> Callable[[int], object]:
    def runs(times: int) -> None:
        for _ in range(times):
            pair.forget()
            run(1)

    return runs


def _elapsed(run: Callable[[int], object], times: int) -> int:
    began = thread_time_ns()
    run(times)
    return thread_time_ns() - began
