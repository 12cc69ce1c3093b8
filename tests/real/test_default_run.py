"""The default run as a real Prometheus saw it: the whole plan, and the report's figures."""

from __future__ import annotations

import itertools
import re
import subprocess
import urllib.request

import pytest

pytestmark = [pytest.mark.real, pytest.mark.live]

# The metrics plan: name, type, labels.
PLAN = [
    ("ancestry_api_latency_seconds", "histogram", {"endpoint", "status_family"}),
    ("ancestry_api_requests_total", "counter", {"endpoint", "method", "result"}),
    ("ancestry_cache_hit_ratio", "gauge", {"service", "endpoint"}),
    ("ancestry_cache_operations_total", "counter", {"service", "endpoint", "operation"}),
    ("ancestry_session_uptime_seconds", "gauge", set()),
    ("ancestry_session_refresh_total", "counter", {"reason"}),
    ("ancestry_action_processed_total", "counter", {"action", "result"}),
    ("ancestry_circuit_breaker_state", "gauge", {"breaker"}),
    ("ancestry_circuit_breaker_trip_total", "counter", {"breaker"}),
    ("ancestry_rate_limiter_delay_seconds", "histogram", set()),
    ("ancestry_worker_thread_count", "gauge", set()),
]
ACTIONS = (
    "action6_gather", "action7_inbox", "action8_messaging", "action9_process_productive",
)  # fmt: skip
RESULTS = ("success", "failure", "skipped")
SELECTORS = [
    *(f'api_requests_total{{result="{each}"}}' for each in (*RESULTS[:2], "retry", "cached")),
    *(f'api_requests_total{{method="{each}"}}' for each in ("GET", "POST")),
    *(f'api_latency_seconds_count{{status_family="{each}"}}' for each in ("2xx", "5xx", "error")),
    *(
        f'cache_operations_total{{operation="{each}"}}'
        for each in ("get", "set", "invalidate", "expire")
    ),
    *(
        f'session_refresh_total{{reason="{each}"}}'
        for each in ("proactive", "api_forced", "browser_error")
    ),
    *(
        f'action_processed_total{{action="{action}",result="{result}"}}'
        for action, result in itertools.product(ACTIONS, RESULTS)
    ),
    'circuit_breaker_trip_total{breaker="api"}',
]
# Labels that Prometheus adds.
ADDED = {"__name__", "job", "instance"}
# The plan's name, whatever the checker thinks of a gauge that is called so.
PLANNED = (
    "ancestry_worker_thread_count non-histogram and non-summary metrics should not have "
    '"_count" suffix\n'
)


@pytest.fixture
def prometheus(default_run):
    return default_run.prometheus


@pytest.mark.parametrize(("name", "kind", "labels"), PLAN, ids=[name for name, *_ in PLAN])
def test_prometheus_has_each_metric_of_the_plan(prometheus, name, kind, labels):
    series = f"{name}_count" if kind == "histogram" else name
    found = {frozenset(each["metric"]) - ADDED for each in prometheus.query(series)}
    assert found == {frozenset(labels)}
    told = prometheus.ask("targets/metadata", metric=name.removesuffix("_total"))
    assert {each["type"] for each in told} == {kind}
    assert all(each["help"] for each in told)


def test_prometheus_has_no_other_metric_of_the_platform(prometheus):
    found = set(prometheus.ask("label/__name__/values"))
    ends = {"histogram": ("_bucket", "_count", "_sum")}
    planned = {name + end for name, kind, _ in PLAN for end in ends.get(kind, ("",))}
    mine = {name for name in found if name.startswith("ancestry_")}
    assert {name for name in mine if not name.startswith("ancestry_obs_")} == planned


def test_the_latency_has_the_buckets_of_the_plan(prometheus):
    found = prometheus.numbers("count by (le) (ancestry_api_latency_seconds_bucket)", "le")
    assert sorted(map(float, found)) == [0.5, 1, 2, 4, 8, 16, float("inf")]


@pytest.mark.parametrize("selector", SELECTORS)
def test_every_value_that_the_plan_names_occurs(prometheus, selector):
    assert prometheus.number(f"max(max_over_time(ancestry_{selector}[1h]))") > 0


