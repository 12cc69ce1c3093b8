"""What exemplars cost, beside the same written by hand.

    python benchmarks/exemplars.py [rounds]

Each case records a method with the trace and the span of OpenTelemetry as its exemplar: its seconds
in a histogram with a span running and with none, a counter, and a histogram of a number that is
greater at each call, so that every single one is kept. "By hand" is prometheus_client's
``exemplar=`` with the same two labels, read from the running span at each call. Needs
`opentelemetry-sdk`.

How it is measured: as in `unhappy_paths.py`. Each round ends with what a scrape reads.
"""

# ruff: noqa: ANN401 - each variant has a class of its own

from __future__ import annotations

from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any

from handed_values import woven
from hot_path import RESPONSE
from opentelemetry.context import Context, attach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_current_span, set_span_in_context
from unhappy_paths import Case, known_urls, main

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_obs.recording import Store

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
EXEMPLAR = {"trace_id": "trace_id()", "span_id": "span_id()"}
METRICS = {
    "seconds": {"type": "histogram", "help": "S.", "buckets": BUCKETS},
    "sizes": {"type": "histogram", "help": "Z.", "buckets": BUCKETS},
    "calls_total": {"type": "counter", "help": "C."},
}
RUNNING = set_span_in_context(TracerProvider().get_tracer("benchmark").start_span("call"))


def in_a_span() -> list[str]:
    """A round that runs in a span."""
    attach(RUNNING)
    return known_urls()


def outside() -> list[str]:
    """A round that runs in none."""
    attach(Context())
    return known_urls()


def new_api() -> Any:
    """A class whose method takes a number that grows."""
    sizes = count()

    class Api:
        def request(self, url: str, size: float) -> object:  # noqa: ARG002 - a stand-in
            return RESPONSE

        def call(self, url: str, _: str) -> None:
            self.request(url, next(sizes))

    return Api


def ours(metric: str, **record: str) -> Callable[[Any], Callable[[], object]]:
    """Make what weaves a record with an exemplar into an API."""
    whole = {"metric": metric, "exemplar": EXEMPLAR, **record}
    instrument = {"target": "benchmark:Api.request", "record": [whole]}
    return woven(instrument, metrics=METRICS, finish=_scraped)


def _scraped(store: Store) -> object:
    return store.read(lambda: [family.exemplars() for family in store.families()])


def by_hand(metric: str) -> Callable[[Any], None]:
    """Make what puts the lines of prometheus_client around a method."""

    def put(api: Any) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram  # noqa: PLC0415 - peers

        registry, request = CollectorRegistry(), api.request
        if metric == "calls_total":
            counter = Counter("calls", "C.", registry=registry)
        else:
            histogram = Histogram(metric, "H.", buckets=BUCKETS, registry=registry)

        def exemplar() -> dict[str, str] | None:
            context = get_current_span().get_span_context()
            if not context.is_valid:
                return None
            return {
                "trace_id": format(context.trace_id, "032x"),
                "span_id": format(context.span_id, "016x"),
            }

        def timed(self: object, url: str, size: float) -> object:
            started = perf_counter()
            try:
                return request(self, url, size)
            finally:
                histogram.observe(perf_counter() - started, exemplar())

        def sized(self: object, url: str, size: float) -> object:
            try:
                return request(self, url, size)
            finally:
                histogram.observe(size, exemplar())

        def counted(self: object, url: str, size: float) -> object:
            try:
                return request(self, url, size)
            finally:
                counter.inc(1, exemplar())

        api.request = {"seconds": timed, "sizes": sized, "calls_total": counted}[metric]

    return put


CASES = (
    Case("seconds, a span running", "1x", in_a_span, new_api, ours("seconds"), by_hand("seconds")),
    Case("seconds, no span running", "1x", outside, new_api, ours("seconds"), by_hand("seconds")),
    Case("a counter", "1x", in_a_span, new_api, ours("calls_total"), by_hand("calls_total")),
    Case(
        "each greater than the last", "1x", in_a_span, new_api,
        ours("sizes", value="size"), by_hand("sizes"),
    ),
)  # fmt: skip


if __name__ == "__main__":
    main(CASES)
