"""The protobuf format, read by protobuf's own decoder, and who gets it."""

from __future__ import annotations

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily
from tests.obs.collector.prometheus_messages import TYPES, counts_of, families

from ancestry_obs.collector import render
from ancestry_obs.mapfile.specs import NativeSpec
from ancestry_obs.recording.exemplars import Exemplar

DELIMITED = "proto=io.prometheus.client.MetricFamily;encoding=delimited"
PROTOBUF = f"application/vnd.google.protobuf;{DELIMITED}"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
# What Prometheus 2 sends that is to store native histograms, and Prometheus 3.
ASKED = (
    PROTOBUF,
    f"{PROTOBUF};q=0.6,{OPENMETRICS};q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
    f"text/plain;version=0.0.4;q=0.3, {PROTOBUF.replace(';', '; ')}; q=0.6 , {OPENMETRICS}; q=0.5",
    f"{PROTOBUF};escaping=allow-utf-8;q=0.7,{OPENMETRICS};escaping=allow-utf-8;q=0.6",
)
NOT_ASKED = (
    "",
    "*/*",
    f"{OPENMETRICS},{PROTOBUF}",
    f"{OPENMETRICS};q=0.6,{PROTOBUF};q=0.5",
    f"{PROTOBUF};q=0",
    f"{PROTOBUF};q=much",
    f"{PROTOBUF};q=,text/plain",
    "application/vnd.google.protobuf",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
    "application/vnd.google.protobuf;proto=other.Family;encoding=delimited",
    ";;;,,;q=1;=",
    "q=1;application/vnd.google.protobuf",
)
label_text = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from('"\\\n\0{}, ')))
finite = st.floats(allow_nan=False, allow_infinity=False)


def page(registry):
    body, content_type = render(registry, PROTOBUF)
    assert content_type == (
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
        "encoding=delimited"
    )
    return families(body)


def labels_of(metric):
    return {each.name: each.value for each in metric.label}


def native(specs, name="d_seconds", labels=(), **native):
    buckets = native.pop("buckets", ())
    return specs.metric(name, "histogram", labels, buckets=buckets, native=NativeSpec(**native))


@pytest.mark.parametrize("accept", ASKED)
def test_who_likes_it_best_gets_it(setting, accept):
    assert render(setting.registry, accept)[1].startswith("application/vnd.google.protobuf")


@pytest.mark.parametrize("accept", NOT_ASKED)
def test_everybody_else_gets_text(setting, accept):
    body, content_type = render(setting.registry, accept)
    assert "text" in content_type
    assert b"# TYPE" in body


@given(st.text(st.sampled_from("application/vnd.google.protobuf;q=01,*openmetrics-text \x00é")))
def test_no_accept_is_too_broken_for_a_page(new_setting, accept):
    assert render(new_setting().registry, accept)[0]


def test_every_type_of_ours(setting, specs):
    store = setting.store
    store.family(specs.metric("calls_total", "counter", ["b", "a"])).inc(("y", "é\n"), 2.5)
    store.family(specs.metric("level", "gauge")).set((), -1.25e9)
    store.family(specs.metric("hit_ratio", "ratio", ["service"])).observe(("people",), 1.0)
    store.family(specs.metric("busy", "in_flight")).observe((), 1.0)
    wait = store.family(specs.metric("wait_seconds", "histogram", ["a"], buckets=[0.5, 1, 2e6]))
    for value in (0.1, 1.0, 3.0, 3e6):
        wait.observe(("one",), value)
    found = page(setting.registry)

    def of(name, kind):
        (metric,) = found[name].metric
        assert TYPES[found[name].type] == kind
        return labels_of(metric), metric

    labels, metric = of("app_calls_total", "COUNTER")
    assert (labels, metric.counter.value) == ({"b": "y", "a": "é\n"}, 2.5)
    assert of("app_level", "GAUGE")[1].gauge.value == -1.25e9
    labels, metric = of("app_hit_ratio", "GAUGE")
    assert (labels, metric.gauge.value) == ({"service": "people"}, 1.0)
    assert of("app_busy", "GAUGE")[1].gauge.value == 1.0
    histogram = of("app_wait_seconds", "HISTOGRAM")[1].histogram
    assert (histogram.sample_count, histogram.sample_sum) == (4, 3000004.1)
    counts = [(each.upper_bound, each.cumulative_count) for each in histogram.bucket]
    assert counts == [(0.5, 1), (1.0, 2), (2e6, 3)]
    assert not histogram.HasField("schema")
    assert found["app_wait_seconds"].help == "Some help."
    assert TYPES[found["ancestry_obs_build_info"].type] == "GAUGE"
    labels, metric = of("ancestry_obs_build_info", "GAUGE")
    assert (labels["version"], metric.gauge.value) == ("1.2.3", 1.0)
    summary = of("ancestry_obs_scrape_seconds", "SUMMARY")[1].summary
    assert summary.sample_count == 0


