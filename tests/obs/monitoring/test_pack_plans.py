"""Each pack has a dashboard and rules, and a map that includes packs gets theirs."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import tomllib
from pathlib import Path

import promql_parser
import pytest

from ancestry_obs.mapfile import load
from ancestry_obs.mapfile.map_files import packs_there_are
from ancestry_obs.monitoring import (
    Catalogue,
    build_rules,
    dashboard_questions,
    load_plan,
    rule_questions,
)
from ancestry_obs.monitoring.catalogue import SELF_METRICS
from ancestry_obs.monitoring.dashboard import dashboard_json
from ancestry_obs.monitoring.ready_plans import READY_PLANS, fitting

REPOSITORY = Path(__file__).parents[3]
PACKS = packs_there_are()
OWN_ROW = "Instrumentation itself"


def everything_of(source):
    """Give catalogue, plan and rules of a map."""
    spec = load(source)
    catalogue = Catalogue(spec, "shop")
    plan = load_plan(spec.source, catalogue)
    return catalogue, plan, build_rules(plan, catalogue, "shop")


def rules_in(groups):
    return [rule for group in groups for rule in group.rules]


@pytest.fixture(scope="module")
def all_packs(tmp_path_factory):
    """Give what a map has that includes all packs."""
    path = tmp_path_factory.mktemp("all") / "all.toml"
    names = json.dumps([f"pack:{name}" for name in PACKS])
    path.write_text(f"version = 1\ninclude = {names}\n")
    return everything_of(str(path))


@pytest.fixture
def shop_map(tmp_path):
    """Write a map that takes the pack of Flask in, and a plan beside it if there is one."""

    def write(plan=""):
        path = tmp_path / "shop.toml"
        path.write_text(
            'version = 1\ninclude = ["pack:flask"]\n'
            '[metrics.orders_total]\ntype = "counter"\nhelp = "Orders."\n'
            '[[instrument]]\ntarget = "shop:order"\nrecord = [{ metric = "orders_total" }]\n'
        )
        if plan:
            path.with_suffix(".monitoring.toml").write_text(f"version = 1\n{plan}")
        return everything_of(str(path))

    return write


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_asks_only_for_what_it_exposes(name):
    catalogue, plan, groups = everything_of(f"pack:{name}")
    exposed = {
        metric.series + suffix
        for metric in (*catalogue.metrics, *SELF_METRICS)
        for suffix in ("", "_bucket", "_sum", "_count")
    }
    exposed |= {rule.record for rule in rules_in(groups)} | {"up"}
    questions = dashboard_questions(json.loads(dashboard_json(plan, name)))
    asked = set()
    for question in (*questions, *rule_questions(groups)):
        promql_parser.parse(question.expression)
        asked |= set(re.findall(r"([a-z_:][\w:]*)(?=[{\[])", question.expression))
    assert asked
    assert asked <= exposed
    assert any(each.startswith(catalogue.metrics[0].series) for each in asked)


@pytest.mark.parametrize("name", PACKS)
def test_all_that_a_pack_measures_has_been_arranged_by_somebody(name):
    _, plan, groups = everything_of(f"pack:{name}")
    titles = [row.title for row in plan.rows]
    assert not {"At a glance", "How fast?", "Also measured"} & set(titles)
    assert titles[-1] == OWN_ROW
    assert len(titles) > 1
    assert {group.name.removeprefix(f"{name}-") for group in groups} >= {"rates", "alerts"}


def test_packs_together_have_no_name_twice(all_packs):
    _, plan, groups = all_packs
    names = [rule.alert or rule.record for rule in rules_in(groups)]
    assert len(names) == len(set(names))
    assert not [name for name in names if "_:" in name or ":_" in name]
    titles = [row.title for row in plan.rows]
    assert len(titles) == len(set(titles))
    labels = [variable.label for variable in plan.variables]
    assert len(labels) == len(set(labels))


def test_no_ready_plan_is_taken_for_the_own_plan_of_one_pack():
    assert READY_PLANS
    assert not {path.name.partition(".")[0] for path in READY_PLANS} & set(PACKS)


def test_every_part_of_a_ready_plan_fits_some_pack():
    catalogues = [Catalogue(load(f"pack:{name}"), "shop") for name in PACKS]
    for path in READY_PLANS:
        tables = tomllib.loads(path.read_text("utf-8"))
        fit = [fitting(tables, catalogue) for catalogue in catalogues]
        for part in ("objective", "alert"):
            for each in tables.get(part, ()):
                assert any(each in found[part] for found in fit), each
        panels = [panel for row in tables["row"] for panel in row["panel"]]
        found = [panel for tables_ in fit for row in tables_["row"] for panel in row["panel"]]
        assert [panel for panel in panels if panel not in found] == []
        chosen = {(v["label"], m) for v in tables.get("variable", ()) for m in v["metrics"]}
        fits = {(v["label"], m) for t in fit for v in t["variable"] for m in v["metrics"]}
        assert chosen == fits


def test_a_map_has_the_rows_of_its_packs_beside_its_own(shop_map):
    catalogue, plan, groups = shop_map()
    titles = [row.title for row in plan.rows]
    assert titles == ["At a glance", "How much?", "HTTP server", OWN_ROW]
    own = {panel.metric.name for row in plan.rows[:2] for panel in row.panels}
    assert own == {"orders_total"}
    records = {rule.record for rule in rules_in(groups)}
    assert {"job:shop_orders:rate5m", "job:http_server_success_errors:ratio_rate5m"} <= records
    assert catalogue.group == "shop"


def test_what_the_plan_of_a_map_calls_by_the_same_name_replaces_what_is_ready(shop_map):
    _, plan, _ = shop_map("""
