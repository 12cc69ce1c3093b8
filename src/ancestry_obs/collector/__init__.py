"""What a scrape does: recorded series and live instances come in, an exposition goes out.

    Store, Samples, self-metrics -> Reading -> Block -> Collector.collect() -> render()

`Collector` is an ordinary collector of prometheus_client, so that any exposition, ASGI app or push
works with it; `render` writes the same bytes as prometheus_client would, several times faster. What
is recorded where, and who asks, is known to others. `summary`, for people, is imported by name.
"""

from ancestry_obs.collector.collector import Collector
from ancestry_obs.collector.exposition import render, render_pieces
from ancestry_obs.collector.reading import Reading, Run, TargetState
from ancestry_obs.collector.samples import Samples
from ancestry_obs.collector.self_metrics import SelfMetrics

__all__ = [
    "Collector",
    "Reading",
    "Run",
    "Samples",
    "SelfMetrics",
    "TargetState",
    "render",
    "render_pieces",
]