def test_what_others_have_registered():
    registry = CollectorRegistry()
    Counter("others", "Help.", ["x"], registry=registry).labels("é").inc(3)
    Gauge("level", "Help.", registry=registry).set(-2)
    Summary("took", "Help.", registry=registry).observe(2)
    Histogram("wait", "Help.", ["x"], buckets=[1, 2], registry=registry).labels("a").observe(1.5)
    Info("build", "Help.", registry=registry).info({"version": "1"})
    Enum("state", "Help.", states=["on", "off"], registry=registry).state("off")

    class More:
        def collect(self):
            dated = GaugeMetricFamily("dated", "Help.", labels=["x"])
            dated.add_metric(["a"], 1.5, timestamp=12.5)
            yield dated
            yield GaugeHistogramMetricFamily("sizes", "Help.", buckets=[("1.0", 2), ("+Inf", 5)],
                                             gsum_value=9)  # fmt: skip

    registry.register(More())
    found = page(registry)
    assert {name: TYPES[each.type] for name, each in found.items()} == {
        "others_total": "COUNTER",
        "level": "GAUGE",
        "took": "SUMMARY",
        "wait": "HISTOGRAM",
        "build_info": "GAUGE",
        "state": "GAUGE",
        "dated": "GAUGE",
        "sizes": "GAUGE_HISTOGRAM",
    }
    (other,) = found["others_total"].metric
    assert (labels_of(other), other.counter.value) == ({"x": "é"}, 3)
    assert found["level"].metric[0].gauge.value == -2
    took = found["took"].metric[0].summary
    assert (took.sample_count, took.sample_sum) == (1, 2)
    wait = found["wait"].metric[0]
    assert labels_of(wait) == {"x": "a"}
    assert (wait.histogram.sample_count, wait.histogram.sample_sum) == (1, 1.5)
    counts = [(each.upper_bound, each.cumulative_count) for each in wait.histogram.bucket]
    assert counts == [(1.0, 0), (2.0, 1), (float("inf"), 1)]
    assert [labels_of(each) for each in found["build_info"].metric] == [{"version": "1"}]
    states = {labels_of(each)["state"]: each.gauge.value for each in found["state"].metric}
    assert states == {"on": 0, "off": 1}
    dated = found["dated"].metric[0]
    assert (dated.gauge.value, dated.timestamp_ms) == (1.5, 12500)
    sizes = found["sizes"].metric[0].histogram
    assert (sizes.sample_count, sizes.sample_sum) == (5, 9)


@given(
    values=st.lists(st.one_of(finite, st.floats(-10, 10)), max_size=60),
    schema=st.integers(-4, 8),
    texts=st.tuples(label_text, label_text),
    bounds=st.sampled_from([(), (-1.0, 1.0)]),
)
def test_native_histograms(new_setting, specs, values, schema, texts, bounds):
    setting = new_setting()
    factor = 1.0001 * 2.0**2.0**-schema
    spec = native(specs, labels=["b", "a"], factor=factor, max_buckets=1000, buckets=bounds)
    family = setting.store.family(spec)
    series = family.resolve(texts)
    for value in values:
        family.observe(texts, value)
    found = page(setting.registry)["app_d_seconds"]
    (metric,) = found.metric
    told = metric.histogram
    assert TYPES[found.type] == "HISTOGRAM"
    assert labels_of(metric) == dict(zip("ba", texts, strict=True))
    assert told.schema == schema == series.buckets.schema
    assert (told.zero_threshold, told.zero_count) == (2.0**-128, series.buckets.zero)
    assert told.sample_count == len(values)
    assert told.sample_sum == series.sum

    def counted(spans, deltas):
        assert all(span.offset > 16 for span in spans[1:])
        return {key: count for key, count in counts_of(spans, deltas).items() if count}

    assert counted(told.positive_span, told.positive_delta) == dict(series.buckets.positive.items())
    assert counted(told.negative_span, told.negative_delta) == dict(series.buckets.negative.items())
    assert [(each.upper_bound, each.cumulative_count) for each in told.bucket] == [
        (bound, sum(value <= bound for value in values)) for bound in bounds
    ]


def test_one_without_a_zero_bucket_and_values_is_told_by_an_empty_span(setting, specs):
    setting.store.family(native(specs, zero_threshold=0.0)).resolve(())
    told = page(setting.registry)["app_d_seconds"].metric[0].histogram
    assert [(each.offset, each.length) for each in told.positive_span] == [(0, 0)]


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_text_has_the_classic_buckets_that_native_ones_imply(setting, specs, accept):
    family = setting.store.family(native(specs))
    for value in (0.3, 0.6, 0.7, 3.0):
        family.observe((), value)
    body, _ = render(setting.registry, accept)
    lines = [line for line in body.decode().splitlines() if line.startswith("app_d_seconds")]
    assert lines == [
        'app_d_seconds_bucket{le="0.25"} 0.0',
        'app_d_seconds_bucket{le="0.5"} 1.0',
        'app_d_seconds_bucket{le="1.0"} 3.0',
        'app_d_seconds_bucket{le="2.0"} 3.0',
        'app_d_seconds_bucket{le="4.0"} 4.0',
        'app_d_seconds_bucket{le="+Inf"} 4.0',
        "app_d_seconds_count 4.0",
        "app_d_seconds_sum 4.6",
    ]


