"""What the packs cost, beside OpenTelemetry's instrumentation of the same libraries.

    python benchmarks/packs.py [--rounds ROUNDS] [--keep] [LIBRARY ...]

Each library makes the same requests in processes of their own: plain, measured by our pack, and by
OpenTelemetry's instrumentation as who wants Prometheus' metrics sets it up: a meter provider with
the Prometheus reader, tracing left off, the stable names. What either adds to a request is the
processor time on top of the plain program's, a scrape of the page in each round included.

Where that instrumentation has no metric of requests, its spans are what would have to be counted:
they are recorded and dropped at their end. Spans that a sampler refuses are shown too: that is the
least which it costs, and measures nothing.

Both have to count the same requests, which are those that were made. A few unusual ones are
compared alone and not timed: where the two differ it is printed. The processes take turns, round by
round, so that what else the machine does meets all of them; figures are of the fastest rounds.
Libraries that are not installed, and packs that are not there, are left out. Of a library for which
there is no instrumentation of OpenTelemetry's, ours stands alone.

`--keep` writes what was measured beside the packs, for `ancestry-obs packs` and the pages: ratios
of this Python, and on the newest one the microseconds.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import json
import logging
import os
import statistics
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from importlib import resources
from time import process_time
from typing import TYPE_CHECKING, Any, Final

from _pack_cases import CASES, REQUESTS, UNUSUAL, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROUNDS: Final = 40
MUST: Final = 0.2
PLAIN: Final = "plain"
OURS: Final = "ours"
THEIRS: Final = "OpenTelemetry"
UNSAMPLED: Final = "OpenTelemetry, unsampled"
_ROUND_SECONDS: Final = 0.06
_LEAST_REQUESTS: Final = 500  # between two scrapes
_ENVIRONMENT: Final = {
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
    # Else glibc may give memory back at each request and take it again, in one variant and not in
    # another, by chance.
    "MALLOC_MMAP_THRESHOLD_": "268435456",
    "MALLOC_TRIM_THRESHOLD_": "268435456",
}


# The processes that are measured.


def install_nothing(_: str) -> tuple[Callable[[], bytes], Callable[[], None]]:
    """Measure nothing."""
    return lambda: b"", lambda: None


def install_ours(name: str) -> tuple[Callable[[], bytes], Callable[[], None]]:
    """Install the pack; give what writes the page, and what asks whether all went well."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - the plain variant has it not

    import ancestry_obs  # noqa: PLC0415 - the same
    from ancestry_obs.collector import render  # noqa: PLC0415 - the same

    registry = CollectorRegistry()
    settings = ancestry_obs.ObservabilitySettings(enable_prometheus_metrics=True)
    ancestry_obs.install(f"pack:{name}", settings=settings, registry=registry)

    def check() -> None:
        targets = ancestry_obs.status().targets
        wrong = [each for each in targets if each.state == "error" or each.errors]
        assert not wrong, wrong

    return lambda: render(registry)[0], check


def install_theirs(name: str) -> tuple[Callable[[], bytes], Callable[[], None]]:
    """Install OpenTelemetry's metrics."""
    import prometheus_client  # noqa: PLC0415 - the plain variant has it not
    from opentelemetry import metrics  # noqa: PLC0415 - a peer
    from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415 - a peer
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - a peer

    registry = prometheus_client.REGISTRY
    for each in ("PROCESS", "PLATFORM", "GC"):  # ours writes none of these either
        registry.unregister(getattr(prometheus_client, f"{each}_COLLECTOR"))
    metrics.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()]))
    _instrument(name)
    return lambda: prometheus_client.generate_latest(registry), lambda: None


def install_spans(
    name: str, *, sampled: bool = True
) -> tuple[Callable[[], bytes], Callable[[], None]]:
    """Install OpenTelemetry's spans; the page is that of who counts them from now on."""
    from opentelemetry import trace  # noqa: PLC0415 - a peer
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider  # noqa: PLC0415 - a peer
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON  # noqa: PLC0415 - a peer

    counts: Counter[tuple[str, ...]] = Counter()
    sample, labels = CASES[name].counted
    of_span = CASES[name].span
    provider = TracerProvider(sampler=ALWAYS_ON if sampled else ALWAYS_OFF)
    trace.set_tracer_provider(provider)
    _instrument(name)

    class Counting(SpanProcessor):
        def on_end(self, span: Any) -> None:  # noqa: ANN401 - a peer's own
            assert of_span is not None
            counts[of_span(span)] += 1

    def page() -> bytes:
        lines = [f"# TYPE {sample.removesuffix('_count')} histogram"]
        for values, count in counts.items():
            named = zip(labels, values, strict=True)
            pairs = ",".join(f'{label}="{value}"' for label, value in named)
            lines.append(f"{sample}{{{pairs}}} {count}")
        return "\n".join((*lines, "")).encode()

    return page, lambda: provider.add_span_processor(Counting())


