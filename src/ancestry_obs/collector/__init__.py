"""What a scrape does: recorded series and live instances come in, an exposition goes out.

    Store, Samples, self-metrics -> Reading -> Block -> Collector.collect() -> render()

`Collector` is an ordinary collector of prometheus_client, so that any exposition, ASGI app or push
works with it; `render` writes the same bytes as prometheus_client would, several times faster. What
is recorded where, and who asks, is known to others. `summary`, for people, is imported by name.

prometheus_client is imported with `Collector` and `render`, when somebody first asks for them (PEP
562): it takes as long as all else that a program imports to be measured, and most programs are not
scraped when they begin.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ancestry_obs.collector.idle_targets import Expectation, calls_by_module, told_of
from ancestry_obs.collector.reading import Reading, Run, TargetState
from ancestry_obs.collector.samples import Samples
from ancestry_obs.collector.self_metrics import SelfMetrics

if TYPE_CHECKING:
    from ancestry_obs.collector.collector import Collector
    from ancestry_obs.collector.exposition import render, render_pieces, render_whole

__all__ = [
    "Collector",
    "Expectation",
    "Reading",
    "Run",
    "Samples",
    "SelfMetrics",
    "TargetState",
    "calls_by_module",
    "render",
    "render_pieces",
    "render_whole",
    "told_of",
]

_LATE = {
    "Collector": "collector",
    "render": "exposition",
    "render_pieces": "exposition",
    "render_whole": "exposition",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
