"""A scrape of 1,000 histogram series: our page against prometheus_client's, speed and memory.

Both sides get the same labels, buckets and observations; each figure is the best of several rounds
of all ways in turn, in one process, so that the ratio holds on a busy machine too. A round calls
each way a few times in a row, as a benchmark of one thing would. Memory is what tracemalloc counts
for the series of one metric that nobody observes any more.

    python benchmarks/scrape.py
"""

from __future__ import annotations

import gc
import tracemalloc
from time import perf_counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from ancestry_obs.collector import Collector, Samples, SelfMetrics, render
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, Where
from ancestry_obs.recording import Store

if TYPE_CHECKING:
    from collections.abc import Callable

SERIES = 1_000
ROUNDS = 10
CALLS = 4
BUCKETS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
LABELS = ("endpoint", "status_family")
HERE = Where("benchmark", None, "")
SPEC = MetricSpec(
    "api_latency_seconds",
    "histogram",
    "Latency of API requests.",
    tuple(LabelSpec(name, None, 2 * SERIES, HERE) for name in LABELS),
    BUCKETS,
    HERE,
)
VALUES = [(f"/discoveryui-matches/parents/list/api/{number}", "2xx") for number in range(SERIES)]


def observations(number: int) -> tuple[float, ...]:
    """Give what one series observes: sums of these are exact, in whatever order they are added."""
    return 0.125, 0.75 + number / 1024, 3.25, 20.0


def ours() -> tuple[Store, CollectorRegistry]:
    """Record into a store with a collector over it."""
    store = Store("ancestry")
    family = store.family(SPEC)
    for number, labels in enumerate(VALUES):
        for value in observations(number):
            family.observe(labels, value)
    registry = CollectorRegistry()
    registry.register(Collector(store, Samples(store, {}), SelfMetrics(store, tuple, "benchmark")))
    store.fold()
    return store, registry


def theirs() -> CollectorRegistry:
    """Record into prometheus_client's own metric."""
    registry = CollectorRegistry()
    histogram = Histogram(
        "ancestry_api_latency_seconds", SPEC.help, LABELS, buckets=BUCKETS, registry=registry
    )
    for number, labels in enumerate(VALUES):
        for value in observations(number):
            histogram.labels(*labels).observe(value)
    return registry


def samples(page: bytes) -> list[bytes]:
    """Give the metric's samples without the creation times, which we do not tell."""
    name = b"ancestry_api_latency_seconds"
    lines = page.splitlines()
    return sorted(line for line in lines if line.startswith(name) and b"_created" not in line)


def seconds(function: Callable[[], object]) -> float:
    """Time the best of a few calls in a row."""
    best = float("inf")
    for _ in range(CALLS):
        began = perf_counter()
        function()
        best = min(best, perf_counter() - began)
    return best


def kept(build: Callable[[], object]) -> float:
    """Measure the bytes that stay allocated after building, per series."""
    build()  # what is cached once and for all belongs to no series
    gc.collect()
    tracemalloc.start()
    built = build()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del built
    return size / SERIES


def main() -> None:
    """Measure and print the table."""
    _, registry = ours()
    reference = theirs()
    assert samples(render(registry)[0]) == samples(generate_latest(reference))

    ways: dict[str, Callable[[], object]] = {
        "generate_latest, their metrics": lambda: generate_latest(reference),
        "generate_latest, our collector": lambda: generate_latest(registry),
        "our page, text": lambda: render(registry),
        "our page, OpenMetrics": lambda: render(registry, "application/openmetrics-text"),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            best[name] = min(best[name], seconds(way))
    baseline = best["generate_latest, their metrics"]
    print(f"scrape of {SERIES} histogram series with {len(BUCKETS)} buckets")
    for name, each in best.items():
        print(f"  {name:<32} {each * 1e3:8.2f} ms   {baseline / each:5.1f}x as fast")

    their_bytes, our_bytes = kept(theirs), kept(ours)
    print("memory of an idle series")
    print(f"  {'prometheus_client':<32} {their_bytes:8.0f} B")
    print(f"  {'ours':<32} {our_bytes:8.0f} B    {their_bytes / our_bytes:5.1f}x less")


if __name__ == "__main__":
    main()
