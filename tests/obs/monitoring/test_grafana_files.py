"""The committed files under grafana/ are what the map gives; the README names the commands."""

from __future__ import annotations

import re

import promql_parser

from ancestry_obs.monitoring import rules_yaml

REGENERATE = (
    "run 'ancestry-obs dashboards ancestry.toml -o grafana/' and "
    "'ancestry-obs rules ancestry.toml -o grafana/prometheus/rules.yml'"
)


def test_the_dashboard_is_what_the_map_gives(generated, grafana_folder):
    committed = (grafana_folder / "ancestry_overview.json").read_text("utf-8")
    assert committed == generated.text, REGENERATE


def test_the_rules_are_what_the_map_gives(generated, grafana_folder):
    committed = (grafana_folder / "prometheus" / "rules.yml").read_text("utf-8")
    assert committed == rules_yaml(generated.groups, "ancestry.toml"), REGENERATE


def test_every_alert_is_shown_to_fire_and_to_go(generated, grafana_folder):
    tested = (grafana_folder / "prometheus" / "rules_test.yml").read_text("utf-8")
    for rule in (rule for group in generated.groups for rule in group.rules if rule.alert):
        name = re.escape(rule.alert)
        asked = re.findall(rf'alertname="{name}"(?:.|\n)*?exp_samples:(.*)', tested)
        quiet = [answer for answer in asked if answer.strip() == "[]"]
        by_name = re.findall(rf"alertname: {name}\n +eval_time: \S+\n( +exp_alerts:)?", tested)
        fires = len(asked) > len(quiet) or any(by_name)
        assert fires, f"{rule.alert} is never shown to fire"
        assert quiet or "" in by_name, f"{rule.alert} is never shown to go"


def test_the_questions_in_the_rules_test_parse(grafana_folder):
    tested = (grafana_folder / "prometheus" / "rules_test.yml").read_text("utf-8")
    expressions = re.findall(r"- expr: (.*)", tested)
    assert expressions
    for expression in expressions:
        promql_parser.parse(expression)


def test_grafana_knows_the_scrape_interval_of_prometheus(grafana_folder):
    source = (grafana_folder / "provisioning" / "datasources" / "prometheus.yaml").read_text()
    prometheus = (grafana_folder / "prometheus" / "prometheus.yml").read_text()
    (known,) = re.findall(r"timeInterval: (\S+)", source)
    (scraped,) = re.findall(r"scrape_interval: (\S+)", prometheus)
    assert known == scraped


def test_prometheus_scrapes_the_job_that_the_alert_waits_for(generated, grafana_folder):
    prometheus = (grafana_folder / "prometheus" / "prometheus.yml").read_text()
    (gone,) = [r for g in generated.groups for r in g.rules if r.alert == "ExporterGone"]
    (job,) = set(re.findall(r'job="(\w+)"', gone.expression))
    assert f"job_name: {job}\n" in prometheus
