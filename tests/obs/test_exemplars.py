"""Exemplars of installed maps: which call of a bucket is shown, and that they cost nobody else."""

from __future__ import annotations

import ast
import asyncio
import importlib
import logging
import os
import signal
import sys
import threading
from types import ModuleType, SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import ancestry_obs
from ancestry_obs.collector.exposition import render
from ancestry_obs.mapfile import load

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
SHOP = """
class Failed(Exception): pass

def size(value):
    if value is None:
        raise Failed
    return value

async def size_later(value):
    return value

def sizes(values):
    yield from values

def price(value):
    return size(value)
"""
TRACE = {"trace_id": "trace_id()", "span_id": "span_id()"}


class Span:
    """A span as OpenTelemetry's API gives it, with the numbers of a test."""

    def __init__(self, number):
        self.is_valid = bool(number)
        self.trace_id = number
        self.span_id = number + 1

    def get_span_context(self):
        return self


@pytest.fixture
def spans(monkeypatch):
    """Stand in for the API of OpenTelemetry; `number` is the running trace, 0 for none."""
    running = threading.local()
    now = SimpleNamespace(number=1, running=running)
    tracing = ModuleType("opentelemetry.trace")
    tracing.get_current_span = lambda: Span(getattr(running, "number", now.number))
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", tracing)
    return now


def sizes(*, exemplar=TRACE, target="shop_e:size", kind="histogram", instrument=(), **record):
    metric = {"type": kind, "help": "Sizes."}
    name = "sizes" if kind == "histogram" else "sizes_total"
    more = {"buckets": [1, 10]} if kind == "histogram" else {}
    given = {"exemplar": exemplar} if exemplar else {}
    if kind == "histogram":
        record = {"value": "value", **record}
    return {
        "version": 1,
        "metrics": {name: metric | more},
        "instrument": [
            {"target": target, "record": [{"metric": name, **given, **record}], **dict(instrument)}
        ],
    }


@pytest.fixture
def shop(make_module, enabled):
    """Install a map and import the program; `shown` reads a page's exemplars."""

    def make(spec):
        make_module("shop_e", SHOP)
        registry = CollectorRegistry()
        made = importlib.import_module("shop_e")
        made.installed = ancestry_obs.install(spec, settings=enabled, registry=registry)
        made.registry = registry
        made.shown = lambda: shown(registry)
        return made

    return make


def shown(registry):
    page = render(registry, OPENMETRICS)[0].decode()
    return {
        sample.labels.get("le", sample.name.removeprefix("shop_")): (
            sample.exemplar.labels,
            sample.exemplar.value,
        )
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.exemplar
    }


def hexadecimal(number):
    return {"trace_id": f"{number:032x}", "span_id": f"{number + 1:016x}"}


def test_each_bucket_shows_a_call_of_its_own(shop, spans):
    program = shop(sizes())
    for value in (0.5, 5, 50):
        spans.number = int(value * 10)
        program.size(value)
    assert program.shown() == {
        "1.0": (hexadecimal(5), 0.5),
        "10.0": (hexadecimal(50), 5.0),
        "+Inf": (hexadecimal(500), 50.0),
    }


def test_the_slowest_since_the_last_scrape_is_among_them(shop, spans):
    program = shop(sizes())
    for number, value in enumerate((20, 30, 25, 40, 35), 1):
        spans.number = number
        program.size(value)
    assert program.shown() == {"+Inf": (hexadecimal(4), 40.0)}


def test_one_is_evaluated_for_a_bucket_between_two_scrapes_and_stays_until_the_next(shop, spans):
    program = shop(sizes())
    for number in (1, 2, 3):
        spans.number = number
        program.size(5)
    first = {"10.0": (hexadecimal(1), 5.0)}
    assert program.shown() == first
    assert program.shown() == first
    spans.number = 4
    program.size(3)
    assert program.shown() == {"10.0": (hexadecimal(4), 3.0)}


def test_a_page_in_the_older_format_has_none(shop, spans):
    program = shop(sizes())
    program.size(5)
    assert b" # {" not in render(program.registry)[0]
    assert b" # {" in render(program.registry, OPENMETRICS)[0]


