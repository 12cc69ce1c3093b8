from __future__ import annotations

import pytest

from ancestry_obs.monitoring.catalogue import SELF_METRICS, Metric
from ancestry_obs.monitoring.plan import Panel
from ancestry_obs.monitoring.styling import unit


@pytest.mark.parametrize(
    ("name", "kind", "view", "expected"),
    [
        ("wait_seconds", "histogram", "quantiles", "s"),
        ("wait_seconds", "histogram", "rate", "ops"),
        ("wait_seconds", "histogram", "total", "short"),
        ("sent_bytes_total", "counter", "rate", "Bps"),
        ("sent_bytes_total", "counter", "total", "bytes"),
        ("busy_seconds_total", "counter", "rate", "percentunit"),
        ("jobs_total", "counter", "rate", "ops"),
        ("jobs_total", "counter", "share", "percentunit"),
        ("hits", "ratio", "trend", "percentunit"),
        ("oven_celsius", "gauge", "now", "celsius"),
        ("door", "gauge", "states", "short"),
        ("threads", "gauge", "trend", "short"),
    ],
)
def test_the_name_and_the_view_give_the_unit(name, kind, view, expected):
    assert unit(Panel(Metric(name, name, kind, ""), view, "", "")) == expected


def test_a_panels_own_unit_wins():
    assert unit(Panel(SELF_METRICS[0], "count", "", "", unit="watt")) == "watt"
