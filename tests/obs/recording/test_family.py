from __future__ import annotations

import pytest

from ancestry_obs.recording import FULL


def values(family):
    return {labels: series.value for labels, series in family.series()}


def test_values_past_the_limit_become_other_for_that_label_alone(store, metric):
    family = store.family(metric(user=1, method=("GET",)))
    for labels in (("ann", "GET"), ("bob", "GET"), ("bob", "PUT"), ("ann", "PUT")):
        family.inc(labels)
    store.fold()
    assert values(family) == {
        ("ann", "GET"): 1,
        ("other", "GET"): 1,
        ("other", "other"): 1,
        ("ann", "other"): 1,
    }
    assert store.overflows == {("a_counter", "user"): 2, ("a_counter", "method"): 2}


def test_every_observation_of_an_overflow_is_counted_not_only_the_first(store, metric):
    family = store.family(metric(user=0))
    for _ in range(5):
        family.inc(("bob",))
    store.fold()
    assert store.overflows["a_counter", "user"] == 5


def test_a_value_that_is_really_other_is_no_overflow(store, metric):
    family = store.family(metric(user=0))
    family.inc(("other",))
    family.inc(("bob",))
    store.fold()
    assert values(family) == {("other",): 2}
    assert store.overflows["a_counter", "user"] == 1


def test_resolve_counts_an_overflow_and_gives_the_same_series(store, metric):
    family = store.family(metric("gauge", user=1))
    first = family.resolve(("ann",))
    assert family.resolve(("ann",)) is first
    assert family.resolve(("bob",)) is family.resolve(("cid",))
    store.fold()
    assert store.overflows["a_gauge", "user"] == 2


def test_labels_become_text(store, metric):
    family = store.family(metric(a=9))
    for value in (1, True, None, "1"):
        family.inc((value,))
    store.fold()
    assert values(family) == {("1",): 2, ("True",): 1, ("None",): 1}


def test_a_gauge_is_set_at_once(store, metric):
    family = store.family(metric("gauge"))
    family.set((), 3)
    family.set((), 4)
    assert values(family) == {(): 4.0}


@pytest.mark.parametrize("bad", ["x", None, float("nan"), float("inf"), 10**400, [1]])
@pytest.mark.parametrize("kind", ["gauge", "counter", "histogram"])
def test_what_is_no_finite_number_is_dropped_and_counted(store, metric, kind, bad):
    family = store.family(metric(kind))
    family.observe((), 1)
    family.observe((), bad)
    store.fold()
    key = (f"metrics():a_{kind}", f"a_{kind}", "value")
    assert store.expression_errors == {key: 1}
    ((_, series),) = family.series()
    assert (series.sum if kind == "histogram" else series.value) == 1.0


def test_a_negative_amount_is_dropped_and_counted(store, metric):
    family = store.family(metric())
    family.inc((), 2)
    family.inc((), -1)
    store.fold()
    assert values(family) == {(): 2.0}
    assert sum(store.expression_errors.values()) == 1


def test_a_wrong_number_of_labels_is_an_error_of_the_caller(store, metric):
    with pytest.raises(ValueError, match="argument 2 is longer than argument 1"):
        store.family(metric(a=1)).inc(("x", "y"))


def test_a_full_buffer_is_folded_by_the_call_that_fills_it(store, metric):
    family = store.family(metric())
    for _ in range(FULL - 1):
        family.inc(())
    assert values(family) == {(): 0}
    family.inc(())
    assert values(family) == {(): FULL}


def test_more_label_values_than_the_memo_holds_lose_nothing(store, metric):
    family = store.family(metric(user=5))
    for number in range(3000):
        family.inc((number % 1500,))
    store.fold()
    assert sum(values(family).values()) == 3000
    assert len(values(family)) == 6
    assert len(family._probe.memo) <= 1024
    assert len(family._probe.buffers) == 6


def test_the_full_name_has_the_namespace(store, metric):
    family = store.family(metric(name="x_total", a=1, b=1))
    assert (family.name, family.label_names) == ("ns_x_total", ("a", "b"))


def test_labels_and_series_in_two_columns(store, metric):
    family = store.family(metric(a=9))
    for value in ("x", "y"):
        family.inc((value,))
    labels, series = family.columns()
    assert list(zip(labels, series, strict=True)) == family.series()
    assert len(family) == len(labels) == 2