[[objective]]
name = "http_server_latency"
title = "Pages are there in 5 seconds"
metric = "http_server_request_duration_seconds"
within = 5
target = 0.95
[[row]]
title = "HTTP server"
panel = [{ metric = "orders_total" }]
""")
    assert [row.title for row in plan.rows] == ["HTTP server", "Also measured", OWN_ROW]
    assert len(plan.rows[0].panels) == 1
    bounds = {each.name: each.within for each in plan.objectives}
    assert bounds == {"http_server_latency": 5, "http_server_success": None}


def test_a_map_with_other_buckets_loses_the_objective_that_needs_the_packs(tmp_path):
    path = tmp_path / "coarse.toml"
    metric = tomllib.loads((READY_PLANS[0].parent / "flask.toml").read_text("utf-8"))["metrics"]
    labels = metric["http_server_request_duration_seconds"]["labels"]
    lines = [f"labels.{name} = {_inline(value)}" for name, value in labels.items()]
    path.write_text(
        'version = 1\nnamespace = ""\ninclude = ["pack:flask"]\n'
        "[metrics.http_server_request_duration_seconds]\n"
        'type = "histogram"\nhelp = "Slow."\nbuckets = [2, 4]\n' + "\n".join(lines)
    )
    _, plan, _ = everything_of(str(path))
    assert [each.name for each in plan.objectives] == ["http_server_success"]


def _inline(value):
    return json.dumps(value).replace('{"max_values":', "{ max_values =")


def test_a_map_without_packs_has_nothing_of_theirs(tmp_path):
    path = tmp_path / "plain.toml"
    path.write_text(
        'version = 1\nnamespace = ""\n[metrics.http_server_active_requests]\n'
        'type = "gauge"\nhelp = "Mine."\n'
    )
    _, plan, _ = everything_of(str(path))
    assert "HTTP server" not in [row.title for row in plan.rows]


def test_nobody_is_called_for_a_part_of_a_library_that_is_not_used(shop_map):
    _, _, groups = shop_map()
    (rule,) = [each for each in rules_in(groups) if each.alert == "TargetNotInstrumented"]
    assert 'target!~"(flask)[.:].*"' in rule.expression
    assert 'or max by (job, target, state) (ancestry_obs_target_info{state="error"})' in (
        rule.expression
    )


def test_the_rules_of_a_pack_alone_are_about_its_own_targets_and_metrics():
    _, _, groups = everything_of("pack:jinja2")
    asked = {rule.alert: rule.expression for rule in rules_in(groups) if rule.alert}
    assert asked["TargetNotInstrumented"] == (
        "max by (job, target, state) "
        '(ancestry_obs_target_info{state="error",target=~"(jinja2)[.:].*"}) > 0'
    )
    catalogue = Catalogue(load("pack:jinja2"), "shop")
    metrics = "|".join(metric.series for metric in catalogue.metrics)
    for name in ("LabelsOverflowing", "ExpressionErrors"):
        every = re.findall(r"_total\b[^ []*", asked[name])
        assert every == [f'_total{{metric=~"{metrics}"}}'] * 3


def test_no_two_packs_call_for_one_target():
    libraries = [each for name in PACKS for each in Catalogue(load(f"pack:{name}"), "x").libraries]
    # aiohttp is both client and server, and FastAPI is made of Starlette.
    assert {each for each in libraries if libraries.count(each) > 1} == {"aiohttp", "starlette"}


@pytest.mark.parametrize(
    ("first", "second"), [*itertools.combinations(("jinja2", "redis", "click"), 2)]
)
def test_no_alert_of_two_packs_is_one_series(first, second):
    """A rule that writes what another one writes fails: a sample comes out of order."""
    both = [
        {(rule.alert, rule.expression, rule.labels) for rule in rules_in(everything_of(name)[2])}
        for name in (f"pack:{first}", f"pack:{second}")
    ]
    assert not both[0] & both[1]


def test_a_share_without_error_is_promised_of_a_histogram():
    _, _, groups = everything_of("pack:flask")
    name = "job:http_server_success_errors:ratio_rate5m"
    (rule,) = [each for each in rules_in(groups) if each.record == name]
    count = "http_server_request_duration_seconds_count"
    assert rule.expression == (
        f'1 - (sum by (job) (rate({count}{{error_type=""}}[5m]))\n'
        f"or 0 * sum by (job) (rate({count}[5m])))\n/ sum by (job) (rate({count}[5m]))"
    )


def test_an_objective_within_a_bound_leaves_out_what_it_ignores():
    _, _, groups = everything_of("pack:redis")
    name = "job:database_latency_errors:ratio_rate5m"
    (rule,) = [each for each in rules_in(groups) if each.record == name]
    assert rule.expression.count('db_operation_name!~"BLPOP|') == 3


def test_what_is_generated_of_packs_is_what_they_give():
    path = REPOSITORY / "docs/packs_page.py"
    spec = importlib.util.spec_from_file_location("packs_page", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    files = script.generated()
    pages = {script.PAGE, script.PERFORMANCE}
    assert {*script.FOLDER.iterdir(), *pages} == set(files), "run 'python docs/packs_page.py'"
    for file, text in files.items():
        assert file.read_text("utf-8") == text, f"{file.name}: run 'python docs/packs_page.py'"
