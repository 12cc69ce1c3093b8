"""Programs under `ancestry-obs run`, watched by a real Prometheus that finds them in a file.

One Prometheus watches them all: it takes ten seconds to look at its first target.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = [pytest.mark.real, pytest.mark.live]

COMMAND = Path(sys.executable).with_name("ancestry-obs")
SALES = ["2 apple", "1 pear", "1 plum", "1 quince", "1 rose hip", "4 apple", "1 unicorn"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, repository):
    """The programs and the map, beside what is generated from it."""
    folder = tmp_path_factory.mktemp("programs")
    for path in (repository / "tests/real/programs").iterdir():
        (folder / path.name).write_text(path.read_text())
    for arguments in (
        ["dashboards", "shop.toml", "-o", "grafana"],
        ["rules", "shop.toml", "--job", "workers", "-o", "rules.yml"],
    ):
        done = subprocess.run(
            [COMMAND, *arguments, "--namespace", "fruit"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def launch(real, folder):
    """Run a program under the launcher, on a port that it chooses and registers."""

    def start(program, map_name, namespace, port=()):
        environment = {
            "METRICS_NAMESPACE": namespace,
            "METRICS_FILE_SD": str(folder / f"{program}.json"),
            "METRICS_EXPORT_PORT": "0",
        }
        command = [COMMAND, "run", "--map", map_name, *port, "--", f"{program}.py"]
        running = real.start(program, command, folder, environment)
        running.wait_for("metrics are served at")
        return running

    return start


@pytest.fixture(scope="module")
def watched(launch, start_prometheus, folder):
    """The programs at work, and the Prometheus that watches them."""
    shop = launch("shop", "shop.toml", "fruit", ["--port", "0"])
    breaker = launch("breaker_by_hand", "ancestry.toml", "ancestry")
    prometheus = start_prometheus(
        {
            "rule_files": ["rules.yml"],
            "scrape_configs": [
                {"job_name": "workers", "file_sd_configs": [{"files": ["*.json"]}]},
            ],
        },
        folder,
    )
    return SimpleNamespace(shop=shop, breaker=breaker, prometheus=prometheus, began=time.time())


@pytest.fixture(scope="module")
def prometheus(watched, real):
    """The Prometheus that has seen all sales, one after the other."""
    for number, line in enumerate(SALES, start=1):
        watched.shop.say(line)
        seen = {"workers": number}
        real.wait_until(
            lambda seen=seen: watched.prometheus.numbers("fruit_sale_seconds_count", "job") == seen,
            f"Prometheus to see sale {number}",
        )
    return watched.prometheus


def test_every_call_is_counted(prometheus):
    sold = prometheus.numbers('fruit_sales_total{outcome="sold"}', "article")
    # The fourth and fifth article are beyond what the map allows.
    assert sold == {"apple": 2, "pear": 1, "plum": 1, "other": 2}
    assert prometheus.numbers('fruit_sales_total{outcome="refused"}', "article") == {"other": 1}


def test_what_was_beyond_a_limit_is_told(prometheus):
    query = 'ancestry_obs_label_overflow_total{metric="sales_total"}'
    assert prometheus.numbers(query, "label") == {"article": 3, "outcome": 0}


def test_ratio_sample_and_calls_under_way(prometheus):
    assert prometheus.number("fruit_price_found_ratio") == pytest.approx(6 / 7)
    assert prometheus.number("fruit_till_money") == 2 * 1.5 + 2 + 0.5 + 4 + 9 + 4 * 1.5
    assert prometheus.number("fruit_customers") == 1


def test_a_quantile_can_be_had(prometheus):
    query = "histogram_quantile(0.99, sum by (le) (fruit_sale_seconds_bucket))"
    assert 0 < prometheus.number(query) <= 1


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("fruit_sales", "counter"),
        ("fruit_sale_seconds", "histogram"),
        ("fruit_price_found_ratio", "gauge"),
        ("fruit_customers", "gauge"),
        # The text format has no infos: Prometheus asked for OpenMetrics and was given it.
        ("ancestry_obs_build", "info"),
    ],
)
def test_prometheus_knows_what_each_metric_is(prometheus, family, kind):
    told = prometheus.ask("targets/metadata", metric=family)
    assert {each["type"] for each in told} == {kind}


def test_the_targets_are_in_order(prometheus):
    targets = prometheus.ask("targets")["activeTargets"]
    assert [(each["health"], each["lastError"]) for each in targets] == [("up", "")] * 2
    assert set(prometheus.numbers("up", "instance").values()) == {1}
    assert min(prometheus.numbers("scrape_samples_scraped", "instance").values()) > 10


def test_no_panel_of_the_generated_dashboard_says_no_data(watched, prometheus, folder):
    dashboard = json.loads((folder / "grafana/shop_overview.json").read_text())
    assert prometheus.unanswered(dashboard, watched.began) == []


def test_the_generated_rules_work(prometheus, real):
    real.wait_until(lambda: not prometheus.failing_rules(), prometheus.failing_rules)


def test_the_breaker_is_seen_in_each_state(watched, real):
    def wait_for(value):
        def seen():
            return watched.prometheus.number("ancestry_circuit_breaker_state") == value

        real.wait_until(seen, f"Prometheus to see the breaker's state {value}")

    wait_for(0)
    for word, value in (
        ("record_failure", 1),
        ("allow", 0.5),
        ("record_failure", 1),
        ("allow", 0.5),
        ("record_success", 0),
    ):
        watched.breaker.say(word)
        wait_for(value)
    assert watched.prometheus.number("ancestry_circuit_breaker_trip_total") == 2


def test_the_program_ends_as_it_would_alone(launch, folder):
    program = launch("shop", "shop.toml", "fruit")
    program.say("1 unicorn")
    assert program.finish() == 3
    assert program.out == "open\nno unicorn\n"
