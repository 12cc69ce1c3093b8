"""What a registry knows of the metrics after a reload, and what a name that is taken costs."""

from __future__ import annotations

import colorsys
import copy

import pytest
from prometheus_client import CollectorRegistry, Gauge

import ancestry_obs
from ancestry_obs.exceptions import ObservabilityError

MAP = {
    "version": 1,
    "metrics": {"a_total": {"type": "counter", "help": "A."}},
    "instrument": [{"target": "colorsys:rgb_to_yiq", "record": [{"metric": "a_total"}]}],
}
MORE = {
    "version": 1,
    "metrics": {**MAP["metrics"], "b": {"type": "histogram", "help": "B.", "buckets": [1]}},
    "instrument": [
        {"target": "colorsys:rgb_to_yiq", "record": [{"metric": "a_total"}, {"metric": "b"}]}
    ],
}


@pytest.fixture
def registry(enabled):
    registry = CollectorRegistry()
    ancestry_obs.install(MAP, settings=enabled, registry=registry)
    return registry


def named(registry, name):
    return [metric.name for metric in registry.restricted_registry([name]).collect()]


def test_new_metrics_can_be_asked_for_by_name(registry):
    assert named(registry, "shop_b_count") == []
    ancestry_obs.reload(MORE)
    colorsys.rgb_to_yiq(0, 0, 0)
    assert named(registry, "shop_b_count") == ["shop_b"]
    assert named(registry, "shop_a_total") == ["shop_a"]
    ancestry_obs.reload(MAP)
    assert named(registry, "shop_b_count") == []


def test_the_name_of_a_new_metric_is_taken_for_others(registry):
    ancestry_obs.reload(MORE)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        Gauge("shop_b", "Of somebody else.", registry=registry)
    ancestry_obs.reload(MAP)
    Gauge("shop_b", "Of somebody else.", registry=registry)


def test_a_taken_name_leaves_the_old_map_with_its_values(registry):
    Gauge("shop_b", "Of somebody else.", registry=registry)
    woven = colorsys.rgb_to_yiq
    woven(0, 0, 0)
    with pytest.raises(ObservabilityError, match=r"already has one of the map's metrics"):
        ancestry_obs.reload(copy.deepcopy(MORE))
    assert colorsys.rgb_to_yiq is woven
    woven(0, 0, 0)
    assert registry.get_sample_value("shop_a_total") == 2
    assert registry.get_sample_value("shop_b") == 0
    assert ancestry_obs.reload(MAP) == ancestry_obs.MapDiff()


def test_what_did_not_change_is_not_registered_anew(registry):
    collectors = list(registry._collector_to_names)
    ancestry_obs.reload(MAP)
    assert list(registry._collector_to_names) == collectors


def test_an_exporter_that_could_not_start_is_counted(enabled):
    ancestry_obs.install(MAP, settings=enabled, registry=CollectorRegistry())
    for _ in range(2):
        assert ancestry_obs.start_exporter("203.0.113.1", 0) is None
    counted = ancestry_obs.get_registry().get_sample_value("ancestry_obs_exporter_failures_total")
    assert counted == 2