def test_prometheus_client_writes_the_same_page(shop, spans):
    program = shop(sizes(exemplar={"text": "text(value) + 'a\"\\\\b'"}))
    program.size(5)
    ours, theirs = (
        [line for line in page.splitlines() if b" # {" in line]
        for page in (render(program.registry, OPENMETRICS)[0], generate_latest(program.registry))
    )
    assert ours == theirs
    assert rb'text="5a\"\\b"' in ours[0]


@pytest.mark.parametrize("on", ["call", "return", "exit"])
def test_a_counter_shows_a_call(shop, spans, on):
    program = shop(sizes(kind="counter", on=on))
    program.size(5)
    assert program.shown() == {"sizes_total": (hexadecimal(1), 1.0)}


def test_a_counter_of_amounts_shows_the_amount_and_nothing_that_is_dropped(shop, spans):
    program = shop(sizes(kind="counter", value="value"))
    program.size(-3)
    program.size(float("nan"))
    assert program.shown() == {}
    program.size(3)
    assert program.shown() == {"sizes_total": (hexadecimal(1), 3.0)}


def test_a_call_that_raises_may_be_shown(shop, spans):
    program = shop(sizes(kind="counter", on="raise", exemplar={"error": "type_name(error)"}))
    with pytest.raises(program.Failed):
        program.size(None)
    assert program.shown() == {"sizes_total": ({"error": "Failed"}, 1.0)}


def test_coroutines_and_the_items_of_generators(shop, spans):
    program = shop(sizes(target="shop_e:size_later"))
    asyncio.run(program.size_later(5))
    assert program.shown() == {"10.0": (hexadecimal(1), 5.0)}
    ancestry_obs.reload(
        sizes(target="shop_e:sizes", on="item", value="item", exemplar={"item": "item"})
    )
    assert list(program.sizes([2, 20])) == [2, 20]
    found = program.shown()
    assert found["+Inf"] == ({"item": "20"}, 20.0)
    # The family is the same: what it has stays.
    assert found["10.0"] == ({"item": "2"}, 2.0)


def test_each_item_of_a_call(shop, spans):
    exemplar = {"trace_id": "trace_id()", "item": "item"}
    program = shop(sizes(each="result", value="item", when="item != 7", exemplar=exemplar))
    program.size([2, 20, 3, 7, 30, float("nan")])
    trace = f"{1:032x}"
    assert program.shown() == {
        "10.0": ({"trace_id": trace, "item": "2"}, 2.0),
        "+Inf": ({"trace_id": trace, "item": "30"}, 30.0),
    }
    assert program.registry.get_sample_value("shop_sizes_count") == 4


def test_each_item_that_is_counted(shop, spans):
    program = shop(sizes(kind="counter", each="result", exemplar={"item": "item"}))
    program.size(["a", "b"])
    assert program.shown() == {"sizes_total": ({"item": "a"}, 1.0)}


def test_without_a_running_span_there_is_none_and_without_the_api_either(
    shop, spans, monkeypatch, caplog
):
    program = shop(sizes())
    spans.number = 0
    program.size(5)
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    program.size(5)
    assert program.shown() == {}
    assert "opentelemetry.trace" not in sys.modules
    assert errors(program) == {}
    assert caplog.records == []


def errors(program):
    page = render(program.registry, OPENMETRICS)[0].decode()
    return {
        (sample.labels["metric"], sample.labels["label"]): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "ancestry_obs_expression_errors_total"
    }


def test_what_is_too_long_is_dropped_counted_and_said_once(shop, spans, caplog):
    program = shop(
        sizes(exemplar={"text": "text(value) + 'xxxxxxxxxxxxxxxxxxxx'", "a": repr("x" * 102)})
    )
    with caplog.at_level(logging.WARNING):
        program.size(5)
        assert program.shown()["10.0"][0]["a"] == "x" * 102
        program.size(15)
        program.size(15)
    assert "+Inf" not in program.shown()
    assert errors(program) == {("sizes", "exemplar"): 2.0}
    (said,) = caplog.messages
    assert "shop_e:size: metric 'sizes': the expression for 'exemplar' failed" in said
    assert "129 characters" in said


