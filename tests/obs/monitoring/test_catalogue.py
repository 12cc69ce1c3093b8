from __future__ import annotations

import pytest

from ancestry_obs.collector.self_metrics import SelfMetrics
from ancestry_obs.mapfile import load
from ancestry_obs.monitoring.catalogue import SELF_METRICS, Catalogue
from ancestry_obs.recording import Store


def test_a_metric_is_found_by_the_maps_name_and_has_the_exposed_one(shop):
    metric = shop["order_seconds"]
    assert (metric.series, metric.any_series) == ("shop_order_seconds", "shop_order_seconds_count")
    assert metric.buckets == (0.1, 1, 2.5)
    assert shop.get("shop_order_seconds") is None


def test_a_metric_has_exemplars_if_a_record_gives_it_some():
    records = [
        {"metric": "orders_total", "exemplar": {"trace_id": "trace_id()"}},
        {"metric": "order_seconds"},
    ]
    spec = {"version": 1, "instrument": [{"target": "shop:order", "record": records}]}
    spec["metrics"] = {"orders_total": {"type": "counter", "help": "Orders."}}
    spec["metrics"]["order_seconds"] = {"type": "histogram", "help": "Time.", "buckets": [1]}
    found = Catalogue(load(spec), "shop")
    assert found["orders_total"].has_exemplars
    assert not found["order_seconds"].has_exemplars


def test_the_toolkits_own_metrics_are_what_the_collector_tells():
    suffixes = {"counter": "_total", "info": "_info", "gauge": "", "summary": ""}
    told = {
        (f"{block.name}{suffixes[block.kind]}", block.kind, block.label_names)
        for block in SelfMetrics(Store(), tuple, "1").blocks()
    }
    assert {(own.series, own.kind, own.label_names) for own in SELF_METRICS} == told


def test_the_toolkits_own_metrics_have_the_same_name_in_every_namespace(shop):
    assert {shop[own.name] for own in SELF_METRICS} == set(SELF_METRICS)
    assert shop.names[-1] == "ancestry_obs_scrape_seconds"


@pytest.mark.parametrize(
    ("name", "telling"),
    [
        ("orders_total", ("result",)),
        ("order_seconds", ("shop",)),
        ("finds_ratio", ()),
    ],
)
def test_the_most_telling_label_is_the_last_short_enumeration(shop, name, telling):
    assert shop[name].telling == telling


def test_only_listed_values_make_a_label_enumerated(shop):
    assert shop["orders_total"].enumerated == ("way", "result")
