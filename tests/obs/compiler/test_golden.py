"""Typical targets with the statements in them, as they are kept in `golden/`.

A change of the statements shows in the diff of these files. To write them anew:

    UPDATE_GOLDEN=1 python -m pytest tests/obs/compiler/test_golden.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ancestry_obs.expressions import parse
from ancestry_obs.expressions.given import Given, entry_variable
from ancestry_obs.frozen import replaced
from ancestry_obs.mapfile.specs import HandedSpec

GOLDEN = Path(__file__).parent / "golden"


def passes_only(loom):
    return loom.weave(_method)


def counts_at_call(loom):
    loom.metric("calls_total", kind=("a", "b"))
    return loom.weave(_method, loom.record("calls_total", on="call", kind="'a'"))


def times_and_counts_requests(loom):
    families = ("2xx", "4xx", "5xx", "error")
    loom.metric("seconds", "histogram", endpoint=100, family=families)
    loom.metric("requests_total", endpoint=100, method=("GET",), result=("success", "failure"))
    return loom.weave(
        _method,
        loom.record("seconds", endpoint="endpoint(url)", family="status_family(result)"),
        loom.record(
            "requests_total",
            endpoint="endpoint(url)",
            method="upper(method)",
            result="'success' if ok(result) else 'failure'",
        ),
    )


def times_some(loom):
    loom.metric("seconds", "histogram", endpoint=100)
    loom.metric("requests_total", endpoint=100)
    return loom.weave(
        _method,
        loom.record("seconds", endpoint="endpoint(url)"),
        loom.record("requests_total", endpoint="endpoint(url)"),
        sample=0.01,
    )


def times_what_a_budget_says(loom):
    loom.metric("seconds", "histogram")
    return loom.weave(_method, loom.record("seconds"), is_budgeted=True)


def looks_up_a_cache(loom):
    loom.metric("operations_total", service=9, endpoint=9, operation=("get", "set"))
    loom.metric("hit_ratio", "ratio", service=9, endpoint=9)
    labels = {"service": "service", "endpoint": "endpoint"}
    return loom.weave(
        _get,
        loom.record("operations_total", **labels, operation="'get'"),
        loom.record("hit_ratio", hit="result is not None", **labels),
    )


def counts_on_conditions(loom):
    loom.metric("failures_total", kind=9)
    loom.metric("size", "histogram")
    return loom.weave(
        _get,
        loom.record("failures_total", on="raise", kind="type_name(error)"),
        loom.record("size", on="return", when="result is not None", value="length(result)"),
    )


def flies_with_everything_else(loom):
    loom.actions["exporter.start"] = print
    loom.metric("flying", "in_flight", service=9)
    loom.metric("seconds", "histogram", outcome=("success", "error", "cancelled"))
    return loom.weave(
        _coroutine,
        loom.record("flying", on="call", service="service"),
        loom.record("seconds", outcome="outcome(error)"),
        after=("exporter.start",),
    )


def runs_a_generator(loom):
    return loom.counting(_generator)


def runs_an_async_generator(loom):
    return loom.counting(_async_generator)


def follows_the_items_of_a_generator(loom):
    loom.metric("first_seconds", "histogram")
    loom.metric("items_total", kind=9)
    loom.metric("handed", "histogram")
    return loom.weave(
        _patient_generator,
        loom.record("first_seconds", on="first"),
        loom.record("items_total", on="item", kind="type_name(item)"),
        loom.record("handed", value="items"),
    )


def times_the_items_of_an_async_generator(loom):
    loom.metric("item_seconds", "histogram")
    return loom.weave(_async_generator, loom.record("item_seconds", on="item"))


def counts_each_of_many(loom):
    loom.metric("documents_total", status=9)
    record = loom.record("documents_total", on="return", each="result", status="item.status")
    return loom.weave(_get, record)


def keeps_exemplars(loom):
    loom.metric("seconds", "histogram", method=("get",))
    loom.metric("calls_total")
    exemplar = {"trace_id": "trace_id()", "key": "text(key)"}
    return loom.weave(
        _get,
        loom.record("seconds", exemplar=exemplar, method="service"),
        loom.record("calls_total", when="key", exemplar={"trace_id": "trace_id()"}),
    )


def counts_once_under_subclasses(loom):
    loom.metric("calls_total")
    record = loom.record("calls_total")
    return loom.weave(_get, record, is_inner=bool)


def hands_values_on(loom):
    loom.metric("seconds", "histogram", status=9, size=9, place=9)
    given = Given(
        frozenset({"context", "told"}),
        (("entry.size", entry_variable("size", "length(key)")), ("target.name", "target.name")),
    )

    def read(text):
        return parse(text, given=given)

    labels = {"status": "told.status", "size": "entry.size", "place": "target.name"}
    record = loom.record("seconds")
    record = replaced(record, labels=tuple((name, read(text)) for name, text in labels.items()))
    handed = HandedSpec(
        entry=(("size", parse("length(key)")),),
        context=(("place", read("context.place + service")),),
        tell=(("status", parse("result.status")),),
    )
    return loom.weave(_get, record, handed=handed)


def counts_the_outermost(loom):
    loom.metric("calls_total", service=9)
    record = loom.record("calls_total", when="key is not None", service="service")
    return loom.weave(_get, replaced(record, outermost="nested.calls"))


def _method(self, url, /, method="GET", *parts, retries=3, **options):
    """Stands for a method of an API."""


def _get(self, service, endpoint, key):
    """Stands for a look-up."""


async def _coroutine(service):
    """Stands for a coroutine."""


def _generator(n):
    yield n


def _patient_generator(n):
    try:
        got = yield n
    except ValueError:
        return
    yield got


async def _async_generator(n):
    yield n


CASES = [
    passes_only,
    counts_at_call,
    times_and_counts_requests,
    times_some,
    times_what_a_budget_says,
    looks_up_a_cache,
    counts_on_conditions,
    flies_with_everything_else,
    runs_a_generator,
    runs_an_async_generator,
    follows_the_items_of_a_generator,
    times_the_items_of_an_async_generator,
    counts_each_of_many,
    keeps_exemplars,
    counts_once_under_subclasses,
    hands_values_on,
    counts_the_outermost,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_source_is_the_one_in_the_golden_file(loom, case):
    source = case(loom).source
    path = GOLDEN / loom.way / f"{case.__name__}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(source + "\n")
    assert source + "\n" == path.read_text()
