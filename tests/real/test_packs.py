"""What is committed for packs, asked of a Prometheus that scrapes a program under these packs."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from tests.real.conftest import questions_of_alerts

pytestmark = [pytest.mark.real, pytest.mark.live]

PACKS = ("flask", "sqlalchemy")


@pytest.fixture(scope="module")
def watched(real, start_prometheus, repository):
    """Give the Prometheus that watches the shop, and when that began."""
    address = f"127.0.0.1:{real.free_port()}"
    rules = [str(repository / f"grafana/packs/{name}_rules.yml") for name in PACKS]
    scraped = {"job_name": "ancestry", "static_configs": [{"targets": [address]}]}
    program = str(Path(__file__).with_name("programs") / "pack_shop.py")
    packs = [word for name in PACKS for word in ("--pack", name)]
    began = time.time()
    shop = real.start(
        "shop",
        [
            *(sys.executable, "-m", "ancestry_obs", "run", *packs),
            *("--port", address.rpartition(":")[2], "--", program),
        ],
    )
    shop.wait_for("open")
    yield start_prometheus({"rule_files": rules, "scrape_configs": [scraped]}), began
    assert shop.finish() == 0


@pytest.mark.parametrize("name", PACKS)
def test_no_panel_of_a_pack_is_without_data(watched, name, repository, real):
    prometheus, began = watched
    dashboard = json.loads((repository / f"grafana/packs/{name}_overview.json").read_text())

    def unanswered():
        return prometheus.unanswered(dashboard, began)

    real.wait_until(lambda: not unanswered(), unanswered)


def test_every_rule_of_a_pack_has_a_result(watched, real):
    prometheus, _ = watched
    real.wait_until(lambda: not prometheus.failing_rules(), prometheus.failing_rules)


@pytest.mark.parametrize("name", PACKS)
def test_no_alert_of_a_pack_looks_at_nothing(watched, name, real):
    prometheus, began = watched
    asked = questions_of_alerts(f"pack:{name}")

    def unanswered():
        return [each for each in asked if not prometheus.ever(each.expression, began)]

    assert asked
    real.wait_until(lambda: not unanswered(), unanswered)


def test_the_objective_knows_what_went_well(watched, real):
    # Of five requests two have an error; one for an address that is not there has none.
    prometheus, _ = watched
    ratio = "job:http_server_success_errors:ratio_rate5m"
    real.wait_until(
        lambda: abs(prometheus.number(ratio) - 0.4) < 0.02, lambda: str(prometheus.query(ratio))
    )


def test_a_pool_without_connections_calls_somebody(watched, real):
    prometheus, _ = watched
    asked = 'ALERTS{alertname="PoolTimeouts", alertstate="firing"}'
    real.wait_until(lambda: prometheus.query(asked), "the alert to fire")
