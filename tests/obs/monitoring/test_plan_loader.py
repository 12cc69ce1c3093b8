from __future__ import annotations

import pytest

from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import load, resolve_map
from ancestry_obs.monitoring import Catalogue, load_plan
from ancestry_obs.monitoring.plan import State, Threshold
from ancestry_obs.monitoring.plan_loader import plan_path, read_plan

PANEL = '[[row]]\ntitle = "R"\n[[row.panel]]\n'
OBJECTIVE = '[[objective]]\nname = "o"\ntitle = "O"\n'
ALERT = '[[alert]]\nname = "A"\nabove = 1\nseverity = "info"\nsummary = "s"\ndescription = "d"\n'


def test_a_panel_that_names_a_metric_only_gets_the_view_of_its_kind(plan_of):
    (panel,) = plan_of(PANEL + 'metric = "orders_total"').rows[0].panels
    assert (panel.view, panel.by, panel.title) == ("rate", ("result",), "Orders")
    assert panel.description == "Orders."


def test_a_panel_keeps_what_it_says(plan_of):
    (panel,) = (
        plan_of(
            PANEL + 'metric = "stock_bytes"\nview = "states"\ntitle = "Full?"\nby = []\n'
            'states = [{ value = 0.5, text = "half", color = "red" }]\n'
            'thresholds = [{ from = 0, color = "green" }, { from = 2, color = "red" }]\n'
            "width = 7\nheight = 3\n"
        )
        .rows[0]
        .panels
    )
    assert panel.states == (State(0.5, "half", "red"),)
    assert panel.thresholds == (Threshold(0, "green"), Threshold(2, "red"))
    assert (panel.by, panel.width, panel.height) == ((), 7, 3)


