"""Counts by bucket are those that were given, in as few and short runs as their keys allow."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.recording.bucket_counts import Counts

keys = st.one_of(st.integers(-5, 60), st.integers(-300_000, 300_000))
counted = st.dictionaries(keys, st.integers(0, 1 << 40), max_size=40)


def told(counts):
    """Give what there is, and check what holds for all counts."""
    found = dict(counts.items())
    assert list(found) == sorted(found)
    assert counts.total == sum(found.values())
    assert counts.places == sum(len(run) for _, run in counts.runs)
    assert len(counts) == len(found)
    assert bool(counts) == bool(found)
    if found:
        assert (counts.first, counts.last) == (min(found), max(found))
    assert len({run.typecode for _, run in counts.runs}) <= 1
    return found


@given(counted)
def test_what_is_given_is_kept_without_the_empty_buckets(counts):
    assert told(Counts.of(counts)) == {key: count for key, count in counts.items() if count}


@given(counted)
def test_there_are_few_empty_buckets(counts):
    kept = Counts.of(counts)
    assert kept.places <= 17 * max(1, len(kept))
    ends = [(first, first + len(run)) for first, run in kept.runs]
    gaps = [then - end for (_, end), (then, _) in pairwise(ends)]
    assert all(gap > 16 for gap in gaps)
    assert all(run[0] and run[-1] for _, run in kept.runs)


@given(counted, counted)
def test_two_are_added(some, others):
    mine = Counts.of(some)
    before = dict(mine.items())
    both = mine.plus(Counts.of(others).items())
    assert told(both) == dict(+(Counter(some) + Counter(others)))
    assert dict(mine.items()) == before


@given(counted, st.integers(0, 12))
def test_buckets_are_merged_into_those_that_end_with_them(counts, steps):
    wanted = Counter()
    for key, count in counts.items():
        wanted[-(-key // 2**steps)] += count
    assert Counts.of(counts).merged(steps) == dict(+wanted)


@given(counted, st.integers(0, 1 << 50))
def test_there_is_room_for_more(counts, more):
    kept = Counts.of(counts)
    runs = kept.runs_for(kept.total + more)
    assert [(first, list(run)) for first, run in runs] == [
        (first, list(run)) for first, run in kept.runs
    ]
    assert all(kept.total + more < 1 << 7 * run.itemsize - 1 for _, run in runs)


def test_what_is_counted_is_compared():
    assert Counts.of({1: 2}) == Counts.of({1: 2, 5: 0})
    assert Counts.of({1: 2}) != Counts.of({1: 3})
    assert Counts.of({1: 2}) != {1: 2}
    assert repr(Counts.of({1: 2})) == "Counts({1: 2})"
