from __future__ import annotations

import pytest

from ancestry_obs.feeds import Feed
from ancestry_obs.installation_status import Status, TargetStatus
from ancestry_obs.live.joined import Joined
from ancestry_obs.live.rates import Interval, Quantile
from ancestry_obs.live.rows import expression_errors, rows

NONE = (None, None, None)


def joined(scrape):
    return Joined(scrape.status.targets, scrape.feeds)


@pytest.fixture
def told(two_looks):
    before, after = two_looks
    interval = Interval(before, after)
    return {each.name: each for each in rows("targets", interval, joined(after))}


def test_a_target_has_its_own_numbers(told):
    row = told["shop:charge"]
    assert (row.kind, row.rate, row.failed) == ("installed", 10, 2)
    # 10 of 20 below 0.1, the others below 1.
    assert row.quantiles[0] == Quantile(0.1, below=0.1)
    assert row.quantiles[1].value == pytest.approx(0.91)
    assert (row.is_shared, row.is_failed_shared) == (False, False)
    assert row.expression_errors == 3


def test_a_target_that_nothing_tells_of_has_none(told):
    assert (told["shop:Cart.add"].rate, told["shop:Cart.add"].failed) == (0, None)
    assert told["shop:Cart.add"].quantiles == NONE


def test_a_target_without_calls_has_not_those_of_others(told):
    row = told["shop:never"]
    assert (row.kind, row.rate, row.quantiles) == ("idle", 0, NONE)
    assert row.reason == "never called"


def test_a_state_has_its_reason(told):
    assert (told["shop:prise"].kind, told["shop:prise"].reason) == ("error", "there is none")


def test_metrics_and_series(two_looks):
    interval = Interval(*two_looks)
    found = {each.name: each for each in rows("metrics", interval, joined(interval.after))}
    assert list(found) == ["shop_charges_total", "shop_charge_seconds", "shop_cart_items"]
    charges = found["shop_charges_total"]
    assert (charges.kind, charges.rate, charges.value) == ("counter", 10, 30)
    assert found["shop_charge_seconds"].quantiles[0] == Quantile(0.1, below=0.1)
    assert (found["shop_cart_items"].rate, found["shop_cart_items"].value) == (None, 7)
    series = {each.name: each.rate for each in rows("series", interval, joined(interval.after))}
    assert series == {
        'shop_charges_total{currency="EUR",outcome="success"}': 8,
        'shop_charges_total{currency="EUR",outcome="error"}': 2,
        "shop_charge_seconds": 10,
        "shop_cart_items": None,
    }


def test_failed_expressions_of_all_targets(two_looks):
    assert expression_errors(Interval(*two_looks)) == 3
    assert expression_errors(Interval(None, two_looks[1])) == 6


CACHE = """\
    # TYPE ancestry_obs_target_info gauge
    ancestry_obs_target_info{target="c:get",state="installed"} 1
    ancestry_obs_target_info{target="c:set",state="installed"} 1
    # TYPE ancestry_obs_calls_total counter
    ancestry_obs_calls_total{target="c:get"} 6
    ancestry_obs_calls_total{target="c:set"} 4
    # TYPE ops_total counter
    ops_total{op="get",result="failed"} 2
    ops_total{op="get",result="fine"} 4
    ops_total{op="set",result="failed"} 1
    ops_total{op="set",result="fine"} 3
    # TYPE raised_total counter
    raised_total 5
    # TYPE op_seconds histogram
    op_seconds_bucket{op="get",le="1"} 6
    op_seconds_bucket{op="get",le="+Inf"} 6
    op_seconds_bucket{op="set",le="1"} 0
    op_seconds_bucket{op="set",le="+Inf"} 4
"""
FAILING = {"result": ("failed",)}


@pytest.fixture
def cache(scraped):
    """Give a cache's targets since its start, with feeds of both and of each."""

    def make(both=(), states=("installed", "installed"), calls=(0, 0), **own):
        names = ("get", "set")
        status = Status(
            enabled=True,
            targets=tuple(
                TargetStatus(f"c:{name}", state, patterns=(f"c:{name}",), calls=count)
                for name, state, count in zip(names, states, calls, strict=True)
            ),
        )
        feeds = [Feed(f"c:{n}", *each) for n in names for each in (*both, *own.get(n, ()))]
        scrape = scraped(CACHE, status=status, feeds=feeds)
        found = rows("targets", Interval(None, scrape), joined(scrape))
        return {each.name.removeprefix("c:"): each for each in found}

    return make


