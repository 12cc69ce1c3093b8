"""Prometheus' own tool reads the rules, and shows each alert fire and resolve."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import pytest

from ancestry_obs.monitoring import build_rules, rules_yaml
from ancestry_obs.monitoring.arrangement import default_plan

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def promtool():
    """Run promtool; where it is missing CI fails, and a laptop is told why nothing was tested."""
    path = shutil.which("promtool")
    if path is None:
        reason = "promtool is not installed; it comes with Prometheus"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)

    def run(*arguments) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_the_committed_rules_are_rules(promtool, grafana_folder):
    done = promtool("check", "rules", grafana_folder / "prometheus" / "rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_of_any_map_are_rules(promtool, shop, tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(rules_yaml(build_rules(default_plan(shop, "shop"), shop, "shop"), "shop.toml"))
    done = promtool("check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_its_configuration(promtool, grafana_folder):
    done = promtool("check", "config", grafana_folder / "prometheus" / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_and_goes_again(promtool, grafana_folder):
    done = promtool("test", "rules", grafana_folder / "prometheus" / "rules_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_of_any_job_what_has_been_measured_is_missed(promtool, shop, tmp_path):
    groups = build_rules(default_plan(shop, "shop"), shop, None)
    (rule,) = [each for group in groups for each in group.rules if each.alert == "ExporterGone"]
    pages = {
        'up{job="shop", instance="a"}': "1x10 0x30",
        'ancestry_obs_build_info{job="shop", instance="a"}': "1x10 _x30",
        'up{job="shop", instance="b"}': "1x40",
        'ancestry_obs_build_info{job="shop", instance="b"}': "1x40",
        'up{job="other", instance="c"}': "0x40",
    }
    missed = [{"labels": 'up{job="shop", instance="a"}', "value": 0}]
    test = {
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in pages.items()],
        "promql_expr_test": [
            {"expr": rule.expression, "eval_time": "10m", "exp_samples": []},
            {"expr": rule.expression, "eval_time": "20m", "exp_samples": missed},
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps({"tests": [test]}))
    done = promtool("test", "rules", tmp_path / "test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


BREAKS = {
    "BreakerOpen": ("> 0.9", "> 1.9"),
    "TargetNotInstrumented": ("for: 10m", "for: 10s"),
    "ExpressionErrors": ("last_over_time(ancestry_obs_expression_errors_total[15m])", "vector(0)"),
    "RequestSuccessBurnsFast": ('result!="retry"', 'result!="nothing"'),
    "ExporterGone": ("or absent(up", "or (up"),
}


def test_what_is_broken_is_noticed(promtool, grafana_folder, tmp_path):
    prometheus = grafana_folder / "prometheus"
    rules = (prometheus / "rules.yml").read_text("utf-8")
    for sound, broken in BREAKS.values():
        assert sound in rules
        rules = rules.replace(sound, broken)
    (tmp_path / "rules.yml").write_text(rules)
    shutil.copy(prometheus / "rules_test.yml", tmp_path)
    assert promtool("check", "rules", tmp_path / "rules.yml").returncode == 0
    done = promtool("test", "rules", tmp_path / "rules_test.yml")
    assert done.returncode != 0
    told = set(re.findall(r'alertname[:=][ \\"]*(\w+)', done.stdout + done.stderr))
    assert set(BREAKS) <= told
    # What still works is not blamed.
    assert "LatencyBurnsFast" not in told
