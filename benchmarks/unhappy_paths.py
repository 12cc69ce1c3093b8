"""What a measured call costs off the well-trodden path, beside the same written by hand.

    python benchmarks/unhappy_paths.py [rounds]

The methods, metrics and labels are those of `hot_path.py`. Here each call has a URL that was never
seen, or 3,000 ids take turns, or the method raises; or what is measured is a gauge, or an
asynchronous generator of three items, also with a record for each item, or a call with a record for
each of ten items of its result. "By hand" is prometheus_client with the same labels, by the
same label functions, and a ``try`` around the call where the method raises.

How it is measured: as in `hot_path.py`. Each variant's figure is on top of the bare method under
the same calls, from the fastest rounds.
"""

# ruff: noqa: ANN401 - each variant has a class of its own

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from hot_path import ADVICE, CALLS, HERE, URLS, free, new_api, one_round, prometheus_metrics

from ancestry_obs.compiler import Advice, Aspect, Runtime, weave
from ancestry_obs.expressions import BUILTIN_FUNCTIONS, parse
from ancestry_obs.mapfile.specs import MetricSpec, RecordSpec
from ancestry_obs.recording import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Variant = tuple["Callable[[str, str], object]", "Callable[[], object]"]
"""What is called with a URL and a method, and what ends a round."""

_ENDPOINT, _FAMILY, _OK, _TYPE_NAME = (
    BUILTIN_FUNCTIONS[name] for name in ("endpoint", "status_family", "ok", "type_name")
)
DEPTH = MetricSpec("depth", "gauge", "D.", (free("endpoint"),), (), HERE)
GAUGE = Advice(
    (
        RecordSpec(
            "depth",
            (("endpoint", parse("endpoint(url)")),),
            parse("size"),
            None,
            "call",
            None,
            HERE,
        ),
    ),
    (DEPTH,),
)

ITEM_SECONDS = MetricSpec("item_seconds", "histogram", "S.", (free("kind"),), (0.5, 1, 2), HERE)
ITEMS = Advice(
    (
        RecordSpec(
            "item_seconds", (("kind", parse("type_name(item)")),), None, None, "item", None, HERE
        ),
    ),
    (ITEM_SECONDS,),
)
DOCUMENTS = MetricSpec("documents_total", "counter", "D.", (free("status"),), (), HERE)
MANY = Advice(
    (
        RecordSpec(
            "documents_total",
            (("status", parse("item['status']")),),
            None,
            None,
            "return",
            None,
            HERE,
            each=parse("result['items']"),
        ),
    ),
    (DOCUMENTS,),
)


@dataclass(frozen=True)
class Case:
    """One row: what is called, how, and by what it is measured."""

    name: str
    must: str
    urls: Callable[[], list[str]]
    bare: Callable[[], Any]
    ours: Callable[[Any], Callable[[], object]]
    by_hand: Callable[[Any], None]


def _weave(function: Any, advice: Advice, store: Store) -> Callable[[], object]:
    aspect = Aspect(
        "benchmark:request", function.__code__, (advice,), Runtime(store),
        is_method=True, function=function,
    )  # fmt: skip
    (woven,) = weave([aspect])
    assert not isinstance(woven, Exception)
    assert not woven.why_called
    function.__code__ = woven.code
    return store.fold


def woven_requests(api: Any) -> Callable[[], object]:
    """Ours: what `hot_path.py` measures."""
    return _weave(api.request, ADVICE, Store())


def woven_gauge(api: Any) -> Callable[[], object]:
    """Ours: one gauge, whose value is a parameter."""
    return _weave(api.request, GAUGE, Store())


def by_hand(api: Any) -> None:
    """The lines of prometheus_client that somebody writes who thinks of the exception too."""
    seconds, requests = prometheus_metrics()
    request = api.request

    def measured(self: object, url: str, method: str = "GET") -> object:
        started = perf_counter()
        response = None
        try:
            response = request(self, url, method)
        finally:
            elapsed = perf_counter() - started
            template = _ENDPOINT(url)
            family = "error" if response is None else _FAMILY(response)
            seconds.labels(template, family).observe(elapsed)
            result = "success" if _OK(response) else "failure"
            requests.labels(template, method.upper(), result).inc()
        return response

    api.request = measured


def gauge_by_hand(api: Any) -> None:
    """One line of prometheus_client."""
    from prometheus_client import CollectorRegistry, Gauge  # noqa: PLC0415 - a peer

    gauge = Gauge("depth", "D.", ["endpoint"], registry=CollectorRegistry())
    request = api.request

    def measured(self: object, url: str, size: float = 1.0) -> object:
        gauge.labels(_ENDPOINT(url)).set(size)
        return request(self, url, size)

    api.request = measured


def items_by_hand(api: Any) -> None:
    """The lines of prometheus_client around an asynchronous generator."""
    seconds, requests = prometheus_metrics()
    items = api.items

    async def measured(self: object, url: str, method: str = "GET") -> Any:
        started = perf_counter()
        try:
            async for each in items(self, url, method):
                yield each
        finally:
            elapsed = perf_counter() - started
            template = _ENDPOINT(url)
            seconds.labels(template, _FAMILY(None)).observe(elapsed)
            requests.labels(template, method.upper(), "failure").inc()

    api.items = measured


def each_item_by_hand(api: Any) -> None:
    """The lines of prometheus_client at each item of an asynchronous generator."""
    from prometheus_client import CollectorRegistry, Histogram  # noqa: PLC0415 - a peer

    registry = CollectorRegistry()
    seconds = Histogram("item_seconds", "S.", ["kind"], buckets=(0.5, 1, 2), registry=registry)
    items = api.items

    async def measured(self: object, url: str, method: str = "GET") -> Any:
        asked = perf_counter()
        async for each in items(self, url, method):
            seconds.labels(_TYPE_NAME(each)).observe(perf_counter() - asked)
            yield each
            asked = perf_counter()

    api.items = measured


