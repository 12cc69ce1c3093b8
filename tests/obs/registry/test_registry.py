from __future__ import annotations

import subprocess
import sys

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily

from ancestry_obs import metrics_registry
from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.metrics_registry import attach, detach, get_registry

pytestmark = pytest.mark.usefixtures("attached")


class One:
    """A collector of one gauge."""

    def describe(self):
        return [GaugeMetricFamily("app_level", "Some help.")]

    def collect(self):
        return [GaugeMetricFamily("app_level", "Some help.", value=1)]


def test_there_is_one_registry_and_it_is_not_the_global_one():
    assert get_registry() is get_registry()
    assert get_registry() is metrics_registry.get_registry()
    assert get_registry() is not REGISTRY


def test_an_attached_collector_is_in_it_until_detached():
    attach(One)
    registry = get_registry()
    assert b"app_level 1.0\n" in generate_latest(registry)
    detach()
    assert generate_latest(registry) == b""
    assert get_registry() is registry


def test_attaching_again_replaces():
    attach(One)
    attach(One)
    assert generate_latest(get_registry()).count(b"\napp_level 1.0\n") == 1


def test_detaching_twice_is_detaching_once():
    attach(One)
    detach()
    detach()


def test_what_others_registered_stays():
    gauge = Gauge("theirs", "Of somebody else.", registry=get_registry())
    try:
        attach(One)
        detach()
        assert b"theirs 0.0\n" in generate_latest(get_registry())
    finally:
        get_registry().unregister(gauge)


def test_a_registry_that_is_given_is_the_one_until_detached():
    own, given = get_registry(), CollectorRegistry()
    attach(One, given)
    assert get_registry() is given
    assert generate_latest(own) == b""
    detach()
    assert get_registry() is own
    assert generate_latest(given) == b""


def test_a_taken_name_is_refused_with_the_remedy():
    given = CollectorRegistry()
    Gauge("app_level", "Of somebody else.", registry=given)
    own = get_registry()
    with pytest.raises(ObservabilityError) as caught:
        attach(One, given)
    assert str(caught.value) == (
        "the registry already has one of the map's metrics: Duplicated timeseries in "
        "CollectorRegistry: {'app_level'}; set another METRICS_NAMESPACE, or give install() a "
        "registry of its own"
    )
    assert get_registry() is own


def test_a_collector_that_is_refused_leaves_the_one_before(attached):
    given = CollectorRegistry()
    first = One()
    attach(lambda: first, given)
    Gauge("theirs", "Of somebody else.", registry=given)
    second = One()
    second.describe = lambda: [GaugeMetricFamily("theirs", "Some help.")]
    with pytest.raises(ObservabilityError, match="already has one of the map's metrics"):
        attach(lambda: second, given)
    assert get_registry() is given
    assert b"app_level 1.0\n" in generate_latest(given)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        Gauge("app_level", "Some help.", registry=given)


def test_helpers_need_no_prometheus_client():
    code = (
        "import sys; sys.modules.update(prometheus_client=None, wrapt=None);"
        "from ancestry_obs.metrics_registry import metrics; metrics();"
        "from ancestry_obs.metrics_registry import helpers"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_module_has_what_it_names_and_nothing_by_accident():
    assert all(hasattr(metrics_registry, name) for name in metrics_registry.__all__)
    with pytest.raises(AttributeError, match="no attribute 'get_regsitry'"):
        metrics_registry.get_regsitry  # noqa: B018 - the access is what is tried
