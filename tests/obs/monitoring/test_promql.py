from __future__ import annotations

import json
import re
from dataclasses import replace

import promql_parser
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.utils import floatToGoString

from ancestry_obs.monitoring.catalogue import Metric
from ancestry_obs.monitoring.plan import Variable
from ancestry_obs.monitoring.promql import (
    EVERYWHERE,
    Scope,
    aggregated,
    any_of,
    bound_text,
    gained,
    good_and_all,
    increase,
    none_of,
    or_zero,
    quantile,
    rate,
    share,
    steps,
)

CLASSIC = Metric("x_seconds", "x_seconds", "histogram", "Help.", buckets=(1.0,))
NATIVE = replace(CLASSIC, buckets=(), is_native=True)
VALUES = st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True).map(tuple)


def test_a_variable_applies_to_its_metrics_alone(shop):
    orders, stock = shop["orders_total"], shop["stock_bytes"]
    scope = Scope(('instance="a"',), (Variable("shop", "Shop", (orders,)),))
    assert scope.series(orders) == 'shop_orders_total{shop=~"$shop",instance="a"}'
    assert scope.series(stock) == 'shop_stock_bytes{instance="a"}'
    assert EVERYWHERE.series(stock) == "shop_stock_bytes"
    assert EVERYWHERE.series(shop["order_seconds"], "_bucket", 'le="1.0"') == (
        'shop_order_seconds_bucket{le="1.0"}'
    )


def test_matchers_for_one_value_and_for_several():
    assert any_of((("a", ("x",)),)) == ('a="x"',)
    assert none_of((("a", ("x",)),)) == ('a!="x"',)
    assert any_of((("a", ("x", "y.z")),)) == ('a=~"x|y\\\\.z"',)
    assert none_of((("a", ("x", "y")), ("b", ("z",)))) == ('a!~"x|y"', 'b!="z"')


@given(VALUES)
def test_any_text_can_be_matched_and_matches_itself_alone(values):
    (matcher,) = any_of((("a", values),))
    text = json.loads(matcher.partition('"')[1] + matcher.partition('"')[2])
    if len(values) == 1:
        assert text == values[0]
    else:
        # RE2 and Python agree on what is escaped here: nothing but literals and bars is left.
        assert all(re.fullmatch(text, value) for value in values)
        assert not re.fullmatch(text, "".join(values))


def test_what_is_ignored_is_not_said_twice():
    good, everything = good_and_all((("r", ("ok",)),), (("r", ("retry",)), ("m", ("HEAD",))))
    assert good == ('r="ok"', 'm!="HEAD"')
    assert everything == ('r!="retry"', 'm!="HEAD"')


@given(st.floats(min_value=1e-6, max_value=9e9, allow_nan=False) | st.integers(1, 10**9))
def test_a_bound_is_written_as_the_exporter_writes_it(bound):
    assert bound_text(bound) == floatToGoString(bound)


def test_the_step_to_the_first_value_counts():
    assert gained("x", "5m") == "(last_over_time(x[5m]) unless x offset 5m or increase(x[5m]))"
    tree = promql_parser.parse(gained("x", "5m")).expr
    assert str(tree.op) == "or"
    assert str(tree.lhs.op) == "unless"


def test_zero_is_from_programs_that_are_scraped_and_has_a_label_for_the_legend():
    assert or_zero("x", EVERYWHERE) == "x or on() 0 * max(ancestry_obs_build_info)"
    assert or_zero("x", EVERYWHERE, "result") == (
        'x or on() label_replace(0 * max(ancestry_obs_build_info), "result", "none yet", "", "")'
    )


def test_a_share_is_zero_without_good_ones_and_nothing_without_any():
    assert share("g", "a") == "(g\nor vector(0))\n/ a"
    assert share("g", "a", ["job"]) == "(g\nor 0 * a)\n/ a"


def test_series_are_brought_together_with_and_without_labels():
    assert aggregated("sum", (), "x") == "sum(x)"
    assert aggregated("max", ("a", "b"), "x") == "max by (a, b) (x)"
    assert quantile(CLASSIC, 0.95, ("a",), "x") == "histogram_quantile(0.95, sum by (a, le) (x))"
    assert quantile(NATIVE, 0.95, ("a",), "x") == "histogram_quantile(0.95, sum by (a) (x))"
    assert quantile(NATIVE, 0.95, (), "x") == "histogram_quantile(0.95, sum(x))"


def test_a_native_histogram_is_one_series_that_functions_look_into():
    over = EVERYWHERE.over
    assert over(rate("5m"), CLASSIC, "_bucket", 'a="b"') == 'rate(x_seconds_bucket{a="b"}[5m])'
    assert over(rate("5m"), CLASSIC, "_count") == "rate(x_seconds_count[5m])"
    assert over(rate("5m"), NATIVE, "_bucket", 'a="b"') == 'rate(x_seconds{a="b"}[5m])'
    assert over(increase("1m"), NATIVE, "_count") == "histogram_count(increase(x_seconds[1m]))"
    assert over(steps(NATIVE, "1m"), NATIVE, "_sum") == (
        "histogram_sum((x_seconds unless x_seconds offset 1m or increase(x_seconds[1m])))"
    )
    assert over(steps(CLASSIC, "1m"), CLASSIC, "_sum") == gained("x_seconds_sum", "1m")
    assert NATIVE.any_series == "x_seconds"
    assert NATIVE.has_totals
