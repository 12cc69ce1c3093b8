"""Which calls a series keeps as exemplars, and where a page shows them."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.collector.blocks import Block, placed
from ancestry_obs.recording.buffers import Buffer, Probe, SecondsBuffer
from ancestry_obs.recording.exemplars import Exemplar, Exemplars, with_exemplars

ANY = st.floats(allow_nan=False)


def offered(exemplars, values):
    for time, value in enumerate(values):
        bucket = exemplars.wanted(value)
        if bucket is not None:
            exemplars.keep(bucket, Exemplar((), value, float(time)))
    return exemplars.read()


@given(st.lists(ANY, min_size=1))
def test_the_greatest_is_kept_and_each_bucket_has_one_that_belongs_to_it(values):
    bounds = (0.0, 1.0, 2.0)
    kept = offered(Exemplars(bounds), values)
    assert max(values) in {each.value for each in kept.values()}
    for bucket, each in kept.items():
        assert (-inf, *bounds)[bucket] <= each.value <= (*bounds, inf)[bucket]
    assert len(kept) == len({sum(value > bound for bound in bounds) for value in values})


@given(st.lists(ANY))
def test_without_buckets_there_are_never_many(values):
    kept = offered(Exemplars(None), values)
    assert len(kept) <= 2 * 129 + 1
    assert bool(kept) == bool(values)


def test_without_buckets_each_of_those_that_text_has_keeps_one():
    kept = offered(Exemplars(None), [1.0, 2.0, 3.0, 4.0, 0.0, -1.0, -2.0, -3.0, -4.0, 5e-324])
    assert {each.value for each in kept.values()} == {1.0, 2.0, 4.0, 0.0, -1.0, -2.0, -3.0, 5e-324}


@pytest.mark.parametrize("bounds", [(), (1.0,), None])
def test_what_is_no_number_is_no_mistake(bounds):
    exemplars = Exemplars(bounds)
    assert isinstance(exemplars.wanted(nan), int)
    assert isinstance(exemplars.wanted(inf), int)
    assert isinstance(exemplars.wanted(-inf), int)


def test_a_reading_lets_each_bucket_take_another_and_keeps_what_is_there():
    exemplars = Exemplars((1.0,))
    first = offered(exemplars, [0.5, 5.0])
    assert exemplars.read() == first
    second = offered(exemplars, [0.25, 0.125])
    assert second == {0: Exemplar((), 0.25, 0.0), 1: first[1]}
    third = offered(exemplars, [3.0, 0.125, 2.0])
    assert third == {0: Exemplar((), 0.125, 1.0), 1: Exemplar((), 3.0, 0.0)}


def test_a_page_shows_the_newest_of_those_that_fall_into_one_bucket():
    kept = offered(Exemplars(None), [100.0, 3.0, 5.0])
    assert len(kept) == 3
    block = Block("m", "histogram", "M.", (), [], lambda: (4.0,), exemplars={(): kept})
    assert {place: each.value for place, each in placed(block, ()).items()} == {0: 3.0, 1: 5.0}
    assert placed(block, ("other",)) == {}


@pytest.mark.parametrize("kind", [Buffer, SecondsBuffer])
def test_a_buffer_with_exemplars_is_one_of_its_kind(kind):
    made = with_exemplars(kind)
    assert with_exemplars(kind) is made
    buffer = made(Probe("a:b"), ())
    buffer.exemplars = ()
    assert isinstance(buffer, kind)
    assert not hasattr(buffer, "__dict__")
    assert not hasattr(kind(Probe("a:b"), ()), "exemplars")