def _instrument(name: str) -> None:
    assert CASES[name].instrumentation is not None
    module, instrumentor = CASES[name].instrumentation
    found = importlib.import_module(f"opentelemetry.instrumentation.{module}")
    made = getattr(found, instrumentor)()
    made.instrument()
    assert made.is_instrumented_by_opentelemetry, f"{instrumentor} is not for this version"


def _installers(case: Case) -> dict[str, Callable[[str], Any]]:
    """Give the variants of a case."""
    ways: dict[str, Callable[[str], Any]] = {PLAIN: install_nothing, OURS: install_ours}
    if case.instrumentation is None:
        return ways
    if case.span is None:
        return {**ways, THEIRS: install_theirs}
    unsampled = lambda name: install_spans(name, sampled=False)  # noqa: E731 - as the others are
    return {**ways, THEIRS: install_spans, UNSAMPLED: unsampled}


def be_measured(name: str, variant: str) -> None:
    """Do what is asked for on standard input, until it ends: the other side is `Program`."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what the library prints is no answer
    case = CASES[name]
    page, check = _installers(case)[variant](name)
    run = case.build()
    run(3)
    for line in sys.stdin:
        what, _, times = line.partition(" ")
        if what == "round":
            told: Any = _seconds(run, int(times), page)
        elif what == "counts\n":
            check()
            told = _counts(case, variant, run, page)
        else:
            told = _unusual(case, variant, page)
        print(json.dumps(told), file=answers, flush=True)
    os._exit(0)  # servers and loops of a library are left as they are


def _seconds(run: Callable[[int], object], times: int, page: Callable[[], bytes]) -> float:
    """Give the processor seconds of some passes and a scrape."""
    gc.collect()
    gc.disable()
    try:
        started = process_time()
        run(times)
        page()
        return process_time() - started
    finally:
        gc.enable()


def _counts(
    case: Case, variant: str, run: Callable[[int], object], page: Callable[[], bytes]
) -> list[tuple[tuple[str, ...], int]]:
    """Make one pass; give how many requests the page has more of, by their labels."""
    metric = case.theirs if case.theirs and variant != OURS else case.counted
    before = _on_page(page(), *metric)
    run(1)
    return list((_on_page(page(), *metric) - before).items())


def _unusual(case: Case, variant: str, page: Callable[[], bytes]) -> list[Any]:
    """Make each unusual request alone, in a new program; give the counts of each."""
    logging.disable()
    told = []
    for request in UNUSUAL.values():
        REQUESTS[:] = [request]
        run = case.build()

        def one_pass(times: int, run: Callable[[int], object] = run) -> None:
            with suppress(Exception):
                run(times)

        told.append(_counts(case, variant, one_pass, page))
    return told


def _on_page(page: bytes, sample: str, labels: tuple[str, ...]) -> Counter[tuple[str, ...]]:
    """Count requests on a page."""
    from prometheus_client.parser import (  # noqa: PLC0415 - the plain variant has it not
        text_string_to_metric_families,
    )

    found: Counter[tuple[str, ...]] = Counter()
    for family in text_string_to_metric_families(page.decode()):
        for each in family.samples:
            if each.name == sample:
                found[tuple(each.labels.get(label, "") for label in labels)] += int(each.value)
    return found


# The process that measures them.


class Program:
    """A process that is measured."""

    def __init__(self, name: str, variant: str) -> None:
        """Start it."""
        self._process = subprocess.Popen(  # noqa: S603 - it is this script
            [sys.executable, __file__, "--be", variant, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ENVIRONMENT},
            text=True,
        )

    def ask(self, what: str) -> Any:  # noqa: ANN401 - seconds or counts
        """Ask for a round, or for counts."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{what}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; it has said why
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit(f"{' '.join(map(str, self._process.args))}: has ended; see above")
        return json.loads(answer)

    def end(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(
    name: str, rounds: int
) -> tuple[dict[str, list[float]], dict[str, Counter[Any]], list[str]]:
    """Give the seconds of a request in each round, the counts of one pass, both by variant.

    The third is what is told of unusual requests, which both do not count alike.
    """
    case = CASES[name]
    requests = case.expected.total()
    programs = {variant: Program(name, variant) for variant in _installers(case)}
    times = -(-_LEAST_REQUESTS // requests)
    while (took := programs[PLAIN].ask(f"round {times}")) < _ROUND_SECONDS / 2:
        times = max(2 * times, int(times * _ROUND_SECONDS / max(took, 1e-3)))
    seconds: dict[str, list[float]] = {variant: [] for variant in programs}
    for number in range(rounds + 1):
        for variant, program in programs.items():
            took = program.ask(f"round {times}") / times / requests
            if number:
                seconds[variant].append(took)
    both = {variant: programs[variant] for variant in (OURS, THEIRS) if variant in programs}
    counts = {
        variant: Counter({tuple(labels): count for labels, count in program.ask("counts")})
        for variant, program in both.items()
    }
    unlike = []
    if case.counted[0].startswith("http_"):
        told = zip(UNUSUAL, *(program.ask("unusual") for program in both.values()), strict=True)
        unlike = [
            f"{name}: a request {what}: ours {ours}, OpenTelemetry's {theirs}"
            for what, ours, theirs in told
            if sorted(ours) != sorted(theirs)
        ]
    for program in programs.values():
        program.end()
    return seconds, counts, unlike


def missing(name: str) -> str:
    """Give the reason why a library is left out, or an empty text."""
    if not resources.files("ancestry_obs").joinpath(f"maps/packs/{name}.toml").is_file():
        return f"there is no pack {name!r}"
    instrumentation = CASES[name].instrumentation
    module = (
        name if instrumentation is None else f"opentelemetry.instrumentation.{instrumentation[0]}"
    )
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    return "" if found else f"{module} is not installed"


def on_top(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Give what each variant adds to a request, by the fastest rounds."""
    plain = min(seconds[PLAIN])
    return {variant: min(rounds) - plain for variant, rounds in seconds.items()}


def row(name: str, seconds: dict[str, list[float]]) -> str:
    """Write the line of a library."""
    over = on_top(seconds)
    if THEIRS not in over:
        return f"{name:16}{min(seconds[PLAIN]) * 1e6:15.2f}{over[OURS] * 1e6:15.2f}"
    figures = [min(seconds[PLAIN]), over[OURS], over[THEIRS]]
    medians = {variant: statistics.median(rounds) for variant, rounds in seconds.items()}
    by_medians = (medians[OURS] - medians[PLAIN]) / (medians[THEIRS] - medians[PLAIN])
    cells = "".join(f"{figure * 1e6:15.2f}" for figure in figures)
    cells += f"{over[OURS] / over[THEIRS]:8.2f}{by_medians:12.2f}"
    basis = "metrics"
    if UNSAMPLED in over:
        basis = f"spans, {over[UNSAMPLED] * 1e6:.2f} unsampled"
    return f"{name:16}{cells}  {basis}"


def differences(name: str, counts: dict[str, Counter[Any]]) -> Iterable[str]:
    """Tell whose counts are not those of the requests that were made."""
    for variant, found in counts.items():
        more, fewer = found - CASES[name].expected, CASES[name].expected - found
        if more or fewer:
            yield f"{name}: {variant} has {dict(more)} too many, {dict(fewer)} too few"


def main() -> None:
    """Measure and print everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--keep", action="store_true", help="write what is measured to the packs")
    parser.add_argument("--be", metavar="VARIANT", help=argparse.SUPPRESS)
    parser.add_argument("libraries", nargs="*", choices=[[], *CASES], default=[])
    options = parser.parse_args()
    if options.be:
        be_measured(options.libraries[0], options.be)
        return
    print(f"Python {sys.version.split()[0]}, {options.rounds} rounds; a request, in microseconds\n")
    heads = (f"{head:>15}" for head in (PLAIN, "ours, on top", "OTel, on top"))
    print(f"{'':16}{''.join(heads)}{'ratio':>8}{'by medians':>12}  OTel's")
    differing: list[str] = []
    unlike: list[str] = []
    ratios: dict[str, float] = {}
    fastest: dict[str, dict[str, float]] = {}
    for name in options.libraries or CASES:
        if why := missing(name):
            print(f"{name:16}  left out: {why}")
            continue
        seconds, counts, found = measure(name, options.rounds)
        unlike += found
        print(row(name, seconds), flush=True)
        over = on_top(seconds)
        if THEIRS in over:
            ratios[name] = over[OURS] / over[THEIRS]
        fastest[name] = {**over, PLAIN: min(seconds[PLAIN])}
        differing += differences(name, counts)
    missed = [f"{name} ({ratio:.2f})" for name, ratio in ratios.items() if ratio > MUST]
    lost = [name for name, ratio in ratios.items() if ratio <= 0]
    met = len(ratios) - len(missed) - len(lost)
    print(f"\nmust be at most {MUST}: met by {met} of {len(ratios)}", end="")
    print(f"; missed by {', '.join(missed)}" if missed else "", end="")
    print(f"; not known of {', '.join(lost)}, for the noise: take more rounds" if lost else "")
    print("\n".join(differing) or "counts: each has exactly the requests that were made")
    if unlike:
        print("\n".join(("unusual requests that both do not count alike:", *unlike)))
    assert not [each for each in differing if f": {OURS} has" in each]
    if options.keep:
        from _pack_costs import keep  # noqa: PLC0415 - the processes that are measured have it not

        keep(fastest)


if __name__ == "__main__":
    main()
