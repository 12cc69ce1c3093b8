"""What is committed for Grafana and Prometheus, asked of a Prometheus that saw the default run."""

from __future__ import annotations

import json

import pytest

from ancestry_obs.monitoring import Catalogue, build_rules, load_plan, rule_probes
from ancestry_obs.spec import load

pytestmark = [pytest.mark.real, pytest.mark.live]


@pytest.fixture
def dashboard(repository):
    return (repository / "grafana/ancestry_overview.json").read_text()


def test_no_panel_variable_or_mark_is_without_data(default_run, dashboard, unanswered):
    assert unanswered(default_run.prometheus, json.loads(dashboard), default_run.began) == []


def test_a_panel_without_data_would_be_found(default_run, dashboard, unanswered):
    wrong = json.loads(dashboard.replace("ancestry_worker_thread_count", "ancestry_worker_count"))
    found = unanswered(default_run.prometheus, wrong, default_run.began)
    assert found
    assert all("ancestry_worker_count" in expression for _, expression in found)


def test_every_committed_rule_has_a_result(default_run, failing_rules, real):
    prometheus = default_run.prometheus
    real.wait_until(lambda: not failing_rules(prometheus), lambda: failing_rules(prometheus))


def test_no_alert_looks_at_nothing(default_run):
    spec = load("ancestry.toml")
    catalogue = Catalogue(spec, "ancestry")
    rules = build_rules(load_plan(spec.source, catalogue), catalogue, "ancestry")
    asked = [probe for probe in rule_probes(rules) if probe.answered]
    assert any(", input " in probe.where for probe in asked)
    prometheus, began = default_run.prometheus, default_run.began
    assert [each for each in asked if not prometheus.ever(each.expression, began)] == []
