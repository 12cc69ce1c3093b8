"""What is committed for Grafana and Prometheus, asked of a Prometheus that saw the default run."""

from __future__ import annotations

import json
import re

import pytest

from ancestry_obs.mapfile import load
from ancestry_obs.monitoring import (
    Catalogue,
    build_rules,
    dashboard_questions,
    load_plan,
    rule_questions,
)

pytestmark = [pytest.mark.real, pytest.mark.live]

# A metric of ours, or a recorded series, with its matchers.
SERIES = re.compile(r"\b(?:ancestry_|job\w*:)[\w:]+(?:\{[^}]*\})?")

# Series that there are only when something is wrong with the instrumentation.
FAULTS = ("ancestry_obs_expression_errors_total", 'ancestry_obs_target_info{state!="installed"}')


@pytest.fixture
def dashboard(repository):
    return (repository / "grafana/ancestry_overview.json").read_text()


def test_no_panel_variable_or_mark_is_without_data(default_run, dashboard):
    assert default_run.prometheus.unanswered(json.loads(dashboard), default_run.began) == []


def test_a_panel_without_data_would_be_found(default_run, dashboard):
    wrong = json.loads(dashboard.replace("ancestry_worker_thread_count", "ancestry_worker_count"))
    found = default_run.prometheus.unanswered(wrong, default_run.began)
    assert found
    assert all("ancestry_worker_count" in each.expression for each in found)


def test_every_committed_rule_has_a_result(default_run, real):
    prometheus = default_run.prometheus
    real.wait_until(lambda: not prometheus.failing_rules(), prometheus.failing_rules)


@pytest.fixture
def asked():
    spec = load("ancestry.toml")
    catalogue = Catalogue(spec, "ancestry")
    return rule_questions(build_rules(load_plan(spec.source, catalogue), catalogue, "ancestry"))


def test_no_alert_looks_at_nothing(default_run, asked):
    looked_at = [question for question in asked if question.answered]
    assert any(", input " in question.where for question in looked_at)
    prometheus, began = default_run.prometheus, default_run.began
    assert [each for each in looked_at if not prometheus.ever(each.expression, began)] == []


def test_every_series_that_is_named_exists(default_run, dashboard, asked):
    # Where nothing is as good as zero, an expression says 0: that must not hide a wrong name.
    expressions = [
        each.expression for each in (*dashboard_questions(json.loads(dashboard)), *asked)
    ]
    named = {name for each in expressions for name in SERIES.findall(each)}
    assert len(named) > 40
    prometheus, began = default_run.prometheus, default_run.began
    missing = {each for each in named if not prometheus.ever(each, began)}
    assert {each for each in missing if not each.startswith(FAULTS)} == set()
