"""The promise: the same bytes as prometheus_client writes over the same collector."""

from __future__ import annotations

import signal
import string
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Info
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from ancestry_obs.collector import render, render_pieces

PLAIN = ""
TEXT = "text/plain;version=1.0.0;escaping=allow-utf-8"
OPENMETRICS = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"
ACCEPTS = (
    PLAIN,
    "text/plain;version=0.0.4",
    TEXT,
    OPENMETRICS,
    "application/openmetrics-text",
    "application/openmetrics-text;version=1.0.0;escaping=dots",
    "text/plain;version=1.0.0;escaping=values",
    # What a Prometheus 3 sends.
    f"{OPENMETRICS};q=0.6,{TEXT};q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1",
)

label_text = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from('"\\\n\0\1{}%,= ')), max_size=12
)
label_names = st.lists(
    st.text(string.ascii_lowercase, min_size=1, max_size=3).filter(lambda name: name != "le"),
    max_size=3,
    unique=True,
)
finite = st.floats(allow_nan=False, allow_infinity=False)
bounds = st.lists(finite, min_size=1, max_size=4, unique=True).map(sorted)


def assert_same(setting, accept, registry=None):
    registry = registry or setting.registry
    # The number of earlier scrapes is in the page; both are to be the first.
    setting.self_metrics.scrapes = 0
    rendered = render(registry, accept)
    setting.self_metrics.scrapes = 0
    encode, content_type = choose_encoder(accept)
    assert rendered == (encode(registry), content_type)
    return rendered


@pytest.mark.parametrize("accept", ACCEPTS)
def test_every_kind_in_every_format(setting, specs, accept):
    store = setting.store
    store.family(specs.metric("calls_total", "counter", ["b", "a"])).inc(("y", "x"), 2.5)
    store.family(specs.metric("level", "gauge")).set((), -1.25e9)
    store.family(specs.metric("hit_ratio", "ratio", ["service"])).observe(("people",), 1.0)
    store.family(specs.metric("busy", "in_flight")).observe((), 1.0)
    spec = specs.metric("wait_seconds", "histogram", ["a", "zone"], buckets=[0.5, 1, 2e6])
    for value in (0.1, 1.0, 3.0):
        store.family(spec).observe(("one", "two"), value)
    setting.store.count_failure("program.api:fetch", "calls_total", "a")
    assert_same(setting, accept)


@settings(max_examples=150)
@given(st.data())
def test_whatever_labels_help_and_numbers_are(new_setting, specs, data):
    setting = new_setting()
    kind = data.draw(st.sampled_from(["counter", "gauge", "histogram", "ratio"]))
    names = data.draw(label_names)
    spec = specs.metric(
        "thing_total" if kind == "counter" else "thing",
        kind,
        names,
        buckets=data.draw(bounds) if kind == "histogram" else (),
        help_text=data.draw(label_text),
    )
    family = setting.store.family(spec)
    for labels in data.draw(st.lists(st.tuples(*[label_text] * len(names)), max_size=3)):
        family.observe(labels, data.draw(finite))
    accept = data.draw(st.sampled_from(ACCEPTS))
    assert_same(setting, accept)


@given(counts=st.lists(st.integers(0, 10**9), min_size=3, max_size=3), total=st.floats())
def test_counts_and_sums_of_any_size(new_setting, specs, counts, total):
    setting = new_setting()
    spec = specs.metric("wait_seconds", "histogram", ["a"], buckets=[1, 2])
    series = setting.store.family(spec).resolve(("x",))
    series.counts[:] = counts
    series.sum = total
    for accept in (PLAIN, OPENMETRICS):
        assert_same(setting, accept)


@pytest.mark.parametrize("count", [999_999, 1_000_000])
def test_counts_around_the_switch_to_exponents(setting, specs, count):
    spec = specs.metric("wait_seconds", "histogram", buckets=[1])
    setting.store.family(spec).resolve(()).counts[0] = count
    body, _ = render(setting.registry)
    expected = {999_999: b"_count 999999.0\n", 1_000_000: b"_count 1e+06\n"}
    assert b"app_wait_seconds" + expected[count] in body


