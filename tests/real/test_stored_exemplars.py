"""Exemplars, asked of a Prometheus that scrapes a program with traces."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.live]

PROGRAMS = Path(__file__).with_name("programs")


@pytest.fixture(scope="module")
def shop(real):
    """The address of the shop's page."""
    address = f"127.0.0.1:{real.free_port()}"
    port = address.rpartition(":")[2]
    toolkit = [sys.executable, "-m", "ancestry_obs", "run", "--map", PROGRAMS / "traced_shop.toml"]
    command = [*toolkit, "--port", port, "--", PROGRAMS / "traced_shop.py"]
    shop = real.start("shop", list(map(str, command)))
    shop.wait_for("open")
    yield address
    assert shop.finish() == 0


@pytest.fixture(scope="module")
def prometheus(shop, start_prometheus):
    """The Prometheus that watches the shop."""
    return watched(shop, start_prometheus, "exemplar-storage")


def watched(shop, start_prometheus, *features):
    scraped = {"job_name": "shop", "static_configs": [{"targets": [shop]}]}
    return start_prometheus({"scrape_configs": [scraped]}, features=features)


def exemplars(prometheus, metric):
    """Give the exemplars that Prometheus has of each series, by the bucket."""
    now = time.time()
    found = prometheus.ask("query_exemplars", query=metric, start=now - 600, end=now)
    return {each["seriesLabels"].get("le"): each["exemplars"] for each in found}


def test_prometheus_stores_a_trace_of_each_bucket(prometheus, real):
    metric = "ancestry_sold_price_bucket"
    real.wait_until(lambda: len(exemplars(prometheus, metric)) == 3, "exemplars of three buckets")
    for bound, stored in exemplars(prometheus, metric).items():
        for each in stored:
            labels = each["labels"]
            assert len(labels["trace_id"]) == 32
            assert int(labels["trace_id"], 16) > 0xABC000
            assert labels["span_id"] == f"{0xDEF:016x}"
            price = float(each["value"])
            assert price == int(labels["trace_id"], 16) % 3 * 10
            assert {0.0: "5.0", 10.0: "15.0", 20.0: "+Inf"}[price] == bound


def test_prometheus_stores_new_ones_of_a_counter(prometheus, real):
    metric = "ancestry_sold_total"

    def traces():
        stored = exemplars(prometheus, metric).get(None, [])
        return {each["labels"]["trace_id"] for each in stored}

    real.wait_until(lambda: len(traces()) > 2, "exemplars of several scrapes")


def test_a_prometheus_with_native_histograms_stores_theirs(shop, start_prometheus, real):
    prometheus = watched(shop, start_prometheus, "exemplar-storage,native-histograms")
    for metric in ("ancestry_sold_exactly", "ancestry_sold_both"):

        def stored(metric=metric):
            return exemplars(prometheus, metric).get(None, [])

        real.wait_until(lambda: len(stored()) > 2, "exemplars of several scrapes")
        for each in stored():
            assert float(each["value"]) == int(each["labels"]["trace_id"], 16) % 3 * 10