def by_op(name, metric="ops_total", failing=FAILING, on="exit", is_duration=False):
    return (metric, {"op": name}, failing, on, is_duration)


def test_a_constant_label_parts_what_two_targets_feed(cache):
    timed = {"metric": "op_seconds", "failing": {}, "is_duration": True}
    told = cache(
        get=[by_op("get"), by_op("get", **timed)], set=[by_op("set"), by_op("set", **timed)]
    )
    assert (told["get"].failed, told["set"].failed) == (2, 1)
    assert told["get"].quantiles[0] == Quantile(0.5, below=1.0)
    assert told["set"].quantiles[0] == Quantile(1.0, is_least=True)
    assert not any(each.is_shared or each.is_failed_shared for each in told.values())


def test_what_two_targets_feed_alike_is_marked(cache):
    told = cache(
        both=[("ops_total", {}, FAILING, "exit", False), ("op_seconds", {}, {}, "exit", True)]
    )
    assert (told["get"].failed, told["get"].is_failed_shared) == (3, True)
    assert (told["set"].is_shared, told["set"].quantiles[0]) == (True, Quantile(5 / 6, below=1.0))


def test_a_feed_of_all_series_overlaps_one_of_some(cache):
    told = cache(get=[by_op("get")], set=[("ops_total", {}, FAILING, "exit", False)])
    assert (told["get"].is_failed_shared, told["set"].is_failed_shared) == (True, True)


def test_one_constant_that_differs_parts_feeds_whatever_else_they_have(cache):
    both = {"op": "get", "result": "failed"}
    told = cache(get=[("ops_total", both, FAILING, "exit", False)], set=[by_op("set")])
    assert (told["get"].is_failed_shared, told["set"].is_failed_shared) == (False, False)
    assert (told["get"].failed, told["set"].failed) == (2, 1)
    told = cache(get=[("ops_total", both, FAILING, "exit", False)], set=[by_op("get")])
    assert (told["get"].is_failed_shared, told["set"].is_failed_shared) == (True, True)


def test_a_target_that_is_never_called_shares_nothing(cache):
    told = cache(both=[("op_seconds", {}, {}, "exit", True)], states=("installed", "idle"))
    assert told["get"].is_shared is False


@pytest.mark.parametrize("state", ["error", "pending"])
def test_what_only_another_process_calls_is_shared_all_the_same(cache, state):
    """The state is the worst of all processes; the calls are those of all."""
    told = cache(
        both=[("op_seconds", {}, {}, "exit", True)], states=("installed", state), calls=(6, 4)
    )
    assert (told["get"].is_shared, told["set"].is_shared) == (True, True)


def test_what_is_recorded_where_a_call_raises_has_failed(cache):
    told = cache(get=[("raised_total", {}, {}, "raise", False)])
    assert (told["get"].failed, told["set"].failed) == (5, None)


def test_a_metric_of_both_ways_to_end_tells_nothing_without_a_label(cache):
    told = cache(
        get=[("raised_total", {}, {}, "raise", False), ("raised_total", {}, {}, "return", False)]
    )
    assert told["get"].failed is None


def test_the_metric_that_is_the_target_s_own_counts(cache):
    told = cache(both=[("raised_total", {}, {}, "raise", False)], get=[by_op("get")])
    assert (told["get"].failed, told["get"].is_failed_shared) == (2, False)
    assert (told["set"].failed, told["set"].is_failed_shared) == (5, True)


def test_metrics_of_one_call_are_not_added_up(cache):
    told = cache(get=[by_op("get"), ("raised_total", {}, {}, "raise", False)])
    assert told["get"].failed == 5


def test_a_feed_of_a_metric_that_is_not_there(cache):
    told = cache(get=[("gone_total", {}, FAILING, "raise", False), ("gone", {}, {}, "exit", True)])
    assert (told["get"].failed, told["get"].quantiles) == (None, NONE)


def test_of_unknown_calls_none_is_known_to_have_failed(scraped):
    """Of a target that is over the page has no calls any more."""
    status = Status(enabled=True, targets=(TargetStatus("c:get", "expired", patterns=("c:get",)),))
    page = CACHE.replace('ancestry_obs_calls_total{target="c:get"} 6\n', "")
    scrape = scraped(page, status=status, feeds=[Feed("c:get", *by_op("get"))])
    row = next(iter(rows("targets", Interval(None, scrape), joined(scrape))))
    assert (row.rate, row.failed) == (None, None)
