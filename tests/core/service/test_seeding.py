from __future__ import annotations

import subprocess
import sys
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.service.seeding import fraction, generator, identifier, selection


def test_what_is_drawn_follows_from_seed_and_name_in_any_process():
    code = "from ancestry_core.service.seeding import identifier; print(identifier(7, 'a', 1))"
    drawn = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert {run.stdout.strip() for run in drawn} == {identifier(7, "a", 1)}


@given(st.integers(), st.text())
def test_fractions_lie_in_the_unit_interval(seed, name):
    assert 0 <= fraction(seed, name) < 1


def test_fractions_are_spread_evenly():
    below = sum(fraction(7, "fault", number) < 0.25 for number in range(4000))
    assert 900 < below < 1100


def test_seed_and_every_name_matter():
    drawn = {identifier(1, "a", "b"), identifier(2, "a", "b"), identifier(1, "a", "c")}
    assert len(drawn) == 3


def test_an_identifier_is_an_upper_case_uuid():
    name = identifier(7, "sample", "@I1@")
    assert name == str(UUID(name)).upper()
    assert UUID(name).version == 4


def test_a_generator_repeats_itself():
    assert generator(7, "x").random() == generator(7, "x").random()


@given(st.sets(st.text(min_size=1), min_size=1), st.integers(0, 5), st.integers(0, 5))
def test_a_larger_selection_keeps_the_smaller_one(names, few, more):
    small = selection(7, "broken", names, few)
    assert small <= selection(7, "broken", names, few + more)
    assert len(small) == min(few, len(names))
    assert small <= names
