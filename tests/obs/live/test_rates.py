from __future__ import annotations

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.live.rates import Interval, Quantile, increase, quantile

ANY = st.floats()
COUNTS = st.integers(0, 10**9)
BOUNDS = (0.1, 1.0, 10.0, math.inf)


def cumulative(counts):
    return dict(zip(BOUNDS, accumulate(counts), strict=True))


@given(st.none() | ANY, ANY)
def test_no_increase_is_negative_or_no_number(before, after):
    step = increase(before, after)
    assert step is None or (step >= 0 and math.isfinite(step))


@given(COUNTS, COUNTS)
def test_a_counter_that_fell_has_begun_anew(before, after):
    assert increase(before, after) == (after - before if after >= before else after)


@pytest.mark.parametrize(
    ("before", "after"),
    [(1, math.nan), (math.nan, 1), (1, math.inf), (math.inf, math.inf), (-math.inf, 1), (0, -1)],
)
def test_what_is_not_known_is_not_made_up(before, after):
    assert increase(before, after) is None


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=4), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_bucket_that_has_it(counts, share):
    buckets = cumulative(counts)
    found = quantile(share, buckets)
    if not sum(counts):
        assert found is None
        return
    rank = share * sum(counts)
    upper = next(bound for bound, count in buckets.items() if count >= rank)
    lower = ([0.0] + [bound for bound in BOUNDS if bound < upper])[-1]
    assert lower <= found.value <= upper
    assert found.is_least == math.isinf(upper)
    assert found.value < math.inf


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any))
def test_quantiles_do_not_fall(counts):
    found = [quantile(share, cumulative(counts)).value for share in (0.1, 0.5, 0.95, 0.99)]
    assert found == sorted(found)


@given(st.dictionaries(st.floats(allow_nan=False), ANY))
def test_whatever_the_buckets_are(buckets):
    found = quantile(0.5, buckets)
    assert found is None or isinstance(found.value, float)


@pytest.mark.parametrize(
    ("counts", "share", "found"),
    [
        # Half of a bucket is half of its width.
        ((10, 0, 0, 0), 0.5, Quantile(0.05, below=0.1)),
        ((0, 10, 0, 0), 0.5, Quantile(0.55)),
        ((5, 5, 0, 0), 0.95, Quantile(0.91)),
        ((0, 0, 0, 1), 0.5, Quantile(10.0, is_least=True)),
        ((0, 0, 0, 0), 0.5, None),
    ],
)
def test_quantiles_as_prometheus_has_them(counts, share, found):
    told = quantile(share, cumulative(counts))
    assert told == (found and (pytest.approx(found.value), *found[1:]))


def test_a_first_bucket_below_zero_is_its_bound():
    assert quantile(0.5, {-1.0: 5, 2.0: 5, math.inf: 5}) == Quantile(-1.0)


def test_a_histogram_of_one_bucket_tells_nothing():
    assert quantile(0.5, {math.inf: 5}) is None


CART = """\
    # TYPE ancestry_obs_scrape_seconds summary
    ancestry_obs_scrape_seconds_count {looks}
    # TYPE x_total counter
    x_total{{a="1"}} {one}
    x_total{{a="2"}} {two}
    # TYPE y histogram
    y_bucket{{le="1"}} {low}
    y_bucket{{le="2"}} {high}
    y_bucket{{le="+Inf"}} {high}
"""


def interval(scraped, *numbers, seconds=2.0):
    names = ("looks", "one", "two", "low", "high")
    before, after = (
        scraped(CART.format(**dict(zip(names, each, strict=True))), at)
        for at, each in zip((0.0, seconds), numbers, strict=True)
    )
    return Interval(before, after)


def amount(told, name="x_total"):
    metric = told.after.metrics[name]
    return told.amount(metric, metric.values)


def test_an_amount_is_for_each_second_and_of_all_series(scraped):
    told = interval(scraped, (1, 10, 5, 0, 0), (2, 14, 7, 0, 0))
    assert amount(told) == (4 + 2) / 2


def test_since_the_start_it_is_the_total(scraped):
    after = interval(scraped, (1, 0, 0, 0, 0), (2, 14, 7, 4, 8)).after
    told = Interval(None, after)
    assert (amount(told), told.seconds) == (21, None)
    assert told.quantiles(after.metrics["y"], [()])[0] == Quantile(1.0, below=1.0)


def test_quantiles_are_of_what_came_in_between(scraped):
    told = interval(scraped, (1, 0, 0, 100, 100), (2, 0, 0, 100, 110))
    assert told.quantiles(told.after.metrics["y"], [()])[0] == Quantile(1.5)


def test_no_call_in_between_has_no_quantile(scraped):
    told = interval(scraped, (1, 0, 0, 100, 100), (2, 0, 0, 100, 100))
    assert told.quantiles(told.after.metrics["y"], [()]) == (None, None, None)


def test_a_series_that_is_new_began_at_zero(scraped):
    before, after = scraped("", 0.0), scraped('# TYPE x_total counter\nx_total{a="9"} 6\n', 2.0)
    assert amount(Interval(before, after)) == 3


def test_a_new_process_is_noticed_and_nothing_of_it_is_compared(scraped):
    told = interval(scraped, (50, 10, 5, 10, 10), (1, 12, 1, 2, 12))
    assert told.has_restarted
    assert amount(told) == 13 / 2
    assert told.quantiles(told.after.metrics["y"], [()])[0] == Quantile(1.4)


def test_a_histogram_that_fell_by_itself_began_anew(scraped):
    told = interval(scraped, (1, 0, 0, 50, 60), (2, 0, 0, 1, 61))
    assert not told.has_restarted
    # 61 observations, 1 of them up to 1.
    assert told.quantiles(told.after.metrics["y"], [()])[0].value == pytest.approx(1 + 29.5 / 60)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_has_no_rate(scraped, seconds):
    assert amount(interval(scraped, (1,) * 5, (2,) * 5, seconds=seconds)) is None


def test_what_is_no_number_has_no_rate(scraped):
    told = interval(scraped, (1, 0, 0, 0, 0), (2, math.nan, math.inf, math.nan, math.nan))
    assert amount(told) is None
    assert told.quantiles(told.after.metrics["y"], [()]) == (None, None, None)


def test_one_series_that_is_no_number_does_not_hide_the_others(scraped):
    assert amount(interval(scraped, (1, 0, 0, 0, 0), (2, math.nan, 4, 0, 0))) == 2
