from __future__ import annotations

from ancestry_obs.collector.summary import Row, summarize

TEXT = """\
# TYPE shop_adds_total counter
shop_adds_total{item="a",result="success"} 3.0
shop_adds_total{item="a",result="failure"} 1.0
# TYPE shop_add_seconds histogram
shop_add_seconds_bucket{item="a",le="+Inf"} 4.0
shop_add_seconds_count{item="a"} 4.0
shop_add_seconds_sum{item="a"} 2.0
# TYPE shop_open_carts_count gauge
shop_open_carts_count 2.5
# TYPE other_total counter
other_total 1.0
"""


def test_each_series_is_a_row_with_its_number():
    assert summarize(TEXT, {"shop_adds_total": "adds_total"}) == [
        Row("adds_total", "a, failure", "1"),
        Row("adds_total", "a, success", "3"),
    ]


def test_a_histogram_is_its_count_and_mean():
    assert summarize(TEXT, {"shop_add_seconds": "add_seconds"}) == [
        Row("add_seconds", "a", "4, mean 0.5")
    ]


def test_a_name_that_ends_like_a_histograms_sample_stays_whole():
    names = {"shop_open_carts_count": "open_carts_count"}
    assert summarize(TEXT, names) == [Row("open_carts_count", "", "2.5")]


def test_a_histogram_that_saw_nothing_has_no_mean():
    text = "# TYPE a histogram\na_bucket{le='+Inf'} 0\na_count 0.0\na_sum 0.0\n".replace("'", '"')
    assert summarize(text, {"a": "a"}) == [Row("a", "", "0")]


def test_the_label_with_the_most_values_is_summed_over_when_rows_are_too_many():
    lines = ["# TYPE a_total counter"]
    lines += [f'a_total{{endpoint="/{n}",result="{r}"}} 1.0' for n in range(20) for r in "xy"]
    rows = summarize("\n".join(lines) + "\n", {"a_total": "a_total"})
    assert rows == [Row("a_total", "x", "20"), Row("a_total", "y", "20")]


def test_gauges_that_are_not_told_apart_are_a_range_and_no_sum():
    lines = ["# TYPE a gauge", *(f'a{{endpoint="/{n}"}} {n}.0' for n in range(20))]
    (row,) = summarize("\n".join(lines) + "\n", {"a": "a"})
    assert row == Row("a", "", "0 to 19 in 20 series")


def test_a_histogram_with_negative_buckets_is_its_count_alone():
    text = '# TYPE a histogram\na_bucket{x="y",le="-1.0"} 1.0\na_bucket{x="y",le="+Inf"} 3.0\n'
    assert summarize(text, {"a": "a"}) == [Row("a", "y", "3")]
