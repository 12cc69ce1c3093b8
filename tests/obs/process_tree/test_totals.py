"""What processes measured, written, read and added up."""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction
from functools import reduce
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, Where
from ancestry_obs.process_tree.shown import Shown
from ancestry_obs.process_tree.totals import Totals, combined, exact, key_of, rounded
from ancestry_obs.recording import Store

HERE = Where("<test>", None, "")
KINDS = {"counter": 1, "histogram": 3, "ratio": 2, "gauge": 2, "in_flight": 1}
KEYS = {kind: (f"shop_{kind}", kind, ("x",), ()) for kind in KINDS}
COUNTS = st.integers(0, 2**200)
TARGET = st.tuples(
    st.sampled_from(["pending", "installed", "error"]),
    st.just(("shop:*",)),
    st.integers(0, 9),
    st.integers(0, 9),
)


def _rows(kind):
    numbers = st.tuples(*[COUNTS] * KINDS[kind])
    return st.dictionaries(st.tuples(st.sampled_from("abc")), numbers, max_size=3)


EXEMPLAR = st.tuples(st.just((("trace_id", "1"),)), st.floats(0, 9), st.floats(0, 9))
TOTALS = st.builds(
    Totals,
    metrics=st.fixed_dictionaries({}, optional={key: _rows(kind) for kind, key in KEYS.items()}),
    limits=st.just(dict.fromkeys(KEYS.values(), (9,))),
    targets=st.dictionaries(st.sampled_from(["shop:a", "shop:b"]), TARGET),
    failures=st.dictionaries(st.just(("shop:a", "m", "x")), st.integers(1, 9)),
    overflows=st.dictionaries(st.just(("m", "x")), st.integers(1, 9)),
    counts=st.dictionaries(st.sampled_from(["scrapes", "failures"]), st.integers(0, 9)),
    exemplars=st.dictionaries(
        st.just(KEYS["histogram"]),
        st.dictionaries(
            st.tuples(st.sampled_from("ab")), st.dictionaries(st.integers(0, 2), EXEMPLAR)
        ),
    ),
)
SAMPLED = st.dictionaries(st.tuples(st.sampled_from("ab")), st.integers(-9, 9), max_size=2)


def added(totals, *, is_living=True):
    whole = Totals()
    for each in totals:
        whole.add(each, is_living=is_living)
    return whole


def told(totals):
    """Give what the page tells of them; limits stand for nothing that was measured."""
    return {**{n: getattr(totals, n) for n in Totals.__slots__ if n != "limits"}}


def written(totals):
    return Totals.from_bytes(totals.as_bytes())


@given(TOTALS)
def test_what_was_written_is_read(totals):
    assert written(totals) == totals


def test_what_is_no_totals_is_not_read():
    with pytest.raises(ValueError, match="damaged"):
        Totals.from_bytes(b"nothing of the kind")


@given(TOTALS, TOTALS)
def test_the_order_of_two_makes_no_difference(some, others):
    assert told(added([some, others])) == told(added([others, some]))


@given(st.lists(TOTALS, max_size=6), st.data())
def test_what_is_merged_first_makes_no_difference(each, data):
    order = data.draw(st.permutations(each))
    halves = data.draw(st.integers(0, len(each)))
    merged = written(added(order[:halves]))
    assert told(added([merged, *order[halves:]])) == told(added(each))


@given(TOTALS, TOTALS)
def test_to_add_leaves_what_is_added_as_it_is(some, others):
    before = deepcopy((some, others))
    whole = added([some, others])
    added([whole, some])
    whole.add(others, is_living=True)
    assert (some, others) == before


@given(st.lists(TOTALS, min_size=1, max_size=5), TOTALS)
def test_no_count_is_less_with_one_more(each, more):
    before, after = added(each), added([*each, more])
    for kind in ("counter", "histogram", "ratio"):
        for labels, numbers in before.metrics.get(KEYS[kind], {}).items():
            now = after.metrics[KEYS[kind]][labels]
            assert all(map(int.__ge__, now, numbers))
    for name, target in before.targets.items():
        assert after.targets[name][-2:] >= target[-2:]


@given(st.lists(TOTALS, max_size=5), st.booleans())
def test_each_bucket_has_the_newest_exemplar_of_all_processes(each, is_living):
    whole, newest = added(each, is_living=is_living), {}
    for totals in each:
        for key, kept in totals.exemplars.items():
            for labels, buckets in kept.items():
                for bucket, (_, _, time) in buckets.items():
                    place = key, labels, bucket
                    newest[place] = max(time, newest.get(place, 0))
    assert newest == {
        (key, labels, bucket): exemplar[2]
        for key, kept in whole.exemplars.items()
        for labels, buckets in kept.items()
        for bucket, exemplar in buckets.items()
    }


