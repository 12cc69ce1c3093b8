"""Buckets that a map does not list."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import load
from ancestry_obs.mapfile.buckets import NAMED


def bounds(buckets):
    table = {"type": "histogram", "help": "Help.", "buckets": buckets}
    return load({"version": 1, "metrics": {"seconds": table}}).metrics[0].buckets


def span(first, last, steps):
    return {"from": first, "to": last, "per_decade": steps}


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ("latency", NAMED["latency"]),
        ("size", tuple(float(256 * 4**n) for n in range(10))),
        (span(0.001, 0.1, 3), (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)),
        (span(1, 1000, 1), (1, 10, 100, 1000)),
        (span(1, 100, 2), (1, 3, 10, 30, 100)),
        (span(2, 50, 3), (2, 4, 10, 20, 40, 50)),
        (span(0.001, 0.01, 4), (0.001, 0.00178, 0.00316, 0.00562, 0.01)),
        (span(3, 4, 1), (3, 4)),
        (span(1.0001, 11, 1), (1.0001, 10, 11)),
        (span(9.999, 10, 3), (9.999, 10)),
    ],
)
def test_bounds(buckets, expected):
    assert bounds(buckets) == expected


@given(st.floats(1e-9, 1e6), st.floats(1.01, 1e4), st.integers(1, 20))
def test_a_range_ascends_from_its_first_to_its_last_bound(first, times, steps):
    found = bounds(span(first, first * times, steps))
    assert found[0] == first
    assert found[-1] == first * times
    assert all(low < high for low, high in pairwise(found))
    assert len(found) <= 101


@pytest.mark.parametrize(
    ("buckets", "told"),
    [
        ("latencies", r"buckets: found the text 'latencies'; allowed is a non-empty array, .*; or"),
        (span(0, 1, 3), r"buckets: buckets from 0 to 1; write a from above 0, and a to above it"),
        (span(1, 1, 3), r"buckets: buckets from 1 to 1; write a from above 0"),
        (span(-1, 1, 3), r"buckets: buckets from -1 to 1; "),
        (span(1, 1e9, 20), r"buckets: more than 100 buckets, each of which is a series"),
        (span(1, 2, 21), r"buckets\.per_decade: found the number 21; allowed is a whole number"),
        (span(1, "2", 1), r"buckets\.to: found the text '2'; allowed is a number above from"),
        ({"from": 1, "to": 2}, r"buckets: .*per_decade"),
        (span(1, 2, 3) | {"step": 1}, r"buckets\.step: unknown key 'step'"),
        ([], r"buckets: found an empty array"),
        ({}, r"buckets: "),
    ],
)
def test_what_is_refused(buckets, told):
    with pytest.raises(MapError, match=told):
        bounds(buckets)
