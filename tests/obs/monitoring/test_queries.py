from __future__ import annotations

from typing import get_args

import promql_parser
import pytest

from ancestry_obs.mapfile import load
from ancestry_obs.monitoring import Catalogue
from ancestry_obs.monitoring.plan import VIEWS, Panel, View
from ancestry_obs.monitoring.promql import EVERYWHERE, Scope
from ancestry_obs.monitoring.queries import Query, queries

ZERO = "or on() 0 * max(ancestry_obs_build_info)"


def asked(shop, name, view, **given):
    return queries(Panel(shop[name], view, "Title", "", **given), EVERYWHERE)


def test_a_rate_is_told_apart_and_zero_before_the_first_event(shop):
    (query,) = asked(shop, "orders_total", "rate", by=("way", "result"))
    assert query == Query(
        "sum by (way, result) (rate(shop_orders_total[$__rate_interval])) or on() "
        'label_replace(0 * max(ancestry_obs_build_info), "way", "none yet", "", "")',
        "{{way}} · {{result}}",
    )


def test_a_histogram_has_a_rate_by_its_count(shop):
    (query,) = asked(shop, "order_seconds", "rate")
    assert query.expression.startswith("sum(rate(shop_order_seconds_count[$__rate_interval]))")


@pytest.mark.parametrize("view", ["rate", "total"])
def test_what_is_ignored_is_not_counted(shop, view):
    (query,) = asked(shop, "order_seconds", view, ignore=(("shop", ("",)),))
    assert 'shop_order_seconds_count{shop!=""}' in query.expression


@pytest.mark.parametrize("view", ["share", "share_trend"])
def test_a_histogram_has_a_share_by_its_count(shop, view):
    (query,) = asked(shop, "order_seconds", view, good=(("shop", ("",)),))
    good, everything = query.expression.split("\n/ ")
    assert 'shop_order_seconds_count{shop=""}' in good
    assert "shop_order_seconds_count[" in everything


def test_a_total_is_asked_once_and_bars_do_not_overlap(shop):
    (total,) = asked(shop, "orders_total", "total")
    (bars,) = asked(shop, "orders_total", "events")
    assert total.instant
    assert total.expression.endswith(ZERO)
    assert "[$__range]" in total.expression
    assert not bars.instant
    assert "[$__interval]" in bars.expression


def test_a_share_leaves_out_what_is_ignored(shop):
    given = {"good": (("result", ("paid",)),), "ignore": (("way", ("phone",)),)}
    (trend,) = asked(shop, "orders_total", "share_trend", **given)
    everything = 'sum(rate(shop_orders_total{way!="phone"}[$__rate_interval]))'
    assert trend.expression == (
        'sum(rate(shop_orders_total{result="paid",way!="phone"}[$__rate_interval]))'.join(
            ("(", f"\nor vector(0))\n/ {everything}")
        )
    )
    (share,) = asked(shop, "orders_total", "share", **given)
    assert share.instant
    assert share.expression.count('{way!="phone"}') == 3


@pytest.mark.parametrize(
    ("name", "how"), [("stock_bytes", "max"), ("finds_ratio", "avg"), ("busy_tills", "sum")]
)
def test_levels_of_a_kind_come_together_in_its_way(shop, name, how):
    assert asked(shop, name, "now")[0].expression == f"{how}(shop_{name})"
    (given,) = asked(shop, name, "trend", aggregate="min")
    assert given.expression == f"min(shop_{name})"


def test_each_quantile_is_a_query_with_its_legend(shop):
    assert [q.legend for q in asked(shop, "order_seconds", "quantiles")] == ["p50", "p95", "p99"]
    by_shop = asked(shop, "order_seconds", "quantiles", by=("shop",), quantiles=(0.5, 0.999))
    assert [query.legend for query in by_shop] == ["p50 {{shop}}", "p99.9 {{shop}}"]
    (single,) = asked(shop, "order_seconds", "quantiles", by=("shop",), quantiles=(0.95,))
    assert single.legend == "{{shop}}"


def test_a_table_of_quantiles_begins_with_the_count(shop):
    table = asked(shop, "order_seconds", "quantile_table", by=("shop",))
    assert [query.legend for query in table] == ["count", "p50", "p95", "p99"]
    assert all(query.instant for query in table)


def test_a_heatmap_keeps_buckets_apart(shop):
    (query,) = asked(shop, "order_seconds", "heatmap")
    assert query.expression == "sum by (le) (increase(shop_order_seconds_bucket[$__rate_interval]))"


def test_without_a_count_the_last_bucket_is_counted():
    metrics = {"drift": {"type": "histogram", "help": "D.", "buckets": [-1, 0, 1]}}
    drift = Catalogue(load({"version": 1, "metrics": metrics}), "shop")
    (rate,) = asked(drift, "drift", "rate")
    assert rate.expression.startswith('sum(rate(shop_drift_bucket{le="+Inf"}[$__rate_interval]))')
    count, *_ = asked(drift, "drift", "quantile_table", by=())
    assert 'shop_drift_bucket{le="+Inf"}' in count.expression
    everything = "".join(
        query.expression for view in VIEWS["histogram"] for query in asked(drift, "drift", view)
    )
    assert "_count" not in everything


def test_a_mean_is_the_sum_by_the_count(shop):
    (query,) = asked(shop, "ancestry_obs_scrape_seconds", "mean")
    assert query.expression == (
        "sum(rate(ancestry_obs_scrape_seconds_sum[$__rate_interval])) / "
        "sum(rate(ancestry_obs_scrape_seconds_count[$__rate_interval]))"
    )


def test_an_info_is_counted_or_listed(shop):
    (counted,) = asked(shop, "ancestry_obs_target_info", "count", by=("state",))
    (listed,) = asked(shop, "ancestry_obs_target_info", "inventory", by=("target", "state"))
    assert counted.expression == "count by (state) (ancestry_obs_target_info)"
    assert listed.expression == "max by (target, state) (ancestry_obs_target_info)"


def test_states_are_one_line_for_each_value(shop):
    (query,) = asked(shop, "stock_bytes", "states", by=("shop",))
    assert query == Query("max by (shop) (shop_stock_bytes)", "{{shop}}")


@pytest.mark.parametrize("view", get_args(View))
def test_every_view_of_every_kind_is_promql(shop, view):
    usable = [shop[n] for n in shop.names if view in VIEWS[shop[n].kind]]
    assert usable
    for metric in usable:
        for by in ((), metric.label_names):
            panel = Panel(metric, view, "T", "", by=by)
            for query in queries(panel, Scope(('instance=~"a"',))):
                plain = query.expression.replace("$__rate_interval", "5m")
                promql_parser.parse(plain.replace("$__interval", "1m").replace("$__range", "1h"))
