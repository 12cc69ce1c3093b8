"""Scrapes: our page against prometheus_client's, in speed, memory, and how long others stand still.

Both sides get the same labels, buckets and observations; each figure is the best of several rounds
of all ways in turn, in one process, so that the ratio holds on a busy machine too. A round calls
each way a few times in a row, as a benchmark of one thing would. Memory is what tracemalloc counts
for the series of one metric that nobody observes any more.

The last part scrapes 100,000 series while another thread of the program looks at the clock in a
loop: the longest time between two looks is how long it stood still. The clock is the process's own,
which stands while other programs have the processor. Beside it stands what a thread does that only
counts: Python changes threads every five milliseconds.

    python benchmarks/scrape.py
"""

from __future__ import annotations

import gc
import gzip
import threading
import tracemalloc
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from ancestry_obs.collector import Collector, Samples, SelfMetrics, render, render_pieces
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, Where
from ancestry_obs.metrics_exporter.pages import Pages
from ancestry_obs.recording import Store

if TYPE_CHECKING:
    from collections.abc import Callable

SERIES = 1_000
MANY_SERIES = 100_000
STALL_ROUNDS = 5
ROUNDS = 10
CALLS = 4
BUCKETS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
LABELS = ("endpoint", "status_family")
HERE = Where("benchmark", None, "")


def spec(series: int) -> MetricSpec:
    """Declare the metric with room for so many series."""
    labels = tuple(LabelSpec(name, None, 2 * series, HERE) for name in LABELS)
    return MetricSpec(
        "api_latency_seconds", "histogram", "Latency of API requests.", labels, BUCKETS, HERE
    )


def observations(number: int) -> tuple[float, ...]:
    """Give what one series observes: sums of these are exact, in whatever order they are added."""
    return 0.125, 0.75 + number / 1024, 3.25, 20.0


def label_values(series: int) -> list[tuple[str, str]]:
    """Give the labels of each series."""
    return [(f"/discoveryui-matches/parents/list/api/{number}", "2xx") for number in range(series)]


def record(store: Store, series: int) -> None:
    """Let each series observe."""
    family = store.family(spec(series))
    for number, labels in enumerate(label_values(series)):
        for value in observations(number):
            family.observe(labels, value)


def ours(series: int = SERIES) -> tuple[Store, CollectorRegistry]:
    """Record into a store with a collector over it."""
    store = Store("ancestry")
    record(store, series)
    registry = CollectorRegistry()
    registry.register(Collector(store, Samples(store, {}), SelfMetrics(store, tuple, "benchmark")))
    store.fold()
    return store, registry


def theirs(series: int = SERIES) -> CollectorRegistry:
    """Record into prometheus_client's own metric."""
    registry = CollectorRegistry()
    histogram = Histogram(
        "ancestry_api_latency_seconds",
        "Latency of API requests.",
        LABELS,
        buckets=BUCKETS,
        registry=registry,
    )
    for number, labels in enumerate(label_values(series)):
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


def stall(work: Callable[[], object]) -> tuple[float, float]:
    """Measure how long another thread stands still at most, and how long both run, in seconds."""
    over = threading.Event()
    longest = 0.0

    def look() -> None:
        nonlocal longest
        last = process_time()
        while not over.is_set():
            now = process_time()
            longest = max(longest, now - last)
            last = now

    thread = threading.Thread(target=look)
    thread.start()
    began = process_time()
    work()
    took = process_time() - began
    over.set()
    thread.join()
    return longest, took


def count() -> None:
    """Do nothing that takes long at once."""
    give_up = process_time() + 1
    while process_time() < give_up:
        pass


def print_stalls() -> None:
    """Measure and print how long others stand still."""
    store, registry = ours(MANY_SERIES)
    pages = Pages(lambda accept: render_pieces(registry, accept), dict)
    with_values: Callable[[], object] = lambda: record(store, MANY_SERIES)  # noqa: E731
    ways: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "a thread that counts": (int, count),
        "our page": (int, lambda: pages.answer("/metrics", accept="")),
        "our page, gzip": (int, lambda: pages.answer("/metrics", accept="", gzip=True)),
        "our page, every buffer with values": (
            with_values,
            lambda: pages.answer("/metrics", accept=""),
        ),
    }
    print(f"longest stall of another thread, {MANY_SERIES} histogram series")
    # What was made for the benchmark itself is looked through here, and not in the first scrape.
    gc.collect()
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(STALL_ROUNDS):
        for name, (prepare, way) in ways.items():
            prepare()
            gc.collect()
            figures[name].append(stall(way))
    reference = theirs(MANY_SERIES // 10)
    gc.collect()
    figures["generate_latest, a tenth of that"] = [stall(lambda: generate_latest(reference))]
    for name, measured in figures.items():
        stalls = sorted(longest for longest, _ in measured)
        took = min(each for _, each in measured)
        print(
            f"  {name:<36} median {stalls[len(stalls) // 2] * 1e3:6.1f} ms   longest "
            f"{stalls[-1] * 1e3:6.1f} ms   with the other thread's {took * 1e3:6.0f} ms"
        )


def print_compression() -> None:
    """Measure and print what each level of gzip costs."""
    _, registry = ours(MANY_SERIES // 10)
    page = render(registry)[0]
    rendering = min(seconds(lambda: render(registry)) for _ in range(ROUNDS // 2))
    print(f"gzip of a page of {len(page) / 1e6:.1f} MB, written in {rendering * 1e3:.0f} ms")
    for level in (1, 2, 4, 6, 9):
        took = seconds(lambda level=level: gzip.compress(page, level))  # type: ignore[misc]
        left = len(gzip.compress(page, level)) / len(page)
        print(f"  level {level}   {took * 1e3:8.1f} ms   {left:6.2%} left")


def main() -> None:
    """Measure and print the tables."""
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
    print_compression()
    print_stalls()


if __name__ == "__main__":
    main()
