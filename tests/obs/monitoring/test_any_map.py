"""Whatever a map declares: its dashboard is sound, and its rules can be read."""

from __future__ import annotations

import json

import promql_parser
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestry_obs.mapfile import load
from ancestry_obs.monitoring import (
    Catalogue,
    build_rules,
    dashboard_questions,
    load_plan,
    rule_questions,
)
from ancestry_obs.monitoring.dashboard import dashboard_json

NAMES = st.from_regex(r"[a-z][a-z0-9]{1,6}(_seconds|_bytes|_ratio)?", fullmatch=True)
LABELS = st.dictionaries(
    NAMES.filter(lambda name: name not in {"le", "quantile"}),  # Prometheus keeps these
    st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=4, unique=True)
    | st.builds(lambda most: {"max_values": most}, st.integers(1, 99)),
    max_size=3,
)
KINDS = st.sampled_from(["counter", "gauge", "histogram", "ratio", "in_flight"])


@st.composite
def maps(draw):
    metrics = {}
    for name in draw(st.lists(NAMES, max_size=5, unique=True)):
        kind = draw(KINDS)
        # A family of each kind takes more names than its own, so they are kept apart.
        metric = {"type": kind, "help": "Something.", "labels": draw(LABELS)}
        if kind == "histogram":
            metric["buckets"] = sorted(draw(st.sets(st.integers(-9, 99), min_size=1, max_size=4)))
        metrics[f"{name}_total" if kind == "counter" else name] = metric
    return {"version": 1, "metrics": metrics}


@settings(max_examples=40, deadline=None)
@given(maps())
def test_any_map_gets_a_sound_dashboard_and_sound_rules(data):
    register_default_plugins()
    catalogue = Catalogue(load(data), "any")
    plan = load_plan("any.toml", catalogue)
    dashboard = json.loads(dashboard_json(plan, "any"))
    assert json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder)) == dashboard
    shown = {panel.metric for row in plan.rows for panel in row.panels}
    assert set(catalogue.metrics) <= shown
    groups = build_rules(plan, catalogue, "any")
    for question in (*dashboard_questions(dashboard), *rule_questions(groups)):
        promql_parser.parse(question.expression)