def test_what_fails_costs_the_exemplar_alone(shop, spans, caplog):
    program = shop(sizes(exemplar={"trace_id": "trace_id()", "bad": "value.nothing"}))
    with caplog.at_level(logging.WARNING):
        assert program.size(5) == 5
        assert program.size(6) == 6
    assert program.shown() == {}
    assert program.registry.get_sample_value("shop_sizes_count") == 2
    assert errors(program) == {("sizes", "exemplar"): 2.0}
    assert len(caplog.records) == 1


def test_an_expression_that_leads_to_a_woven_function_does_not_go_on_for_ever(shop, spans):
    program = shop(sizes(kind="counter", target="shop_e:size"))
    sys.modules["opentelemetry.trace"].get_current_span = lambda: Span(program.size(7))
    program.size(5)
    assert program.shown() == {"sizes_total": (hexadecimal(7), 1.0)}
    assert program.registry.get_sample_value("shop_sizes_total") == 1


def test_a_value_of_the_calls_beginning(shop, spans):
    exemplar = {"trace_id": "entry.trace", "now": "trace_id()"}
    program = shop(sizes(exemplar=exemplar, instrument={"entry": {"trace": "trace_id()"}}))

    class Ending(float):
        def __float__(self):
            spans.number = 2
            return 5.0

    program.size(Ending(3))
    assert program.shown() == {
        "10.0": ({"trace_id": f"{1:032x}", "now": f"{2:032x}"}, 5.0),
    }


def test_what_interrupts_an_expression_reaches_the_program_and_the_call_counts(shop, spans):
    class Interrupted(BaseException):
        pass

    def interrupt(*_):
        raise Interrupted

    def running():
        signal.raise_signal(signal.SIGUSR1)
        return Span(1)

    program = shop(sizes())
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        sys.modules["opentelemetry.trace"].get_current_span = running
        with pytest.raises(Interrupted):
            program.size(5)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert program.registry.get_sample_value("shop_sizes_count") == 1
    assert errors(program) == {}
    assert program.shown() == {}
    sys.modules["opentelemetry.trace"].get_current_span = lambda: Span(3)
    program.size(5)
    assert program.shown() == {"10.0": (hexadecimal(3), 5.0)}


def test_near_the_limit_of_the_stack_a_call_does_what_it_does_without_us(shop, spans):
    program = shop(sizes(target="shop_e:price"))

    def down(left):
        return down(left - 1) if left else program.price(5)

    def answer(left):
        try:
            return down(left)
        except RecursionError:
            return None

    frame, depth = sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    room = sys.getrecursionlimit() - depth
    measured = [answer(room - each) for each in range(20)]
    assert {*measured} == {5, None}
    ancestry_obs.uninstall()
    assert [answer(room - each) for each in range(20)] == measured


def test_a_generator_that_an_expression_of_another_call_ends_has_none(shop, spans):
    spec = sizes()
    spec["metrics"]["ended_total"] = {"type": "counter", "help": "Generators."}
    record = {"metric": "ended_total", "exemplar": {"trace_id": "trace_id()"}}
    spec["instrument"].append({"target": "shop_e:sizes", "record": [record]})
    program = shop(spec)
    generator, asked = program.sizes([1]), []
    next(generator)

    def running():
        asked.append(list(generator))
        return Span(1)

    sys.modules["opentelemetry.trace"].get_current_span = running
    program.size(5)
    assert program.shown() == {"10.0": (hexadecimal(1), 5.0)}
    assert asked == [[], []]
    assert errors(program) == {}
    assert program.registry.get_sample_value("shop_ended_total") == 1


def test_a_native_histogram_shows_them_behind_the_buckets_that_it_implies(shop, spans):
    spec = sizes()
    spec["metrics"]["sizes"]["buckets"] = "native"
    program = shop(spec)
    for number, value in enumerate((1, 100), 1):
        spans.number = number
        program.size(value)
    found = program.shown()
    assert sorted(found.values(), key=str) == [(hexadecimal(1), 1.0), (hexadecimal(2), 100.0)]
    for bound, (_, value) in found.items():
        assert value <= float(bound)


