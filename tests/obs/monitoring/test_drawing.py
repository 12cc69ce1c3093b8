from __future__ import annotations

import json

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from ancestry_obs.monitoring.catalogue import Metric
from ancestry_obs.monitoring.drawing import drawn
from ancestry_obs.monitoring.plan import Panel, Threshold
from ancestry_obs.monitoring.promql import EVERYWHERE
from ancestry_obs.monitoring.queries import queries


@pytest.fixture
def draw(shop):
    """Draw a panel of the small map, as Grafana's JSON."""

    def draw(name, view, **given):
        panel = Panel(shop[name], view, "Title", "Text.", **given)
        return json.loads(json.dumps(drawn(panel, queries(panel, EVERYWHERE)), cls=JSONEncoder))

    return draw


@pytest.mark.parametrize(
    ("name", "view", "kind"),
    [
        ("orders_total", "rate", "timeseries"),
        ("orders_total", "events", "timeseries"),
        ("orders_total", "total", "stat"),
        ("stock_bytes", "now", "stat"),
        ("stock_bytes", "trend", "timeseries"),
        ("stock_bytes", "states", "state-timeline"),
        ("order_seconds", "quantiles", "timeseries"),
        ("order_seconds", "quantile_table", "table"),
        ("order_seconds", "heatmap", "heatmap"),
    ],
)
def test_a_view_is_a_kind_of_panel(draw, name, view, kind):
    assert draw(name, view, by=("shop",))["type"] == kind


@pytest.mark.parametrize("view", ["quantiles", "heatmap", "quantile_table"])
def test_what_has_exemplars_asks_for_them_where_time_is_drawn(view):
    metric = Metric("seconds", "shop_seconds", "histogram", "Text.", has_exemplars=True)
    panel = Panel(metric, view, "Title", "Text.")
    drawing = json.loads(json.dumps(drawn(panel, queries(panel, EVERYWHERE)), cls=JSONEncoder))
    asked = [True] if view != "quantile_table" else [None]
    assert [each.get("exemplar") for each in drawing["targets"]] == asked * len(drawing["targets"])


def test_what_has_none_does_not_ask(draw):
    assert all("exemplar" not in each for each in draw("order_seconds", "quantiles")["targets"])


def test_what_can_be_bad_fills_its_panel_with_the_colour(draw):
    plain, judged = draw("stock_bytes", "now"), draw("stock_bytes", "now", thresholds=STEPS)
    assert plain["options"]["colorMode"] == "value"
    assert judged["options"]["colorMode"] == "background"
    assert judged["fieldConfig"]["defaults"]["thresholds"]["steps"] == [
        {"color": "green", "value": None},
        {"color": "red", "value": 5},
    ]


STEPS = (Threshold(0, "green"), Threshold(5, "red"))


def test_what_is_counted_is_whole_and_a_level_may_be_a_fraction(draw):
    assert draw("orders_total", "total")["fieldConfig"]["defaults"]["decimals"] == 0
    assert "decimals" not in draw("stock_bytes", "now")["fieldConfig"]["defaults"]


def test_big_numbers_that_are_told_apart_have_names(draw):
    assert draw("orders_total", "total")["options"]["textMode"] == "value"
    named = draw("orders_total", "total", by=("result",))
    assert named["options"]["textMode"] == "value_and_name"


def test_the_values_of_a_short_enumeration_add_up_to_the_whole(draw):
    def stacking(*labels):
        panel = draw("orders_total", "rate", by=labels)
        return panel["fieldConfig"]["defaults"]["custom"].get("stacking", {}).get("mode")

    assert stacking("result") == "normal"
    assert stacking("shop") is None
    assert stacking("way", "result") is None


def test_many_lines_are_listed_with_their_last_and_greatest_value(draw):
    many = draw("orders_total", "rate", by=("shop",))["options"]["legend"]
    few = draw("orders_total", "rate", by=("result",))["options"]["legend"]
    assert (many["displayMode"], many["calcs"]) == ("table", ["lastNotNull", "max"])
    assert (few["displayMode"], few["calcs"]) == ("list", [])


def test_bars_stand_beside_each_other(draw):
    bars = draw("orders_total", "events")
    assert bars["interval"] == "1m"
    assert bars["fieldConfig"]["defaults"]["custom"]["drawStyle"] == "bars"


def test_a_heatmap_reads_buckets_and_writes_seconds(draw):
    heatmap = draw("order_seconds", "heatmap")
    assert heatmap["targets"][0]["format"] == "heatmap"
    assert heatmap["options"]["calculate"] is False
    assert heatmap["options"]["yAxis"]["unit"] == "s"


def test_a_share_ends_at_one_and_shows_its_thresholds(draw):
    good = (("result", ("paid",)),)
    plain = draw("orders_total", "share_trend", good=good)["fieldConfig"]["defaults"]
    judged = draw("orders_total", "share_trend", good=good, thresholds=STEPS)
    assert plain["max"] == 1
    assert "thresholdsStyle" not in plain["custom"]
    style = judged["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"]
    assert style == {"mode": "dashed"}


def test_not_a_number_is_said_in_words(draw):
    mappings = draw("order_seconds", "quantiles")["fieldConfig"]["defaults"]["mappings"]
    assert mappings == [
        {
            "type": "special",
            "options": {
                "match": "null+nan",
                "result": {"text": "nothing yet", "color": "text"},
            },
        }
    ]


def test_a_table_of_targets_shows_labels_in_colour_and_no_number(draw):
    table = draw(
        "ancestry_obs_target_info", "inventory",
        by=("target", "state"), colors=(("error", "red"),),
    )  # fmt: skip
    assert table["transformations"][0]["options"]["excludeByName"] == {"Time": True, "Value": True}
    (state, _) = table["fieldConfig"]["overrides"]
    assert state["matcher"]["options"] == "state"
    words = state["properties"][1]["value"][0]["options"]
    assert words == {"error": {"text": "error", "color": "red"}}
