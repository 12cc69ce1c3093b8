from __future__ import annotations

import pytest

from ancestry_obs.mapfile import load
from ancestry_obs.monitoring import Catalogue
from ancestry_obs.monitoring.arrangement import completed, default_plan, heading
from ancestry_obs.monitoring.plan import Row


def test_a_map_without_a_plan_is_arranged_by_what_a_reader_asks(shop):
    rows = default_plan(shop, "corner-shop").rows
    assert [row.title for row in rows] == ["At a glance", "How fast?", "How much?", "How full?"]
    assert [(panel.metric.name, panel.view, panel.by) for row in rows for panel in row.panels] == [
        ("orders_total", "total", ()),
        ("stock_bytes", "now", ()),
        ("finds_ratio", "now", ()),
        ("busy_tills", "now", ()),
        ("order_seconds", "quantiles", ()),
        ("order_seconds", "heatmap", ()),
        ("order_seconds", "quantile_table", ("shop",)),
        ("order_seconds", "rate", ("shop",)),
        ("orders_total", "rate", ("result",)),
        ("stock_bytes", "trend", ("shop",)),
        ("finds_ratio", "trend", ()),
        ("busy_tills", "trend", ()),
    ]


def test_the_labels_that_most_metrics_share_can_be_chosen(shop):
    plan = default_plan(shop, "corner-shop")
    assert plan.title == "Corner shop overview"
    assert [(v.label, len(v.metrics)) for v in plan.variables] == [
        ("shop", 3), ("way", 1), ("result", 1),
    ]  # fmt: skip


def test_a_label_cannot_take_the_place_of_a_variable_that_is_always_there():
    labels = {"instance": ["a"], "shop": ["b"]}
    metric = {"type": "gauge", "help": "G.", "labels": labels}
    catalogue = Catalogue(load({"version": 1, "metrics": {"g": metric}}), "x")
    assert [variable.label for variable in default_plan(catalogue, "x").variables] == ["shop"]


def test_a_metric_that_a_plan_leaves_out_is_added_at_the_end(shop):
    fast = default_plan(shop, "x").rows[1]
    rows = list(completed([fast], shop))
    assert [row.title for row in rows] == ["How fast?", "Also measured"]
    assert [panel.metric.name for panel in rows[1].panels] == [
        "orders_total", "stock_bytes", "finds_ratio", "busy_tills",
    ]  # fmt: skip


def test_nothing_is_added_to_a_plan_that_shows_everything(shop):
    rows = default_plan(shop, "x").rows
    assert tuple(completed(rows, shop)) == rows
    assert all(isinstance(row, Row) for row in rows)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("api_latency_seconds", "Api latency"),
        ("jobs_done_total", "Jobs done"),
        ("total", "Total"),
        ("corner-shop", "Corner shop"),
    ],
)
def test_a_name_becomes_words(name, words):
    assert heading(name) == words
