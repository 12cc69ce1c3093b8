"""What the tests of the live view share: scrapes made of text, as an exporter would give it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from ancestry_obs.feeds import Feed
from ancestry_obs.installation_status import Status, TargetStatus
from ancestry_obs.live.page_reader import read_page
from ancestry_obs.live.scrape import Scrape

BEGINNING = "# TYPE ancestry_obs_build_info gauge\nancestry_obs_build_info 1\n"


@pytest.fixture(scope="session")
def scraped():
    """Make a scrape: the page's text, when it was, and what `/status` says beside it."""

    def make(text: str, at: float = 0.0, status: Status | None = None, feeds=()) -> Scrape:
        page = read_page((BEGINNING + dedent(text)).encode())
        return Scrape(at, page, status or Status(enabled=True), feeds)

    return make


SHOP = """\
# TYPE ancestry_obs_target_info gauge
ancestry_obs_target_info{{target="shop:charge",state="installed"}} 1.0
ancestry_obs_target_info{{target="shop:Cart.add",state="installed"}} 1.0
ancestry_obs_target_info{{target="shop:never",state="idle"}} 1.0
ancestry_obs_target_info{{target="shop:prise",state="error"}} 1.0
# TYPE ancestry_obs_calls_total counter
ancestry_obs_calls_total{{target="shop:charge"}} {calls}
ancestry_obs_calls_total{{target="shop:Cart.add"}} {adds}
ancestry_obs_calls_total{{target="shop:never"}} 0.0
ancestry_obs_calls_total{{target="shop:prise"}} 0.0
# TYPE ancestry_obs_expression_errors_total counter
ancestry_obs_expression_errors_total{{target="shop:charge",metric="m",label="l"}} {errors}
# TYPE ancestry_obs_scrape_seconds summary
ancestry_obs_scrape_seconds_count {looks}
ancestry_obs_scrape_seconds_sum 0.1
# TYPE shop_charges_total counter
shop_charges_total{{currency="EUR",outcome="success"}} {good}
shop_charges_total{{currency="EUR",outcome="error"}} {failed}
# TYPE shop_charge_seconds histogram
shop_charge_seconds_bucket{{le="0.1"}} {quick}
shop_charge_seconds_bucket{{le="1.0"}} {calls}
shop_charge_seconds_bucket{{le="+Inf"}} {calls}
shop_charge_seconds_count {calls}
shop_charge_seconds_sum 1.5
# TYPE shop_cart_items gauge
shop_cart_items 7.0
"""
SHOP_STATUS = Status(
    enabled=True,
    map="shop.toml",
    url="http://127.0.0.1:9000/metrics",
    targets=(
        TargetStatus("shop:charge", "installed", patterns=("shop:charge",)),
        TargetStatus("shop:Cart.add", "installed", patterns=("shop:Cart.*",)),
        TargetStatus("shop:never", "idle", "never called", patterns=("shop:never",)),
        TargetStatus("shop:prise", "error", "there is none", patterns=("shop:prise",)),
    ),
)
SHOP_FEEDS = (
    Feed(
        "shop:charge", "shop_charges_total", {}, {"outcome": ("error",)}, "exit", is_duration=False
    ),
    Feed("shop:charge", "shop_charge_seconds", {}, {}, "exit", is_duration=True),
    Feed("shop:never", "shop_charge_seconds", {}, {}, "exit", is_duration=True),
)


@pytest.fixture(scope="session")
def shop(scraped):
    """Make a scrape of a shop; two of them a second apart are a second in its life."""

    def make(at: float = 0.0, **numbers: float) -> Scrape:
        known = {
            "calls": 10, "quick": 5, "adds": 100, "errors": 0, "looks": 1, "good": 8, "failed": 2,
        }  # fmt: skip
        return scraped(SHOP.format(**(known | numbers)), at, SHOP_STATUS, SHOP_FEEDS)

    return make


@pytest.fixture
def two_looks(shop):
    """Two scrapes, two seconds apart: 20 calls of which 4 failed, 10 of them quick."""
    later = {"calls": 30, "quick": 15, "adds": 100, "errors": 6, "looks": 2, "good": 24}
    return shop(), shop(2.0, failed=6, **later)
