from __future__ import annotations

from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.service.genetics import (
    DETECTION_LIMIT_CM,
    GENOME_CM,
    predicted_relationship,
    share_dna,
)
from ancestry_core.service.kinship import Kinship

kinships = st.builds(
    Kinship,
    st.floats(1e-9, 0.75),
    st.integers(1, 30),
    st.booleans(),
    st.booleans(),
)


@given(kinships, st.integers())
def test_every_share_is_one_that_can_be(kinship, seed):
    dna = share_dna(kinship, Random(seed))
    assert DETECTION_LIMIT_CM <= dna.centimorgans <= GENOME_CM
    assert 1 <= dna.segments <= dna.centimorgans / DETECTION_LIMIT_CM
    assert 0 < dna.longest <= dna.centimorgans
    assert dna.longest * dna.segments >= dna.centimorgans * 0.99
    assert dna.predicted == predicted_relationship(dna.centimorgans)


@given(kinships, st.integers())
def test_alternatives_are_likeliest_first_and_make_a_whole(kinship, seed):
    chances = [chance for _, chance in share_dna(kinship, Random(seed)).alternatives]
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(100, abs=0.2)


def test_the_same_chance_gives_the_same_share():
    cousin = Kinship(1 / 16, 4, True, False)
    assert share_dna(cousin, Random(7)) == share_dna(cousin, Random(7))


@pytest.mark.parametrize(
    ("kinship", "centimorgans"),
    [
        (Kinship(1 / 4, 1, True, False), 3400),
        (Kinship(1 / 4, 2, True, True), 2550),  # full siblings
        (Kinship(1 / 8, 2, False, True), 1700),  # a grandparent
        (Kinship(1 / 16, 4, True, False), 850),  # a first cousin
        (Kinship(1 / 64, 6, True, False), 212),  # a second cousin
    ],
)
def test_relatives_share_on_average_what_their_kinship_says(kinship, centimorgans):
    shares = [share_dna(kinship, Random(seed)).centimorgans for seed in range(400)]
    assert mean(shares) == pytest.approx(centimorgans, rel=0.05)


def test_parent_and_child_share_all_even_where_cousins_married():
    dna = share_dna(Kinship(9 / 32, 1, True, True), Random(1))
    assert dna.centimorgans == GENOME_CM
    assert dna.predicted == "Parent/Child"


@pytest.mark.parametrize(
    ("centimorgans", "label"),
    [
        (3400, "Parent/Child"),
        (2550, "Full Sibling"),
        (1700, "Close Family-1st Cousin"),
        (850, "1st-2nd Cousin"),
        (212, "2nd-3rd Cousin"),
        (100, "3rd-4th Cousin"),
        (20, "4th-6th Cousin"),
        (19.9, "5th-8th Cousin"),
    ],
)
def test_a_total_is_called_what_the_service_calls_it(centimorgans, label):
    assert predicted_relationship(centimorgans) == label