def test_sampled_calls_show_those_that_were_timed(shop, spans):
    program = shop(sizes(value="elapsed", instrument={"sample": 0.01}))
    for number in range(1000):
        spans.number = number + 1
        program.size(5)
    (found,) = program.shown().values()
    assert 0 <= found[1] < 1
    assert program.registry.get_sample_value("shop_sizes_count") == 1000


def test_many_threads_each_in_a_trace_of_its_own(shop, spans, workers):
    program = shop(sizes(exemplar={"trace_id": "trace_id()", "value": "text(value)"}))

    def work(number):
        spans.running.number = number + 1
        program.size(number / 2)

    with workers(work, at_least=300):
        for _ in range(20):
            for labels, value in program.shown().values():
                assert float(labels["value"]) == value
                assert int(labels["trace_id"], 16) == value * 2 + 1
    assert {"1.0", "10.0"} <= program.shown().keys()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_begins_with_none_and_has_its_own(shop, spans):
    program = shop(sizes())
    program.size(5)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            before = program.shown()
            spans.number = 9
            program.size(50)
            os.write(writing, repr((before, program.shown())).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert ast.literal_eval(told.read()) == ({}, {"+Inf": (hexadecimal(9), 50.0)})
    assert program.shown() == {"10.0": (hexadecimal(1), 5.0)}


def test_a_reload_keeps_them_and_uninstall_ends_them(shop, spans):
    program = shop(sizes())
    program.size(5)
    ancestry_obs.reload(sizes(exemplar={"trace_id": "trace_id()"}))
    assert program.shown() == {"10.0": (hexadecimal(1), 5.0)}
    spans.number = 2
    program.size(6)
    assert program.shown() == {"10.0": ({"trace_id": f"{2:032x}"}, 6.0)}
    ancestry_obs.uninstall()
    assert program.size(5) == 5
    assert program.shown() == {}


def test_those_that_the_map_has_no_longer_are_gone(shop, spans):
    program = shop(sizes())
    program.size(5)
    assert program.shown()
    ancestry_obs.reload(sizes(exemplar=None))
    assert program.shown() == {}
    program.size(5)
    assert program.shown() == {}
    assert program.registry.get_sample_value("shop_sizes_count") == 2
    ancestry_obs.reload(sizes())
    program.size(6)
    assert program.shown() == {"10.0": (hexadecimal(1), 6.0)}


def test_two_records_of_one_stream_have_exemplars_of_their_own(shop, spans):
    spec = sizes()
    spec["metrics"]["calls_total"] = {"type": "counter", "help": "Calls."}
    record = spec["instrument"][0]["record"]
    record.append({"metric": "calls_total", "exemplar": {"value": "value"}})
    program = shop(spec)
    program.size(5)
    assert program.shown() == {
        "10.0": (hexadecimal(1), 5.0),
        "calls_total": ({"value": "5"}, 1.0),
    }


def test_a_trace_as_a_label_is_read_anew_at_each_call(shop, spans):
    spec = sizes(exemplar=None)
    spec["metrics"]["sizes"]["labels"] = {"trace": {"max_values": 5}}
    spec["instrument"][0]["record"][0]["labels"] = {"trace": "trace_id()"}
    program = shop(spec)
    for number in (1, 2):
        spans.number = number
        program.size(5)
    for number in (1, 2):
        labels = {"trace": f"{number:032x}"}
        assert program.registry.get_sample_value("shop_sizes_count", labels) == 1


@pytest.mark.parametrize(
    ("kind", "more"),
    [("gauge", {"value": "value"}), ("ratio", {"hit": "value"}), ("in_flight", {})],
)
def test_other_metrics_are_refused(kind, more):
    spec = sizes(kind="counter", exemplar=TRACE, **more)
    spec["metrics"] = {"sizes": {"type": kind, "help": "Sizes."}}
    spec["instrument"][0]["record"][0]["metric"] = "sizes"
    with pytest.raises(ancestry_obs.MapError) as refused:
        load(spec)
    assert "exemplar: a metric of type " + kind in str(refused.value)