def test_pages_of_more_than_one_piece(setting, specs):
    family = setting.store.family(specs.metric("level", "gauge", ["a"]))
    for number in range(129):
        family.set((f'say "{number}"' if number > 100 else str(number),), number)
    body, _ = assert_same(setting, PLAIN)
    assert body.count(b"\napp_level{") == 129


def test_label_values_come_back_from_the_parser(setting, specs):
    values = ('say "hi"', "back\\slash", "new\nline", "größer")
    setting.store.family(specs.metric("odd", "gauge", "abcd")).set(values, 1)
    for accept, parse in ((PLAIN, parse_text), (OPENMETRICS, parse_openmetrics)):
        body, _ = render(setting.registry, accept)
        (odd,) = (each for each in parse(body.decode()) if each.name == "app_odd")
        assert tuple(odd.samples[0].labels.values()) == values


def test_what_others_registered_stands_where_it_would(setting, specs):
    registry = CollectorRegistry()
    Counter("before", "Of somebody else.", registry=registry).inc()
    setting.store.family(specs.metric("level", "gauge")).set((), 1)
    registry.register(setting.collector)
    Gauge("after", "Of somebody else.", ["x"], registry=registry).labels("# EOF").set(3)
    Info("version", "Of somebody else.", registry=registry).info({"python": "3"})
    for accept in ACCEPTS:
        body, _ = assert_same(setting, accept, registry)
    assert body.index(b"before_total") < body.index(b"app_level") < body.index(b"after{")


def test_openmetrics_ends_once(setting):
    body, content_type = render(setting.registry, OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.count(b"# EOF\n") == 1
    assert body.endswith(b"# EOF\n")


def test_no_series_tells_when_it_was_created(setting, specs):
    setting.store.family(specs.metric("calls_total", "counter")).inc(())
    for accept in (PLAIN, OPENMETRICS):
        assert b"_created" not in render(setting.registry, accept)[0]


class Unwritable(str):
    __slots__ = ()

    def __format__(self, spec):
        raise RuntimeError("no text of this")


@pytest.mark.parametrize("accept", [PLAIN, OPENMETRICS])
@pytest.mark.parametrize("kind", ["gauge", "histogram"])
def test_a_series_that_cannot_be_written_costs_itself_alone(kind, accept, setting, specs):
    spec = specs.metric("odd", kind, ["a"], buckets=[1] if kind == "histogram" else ())
    family = setting.store.family(spec)
    for number in range(130):
        # As no way in would let it: what is here is the last resort.
        family.at((Unwritable(f"bad{number}") if number in {3, 70} else f"n{number}",))
    body, _ = render(setting.registry, accept)
    written = body.count(b"\napp_odd{") if kind == "gauge" else body.count(b"\napp_odd_count{")
    assert written == 128
    setting.store.fold()
    assert setting.store.expression_errors["", "app_odd", "value"] == 2
    assert (
        b'expression_errors_total{label="value",metric="app_odd",target=""} 2'
        in (render(setting.registry, accept)[0])
    )


class Interrupting(str):
    __slots__ = ()

    def __format__(self, spec):
        signal.raise_signal(signal.SIGUSR1)
        return ""


def test_what_interrupts_the_writing_reaches_whoever_asks_for_the_page(setting, specs):
    def expire(*_):
        raise TimeoutError("time is up")

    setting.store.family(specs.metric("odd", "gauge", ["a"])).at((Interrupting("n"),))
    before = signal.signal(signal.SIGUSR1, expire)
    try:
        with pytest.raises(TimeoutError, match="time is up"):
            render(setting.registry)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not setting.store.expression_errors


def test_half_a_character_in_a_name_is_replaced(setting):
    setting.targets = [SimpleNamespace(target="program:f\ud800", state="installed", calls=1)]
    assert b'target="program:f?"} 1.0' in render(setting.registry)[0]


def test_a_page_comes_in_pieces(setting, specs):
    family = setting.store.family(specs.metric("level", "gauge", ["a"]))
    for number in range(129):
        family.set((str(number),), number)
    pieces, content_type = render_pieces(setting.registry, OPENMETRICS)
    pieces = list(pieces)
    assert len(pieces) > 3
    setting.self_metrics.scrapes = 0
    assert (b"".join(pieces), content_type) == render(setting.registry, OPENMETRICS)
