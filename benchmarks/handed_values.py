"""What values that are handed from call to call cost, beside the same written by hand.

    python benchmarks/handed_values.py [rounds]

Each case counts calls by one label, which comes from the call's beginning, from a call around it,
from a call inside of it, or from the target itself; or it counts the outermost of three calls in
each other. "By hand" is a counter of prometheus_client with the same label, and `contextvars` where
a value has to get from one call to another, set and reset as their documentation has it.

How it is measured: as in `unhappy_paths.py`.
"""

# ruff: noqa: ANN401 - each variant has a class of its own

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from hot_path import RESPONSE
from unhappy_paths import Case, known_urls, main

from ancestry_obs.aspects import pointcuts
from ancestry_obs.compiler import Aspect, Runtime, weave
from ancestry_obs.mapfile import load
from ancestry_obs.recording import Store

if TYPE_CHECKING:
    from collections.abc import Callable

METRICS = {
    "calls_total": {"type": "counter", "help": "C.", "labels": {"value": {"max_values": 100}}},
    "outer_total": {"type": "counter", "help": "O."},
}
COUNTED = {"metric": "calls_total"}


def new_api() -> Any:
    """A class with a call inside of a call, and one that calls itself."""

    class Api:
        def request(self, url: str, method: str = "GET") -> object:  # noqa: ARG002 - a stand-in
            return self.send(url)

        def send(self, url: str) -> object:  # noqa: ARG002 - a stand-in
            return RESPONSE

        def walk(self, levels: int) -> int:
            return levels and self.walk(levels - 1)

        def call(self, url: str, method: str) -> None:
            self.request(url, method)

    return Api


def walking_api() -> Any:
    """The same, whose calls are three calls in each other."""
    api = new_api()
    api.call = lambda self, _, __: self.walk(2)
    return api


def woven(
    *instruments: dict[str, Any],
    metrics: dict[str, Any] = METRICS,
    finish: Callable[[Store], object] = Store.fold,
) -> Callable[[Any], Callable[[], object]]:
    """Make what weaves a map into an API, and gives what ends a round."""
    spec = load({"version": 1, "metrics": metrics, "instrument": [*instruments]})

    def weave_in(api: Any) -> Callable[[], object]:
        runtime = Runtime(Store())
        for each in pointcuts(spec, 0.0):
            function = getattr(api, each.pattern.rpartition(".")[2])
            aspect = Aspect(
                each.pattern, function.__code__, (each.advice,), runtime,
                is_method=True, function=function,
            )  # fmt: skip
            (done,) = weave([aspect])
            assert not isinstance(done, Exception), done
            function.__code__ = done.code
        return partial(finish, runtime.store)

    return weave_in


def counting(value: str, **more: Any) -> dict[str, Any]:
    """Make an instrument of a map that counts by a label."""
    record = [{**COUNTED, "labels": {"value": value}}]
    return {"target": "benchmark:Api.request", "record": record, **more}


def _counter(*labels: str) -> Any:
    from prometheus_client import CollectorRegistry, Counter  # noqa: PLC0415 - a peer

    return Counter("calls", "C.", labels, registry=CollectorRegistry())


def entry_by_hand(api: Any) -> None:
    """A value that is kept until the call is over."""
    calls, request = _counter("value"), api.request

    def measured(self: object, url: str, method: str = "GET") -> object:
        size = len(url)
        try:
            return request(self, url, method)
        finally:
            calls.labels(str(size)).inc()

    api.request = measured


def told_by_hand(api: Any) -> None:
    """A context variable with what the inner call puts into it."""
    calls, request, send = _counter("value"), api.request, api.send
    told: ContextVar[dict[str, object] | None] = ContextVar("told", default=None)

    def measured(self: object, url: str, method: str = "GET") -> object:
        values: dict[str, object] = {}
        token = told.set(values)
        try:
            return request(self, url, method)
        finally:
            told.reset(token)
            calls.labels(str(values.get("status"))).inc()

    def telling(self: object, url: str) -> object:
        response = send(self, url)
        values = told.get()
        if values is not None:
            values["status"] = response.status_code
        return response

    api.request, api.send = measured, telling


def context_by_hand(api: Any) -> None:
    """A context variable that the inner call reads."""
    calls, request, send = _counter("value"), api.request, api.send
    tenant: ContextVar[object] = ContextVar("tenant", default=None)

    def setting(self: object, url: str, method: str = "GET") -> object:
        token = tenant.set(method)
        try:
            return request(self, url, method)
        finally:
            tenant.reset(token)

    def measured(self: object, url: str) -> object:
        try:
            return send(self, url)
        finally:
            calls.labels(str(tenant.get())).inc()

    api.request, api.send = setting, measured


def outermost_by_hand(api: Any) -> None:
    """A context variable that says that a call is under way."""
    calls, walk = _counter(), api.walk
    inside: ContextVar[bool] = ContextVar("inside", default=False)

    def measured(self: object, levels: int) -> int:
        if inside.get():
            return walk(self, levels)  # type: ignore[no-any-return]  # of any class
        token = inside.set(True)
        try:
            return walk(self, levels)  # type: ignore[no-any-return]  # of any class
        finally:
            inside.reset(token)
            calls.inc()

    api.walk = measured


def named_by_hand(api: Any) -> None:
    """A label that is the function's name."""
    calls, request = _counter("value"), api.request
    child = calls.labels(request.__name__)

    def measured(self: object, url: str, method: str = "GET") -> object:
        try:
            return request(self, url, method)
        finally:
            child.inc()

    api.request = measured


SEND = "benchmark:Api.send"
CASES = (
    Case(
        "entry: kept from the beginning", "1x", known_urls, new_api,
        woven(counting("entry.size", entry={"size": "len(url)"})), entry_by_hand,
    ),
    Case(
        "tell: from the call inside", "1x", known_urls, new_api,
        woven(
            counting("told.status"), {"target": SEND, "tell": {"status": "result.status_code"}}
        ),
        told_by_hand,
    ),
    Case(
        "context: from the call around", "1x", known_urls, new_api,
        woven(
            {"target": "benchmark:Api.request", "context": {"tenant": "method"}},
            {**counting("context.tenant"), "target": SEND},
        ),
        context_by_hand,
    ),
    Case(
        "outermost of three", "1x", known_urls, walking_api,
        woven(
            {
                "target": "benchmark:Api.walk",
                "outermost": True,
                "record": [{"metric": "outer_total"}],
            }
        ),
        outermost_by_hand,
    ),
    Case(
        "target.name", "1x", known_urls, new_api, woven(counting("target.name")), named_by_hand,
    ),
)  # fmt: skip


if __name__ == "__main__":
    main(CASES)
