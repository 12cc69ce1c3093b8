from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.live.columns import COLUMNS, column_named, number_text, seconds_text, spark
from ancestry_obs.live.rates import Quantile
from ancestry_obs.live.rows import Row


@given(st.floats(0, 1e15) | st.just(math.nan) | st.just(math.inf))
def test_a_number_has_five_characters_at_most(number):
    assert len(number_text(number)) <= 5
    assert len(number_text(-number)) <= 6


@given(st.floats(0, 1e6))
def test_a_duration_has_five_characters_at_most(seconds):
    assert len(seconds_text(seconds)) <= 5


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (3, "3"), (0.5, "0.50"), (0.001, "<.01"), (9.94, "9.94"), (9.96, "10.0"),
        (99.94, "99.9"), (99.96, "100"), (999.4, "999"), (999.6, "1.00k"), (12345, "12.3k"),
        (1e9, "1G"), (1e30, ">999P"), (-5, "-5"), (math.nan, "-"), (math.inf, "inf"), (None, "-"),
    ],
)  # fmt: skip
def test_numbers(number, text):
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ns"), (5e-8, "50ns"), (0.00012, "120us"), (0.0012, "1.2ms"), (0.0123, "12ms"),
        (0.9994, "999ms"), (0.9996, "1s"), (1.25, "1.2s"), (599, "599s"), (600, "10m"),
        (36000, "10h"), (-0.5, "-500ms"), (math.nan, "-"), (None, "-"),
    ],
)  # fmt: skip
def test_durations(seconds, text):
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("rates", "width", "bars"),
    [
        ([], 3, "   "),
        ([0.0, 0.0], 3, " ▁▁"),
        ([1.0, 2.0, 4.0, 8.0], 4, "▂▃▅█"),
        ([8.0, 1.0, None, 1.0], 3, "█ █"),
        ([None], 2, "  "),
        ([5.0], 0, ""),
        # What is not nothing is not drawn as nothing.
        ([0.001, 100.0], 2, "▂█"),
    ],
)
def test_a_history_as_bars(rates, width, bars):
    assert spark(rates, width) == bars


@given(st.lists(st.none() | st.floats(0, 1e9)), st.integers(0, 40))
def test_bars_are_as_wide_as_they_are_to_be(rates, width):
    assert len(spark(rates, width)) == width


def cells(subject, row):
    return {column.name: column.text(row) for column in COLUMNS[subject]}


def test_what_is_not_of_the_target_alone_is_marked():
    quantiles = (Quantile(0.1), Quantile(2.0, is_least=True), None)
    row = Row("a:b", "installed", 3.0, 0.5, quantiles, is_shared=True, is_failed_shared=True)
    told = cells("targets", row)
    assert told == {
        "rate": "3", "failed": "~0.50", "p50": "~100ms", "p95": "~>2s", "p99": "-",
        "kind": "installed", "name": "a:b",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("is_shared", "told"),
    [(False, ["<5ms", "71ms", ">10s"]), (True, ["~<5ms", "~71ms", "~>10s"])],
)
def test_one_mark_does_not_hide_another(is_shared, told):
    quantiles = (Quantile(0.0026, below=0.005), Quantile(0.071), Quantile(10.0, is_least=True))
    found = cells("targets", Row("a:b", "installed", 3.0, None, quantiles, is_shared=is_shared))
    assert [found["p50"], found["p95"], found["p99"]] == told


seconds = st.floats(0, 1e6) | st.sampled_from([1.2e-7, 1.2e-4, 0.12, 599.0, 36000.0])
quantile = st.builds(Quantile, seconds, st.booleans(), st.none() | seconds)


@given(
    st.builds(
        Row,
        st.just("a:b"),
        st.just("installed"),
        rate=st.floats(0, 1e15),
        failed=st.floats(0, 1e15),
        quantiles=st.tuples(quantile, quantile, quantile),
        is_shared=st.booleans(),
        is_failed_shared=st.booleans(),
    )
)
def test_no_number_of_a_target_is_wider_than_its_column(row):
    numbers = [each for each in COLUMNS["targets"] if each.is_number]
    assert [each.name for each in numbers if len(each.text(row)) > each.width] == []


def test_quantiles_of_other_things_than_time_have_no_unit():
    row = Row("bytes", "histogram", 3.0, None, (Quantile(2048.0),) * 3, 9.0, is_time=False)
    assert cells("metrics", row)["p50"] == "2.05k"


@pytest.mark.parametrize("word", ["rate", "CALLS/S", "calls/s", "Calls"])
def test_a_column_by_its_name_or_heading(word):
    assert column_named("targets", word) is COLUMNS["targets"][0]


def test_no_such_column():
    assert column_named("metrics", "failed") is None