def test_a_series_that_cannot_be_written_costs_itself_alone(setting, specs):
    family = setting.store.family(specs.metric("odd", "histogram", ["a"], buckets=[1]))
    for name in string.ascii_lowercase:
        family.observe((name,), 1.0)
    # As no way in would let it: what is here is the last resort.
    family.at((7,))
    assert len(page(setting.registry)["app_odd"].metric) == 26
    setting.store.fold()
    assert setting.store.expression_errors["", "app_odd", "value"] == 1


def test_half_a_character_costs_no_page(setting, specs):
    setting.store.family(specs.metric("calls_total", "counter", ["a"])).inc(("\ud800",))
    assert labels_of(page(setting.registry)["app_calls_total"].metric[0]) == {"a": "?"}


def exemplar_of(told):
    labels = {each.name: each.value for each in told.label}
    return labels, told.value, told.timestamp.seconds + told.timestamp.nanos / 1e9


def keep(family, labels, *values):
    kept = family.exemplars_at(labels)
    for number, value in enumerate(values, start=1):
        kept.keep(kept.wanted(value), Exemplar((("trace_id", f"{number}"),), value, number + 0.5))


def test_exemplars_of_counters_and_histograms(setting, specs):
    calls = setting.store.family(specs.metric("calls_total", "counter"))
    wait = setting.store.family(specs.metric("wait_seconds", "histogram", buckets=[1, 2]))
    exact = setting.store.family(native(specs))
    for family, values in ((calls, [1.0]), (wait, [0.5, 3.0]), (exact, [0.5, 3.0])):
        for value in values:
            family.observe((), value)
        keep(family, (), *values)
    found = page(setting.registry)
    counter = found["app_calls_total"].metric[0].counter
    assert exemplar_of(counter.exemplar) == ({"trace_id": "1"}, 1.0, 1.5)
    buckets = found["app_wait_seconds"].metric[0].histogram.bucket
    assert [(each.upper_bound, each.cumulative_count) for each in buckets] == [
        (1.0, 1), (2.0, 1), (float("inf"), 2),
    ]  # fmt: skip
    assert [each.HasField("exemplar") for each in buckets] == [True, False, True]
    assert exemplar_of(buckets[2].exemplar) == ({"trace_id": "2"}, 3.0, 2.5)
    told = found["app_d_seconds"].metric[0].histogram.exemplars
    assert list(map(exemplar_of, told)) == [
        ({"trace_id": "1"}, 0.5, 1.5), ({"trace_id": "2"}, 3.0, 2.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("buckets", "expected"),
    # The bucket of all has the newest one where there is no other.
    [((), {math.inf: 3.0}), ((1, 4), {1: 0.5, 4: 3.0}), ((0.25, 1), {1: 0.5, math.inf: 3.0})],
)
def test_who_knows_no_exemplars_of_native_histograms_finds_classic_ones(
    setting, specs, buckets, expected
):
    family = setting.store.family(native(specs, buckets=buckets))
    for value in (0.5, 3.0):
        family.observe((), value)
    keep(family, (), 0.5, 3.0)
    histogram = page(setting.registry)["app_d_seconds"].metric[0].histogram
    assert expected == {
        each.upper_bound: exemplar_of(each.exemplar)[1]
        for each in histogram.bucket
        if each.HasField("exemplar")
    }
    last = histogram.bucket[-1]
    assert (last.upper_bound, last.cumulative_count) == (math.inf, 2)
    assert len(histogram.exemplars) == 2


def test_exemplars_of_others():
    registry = CollectorRegistry()
    Counter("others", "Help.", registry=registry).inc(3, {"trace_id": "a"})
    wait = Histogram("wait", "Help.", buckets=[1, 2], registry=registry)
    wait.observe(1.5, {"trace_id": "b"})
    found = page(registry)
    labels, value, time = exemplar_of(found["others_total"].metric[0].counter.exemplar)
    assert (labels, value) == ({"trace_id": "a"}, 3.0)
    assert time > 1e9
    buckets = found["wait"].metric[0].histogram.bucket
    assert [each.HasField("exemplar") for each in buckets] == [False, True, False]
    assert exemplar_of(buckets[1].exemplar)[:2] == ({"trace_id": "b"}, 1.5)
