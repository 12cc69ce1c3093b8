from __future__ import annotations

import promql_parser

from ancestry_obs.monitoring import build_rules, rule_questions
from ancestry_obs.monitoring.alerts import anchor
from ancestry_obs.monitoring.arrangement import default_plan


def rules_of(plan, catalogue, job="job"):
    groups = build_rules(plan, catalogue, job)
    return {rule.record or rule.alert: rule for group in groups for rule in group.rules}


def test_rates_and_quantiles_are_computed_ahead(shop):
    rules = rules_of(default_plan(shop, "shop"), shop)
    assert [name for name in rules if ":" in name] == [
        "job_way_result:shop_orders:rate5m",
        "job:shop_order_seconds:p50_rate5m",
        "job:shop_order_seconds:p95_rate5m",
        "job:shop_order_seconds:p99_rate5m",
    ]
    assert rules["job_way_result:shop_orders:rate5m"].expression == (
        "sum by (job, way, result) (rate(shop_orders_total[5m]))\n"
        "or on (job) 0 * max by (job) (ancestry_obs_build_info)"
    )


def test_a_map_without_objectives_has_no_burn_rates(shop):
    groups = build_rules(default_plan(shop, "shop"), shop, "till")
    assert [group.name for group in groups] == ["shop-rates", "shop-alerts"]
    assert [rule.alert for rule in groups[1].rules] == ["ExporterGone"]
    assert 'up{job="till"} == 0' in groups[1].rules[0].expression


def test_an_objective_on_a_counter_counts_good_ones(plan_of, shop):
    plan = plan_of(
        '[[objective]]\nname = "paid_orders"\ntitle = "Orders are paid"\nmetric = "orders_total"\n'
        'good = { result = ["paid"] }\nignore = { way = ["phone"] }\ntarget = 0.99\n'
    )
    rules = rules_of(plan, shop)
    everything = 'sum by (job) (rate(shop_orders_total{way!="phone"}[5m]))'
    assert rules["job:shop_paid_orders_errors:ratio_rate5m"].expression == (
        '1 - (sum by (job) (rate(shop_orders_total{result="paid",way!="phone"}[5m]))\n'
        f"or 0 * {everything})\n/ {everything}"
    )
    fast = rules["PaidOrdersBurnsFast"]
    assert fast.expression == (
        "(job:shop_paid_orders_errors:ratio_rate1h > 14.4 * (1 - 0.99)"
        " and job:shop_paid_orders_errors:ratio_rate5m > 14.4 * (1 - 0.99))\n"
        "or (job:shop_paid_orders_errors:ratio_rate6h > 6 * (1 - 0.99)"
        " and job:shop_paid_orders_errors:ratio_rate30m > 6 * (1 - 0.99))"
    )
    assert [each.rpartition("rate")[2] for each in fast.inputs] == ["5m", "30m", "1h", "6h"]
    slow = rules["PaidOrdersBurnsSlowly"]
    assert [each.rpartition("rate")[2] for each in slow.inputs] == ["2h", "6h", "1d", "3d"]


def test_an_objective_on_a_histogram_counts_a_bucket(plan_of, shop):
    plan = plan_of(
        '[[objective]]\nname = "quick"\ntitle = "Orders are quick"\nmetric = "order_seconds"\n'
        "within = 1\ntarget = 0.95\n"
    )
    rule = rules_of(plan, shop)["job:shop_quick_errors:ratio_rate3d"]
    assert 'shop_order_seconds_bucket{le="1.0"}[3d]' in rule.expression
    assert rule.expression.count("shop_order_seconds_count[3d]") == 2


def test_an_alert_on_a_gauge_keeps_workers_apart_and_may_wait_for_work(plan_of, shop):
    plan = plan_of(
        '[[alert]]\nname = "Full"\nmetric = "stock_bytes"\nby = ["shop"]\nabove = 1e6\n'
        'for = "5m"\nwhile = "orders_total"\nseverity = "warning"\nsummary = "s"\n'
        'description = "d"\n'
    )
    rule = rules_of(plan, shop)["Full"]
    assert rule.expression == (
        "max by (job, instance, shop) (shop_stock_bytes) > 1e+06\n"
        "and on (job, instance) sum by (job, instance) (rate(shop_orders_total[5m])) > 0"
    )
    assert (rule.hold, rule.labels) == ("5m", (("severity", "warning"),))
    assert dict(rule.annotations)["runbook_url"] == "docs/monitoring.md#full"
    assert len(rule.inputs) == 2


def test_an_alert_on_a_counter_adds_up_steps_and_looks_at_zero_while_all_is_well(plan_of, shop):
    plan = plan_of(
        '[[alert]]\nname = "Refusals"\nmetric = "orders_total"\nby = ["way"]\nabove = 3\n'
        'ignore = { result = ["paid"] }\nwithin = "1h"\nseverity = "info"\nsummary = "s"\n'
        'description = "d"\n'
    )
    rule = rules_of(plan, shop)["Refusals"]
    assert rule.expression.startswith("(sum by (job, way) ((last_over_time(shop_orders_total{")
    assert rule.expression.endswith("or 0 * max by (job) (ancestry_obs_build_info)) > 3")
    assert rule.inputs == (rule.expression.removeprefix("(").removesuffix(") > 3"),)


def test_an_alert_looks_at_what_is_no_reason_to_call_too(generated):
    rule = rules_of(generated.plan, generated.catalogue)["TargetNotInstrumented"]
    assert 'state!~"installed|expired"' in rule.expression
    assert rule.inputs == ("max by (job, target, state) (ancestry_obs_target_info)",)


def test_the_platform_has_the_alerts_that_it_needs(generated):
    alerts = [rule.alert for group in generated.groups for rule in group.rules if rule.alert]
    assert alerts == [
        "RequestSuccessBurnsFast", "RequestSuccessBurnsSlowly",
        "LatencyBurnsFast", "LatencyBurnsSlowly",
        "BreakerOpen", "SessionNotRefreshed",
        "TargetNotInstrumented", "LabelsOverflowing", "ExpressionErrors", "ExporterGone",
    ]  # fmt: skip


def test_every_alert_has_texts_a_runbook_and_inputs(generated):
    for rule in (rule for group in generated.groups for rule in group.rules if rule.alert):
        texts = dict(rule.annotations)
        assert texts["summary"]
        assert texts["description"].endswith(".")
        assert texts["runbook_url"] == f"docs/monitoring.md#{anchor(rule.alert)}"
        assert rule.inputs


def test_every_expression_parses(generated, shop):
    for groups in (generated.groups, build_rules(default_plan(shop, "shop"), shop, "shop")):
        for question in rule_questions(groups):
            promql_parser.parse(question.expression)


def test_an_anchor_is_the_heading_in_words():
    assert anchor("SessionNotRefreshed") == "session-not-refreshed"
    assert anchor("P95TooHigh") == "p95-too-high"