@given(TOTALS)
def test_of_an_ended_process_its_calls_in_flight_are_over(totals):
    whole = added([totals], is_living=False)
    assert KEYS["in_flight"] not in whole.metrics
    for kind in set(KINDS) - {"in_flight"}:
        assert whole.metrics.get(KEYS[kind]) == totals.metrics.get(KEYS[kind])
    assert added([totals.without_living()]) == whole


@pytest.mark.parametrize(
    ("aggregate", "result"), [("last", 2.0), ("sum", 7.0), ("min", 2.0), ("max", 5.0)]
)
def test_samples_become_what_the_aggregate_says(aggregate, result):
    each = [Totals(samples={"shop_open": (aggregate, {("a",): value})}) for value in (5.0, 2.0)]
    assert added(each).samples == {"shop_open": (aggregate, {("a",): result})}
    assert added(each, is_living=False).samples == {}


@given(st.lists(SAMPLED, max_size=4), st.sampled_from(["sum", "min", "max"]), st.data())
def test_the_order_of_samples_makes_no_difference_but_to_last(values, aggregate, data):
    each = [Totals(samples={"shop_open": (aggregate, value)}) for value in values]
    assert added(data.draw(st.permutations(each))).samples == added(each).samples


def test_a_gauge_is_what_it_became_last():
    assert combined("gauge", (5.0, 10.0), (3.0, 11.0)) == (3.0, 11.0)
    assert combined("gauge", (3.0, 11.0), (5.0, 10.0)) == (3.0, 11.0)
    # At the same moment: whichever, but the same for whoever asks.
    assert combined("gauge", (3.0, 11.0), (5.0, 11.0)) == combined(
        "gauge", (5.0, 11.0), (3.0, 11.0)
    )


def test_a_target_is_what_it_is_in_the_worst_of_them():
    rows = [("installed", (), 2, 0), ("error", (), 0, 1), ("pending", (), 0, 0)]
    each = [Totals(targets={"shop:buy": row}) for row in rows]
    assert added(each).targets == {"shop:buy": ("error", (), 2, 1)}


def test_a_pattern_that_has_reached_something_elsewhere_is_not_told():
    here = Totals(targets={"shop:*": ("pending", ("shop:*",), 0, 0)})
    there = Totals(targets={"shop:buy": ("installed", ("shop:*",), 1, 0)})
    assert set(here.reached()) == {"shop:*"}
    assert set(added([here, there]).reached()) == {"shop:buy"}


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE.filter(lambda number: not 0 < abs(number) < 1e-13))
def test_a_number_comes_back_as_it_was(number):
    assert rounded(exact(number)) == pytest.approx(number, rel=1e-15, abs=0)


@given(FINITE, FINITE)
def test_a_number_that_grows_never_becomes_less(some, others):
    less, more = sorted((some, others))
    assert exact(less) <= exact(more)
    assert rounded(exact(less)) <= rounded(exact(more))


@given(st.lists(st.floats(1e-9, 1e9), max_size=20), st.data())
def test_a_sum_is_the_same_in_any_order(numbers, data):
    order = data.draw(st.permutations(numbers))
    split = data.draw(st.integers(0, len(order)))
    parts = [sum(map(exact, order[:split])), *map(exact, order[split:])]
    assert rounded(sum(parts)) == rounded(sum(map(exact, numbers)))
    assert rounded(sum(parts)) == pytest.approx(float(sum(map(Fraction, numbers))), rel=1e-15)


def test_sums_of_floats_would_not_be():
    some, more = [0.1, 0.2, 0.3], [0.3, 0.2, 0.1]
    assert sum(some[:2], 0.0) + some[2] > reduce(float.__add__, more)


def test_what_is_not_finite_has_a_number_too():
    assert rounded(exact(inf)) == inf
    assert rounded(exact(-inf)) == -inf
    assert rounded(exact(inf) + exact(1.0)) == inf
    assert rounded(exact(1e308) + exact(1e308)) == inf
    assert exact(nan) == 0


