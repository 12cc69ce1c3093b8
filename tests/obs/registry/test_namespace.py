from __future__ import annotations

import pytest

from ancestry_obs.metrics_registry import metrics
from ancestry_obs.metrics_registry.namespace import Metrics


@pytest.fixture
def specs(metric):
    return [
        metric("api_latency_seconds", "histogram", "endpoint"),
        metric("api_requests_total", "counter", "endpoint"),
        metric("cache_hit_ratio", "ratio"),
        metric("worker_thread_count", "gauge"),
    ]


@pytest.fixture
def connected(specs, new_records):
    """A namespace and what each metric of it recorded."""
    recorders = {spec.name: new_records() for spec in specs}
    namespace = Metrics()
    namespace.connect(specs, lambda spec: recorders[spec.name])
    return namespace, recorders


def test_there_is_one_namespace():
    assert metrics() is metrics()
    assert isinstance(metrics(), Metrics)


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("api_latency", "api_latency_seconds"),
        ("api_requests", "api_requests_total"),
        ("cache_hit", "cache_hit_ratio"),
        ("worker_thread_count", "worker_thread_count"),
    ],
)
def test_a_metric_is_found_with_and_without_its_unit(connected, short, full):
    namespace, _ = connected
    assert getattr(namespace, short) is getattr(namespace, full)
    assert getattr(namespace, short).spec.name == full


def test_every_metric_has_its_helper_and_each_records_to_its_own(connected):
    namespace, recorders = connected
    namespace.api_latency.observe("/a", 0.5)
    namespace.api_requests.inc("/a")
    namespace.cache_hit_ratio.hit()
    namespace.worker_thread_count.set(3)
    assert {name: records.seen for name, records in recorders.items()} == {
        "api_latency_seconds": [(("/a",), 0.5)],
        "api_requests_total": [(("/a",), 1.0)],
        "cache_hit_ratio": [((), 1.0)],
        "worker_thread_count": [((), 3.0)],
    }


def test_before_install_the_declarations_are_read_once_when_asked_for(specs):
    read = []
    namespace = Metrics()
    namespace.declare(lambda: read.append(1) or specs)
    assert read == []
    namespace.api_latency.observe("/a", 0.5)
    namespace.api_requests.inc("/a")
    assert read == [1]


def test_declarations_that_cannot_be_read_are_tried_again(specs):
    outcomes = iter([ValueError("bad map"), None])

    def declare():
        outcome = next(outcomes)
        if outcome:
            raise outcome
        return specs

    namespace = Metrics()
    namespace.declare(declare)
    with pytest.raises(ValueError, match="bad map"):
        namespace.api_latency  # noqa: B018 - the access is what is tried
    assert namespace.api_latency.spec.name == "api_latency_seconds"


def test_installing_makes_earlier_declarations_void(specs, records):
    namespace = Metrics()
    namespace.declare(list)
    namespace.connect(specs, lambda _spec: records)
    assert namespace.api_latency.spec.name == "api_latency_seconds"


def test_a_helper_that_was_kept_works_once_metrics_are_on(specs, records):
    namespace = Metrics()
    namespace.declare(lambda: specs)
    kept = namespace.api_latency.observe
    kept("/a", 1.0)
    namespace.connect(specs, lambda _spec: records)
    kept("/a", 2.0)
    namespace.disconnect()
    kept("/a", 3.0)
    assert records.seen == [(("/a",), 2.0)]


def test_a_reload_keeps_what_did_not_change(connected, metric, specs, records):
    namespace, recorders = connected
    unchanged, changed = namespace.api_requests, namespace.api_latency
    gone = namespace.cache_hit
    newer = metric("api_latency_seconds", "histogram", "endpoint", "status_family")
    namespace.connect([newer, specs[1]], lambda _spec: records)
    assert namespace.api_requests is unchanged
    assert namespace.api_latency is not changed
    gone.hit()
    changed.observe("/a", 1.0)
    namespace.api_latency.observe("/a", "2xx", 1.0)
    assert records.seen == [(("/a", "2xx"), 1.0)]
    assert all(each.seen == [] for each in recorders.values())
    assert not hasattr(namespace, "cache_hit_ratio")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("api_latncy", "the map has no metric 'api_latncy'; did you mean 'api_latency'?"),
        (
            "zzz",
            (
                "the map has no metric 'zzz'; it has api_latency_seconds, api_requests_total, "
                "cache_hit_ratio, worker_thread_count"
            ),
        ),
    ],
)
def test_an_unknown_metric(connected, name, message):
    namespace, _ = connected
    with pytest.raises(AttributeError) as caught:
        getattr(namespace, name)
    assert str(caught.value) == message


def test_without_a_map_there_is_none():
    with pytest.raises(AttributeError, match=r"no metric 'api_latency'; it has none$"):
        Metrics().api_latency  # noqa: B018 - the access is what is tried


def test_a_short_name_of_two_metrics_is_refused(metric, records):
    namespace = Metrics()
    twice = [metric("wait_seconds", "histogram"), metric("wait_total", "counter")]
    namespace.connect(twice, lambda _spec: records)
    with pytest.raises(AttributeError) as caught:
        namespace.wait  # noqa: B018 - the access is what is tried
    assert str(caught.value) == "'wait' may be wait_seconds or wait_total; write the whole name"


def test_a_metric_with_the_short_name_of_another_wins(metric, records):
    namespace = Metrics()
    namespace.connect([metric("wait", "gauge"), metric("wait_total", "counter")], lambda _: records)
    assert namespace.wait.spec.name == "wait"


def test_dir_lists_what_can_be_written(connected):
    namespace, _ = connected
    assert {"api_latency", "api_latency_seconds", "declare"} <= set(dir(namespace))
