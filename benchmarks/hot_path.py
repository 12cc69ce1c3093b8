"""What one measured call costs, beside the tools that people would use instead.

    python benchmarks/hot_path.py [rounds]

Every variant measures the same method: seconds into a histogram by endpoint and status family, and
a count by endpoint, method and result, all labels taken from the call itself. The method does
nothing, so that its own time does not hide the difference. Ours includes the fold that a scrape
does later.

How it is measured: all variants in one process, one after the other in each round, so that what
else the machine does hits all of them; garbage collection off inside a round. The figure of a
variant is its median and its fastest round; ratios are of the overhead on top of the bare method,
from the fastest rounds. Peers that are not installed are left out.
"""

from __future__ import annotations

import gc
import importlib.util
import random
import statistics
import sys
import tracemalloc
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from ancestry_obs.compiler import Advice, Aspect, Runtime, weave
from ancestry_obs.exceptions import Where
from ancestry_obs.expressions import BUILTIN_FUNCTIONS, parse
from ancestry_obs.frozen import replaced
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, RecordSpec
from ancestry_obs.patcher.super_calls import SuperCalls, SuperTest
from ancestry_obs.recording import FULL, HistogramSeries, Store

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 20_000
BUCKETS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
SERIES = 1000
HERE = Where("benchmark", None, "")

