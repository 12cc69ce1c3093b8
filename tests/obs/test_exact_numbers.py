"""Whole numbers of units: a float comes in, and nothing of it that anybody measures is lost."""

from __future__ import annotations

import random
import struct
from fractions import Fraction
from itertools import pairwise
from math import inf, isfinite, nan, nextafter

import pytest

from ancestry_obs.process_tree.totals import exact, rounded

UNIT = Fraction(1, 2**100)
EDGES = [
    *(sign * each for sign in (1, -1) for each in (0.0, 5e-324, 2.0**-100, 0.1, 2.0**900, 1e308)),
    nextafter(2.0**900, 0),
    nextafter(2.0**900, inf),
]


@pytest.fixture(scope="module")
def numbers():
    """Give floats of every size, in order."""
    chance = random.Random(9)
    drawn = [struct.unpack("d", chance.randbytes(8))[0] for _ in range(20_000)]
    return sorted(filter(isfinite, [*drawn, *EDGES]))


def test_a_number_is_less_than_one_unit_away(numbers):
    for number in numbers:
        assert abs(exact(number) * UNIT - Fraction(number)) < UNIT, number


def test_a_number_that_grows_never_becomes_less(numbers):
    assert all(exact(less) <= exact(more) for less, more in pairwise(numbers))


def test_a_count_with_more_digits_than_a_float_keeps_them():
    assert exact(2**60 + 1) - exact(2**60) == exact(1)


def test_what_is_no_number_is_nothing_and_the_infinite_stays_so():
    assert exact(nan) == 0
    assert [rounded(exact(each)) for each in (inf, -inf)] == [inf, -inf]
