from __future__ import annotations

import itertools
import json
from typing import get_args

import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from ancestry_obs.monitoring import dashboard_questions
from ancestry_obs.monitoring.arrangement import default_plan
from ancestry_obs.monitoring.dashboard import dashboard_json
from ancestry_obs.monitoring.plan import View


@pytest.fixture(params=["platform", "any map"])
def dashboard(request, generated, shop):
    """Give a dashboard as Grafana reads it: one with a plan, and one without."""
    if request.param == "platform":
        return generated.dashboard
    return json.loads(dashboard_json(default_plan(shop, "shop"), "shop"))


def drawn(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def titled(dashboard, title):
    (found,) = [panel for panel in dashboard["panels"] if panel["title"] == title]
    return found


def selectors(tree):
    """Give every selector of an expression, whatever it stands in."""
    if isinstance(tree, promql_parser.VectorSelector):
        yield tree
    for part in ("expr", "lhs", "rhs", "vector_selector"):
        inner = getattr(tree, part, None)
        if inner is not None and not isinstance(inner, str):
            yield from selectors(inner)
    for argument in getattr(tree, "args", None) or ():
        yield from selectors(argument)


def test_the_sdks_models_read_it_back_without_loss(dashboard):
    register_default_plugins()
    again = json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder)
    assert json.loads(again) == dashboard


def test_ids_are_unique_and_panels_do_not_overlap(dashboard):
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert {x for x, _ in cells} == set(range(24))


def test_everything_asks_the_data_source_that_was_chosen(dashboard):
    reference = {"type": "prometheus", "uid": "${datasource}"}
    asking = [
        *drawn(dashboard),
        *dashboard["annotations"]["list"],
        *(target for panel in drawn(dashboard) for target in panel["targets"]),
        *(v for v in dashboard["templating"]["list"] if v["type"] == "query"),
    ]
    assert all(each["datasource"] == reference for each in asking)
    assert dashboard["templating"]["list"][0]["name"] == "datasource"


def test_every_panel_explains_itself_and_never_says_no_data(dashboard):
    for panel in drawn(dashboard):
        assert panel["description"].endswith(".")
        assert panel["links"][0]["url"].startswith("docs/monitoring.md#")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["fieldConfig"]["defaults"]["noValue"] == "nothing yet"
        assert [target["refId"] for target in panel["targets"]] == list(
            "ABCD"[: len(panel["targets"])]
        )


def test_every_expression_parses(dashboard):
    for question in dashboard_questions(dashboard):
        assert "$" not in question.expression, question
        promql_parser.parse(question.expression)


def test_no_expression_names_what_the_map_does_not_have(generated):
    known = {
        f"{metric.series}{suffix}": {*metric.label_names, "instance", *le}
        for metric in map(generated.catalogue.__getitem__, generated.catalogue.names)
        for suffix, le in (("", ()), ("_bucket", ("le",)), ("_count", ()), ("_sum", ()))
    }
    asked = 0
    for question in dashboard_questions(generated.dashboard):
        for selector in selectors(promql_parser.parse(question.expression)):
            asked += 1
            assert {matcher.name for matcher in selector.matchers.matchers} <= known[selector.name]
    assert asked > 80


def test_the_platforms_dashboard_has_what_its_operator_asks_for(generated):
    dashboard = generated.dashboard
    names = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert names == ["datasource", "instance", "endpoint", "action"]
    assert [mark["name"] for mark in dashboard["annotations"]["list"]] == [
        "Breaker trips", "Session refreshes",
    ]  # fmt: skip
    assert [p["title"] for p in dashboard["panels"] if p["type"] == "row"] == [
        "Is it healthy?", "How fast?", "Cache", "How much got done?", "Machine",
        "Instrumentation itself",
    ]  # fmt: skip


def test_states_are_words_with_colours(generated):
    breaker = titled(generated.dashboard, "Circuit breaker")
    assert breaker["type"] == "state-timeline"
    words = breaker["fieldConfig"]["defaults"]["mappings"][0]["options"]
    assert {value: (word["text"], word["color"]) for value, word in words.items()} == {
        "0": ("closed", "green"),
        "0.5": ("half-open", "orange"),
        "1": ("open", "red"),
    }


def test_a_variable_is_applied_where_its_metrics_are_asked_for(generated):
    for panel in drawn(generated.dashboard):
        for target in panel["targets"]:
            asks_api = "ancestry_api_" in target["expr"]
            assert ('endpoint=~"$endpoint"' in target["expr"]) == asks_api


def test_the_first_threshold_has_no_value_and_the_others_do(generated):
    steps = titled(generated.dashboard, "Requests that succeed")["fieldConfig"]["defaults"][
        "thresholds"
    ]["steps"]
    assert steps == [
        {"color": "red", "value": None},
        {"color": "orange", "value": 0.95},
        {"color": "green", "value": 0.99},
    ]


def test_results_have_their_colours(generated):
    overrides = titled(generated.dashboard, "API requests")["fieldConfig"]["overrides"]
    colors = {o["matcher"]["options"]: o["properties"][0]["value"]["fixedColor"] for o in overrides}
    assert colors == {"success": "green", "cached": "blue", "retry": "yellow", "failure": "red"}


def test_a_table_of_quantiles_names_its_columns(generated):
    table = titled(generated.dashboard, "Latency by endpoint")
    assert [step["id"] for step in table["transformations"]] == ["merge", "organize"]
    assert table["transformations"][1]["options"]["renameByName"] == {
        "Value #A": "Count", "Value #B": "p50", "Value #C": "p95", "Value #D": "p99",
    }  # fmt: skip
    assert all(target["format"] == "table" for target in table["targets"])


def test_every_view_is_drawn_somewhere(generated, shop):
    plans = (generated.plan, default_plan(shop, "shop"))
    rows = itertools.chain.from_iterable(plan.rows for plan in plans)
    assert {panel.view for row in rows for panel in row.panels} == set(get_args(View))


def test_the_uid_follows_the_maps_name_and_fits(shop):
    plan = default_plan(shop, "shop")
    assert json.loads(dashboard_json(plan, "shop"))["uid"] == "shop-overview"
    assert len(json.loads(dashboard_json(plan, "s" * 99))["uid"]) == 40