def test_objectives_and_alerts_are_read(plan_of):
    plan = plan_of(
        OBJECTIVE + 'metric = "order_seconds"\nwithin = 2.5\ntarget = 0.99\n'
        + ALERT + 'metric = "busy_tills"\nfor = "5m"\nwhile = "orders_total"\n'
    )  # fmt: skip
    assert plan.objectives[0].within == 2.5
    assert (plan.alerts[0].hold, plan.alerts[0].busy.name) == ("5m", "orders_total")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            PANEL + 'metric = "order_secnds"',
            (
                "5: row[0].panel[0].metric: unknown metric 'order_secnds'; did you mean "
                "'order_seconds'? allowed: "
            ),
        ),
        (
            PANEL + 'metric = "orders_total"\nby = ["way", "shp"]',
            (
                "6: row[0].panel[0].by[1]: 'orders_total' has no label 'shp'; did you mean 'shop'? "
                "allowed: shop, way, result"
            ),
        ),
        (
            PANEL + 'metric = "orders_total"\nview = "share"\ngood = { result = ["payed"] }',
            (
                "7: row[0].panel[0].good.result: 'payed' is no value of the label 'result'; "
                "did you mean 'paid'? allowed: paid, refused, other, error"
            ),
        ),
        (
            PANEL + 'metric = "orders_total"\nview = "heatmap"',
            (
                "6: row[0].panel[0].view: a counter cannot be shown as 'heatmap'; "
                "allowed: rate, events, total, share, share_trend"
            ),
        ),
        (
            PANEL + 'metric = "orders_total"\nquantiles = [0.5]',
            (
                "6: row[0].panel[0].quantiles: quantiles means nothing to the view 'rate'; "
                "it is for quantiles, quantile_table"
            ),
        ),
        (
            PANEL + 'metric = "orders_total"\nview = "share"',
            "4: row[0].panel[0]: the view 'share' needs the key 'good'; add good",
        ),
        (
            PANEL + 'metric = "orders_total"\nby = ["result"]\ncolors = { paid_ = "green" }',
            (
                "7: row[0].panel[0].colors.paid_: 'paid_' is no value of what is told apart; "
                "did you mean 'paid'? allowed: paid, refused"
            ),
        ),
        (
            PANEL + 'metric = "busy_tills"\n'
            'thresholds = [{ from = 2, color = "red" }, { from = 1, color = "green" }]',
            "6: row[0].panel[0].thresholds: the thresholds do not ascend; sort them",
        ),
        (
            PANEL + 'metric = "busy_tills"\nwidth = 25',
            "6: row[0].panel[0].width: found the number 25; allowed is a whole number from 1 to 24",
        ),
        (
            '[[variable]]\nlabel = "way"\ntitle = "Way"\nmetrics = ["stock_bytes"]',
            "5: variable[0].metrics[0]: 'stock_bytes' has no label 'way'; allowed: shop",
        ),
        (
            '[[annotation]]\ntitle = "T"\nmetric = "busy_tills"\ncolor = "red"',
            "4: annotation[0].metric: 'busy_tills' is of the kind in_flight; allowed: counter",
        ),
        (
            OBJECTIVE + 'metric = "order_seconds"\nwithin = 2\ntarget = 0.99',
            "6: objective[0].within: 2 is no bucket bound of 'order_seconds'; allowed: 0.1, 1, 2.5",
        ),
        (
            OBJECTIVE + 'metric = "order_seconds"\ntarget = 0.99',
            (
                "2: objective[0]: an objective on a histogram needs the key 'within' or 'good'; "
                "add within or good"
            ),
        ),
        (
            OBJECTIVE + 'metric = "orders_total"\ngood = { result = ["paid"] }\nwithin = 1\n'
            "target = 0.99",
            "7: objective[0].within: within means nothing for a counter; write good",
        ),
        (
            OBJECTIVE + 'metric = "orders_total"\ngood = { result = ["paid"] }\ntarget = 0.9',
            (
                "7: objective[0].target: a target of 0.9 can never be missed 14.4 times over; "
                "choose one above 0.931"
            ),
        ),
        (
            ALERT + 'metric = "order_seconds"',
            (
                "8: alert[0].metric: 'order_seconds' is of the kind histogram; "
                "allowed: counter, gauge, in_flight, info, ratio"
            ),
        ),
        (
            ALERT + 'metric = "busy_tills"\nwithin = "5m"',
            "9: alert[0].within: within means nothing for a in_flight; it is for counters",
        ),
        (
            ALERT + 'metric = "busy_tills"\nfor = "5 minutes"',
            "9: alert[0].for: found the text '5 minutes'; allowed is a duration such as \"5m\"",
        ),
        (
            ALERT + 'metric = "busy_tills"\nwhile = "stock_bytes"',
            "9: alert[0].while: 'stock_bytes' is of the kind gauge; allowed: counter",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_remedy(findings_of, text, finding):
    (found,) = findings_of(text)
    assert found.startswith(finding)
    assert found == finding or finding.endswith("allowed: ")


def test_all_mistakes_are_told_in_the_order_of_the_file(findings_of):
    found = findings_of(PANEL + 'metric = "x"\ncolour = 1\n[[row.panel]]\ntitle = "no metric"\n')
    assert [line.split(";")[0] for line in found] == [
        "5: row[0].panel[0].metric: unknown metric 'x'",
        "6: row[0].panel[0].colour: unknown key 'colour'",
        "7: row[0].panel[1]: the key 'metric' is missing",
    ]


def test_a_broken_entry_does_not_hide_the_others(findings_of):
    found = findings_of(
        PANEL + 'metric = "busy_tills"\nthresholds = [{ from = "x", color = "red" }, { from = 1 }]'
    )
    assert [line.split(":")[1].strip() for line in found] == [
        "row[0].panel[0].thresholds[0].from",
        "row[0].panel[0].thresholds[1]",
    ]


def test_a_file_that_is_no_toml_or_cannot_be_read(findings_of, shop, tmp_path):
    (found,) = findings_of("title = ")
    assert found.startswith("2: not TOML: ")
    (found,) = findings_of(f"title = {'[' * 9000}")
    assert found.startswith("2: not TOML: Values are nested too deeply")
    with pytest.raises(MapError, match=r"cannot be read: .*; name a UTF-8 file"):
        read_plan(tmp_path, shop)


def test_the_plan_stands_beside_the_map_and_is_completed(shop, tmp_path):
    (tmp_path / "shop.monitoring.toml").write_text(
        'version = 1\ntitle = "The shop"\n' + PANEL + 'metric = "orders_total"\n'
    )
    source = str(tmp_path / "shop.toml")
    plan = load_plan(source, shop)
    assert plan_path(source) == tmp_path / "shop.monitoring.toml"
    assert plan.title == "The shop"
    assert [row.title for row in plan.rows] == ["R", "Also measured", "Instrumentation itself"]


def test_without_a_plan_there_is_a_default_one_with_what_every_map_has(shop, tmp_path):
    plan = load_plan(str(tmp_path / "shop.toml"), shop)
    assert plan.title == "Shop overview"
    assert plan.rows[-1].title == "Instrumentation itself"
    assert [alert.name for alert in plan.alerts] == [
        "TargetNotInstrumented", "LabelsOverflowing", "ExpressionErrors",
    ]  # fmt: skip


def test_the_platforms_plan_shows_every_metric_of_its_map(generated):
    shown = {panel.metric for row in generated.plan.rows for panel in row.panels}
    assert set(generated.catalogue.metrics) <= shown
    assert [row.title for row in generated.plan.rows] == [
        "Is it healthy?", "How fast?", "Cache", "How much got done?", "Machine",
        "Instrumentation itself",
    ]  # fmt: skip


def test_a_namespace_changes_exposed_names_alone(generated):
    assert isinstance(generated.catalogue, Catalogue)
    assert generated.catalogue["api_requests_total"].series == "ancestry_api_requests_total"


def test_what_has_no_sum_has_no_mean(tmp_path):
    metrics = {"drift": {"type": "histogram", "help": "D.", "buckets": [-1, 0, 1]}}
    path = tmp_path / "drift.monitoring.toml"
    path.write_text(
        'version = 1\n[[row]]\ntitle = "R"\n[[row.panel]]\nmetric = "drift"\nview = "mean"\n'
    )
    with pytest.raises(MapError) as caught:
        read_plan(path, Catalogue(load({"version": 1, "metrics": metrics}), "shop"))
    assert str(caught.value).endswith(
        ":6: row[0].panel[0].view: 'drift' has a negative bucket, and therefore no sum; "
        "show its quantiles"
    )


def test_a_pack_has_its_plan_beside_it():
    path = plan_path("pack:click")
    assert (path.parent, path.name) == (resolve_map("pack:click").parent, "click.monitoring.toml")
    spec = load("pack:click")
    assert load_plan(spec.source, Catalogue(spec, "shop")).title == "Click overview"
