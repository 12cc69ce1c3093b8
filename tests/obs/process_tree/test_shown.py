"""Which label values have a series of their own."""

from __future__ import annotations

from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.process_tree.shown import Shown

KEY = ("shop_calls_total", "counter", ("x", "y"), ())
VALUES = st.sampled_from(["a", "b", "c", "d", "other", "error"])
ROWS = st.dictionaries(st.tuples(VALUES, VALUES), st.integers(1, 9))
LIMITS = st.tuples(st.integers(0, 3), st.integers(0, 3))


def keep(shown, limits, rows):
    return shown.keep(KEY, limits, rows, add)


@given(LIMITS, st.lists(ROWS, max_size=5))
def test_nothing_is_lost_and_no_label_has_more_values_than_it_may(limits, pages):
    shown = Shown()
    for rows in pages:
        kept = keep(shown, limits, rows)
        assert sum(kept.values()) == sum(rows.values())
        for place, limit in enumerate(limits):
            assert len({labels[place] for labels in kept} - {"other", "error"}) <= limit


@given(LIMITS, ROWS, st.lists(st.tuples(st.tuples(VALUES, VALUES), st.integers(1, 9))))
def test_no_series_goes_back_as_counts_grow(limits, rows, more):
    shown = Shown()
    before = keep(shown, limits, rows)
    for labels, count in more:
        # Whoever serves the page next reads what was shown, and finds the rows in another order.
        shown = Shown.from_bytes(shown.as_bytes())
        rows = {labels: rows.get(labels, 0) + count, **rows}
        rows[labels] += count
        now = keep(shown, limits, rows)
        assert all(now[each] >= count for each, count in before.items())
        before = now


def test_other_and_error_cost_no_place():
    rows = {("other", "error"): 1, ("error", "other"): 2, ("a", "b"): 4, ("c", "b"): 8}
    kept = keep(Shown(), (1, 1), rows)
    assert kept == {("other", "error"): 1, ("error", "other"): 2, ("a", "b"): 4, ("other", "b"): 8}


def test_it_has_grown_only_where_there_was_something_new():
    shown = Shown()
    keep(shown, (2, 2), {("a", "b"): 1})
    assert shown.has_grown
    known = Shown.from_bytes(shown.as_bytes())
    keep(known, (2, 2), {("a", "b"): 2, ("other", "error"): 1})
    assert not known.has_grown


def test_a_copy_learns_by_itself():
    shown = Shown()
    keep(shown, (1, 1), {("a", "a"): 1})
    keep(shown.copy(), (2, 2), {("b", "b"): 1})
    assert keep(shown, (1, 1), {("b", "b"): 1}) == {("other", "other"): 1}


def test_what_is_damaged_is_not_read():
    with pytest.raises(ValueError, match="damaged"):
        Shown.from_bytes(Shown().as_bytes()[:-1])
