"""Native histograms beside classic ones with 15 buckets: the fold, a scrape, memory.

A call does the same for both, to the byte: it appends a number. What differs is done later. The two
get the same values, in turn, in one process. Times are those of the fastest round; a ratio is the
median of the rounds' own ratios, so that it holds on a machine whose speed changes meanwhile.
Values are as durations are: log-normal, a factor of 2.7 from the middle to one standard deviation.

    python benchmarks/native_histograms.py
"""

from __future__ import annotations

import random
import statistics
import tracemalloc
from time import process_time
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry

from ancestry_obs.collector import Collector, Samples, SelfMetrics, render
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, NativeSpec, Where
from ancestry_obs.recording import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SERIES: Final = 1_000
OBSERVED: Final = 200
ROUNDS: Final = 41
HERE: Final = Where("benchmark", None, "")
CLASSIC: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5,
                  5.0, 10.0)  # fmt: skip
PROTOBUF: Final = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)


def spec(*, is_native: bool) -> MetricSpec:
    """Declare the metric."""
    labels = (LabelSpec("endpoint", None, 2 * SERIES, HERE),)
    native = NativeSpec() if is_native else None
    buckets = () if is_native else CLASSIC
    return MetricSpec("seconds", "histogram", "Help.", labels, buckets, HERE, None, native)


def durations(number: int, seed: int) -> list[float]:
    """Give values, each time the same."""
    chance = random.Random(seed)  # noqa: S311  no secret
    return [chance.lognormvariate(-3, 1) for _ in range(number)]


def recorded(series: int, observed: int, *, is_native: bool) -> Store:
    """Give a store in which each series has observed as many values, and folded them."""
    store = Store("app")
    family = store.family(spec(is_native=is_native))
    for number in range(series):
        for value in durations(observed, number):
            family.observe((f"/matches/{number}",), value)
    store.fold()
    return store


def in_turn(ways: Sequence[Callable[[], float]]) -> list[list[float]]:
    """Give the seconds that each way took, round by round."""
    rounds = [[way() for way in ways] for _ in range(ROUNDS)]
    return [list(each) for each in zip(*rounds, strict=True)]


def row(what: str, classic: Sequence[float], native: Sequence[float], scale: float) -> None:
    """Print what both took, in seconds times the scale, and the ratio."""
    ratio = statistics.median(mine / other for mine, other in zip(native, classic, strict=True))
    print(f"{what:44}{min(classic) * scale:10.1f}{min(native) * scale:10.1f}{ratio:8.2f}")


def fold(size: int, series: int) -> list[list[float]]:
    """Measure a fold of chunks of one size, of a classic and of a native histogram."""
    chunks = [durations(size, seed) for seed in range(series)]

    def way(*, is_native: bool) -> Callable[[], float]:
        store = Store("app")
        family = store.family(spec(is_native=is_native))
        buffers = [family._buffer((f"/{number}",)) for number in range(series)]  # noqa: SLF001  what calls append to

        def once() -> float:
            for buffer, chunk in zip(buffers, chunks, strict=True):
                buffer.extend(chunk)
            began = process_time()
            store.fold()
            return process_time() - began

        return once

    return in_turn([way(is_native=False), way(is_native=True)])


def scrape(*, changed: bool) -> list[list[float]]:
    """Measure a page: classic and native as protobuf, classic and native as text.

    Args:
        changed: Whether each series has counted something since the last page.
    """

    def way(accept: str, *, is_native: bool) -> Callable[[], float]:
        store = recorded(SERIES, OBSERVED, is_native=is_native)
        registry = CollectorRegistry()
        samples = Samples(store, {})
        registry.register(Collector(store, samples, SelfMetrics(store, tuple, "benchmark")))

        def once() -> float:
            if changed:
                for number in range(SERIES):
                    store.families()[0].observe((f"/matches/{number}",), 0.05)
                store.fold()
            began = process_time()
            render(registry, accept)
            return process_time() - began

        return once

    formats = (PROTOBUF, "")
    return in_turn([way(each, is_native=native) for each in formats for native in (False, True)])


def memory(*, is_native: bool) -> float:
    """Give the bytes of a series with its buckets."""
    values = [durations(OBSERVED, seed) for seed in range(SERIES)]
    store = Store("app")
    family = store.family(spec(is_native=is_native))
    labels = [(f"/matches/{number}",) for number in range(SERIES)]
    tracemalloc.start()
    for each, observed in zip(labels, values, strict=True):
        for value in observed:
            family.observe(each, value)
    store.fold()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / SERIES


def main() -> None:
    """Print the table."""
    print(f"{'':44}{'classic':>10}{'native':>10}{'ratio':>8}")
    for size, series in ((256, 100), (16, 500), (1, 2000)):
        what = f"fold of {size} value{'s' if size > 1 else ''}, us"
        row(what, *fold(size, series), 1e6 / series)
    for changed, which in ((False, "idle"), (True, "busy")):
        classic, native, text, implied = scrape(changed=changed)
        row(f"scrape of {SERIES:,} {which} series, ms", classic, native, 1e3)
        row("the same, classic ones as text", text, native, 1e3)
        row("the same, both as text", text, implied, 1e3)
    held = ([memory(is_native=each)] for each in (False, True))
    row(f"bytes of a series, {OBSERVED} values", *held, 1)
    print("must: fold at most 2, scrape as protobuf at most 1")


if __name__ == "__main__":
    main()