def many_by_hand(api: Any) -> None:
    """A line of prometheus_client for each of many items."""
    from prometheus_client import CollectorRegistry, Counter  # noqa: PLC0415 - a peer

    documents = Counter("documents", "D.", ["status"], registry=CollectorRegistry())
    request = api.request

    def measured(self: object, url: str, method: str = "GET") -> object:
        result = request(self, url, method)
        for each in result["items"]:
            documents.labels(str(each["status"])).inc()
        return result

    api.request = measured


def raising_api() -> Any:
    """A class whose method raises; who calls it here expects that."""

    class Api:
        def request(self, url: str, method: str = "GET") -> object:  # noqa: ARG002
            raise ValueError

        def call(self, url: str, method: str) -> None:
            with suppress(ValueError):
                self.request(url, method)

    return Api


def gauge_api() -> Any:
    """A class whose method takes a number."""

    class Api:
        def request(self, url: str, size: float = 1.0) -> None: ...

        def call(self, url: str, _: str) -> None:
            self.request(url, 3.0)

    return Api


def items_api() -> Any:
    """A class whose method is an asynchronous generator of three items."""

    class Api:
        async def items(self, url: str, method: str = "GET") -> Any:  # noqa: ARG002
            yield 1
            yield 2
            yield 3

        async def _all(self, url: str, method: str) -> None:
            async for _ in self.items(url, method):
                pass

        def call(self, url: str, method: str) -> None:
            with suppress(StopIteration):
                self._all(url, method).send(None)

    return Api


def woven_items(api: Any) -> Callable[[], object]:
    """Ours: the same around a generator."""
    return _weave(api.items, ADVICE, Store())


def woven_each_item(api: Any) -> Callable[[], object]:
    """Ours: a record for each item that is handed over."""
    return _weave(api.items, ITEMS, Store())


def many_api() -> Any:
    """A class whose method gives ten items at once."""
    answer = {"items": [{"status": 201 if number else 409} for number in range(10)]}

    class Api:
        def request(self, url: str, method: str = "GET") -> object:  # noqa: ARG002 - a stand-in
            return answer

        def call(self, url: str, method: str) -> None:
            self.request(url, method)

    return Api


def woven_many(api: Any) -> Callable[[], object]:
    """Ours: a record for each of them."""
    return _weave(api.request, MANY, Store())


def plain_api() -> Any:
    """The class of `hot_path.py`, called as the others here."""
    api = new_api()
    api.call = lambda self, url, method: self.request(url, method)
    return api


_NUMBERS = iter(range(10**12))


def new_urls() -> list[str]:
    """URLs that nobody has seen, all of one template."""
    return [f"https://example.org/api/v2/matches/{next(_NUMBERS)}" for _ in range(CALLS)]


def turning_urls() -> list[str]:
    """3,000 ids, one after the other."""
    urls = [f"https://example.org/api/v2/matches/{number}" for number in range(3000)]
    return (urls * (CALLS // len(urls) + 1))[:CALLS]


def known_urls() -> list[str]:
    """The URLs of `hot_path.py`."""
    return (URLS * (CALLS // len(URLS) + 1))[:CALLS]


CASES = (
    Case("known URLs, returning", "14x", known_urls, plain_api, woven_requests, by_hand),
    Case("each URL new", "2x", new_urls, plain_api, woven_requests, by_hand),
    Case("3,000 URLs in turn", "2x", turning_urls, plain_api, woven_requests, by_hand),
    Case("calls that raise", "3x", known_urls, raising_api, woven_requests, by_hand),
    Case("a gauge", "1.5x", known_urls, gauge_api, woven_gauge, gauge_by_hand),
    Case("async generator of three", "0.6 µs", known_urls, items_api, woven_items, items_by_hand),
    Case(
        "three items, each timed", "1x", known_urls, items_api, woven_each_item, each_item_by_hand
    ),
    Case("each of ten items", "1x", known_urls, many_api, woven_many, many_by_hand),
)


def _variants(case: Case) -> Iterator[tuple[Any, Callable[[], object]]]:
    yield case.bare()(), lambda: None
    mine = case.bare()
    finish = case.ours(mine)
    yield mine(), finish
    theirs = case.bare()
    case.by_hand(theirs)
    yield theirs(), lambda: None


class _Caller:
    """What `one_round` calls."""

    def __init__(self, api: Any) -> None:
        self.request = api.call


def measure(case: Case, rounds: int) -> tuple[float, float]:
    """Give what ours and the lines by hand cost on top of the bare method, in seconds."""
    variants = [(_Caller(api), finish) for api, finish in _variants(case)]
    fastest = [1.0] * len(variants)
    for number in range(rounds + 1):
        for index, (api, finish) in enumerate(variants):
            took = one_round(api, finish, case.urls())
            if number:
                fastest[index] = min(fastest[index], took)
    bare, ours, theirs = fastest
    return ours - bare, theirs - bare


def main(cases: Iterable[Case] = CASES) -> None:
    """Measure and print everything.

    Args:
        cases: What is measured.
    """
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    print(f"Python {sys.version.split()[0]}, {rounds} rounds of {CALLS} calls\n")
    print(f"{'on top of the bare call, in ns':32}{'ours':>8}{'by hand':>9}{'cheaper':>9}  must")
    for case in cases:
        ours, theirs = measure(case, rounds)
        print(
            f"{case.name:32}{ours * 1e9:8.0f}{theirs * 1e9:9.0f}{theirs / ours:8.1f}x  {case.must}"
        )


if __name__ == "__main__":
    main()
