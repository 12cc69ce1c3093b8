"""The map that ships: names, labels, values and buckets are the metrics plan's."""

from __future__ import annotations

import pytest

from ancestry_obs.expressions import BUILTIN_FUNCTIONS, check
from ancestry_obs.mapfile import load, worst_case_series

# The table "Metrics Taxonomy" of the plan; a free label has None.
PLAN = {
    "api_latency_seconds": (
        "histogram",
        {"endpoint": None, "status_family": ("1xx", "2xx", "3xx", "4xx", "5xx", "error")},
    ),
    "api_requests_total": (
        "counter",
        {
            "endpoint": None,
            "method": ("GET", "POST", "PUT", "DELETE"),
            "result": ("success", "retry", "failure", "cached"),
        },
    ),
    "cache_hit_ratio": ("ratio", {"service": None, "endpoint": None}),
    "cache_operations_total": (
        "counter",
        {"service": None, "endpoint": None, "operation": ("get", "set", "invalidate", "expire")},
    ),
    "session_uptime_seconds": ("gauge", {}),
    "session_refresh_total": ("counter", {"reason": ("proactive", "api_forced", "browser_error")}),
    "action_processed_total": (
        "counter",
        {
            "action": (
                "action6_gather",
                "action7_inbox",
                "action8_messaging",
                "action9_process_productive",
            ),
            "result": ("success", "failure", "skipped"),
        },
    ),
    "circuit_breaker_state": ("gauge", {"breaker": None}),
    "circuit_breaker_trip_total": ("counter", {"breaker": None}),
    "rate_limiter_delay_seconds": ("histogram", {}),
    "worker_thread_count": ("gauge", {}),
}


@pytest.fixture(scope="module")
def spec():
    return load("ancestry.toml")


def test_metrics_labels_and_values_are_the_plans(spec):
    assert {
        metric.name: (metric.type, {label.name: label.values for label in metric.labels})
        for metric in spec.metrics
    } == PLAN


def test_the_latency_has_the_plans_buckets(spec):
    latency = next(metric for metric in spec.metrics if metric.name == "api_latency_seconds")
    assert latency.buckets == (0.5, 1, 2, 4, 8, 16)


def test_every_metric_is_fed(spec):
    fed = {record.metric for instrument in spec.instruments for record in instrument.records}
    assert fed | {sample.metric for sample in spec.samples} == set(PLAN)


def test_every_value_that_only_a_constant_can_give_is_given(spec):
    given = {
        (name, value)
        for instrument in spec.instruments
        for record in instrument.records
        for name, expression in record.labels
        for value in expression.outcomes
    }
    assert given >= {
        ("operation", value) for value in PLAN["cache_operations_total"][1]["operation"]
    }
    assert given >= {("result", value) for value in PLAN["api_requests_total"][1]["result"]}


def test_the_exporter_starts_with_the_session(spec):
    (hook,) = spec.hooks
    assert hook.target == "ancestry_core.session_manager:SessionManager.ensure_session_ready"
    assert (hook.before, hook.after) == (None, "exporter.start")


def test_all_targets_are_the_platforms_and_all_functions_built_in(spec):
    for instrument in spec.instruments:
        assert all(target.startswith("ancestry_core.") for target in instrument.targets)
        for record in instrument.records:
            for _, expression in record.labels:
                check(expression, names=expression.names, functions=BUILTIN_FUNCTIONS)


def test_the_worst_case_stays_small(spec):
    assert sum(map(worst_case_series, spec.metrics)) < 30_000
