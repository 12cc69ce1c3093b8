"""What these tests share: a small map with a metric of each kind, and the platform's."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import load
from ancestry_obs.monitoring import Catalogue, build_rules, load_plan
from ancestry_obs.monitoring.dashboard import dashboard_json
from ancestry_obs.monitoring.plan_loader import read_plan

SHOP = {
    "version": 1,
    "metrics": {
        "orders_total": {
            "type": "counter",
            "help": "Orders.",
            "labels": {
                "shop": {"max_values": 9},
                "way": ["web", "phone"],
                "result": ["paid", "refused"],
            },
        },
        "order_seconds": {
            "type": "histogram",
            "help": "Time to order.",
            "buckets": [0.1, 1, 2.5],
            "labels": {"shop": {"max_values": 9}},
        },
        "stock_bytes": {"type": "gauge", "help": "Stock.", "labels": {"shop": {"max_values": 9}}},
        "finds_ratio": {"type": "ratio", "help": "Finds."},
        "busy_tills": {"type": "in_flight", "help": "Tills."},
    },
}


@pytest.fixture
def shop():
    """Give the metrics of a small map."""
    return Catalogue(load(SHOP), "shop")


@pytest.fixture
def plan_of(shop, tmp_path):
    """Read a plan for the small map from text."""

    def read(text: str):
        path = tmp_path / "shop.monitoring.toml"
        path.write_text("version = 1\n" + text)
        return read_plan(path, shop)

    return read


@pytest.fixture
def findings_of(plan_of, tmp_path):
    """Give the mistakes of a plan, each without the file's name."""

    def read(text: str) -> list[str]:
        with pytest.raises(MapError) as caught:
            plan_of(text)
        start = f"{tmp_path / 'shop.monitoring.toml'}:"
        return [str(finding).removeprefix(start) for finding in caught.value.findings]

    return read


@pytest.fixture(scope="session")
def generated():
    """Give everything that is generated from the platform's map."""
    spec = load("ancestry.toml")
    catalogue = Catalogue(spec, "ancestry")
    plan = load_plan(spec.source, catalogue)
    text = dashboard_json(plan, "ancestry")
    return SimpleNamespace(
        catalogue=catalogue,
        plan=plan,
        text=text,
        dashboard=json.loads(text),
        groups=build_rules(plan, catalogue, "ancestry"),
    )


@pytest.fixture(scope="session")
def grafana_folder():
    """Give the folder of committed files."""
    return Path(__file__).parents[3] / "grafana"
