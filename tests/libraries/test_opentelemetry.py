"""OpenTelemetry: the trace and span that its SDK has running are an exemplar's labels."""

from __future__ import annotations

import asyncio
import importlib
import sys

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import ancestry_obs
from ancestry_obs.collector.exposition import render

APP = """
import asyncio

from opentelemetry.sdk.trace import TracerProvider

tracer = TracerProvider().get_tracer("shop")

def sell(price):
    return price

async def sell_later(price):
    await asyncio.sleep(0)
    return price

def in_a_span(price):
    with tracer.start_as_current_span("order") as span:
        sell(price)
    return span.get_span_context()

async def in_many_spans(prices):
    async def one(price):
        with tracer.start_as_current_span("order") as span:
            await sell_later(price)
        return span.get_span_context()
    return await asyncio.gather(*map(one, prices))
"""
EXEMPLAR = {"trace_id": "trace_id()", "span_id": "span_id()"}


@pytest.fixture
def till(tmp_path, monkeypatch):
    """Import the program, measured; `exemplars` reads the page's, by bucket."""
    (tmp_path / "traced_app.py").write_text(APP)
    monkeypatch.syspath_prepend(tmp_path)
    spec = {
        "version": 1,
        "metrics": {"prices": {"type": "histogram", "help": "Prices.", "buckets": [5, 15]}},
        "instrument": [
            {
                "target": ["traced_app:sell", "traced_app:sell_later"],
                "record": [{"metric": "prices", "value": "price", "exemplar": EXEMPLAR}],
            }
        ],
    }
    registry = CollectorRegistry()
    settings = ancestry_obs.ObservabilitySettings(
        enable_prometheus_metrics=True, metrics_export_port=0
    )
    ancestry_obs.install(spec, settings=settings, registry=registry)
    program = importlib.import_module("traced_app")

    def exemplars():
        page = render(registry, "application/openmetrics-text; version=1.0.0")[0].decode()
        return {
            sample.labels["le"]: sample.exemplar.labels
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.exemplar
        }

    program.exemplars = exemplars
    yield program
    ancestry_obs.uninstall()
    monkeypatch.delitem(sys.modules, "traced_app")


def labels_of(context):
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def test_a_call_in_a_span_is_shown_with_it_and_one_outside_is_not(till):
    till.sell(1)
    assert till.exemplars() == {}
    context = till.in_a_span(1)
    till.sell(2)
    assert till.exemplars() == {"5.0": labels_of(context)}


def test_tasks_side_by_side_have_their_own(till):
    contexts = asyncio.run(till.in_many_spans([1, 10, 20]))
    assert till.exemplars() == dict(
        zip(("5.0", "15.0", "+Inf"), map(labels_of, contexts), strict=True)
    )
