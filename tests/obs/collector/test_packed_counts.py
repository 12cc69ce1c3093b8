"""Counts that are written all at once are what a reader of Protocol Buffers takes for them."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.collector.packed_counts import packed_differences
from ancestry_obs.recording.bucket_counts import Counts


def read(data):
    """Read packed zigzag varints as "Encoding" of Protocol Buffers has them."""
    number = shift = 0
    for octet in data:
        number |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            yield number >> 1 if number % 2 == 0 else -(number + 1 >> 1)
            number = shift = 0
    assert not shift


def written(*counts):
    kept = Counts.of(dict(enumerate(counts)))
    return packed_differences([run for _, run in kept.runs])


@given(st.lists(st.one_of(st.integers(1, 100), st.integers(1, 1 << 40)), min_size=1, max_size=90))
def test_what_is_written_is_read_as_the_counts(counts):
    assert list(accumulate(read(written(*counts)))) == counts


@pytest.mark.parametrize(
    ("most", "octets"),
    [(63, 1), (64, 2), (8191, 2), (8192, 4), ((1 << 27) - 1, 4), (1 << 27, 8), ((1 << 55) - 1, 8)],
)
def test_each_takes_as_much_room_as_the_greatest_may_need(most, octets):
    data = written(most)
    assert len(data) == octets
    assert list(read(data)) == [most]
    # The greatest fall there can be.
    assert list(read(written(most - 1, 1))) == [most - 1, 2 - most]


def test_runs_are_written_as_if_they_were_one():
    kept = Counts.of({-100: 3, 100: 1, 101: 2})
    assert len(kept.runs) == 2
    assert list(read(packed_differences([run for _, run in kept.runs]))) == [3, -2, 1]