def test_the_breaker_is_seen_closed_and_open(prometheus):
    (scraped,) = prometheus.query("ancestry_circuit_breaker_state[1h]")
    # Half-open lasts as long as one request, which is less than any scrape interval.
    assert {0, 1} <= {float(text) for _, text in scraped["values"]} <= {0, 0.5, 1}


def test_the_breaker_was_half_open_after_every_trip(prometheus, default_run):
    target = "ancestry_core.circuit_breaker:SessionCircuitBreaker._transition"
    changes = prometheus.number(f'ancestry_obs_calls_total{{target="{target}"}}')
    trips = default_run.report["breaker_trips"]
    # Open and half-open for each trip, and closed at the end.
    assert prometheus.number("ancestry_circuit_breaker_state") == 0
    assert changes > 2 * trips > 0


def test_labels_hold_no_ids(prometheus):
    endpoints = prometheus.ask("label/endpoint/values")
    assert "/discoveryui-matchesservice/api/samples/:id/matches/:id/details" in endpoints
    assert [each for each in endpoints if re.search(r"[?=]|[0-9a-f]{8}|\d{3}", each)] == []


def test_actions_agree_with_the_report(prometheus, default_run):
    for action, told in default_run.report["actions"].items():
        query = f'ancestry_action_processed_total{{action="{action}"}}'
        expected = {result: told[result] for result in RESULTS}
        assert prometheus.numbers(query, "result") == expected, action
    assert set(default_run.report["actions"]) == set(ACTIONS)


def test_requests_agree_with_the_report(prometheus, default_run):
    report = default_run.report
    results = prometheus.numbers("sum by (result) (ancestry_api_requests_total)", "result")
    assert results["retry"] == report["retries"]
    assert results["cached"] == report["cache"]["hits"]
    # An attempt that the breaker refused was not sent: it is a failure or retry, but no request.
    attempts = results["success"] + results["failure"] + results["retry"]
    assert results["success"] < report["requests"] <= attempts
    calls = prometheus.number("sum(ancestry_api_latency_seconds_count)")
    assert calls == attempts - results["retry"] + results["cached"]


def test_session_cache_and_breaker_agree_with_the_report(prometheus, default_run):
    report = default_run.report
    assert prometheus.numbers("ancestry_session_refresh_total", "reason") == report["refreshes"]
    lookups = prometheus.number('sum(ancestry_cache_operations_total{operation="get"})')
    assert lookups == report["cache"]["lookups"]
    assert prometheus.number("ancestry_circuit_breaker_trip_total") == report["breaker_trips"]
    assert prometheus.number("ancestry_session_uptime_seconds") > 0
    assert prometheus.number("ancestry_worker_thread_count") >= 2


def test_nothing_is_unmeasured(prometheus):
    assert prometheus.query('ancestry_obs_target_info{state!="installed"}') == []
    assert prometheus.query("ancestry_obs_calls_total == 0") == []
    assert prometheus.query("ancestry_obs_label_overflow_total > 0") == []
    assert prometheus.query("ancestry_obs_expression_errors_total > 0") == []


def test_prometheus_has_nothing_to_complain_of(prometheus):
    (target,) = prometheus.ask("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert prometheus.number("up") == 1
    assert prometheus.number("scrape_samples_scraped") > 100
    log = prometheus.program.err
    # Before it starts it refuses connections; a busy machine may once be too slow.
    failed = re.findall(r'msg="Scrape failed" err="(.*)"', log)
    assert [each for each in failed if not re.search("refused|deadline exceeded", each)] == []
    complaints = re.findall(r'msg="(?:Append failed|Error on ingesting).*', log)
    assert complaints == []


def test_prometheus_is_given_openmetrics(prometheus):
    # The older format has no infos.
    (told,) = prometheus.ask("targets/metadata", metric="ancestry_obs_build")
    assert told["type"] == "info"


def test_promtool_is_content_with_the_page(default_run, real):
    with urllib.request.urlopen(f"http://{default_run.address}/metrics", timeout=60) as answer:
        page = answer.read().decode()
    done = subprocess.run(
        [real.find("promtool"), "check", "metrics"],
        input=page,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("", PLANNED)


def test_the_program_tells_where_it_is_scraped(default_run):
    assert f"http://{default_run.address}/metrics" in default_run.program.err