def test_what_is_left_of_another_map_is_what_is_not_counted_any_more():
    counter, gauge = KEYS["counter"], KEYS["gauge"]
    before = Totals(
        metrics={counter: {("a",): (5,), ("b",): (2,)}, gauge: {("a",): (1, 1)}},
        limits={counter: (9,), gauge: (9,)},
        targets={"shop:a": ("installed", (), 5, 1), "shop:b": ("installed", (), 2, 0)},
        failures={("shop:a", "m", "x"): 1, ("shop:b", "m", "x"): 1},
    )
    after = Totals(
        metrics={counter: {("b",): (3,)}},
        targets={"shop:a": ("installed", (), 0, 0), "shop:b": ("installed", (), 2, 0)},
        failures={("shop:b", "m", "x"): 1},
    )
    left = before.without(after)
    assert left.metrics == {counter: {("a",): (5,)}}
    assert left.targets == {"shop:a": ("installed", (), 5, 1)}
    assert left.failures == {("shop:a", "m", "x"): 1}
    assert not any(before.without(before).metrics.values())
    # What was left before is in what was counted before.
    kept = Totals(metrics={counter: {("a",): (3,), ("c",): (1,)}}, limits={counter: (9,)})
    kept.put(left)
    assert kept.metrics == {counter: {("a",): (5,), ("c",): (1,)}}
    assert (kept.targets, kept.failures) == (left.targets, left.failures)


def test_a_label_has_as_many_values_as_the_map_says():
    listed = LabelSpec("kind", ("a", "b"), None, HERE)
    counted = LabelSpec("path", None, 7, HERE)
    spec = MetricSpec("calls_total", "counter", "C.", (listed, counted), (), HERE)
    family = Store("shop").family(spec)
    assert key_of(family) == (("shop_calls_total", "counter", ("kind", "path"), ()), (2, 7))


def test_limited_leaves_the_rows_as_they_were():
    key = KEYS["counter"]
    whole = Totals(metrics={key: {("a",): (1,), ("b",): (2,), ("c",): (4,)}}, limits={key: (1,)})
    assert whole.limited(Shown()).metrics == {key: {("a",): (1,), ("other",): (6,)}}
    assert len(whole.metrics[key]) == 3


NUMBERS = {
    "counter": ((exact(3),), 3),
    "a counter of seconds": ((exact(2.25),), 3),
    "histogram": ((2, 3, exact(0.5)), 5),
    "native_histogram": (((), 3, 0.0, 1, {0: 2, 5: 3}, {}, exact(9)), 6),
    "ratio": ((1, 4), 4),
    "gauge": ((7.0, 1.0), 1),
    "in_flight": ((2,), 0),
}


@pytest.mark.parametrize("what", NUMBERS)
def test_what_became_other_is_counted(what):
    numbers, count = NUMBERS[what]
    key = ("shop_m", "counter" if what.startswith("a ") else what, ("x", "y"), ())
    rows = {("a", "p"): numbers, ("b", "p"): numbers, ("b", "q"): numbers, ("other", "p"): numbers}
    whole = Totals(metrics={key: rows}, limits={key: (1, 9)}, folded={("shop_m", "x"): 5})
    assert whole.limited(Shown()).folded == {("shop_m", "x"): 5 + 2 * count}
    assert whole.folded == {("shop_m", "x"): 5}
    assert added([whole, whole]).folded == {("shop_m", "x"): 10}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 9)), max_size=9), st.data())
def test_what_became_other_is_never_less_whatever_is_merged_before(numbers, data):
    key, shown = KEYS["counter"], Shown()

    def totals(label, number):
        return Totals(metrics={key: {(label,): (exact(number),)}}, limits={key: (1,)})

    def folded(parts):
        return sum(added(parts).limited(shown).folded.values())

    parts = [totals("a", 1), *(totals(*each) for each in numbers)]
    before = folded(parts)
    cut = data.draw(st.integers(1, len(parts)))
    merged = added(parts[:cut]).limited(shown)
    assert before <= folded([merged, *parts[cut:]])
    more = data.draw(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 9)), max_size=3))
    assert before <= folded([merged, *parts[cut:], *(totals(*each) for each in more)])


def test_exemplars_go_where_their_series_went():
    key, shown = KEYS["counter"], Shown()
    rows = {(name,): (1,) for name in "abc"}
    kept = {(name,): {0: ((("trace_id", name),), 1.0, time)} for time, name in enumerate("acb")}
    whole = Totals(metrics={key: rows}, limits={key: (1,)}, exemplars={key: kept})
    limited = whole.limited(shown)
    assert limited.exemplars == {key: {("a",): kept["a",], ("other",): kept["b",]}}
    assert len(whole.exemplars[key]) == 3
