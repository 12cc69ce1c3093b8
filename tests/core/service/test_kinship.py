from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.service.kinship import kinship_with
from ancestry_core.service.pedigree import Pedigree, Person, build_pedigree


def textbook_coefficient(pedigree: Pedigree, first: str, second: str) -> float:
    """The recursive definition: step up from whoever comes later in the pedigree."""
    position = {name: index for index, name in enumerate(pedigree.people)}

    @cache
    def kinship(one: str, other: str) -> float:
        if position[one] < position[other]:
            one, other = other, one
        parents = pedigree.people[one].parents
        if one == other:
            inbreeding = kinship(*parents) if len(parents) == 2 else 0.0
            return (1 + inbreeding) / 2
        return sum(kinship(parent, other) for parent in parents) / 2

    return kinship(first, second)


@st.composite
def pedigrees(draw):
    """People each of whom has up to two different parents among those before."""
    count = draw(st.integers(2, 14))
    people = []
    for number in range(count):
        before = st.none() | st.integers(0, number - 1) if number else st.none()
        father, mother = draw(before), draw(before)
        if father == mother:
            mother = None
        ids = [None if parent is None else f"@I{parent}@" for parent in (father, mother)]
        people.append(Person(f"@I{number}@", str(number), "", "U", None, "", *ids))
    return build_pedigree(people)


@given(pedigrees(), st.data())
def test_every_coefficient_is_the_textbooks(pedigree, data):
    root = data.draw(st.sampled_from(sorted(pedigree.people)))
    found = kinship_with(pedigree, root)
    for other in pedigree.people:
        if other != root:
            expected = textbook_coefficient(pedigree, root, other)
            actual = found[other].coefficient if other in found else 0.0
            assert actual == pytest.approx(expected, abs=1e-12)


@given(pedigrees(), st.data())
def test_kinship_is_mutual(pedigree, data):
    one, other = (data.draw(st.sampled_from(sorted(pedigree.people))) for _ in range(2))
    there, back = kinship_with(pedigree, one).get(other), kinship_with(pedigree, other).get(one)
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert there.coefficient == pytest.approx(back.coefficient)
        assert there.meioses == back.meioses


@pytest.mark.parametrize(
    ("one", "other", "coefficient", "meioses"),
    [
        ("@A@", "@G1@", 1 / 4, 1),
        ("@A@", "@B@", 1 / 4, 2),
        ("@C@", "@G1@", 1 / 8, 2),
        ("@C@", "@B@", 1 / 8, 3),
        ("@C@", "@D@", 1 / 16, 4),
        ("@E@", "@C@", 1 / 4 + 1 / 32, 1),  # the parents are first cousins
        ("@E@", "@F@", 1 / 4 + 1 / 32, 2),
        ("@E@", "@G1@", 1 / 8, 3),  # a great-grandfather twice over
    ],
)
def test_well_known_relatives_have_the_well_known_coefficients(
    family, one, other, coefficient, meioses
):
    kinship = kinship_with(family, one)[other]
    assert kinship.coefficient == pytest.approx(coefficient)
    assert kinship.meioses == meioses


def test_strangers_and_the_person_are_no_relatives(family):
    relatives = kinship_with(family, "@E@")
    assert "@S@" not in relatives
    assert "@E@" not in relatives
    assert "@WA@" not in kinship_with(family, "@A@")  # a wife is none by blood


@pytest.mark.parametrize(
    ("relative", "sides"),
    [
        ("@C@", (True, True)),  # the father is also the mother's cousin
        ("@WA@", (True, False)),
        ("@HB@", (False, True)),
        ("@G1@", (True, True)),
        ("@F@", (True, True)),
    ],
)
def test_sides_are_those_of_the_persons_parents(family, relative, sides):
    kinship = kinship_with(family, "@E@")[relative]
    assert (kinship.on_fathers_side, kinship.on_mothers_side) == sides


@pytest.mark.parametrize("parent", ["@A@", "@WA@"])
def test_a_descendant_is_on_neither_side(family, parent):
    child = kinship_with(family, parent)["@C@"]
    assert (child.on_fathers_side, child.on_mothers_side) == (False, False)


def test_a_long_line_needs_no_recursion():
    line = [Person(f"@{n}@", "x", "", father=f"@{n + 1}@") for n in range(3000)]
    pedigree = build_pedigree([*line, Person("@3000@", "x", "")])
    relatives = kinship_with(pedigree, "@3000@")
    assert relatives["@2999@"].coefficient == 0.25
    assert relatives["@2000@"].meioses == 1000


def test_the_royal_houses_are_related_over_many_paths(bundled):
    relatives = kinship_with(bundled, "@I115@")  # William, son of Charles
    assert len(relatives) > 1500
    assert relatives["@I58@"].coefficient > 1 / 4 + 1 / 300  # whose parents are related as well
    for other in ("@I58@", "@I116@", "@I1@", "@I57@", "@I435@"):
        expected = textbook_coefficient(bundled, "@I115@", other)
        assert relatives[other].coefficient == pytest.approx(expected, abs=1e-12)


def test_it_is_worked_out_once_for_services_of_the_same_person(family, bundled):
    first = kinship_with(family, "@E@")
    assert kinship_with(family, "@E@") is first
    assert "@A@" in first
    assert "@A@" not in kinship_with(family, "@A@")
    assert "@A@" not in kinship_with(bundled, "@I115@")