WORDS = ("matches", "profiles", "messages", "trees", "hints", "records", "notes", "groups")
URLS = [f"https://example.org/api/v2/{word}/{number}" for word in WORDS for number in range(8)]
SCRIPT = (URLS * (CALLS // len(URLS) + 1))[:CALLS]


class Response:
    """A response as HTTP libraries have it."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


RESPONSE = Response(200)


def new_api() -> Any:  # noqa: ANN401 - its method is replaced by whatever a variant makes
    """Make a fresh class, so that no variant changes what another one calls."""

    class Api:
        def request(self, url: str, method: str = "GET") -> Response:  # noqa: ARG002 - a stand-in
            return RESPONSE

    return Api


def free(name: str) -> LabelSpec:
    """Make a label with any values."""
    return LabelSpec(name, None, 2 * SERIES, HERE)


def one_of(name: str, *values: str) -> LabelSpec:
    """Make an enumerated label."""
    return LabelSpec(name, values, None, HERE)


LATENCY = MetricSpec(
    "api_latency_seconds",
    "histogram",
    "Latency.",
    (free("endpoint"), one_of("status_family", "1xx", "2xx", "3xx", "4xx", "5xx")),
    BUCKETS,
    HERE,
)
REQUESTS = MetricSpec(
    "api_requests_total",
    "counter",
    "Requests.",
    (free("endpoint"), one_of("method", "GET", "POST"), one_of("result", "success", "failure")),
    (),
    HERE,
)


def record(metric: MetricSpec, **labels: str) -> RecordSpec:
    """Make a record of a call that ended."""
    expressions = tuple((name, parse(text)) for name, text in labels.items())
    return RecordSpec(metric.name, expressions, None, None, "exit", None, HERE)


ADVICE = Advice(
    (
        record(LATENCY, endpoint="endpoint(url)", status_family="status_family(result)"),
        record(
            REQUESTS,
            endpoint="endpoint(url)",
            method="upper(method)",
            result="'success' if ok(result) else 'failure'",
        ),
    ),
    (LATENCY, REQUESTS),
)


def bare() -> tuple[Any, Callable[[], object]]:
    """Nothing around the method."""
    return new_api()(), lambda: None


def empty_wrapt() -> tuple[Any, Callable[[], object]]:
    """Wrapt's wrapper that only passes on."""
    import wrapt  # noqa: PLC0415 - a peer that may not be installed

    api = new_api()

    def passes(
        wrapped: Callable[..., object], _: object, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> object:
        return wrapped(*args, **kwargs)

    api.request = wrapt.FunctionWrapper(api.request, passes)
    return api(), lambda: None


def ours() -> tuple[Any, Callable[[], object]]:
    """The woven method; a round ends with a scrape's fold."""
    api, store = new_api(), Store()
    weave_in_place(api.request, ADVICE, Runtime(store))
    return api(), store.fold


def ours_sampled() -> tuple[Any, Callable[[], object]]:
    """The same with every hundredth call timed."""
    api, store = new_api(), Store()
    weave_in_place(api.request, replaced(ADVICE, sample=0.01), Runtime(store))
    return api(), store.fold


def ours_through_super() -> tuple[Any, Callable[[], object]]:
    """The same with overrides taken in, called at an override that goes up by `super()`."""
    base, store, calls = new_api(), Store(), SuperCalls()

    class Api(base):  # type: ignore[misc, valid-type]  # a class of its own for each variant
        def request(self, url: str, method: str = "GET") -> Response:
            return super().request(url, method)  # type: ignore[no-any-return]

    runtime = Runtime(store)
    for owner in (base, Api):
        original = owner.request.__code__
        weave_in_place(owner.request, ADVICE, runtime, calls.test(owner, "request"))
        calls.add("request", owner.request.__code__, original)
    return Api(), store.fold


def bare_through_super() -> tuple[Any, Callable[[], object]]:
    """An override that goes up by `super()`, unmeasured."""
    base = new_api()

    class Api(base):  # type: ignore[misc, valid-type]  # a class of its own for each variant
        def request(self, url: str, method: str = "GET") -> Response:
            return super().request(url, method)  # type: ignore[no-any-return]

    return Api(), lambda: None


def weave_in_place(
    function: Any,  # noqa: ANN401 - a function
    advice: Advice,
    runtime: Runtime,
    inner_test: SuperTest | None = None,
) -> None:
    """Weave an advice into a method, as an installed map does."""
    aspect = Aspect(
        "benchmark:Api.request", function.__code__, (advice,), runtime,
        is_method=True, function=function, inner_test=inner_test,
    )  # fmt: skip
    (woven,) = weave([aspect])
    assert not isinstance(woven, Exception)
    assert not woven.why_called
    function.__code__ = woven.code


def prometheus_metrics() -> tuple[Any, Any]:
    """Make the two metrics of prometheus_client."""
    from prometheus_client import CollectorRegistry, Counter, Histogram  # noqa: PLC0415 - a peer

    registry = CollectorRegistry()
    seconds = Histogram("seconds", "S.", ["endpoint", "family"], buckets=BUCKETS, registry=registry)
    requests = Counter("requests", "R.", ["endpoint", "method", "result"], registry=registry)
    return seconds, requests


def hand_written_literal() -> tuple[Any, Callable[[], object]]:
    """The two calls of prometheus_client with nothing around them: labels are literals."""
    seconds, requests = prometheus_metrics()
    api = new_api()
    request = api.request

    def measured(self: object, url: str, method: str = "GET") -> object:
        started = perf_counter()
        response = request(self, url, method)
        elapsed = perf_counter() - started
        seconds.labels("/api/v2/matches/:id", "2xx").observe(elapsed)
        requests.labels("/api/v2/matches/:id", "GET", "success").inc()
        return response

    api.request = measured
    return api(), lambda: None


def hand_written_same_labels() -> tuple[Any, Callable[[], object]]:
    """As `hand_written_literal`, with the labels that ours has, by the same functions."""
    seconds, requests = prometheus_metrics()
    api = new_api()
    request = api.request
    endpoint, family, ok = (BUILTIN_FUNCTIONS[name] for name in ("endpoint", "status_family", "ok"))

    def measured(self: object, url: str, method: str = "GET") -> object:
        started = perf_counter()
        response = request(self, url, method)
        elapsed = perf_counter() - started
        template = endpoint(url)
        seconds.labels(template, family(response)).observe(elapsed)
        result = "success" if ok(response) else "failure"
        requests.labels(template, method.upper(), result).inc()
        return response

    api.request = measured
    return api(), lambda: None


def opentelemetry() -> tuple[Any, Callable[[], object]]:
    """The SDK's histogram and counter in a wrapt wrapper."""
    import wrapt  # noqa: PLC0415 - a peer that may not be installed
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - a peer
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415 - a peer

    meter = MeterProvider(metric_readers=[InMemoryMetricReader()]).get_meter("benchmark")
    seconds = meter.create_histogram("seconds", explicit_bucket_boundaries_advisory=BUCKETS)
    requests = meter.create_counter("requests")
    endpoint, family, ok = (BUILTIN_FUNCTIONS[name] for name in ("endpoint", "status_family", "ok"))
    api = new_api()

    def measured(
        wrapped: Callable[..., object], _: object, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> object:
        started = perf_counter()
        response = wrapped(*args, **kwargs)
        elapsed = perf_counter() - started
        template = endpoint(args[0])
        seconds.record(elapsed, {"endpoint": template, "family": family(response)})
        result = "success" if ok(response) else "failure"
        requests.add(1, {"endpoint": template, "method": args[1].upper(), "result": result})
        return response

    api.request = wrapt.FunctionWrapper(api.request, measured)
    return api(), lambda: None


VARIANTS: dict[str, tuple[Callable[[], tuple[Any, Callable[[], object]]], str, int]] = {
    "bare method": (bare, "", 1),
    "empty wrapt FunctionWrapper": (empty_wrapt, "wrapt", 1),
    "ours, fold included": (ours, "", 1),
    "ours, sample = 0.01": (ours_sampled, "", 1),
    "bare override, through super()": (bare_through_super, "", 1),
    "ours, subclasses, through super()": (ours_through_super, "", 1),
    "prometheus_client, literal labels": (hand_written_literal, "prometheus_client", 1),
    "prometheus_client, same labels": (hand_written_same_labels, "prometheus_client", 1),
    "OpenTelemetry SDK in wrapt, same labels": (opentelemetry, "opentelemetry", 4),
}
"""Builder, the module it needs, and by how much fewer calls its rounds have."""


_UNDER = {"ours, subclasses, through super()": "bare override, through super()"}


def one_round(api: Any, finish: Callable[[], object], script: list[str]) -> float:  # noqa: ANN401 - each variant has a class of its own
    """Give the seconds of one call, on average over a round."""
    gc.collect()
    gc.disable()
    try:
        started = process_time()
        for url in script:
            api.request(url, "get")
        finish()
        return (process_time() - started) / len(script)
    finally:
        gc.enable()


def measure(rounds: int) -> dict[str, list[float]]:
    """Run all variants, interleaved; one more round warms them up."""
    built = {
        name: (*build(), SCRIPT[: CALLS // divisor])
        for name, (build, module, divisor) in VARIANTS.items()
        if not module or importlib.util.find_spec(module)
    }
    seconds: dict[str, list[float]] = {name: [] for name in built}
    for number in range(rounds + 1):
        for name, (api, finish, script) in built.items():
            took = one_round(api, finish, script)
            if number:
                seconds[name].append(took)
    return seconds


def report(seconds: dict[str, list[float]]) -> None:
    """Print the table, and the ratios that the design asks for."""
    fastest = {name: min(rounds) for name, rounds in seconds.items()}
    under = {name: fastest[_UNDER.get(name, "bare method")] for name in seconds}
    over = {name: fastest[name] - under[name] for name in seconds}
    print(f"{'per call, in ns':42}{'median':>9}{'fastest':>9}{'on top':>9}{'x ours':>8}")
    for name, rounds in seconds.items():
        ratio = over[name] / over["ours, fold included"]
        figures = (statistics.median(rounds), fastest[name], over[name])
        print(f"{name:42}" + "".join(f"{figure * 1e9:9.0f}" for figure in figures), end="")
        print(f"{ratio:8.1f}")
    mine = over["ours, fold included"]
    if "empty wrapt FunctionWrapper" in over:
        ratio = mine / over["empty wrapt FunctionWrapper"]
        print(f"\nagainst an empty wrapt FunctionWrapper: {ratio:.2f}x (must 0.5, aim 0.35)")
        inner = over["ours, subclasses, through super()"] / over["empty wrapt FunctionWrapper"]
        print(f"the same through super(): {inner:.2f}x (must 0.7, aim 0.4)")
    for name in ("prometheus_client, literal labels", "prometheus_client, same labels"):
        if name in over:
            print(f"against {name}: {over[name] / mine:.1f}x cheaper (must 14, aim 20)")


def traced(build: Callable[[], object]) -> float:
    """Give the bytes that stay allocated by what a function builds."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = build()
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        assert kept is not None
        return after - before
    finally:
        tracemalloc.stop()


ENDPOINTS = [f"/api/v2/{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10 % 10]}/{'uvwxyz'[n // 100]}"
             for n in range(SERIES // 2)]  # fmt: skip


def memory() -> None:
    """Print the bytes of an idle histogram series: 500 endpoints, 2 status families, 6 buckets."""

    def weave_one() -> tuple[Store, Callable[..., object]]:
        store, function = Store(), new_api().request
        weave_in_place(function, Advice((ADVICE.records[0],), (LATENCY,)), Runtime(store))
        return store, function

    def mine(store: Store, function: Callable[..., object]) -> object:
        for status in (200, 404):
            RESPONSE.status_code = status
            for endpoint in ENDPOINTS:
                function(None, "https://example.org" + endpoint)
        store.fold()
        RESPONSE.status_code = 200
        assert store.series_count() == SERIES
        return store

    mine(*weave_one())  # what is cached once for all (endpoints, code) is no series' memory
    store, function = weave_one()
    size = traced(lambda: mine(store, function)) / SERIES / 1000
    print(f"\nmemory of an idle histogram series: {size:.2f} kB (must 0.7, aim 0.5), memo included")
    if importlib.util.find_spec("prometheus_client"):

        def theirs() -> object:
            seconds, _ = prometheus_metrics()
            for family in ("2xx", "4xx"):
                for endpoint in ENDPOINTS:
                    seconds.labels(endpoint, family).observe(0.1)
            return seconds

        theirs()
        print(f"prometheus_client's: {traced(theirs) / SERIES / 1000:.2f} kB")


def weaving() -> None:
    """Print the time that it takes to weave many functions that share their definition."""
    runtime = Runtime(Store())
    aspects = []
    for number in range(SERIES):
        function = new_api().request
        target = f"benchmark:f{number}"
        aspects.append(Aspect(target, function.__code__, (ADVICE,), runtime, function=function))
    started = process_time()
    weave(aspects)
    print(f"\nweaving 1,000 functions: {process_time() - started:.2f} s")


def folding() -> None:
    """Print what the fold costs for each value: of short calls, as above, and of longer ones."""
    series = HistogramSeries(BUCKETS)
    generator = random.Random(3)  # noqa: S311 - no secret, the same values in each run
    for name, top in (("of short calls", 1e-4), ("in one bucket", 0.4), ("over all buckets", 20.0)):
        chunk = [generator.uniform(0.0, top) for _ in range(FULL)]
        rounds = []
        for _ in range(200):
            copy = chunk[:]
            started = process_time()
            for _ in range(8):
                series.put(series.after_seconds(copy[:])[0])
            rounds.append((process_time() - started) / len(chunk) / 8)
        print(f"folding a value, {name}: {min(rounds) * 1e9:.0f} ns")


def main() -> None:
    """Measure and print everything."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    print(f"Python {sys.version.split()[0]}, {rounds} rounds of {CALLS} calls\n")
    report(measure(rounds))
    folding()
    memory()
    weaving()


if __name__ == "__main__":
    main()
