"""Prometheus' own tool reads the rules, and shows each alert fire and resolve."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        ("> 0.9", "> 1.9"),
        ("for: 10m", "for: 10s"),
        ("last_over_time(ancestry_obs_expression_errors_total[15m])", "vector(0)"),
        ('result!="retry"', 'result!="nothing"'),
        ("or absent(up", "or (up"),
    ],
)
def test_a_broken_rule_does_not_pass(promtool, grafana_folder, tmp_path, sound, broken):
    for name in ("rules.yml", "rules_test.yml"):
        text = (grafana_folder / "prometheus" / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace(sound, broken) if name == "rules.yml" else text)
    assert promtool("check", "rules", tmp_path / "rules.yml").returncode == 0
    assert promtool("test", "rules", tmp_path / "rules_test.yml").returncode != 0
