from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.service.pedigree import Pedigree, Person, build_pedigree

IDS = [f"@I{number}@" for number in range(8)]


def person(name: str, father: str | None = None, mother: str | None = None) -> Person:
    return Person(name, name, "", father=father, mother=mother)


anybody = st.builds(
    person, st.sampled_from(IDS), *[st.none() | st.sampled_from([*IDS, "@gone@"])] * 2
)


@given(st.lists(anybody))
def test_whatever_is_claimed_parents_come_before_their_children(people):
    pedigree = build_pedigree(people)
    seen: set[str] = set()
    for each in pedigree.people.values():
        assert set(each.parents) <= seen
        seen.add(each.id)
    assert seen == {each.id for each in people}


def test_what_is_sound_is_left_as_it_is(family):
    assert family.warnings == ()
    assert family.people["@E@"].parents == ("@C@", "@D@")


def test_a_parent_who_is_not_on_record_is_dropped_and_said():
    pedigree = build_pedigree([person("@A@", "@X@", "@B@"), person("@B@")])
    assert pedigree.people["@A@"].parents == ("@B@",)
    assert pedigree.warnings == ("1 parent(s) are named but not on record; left out",)


def test_somebody_who_is_their_own_ancestor_loses_the_parents():
    pedigree = build_pedigree([person("@A@", "@B@"), person("@B@", "@A@"), person("@C@", "@A@")])
    assert sum(len(each.parents) for each in pedigree.people.values()) == 2
    (warning,) = pedigree.warnings
    assert warning.startswith("1 person(s) are their own ancestors; parents left out of @")


def test_somebody_who_is_their_own_parent_loses_that():
    pedigree = build_pedigree([person("@A@", "@A@")])
    assert pedigree.people["@A@"].parents == ()


def test_of_many_circles_a_few_are_named():
    people = [person(name, name) for name in IDS]
    (warning,) = build_pedigree(people).warnings
    assert warning.startswith("8 person(s)")
    assert warning.endswith(", ...")
    assert warning.count("@I") == 3


def test_thousands_of_circles_are_cut_in_one_walk(monkeypatch):
    from ancestry_core.service import pedigree

    sorted_for = []

    class Counted(pedigree.TopologicalSorter):
        def __init__(self, graph):
            sorted_for.append(len(graph))
            super().__init__(graph)

    monkeypatch.setattr(pedigree, "TopologicalSorter", Counted)
    pairs = [(f"@{n}@", f"@{n + 1}@") for n in range(0, 4000, 2)]
    people = [person(*names) for pair in pairs for names in (pair, pair[::-1])]
    built = build_pedigree(people)
    assert built.warnings[0].startswith("2000 person(s) are their own ancestors")
    assert sum(len(each.parents) for each in built.people.values()) == 2000
    assert len(sorted_for) == 2


def test_of_two_with_one_id_the_later_counts_and_that_is_said():
    built = build_pedigree([person("@A@"), Person("@A@", "Later", ""), person("@B@")])
    assert built.people["@A@"].given == "Later"
    assert built.warnings == ("1 person(s) have the id of another; left out",)


def test_a_long_line_needs_no_recursion():
    line = [person(f"@{n}@", f"@{n + 1}@") for n in range(5000)] + [person("@5000@")]
    pedigree = build_pedigree(line)
    assert len(pedigree.ancestors("@0@")) == 5001
    assert pedigree.best_connected() == "@5000@"


def test_ancestors_are_named_once_and_nearest_first(family):
    names = family.ancestors("@E@")
    assert names[:3] == ["@E@", "@C@", "@D@"]
    assert sorted(names[3:7]) == ["@A@", "@B@", "@HB@", "@WA@"]
    assert sorted(names[7:]) == ["@G1@", "@G2@"]


def test_the_best_connected_has_the_most_blood_relatives(family):
    # Emma and Finn descend from everybody but the stranger; the first on record is taken.
    assert family.best_connected() in {"@E@", "@F@"}


def test_the_best_connected_of_nobody_is_an_error():
    with pytest.raises(ValueError):
        Pedigree({}).best_connected()


@pytest.mark.parametrize(
    ("given_name", "surname", "name"),
    [("Ann", "Old", "Ann Old"), ("Ann", "", "Ann"), ("", "Old", "Old"), ("", "", "Unknown")],
)
def test_a_name_is_what_is_on_record(given_name, surname, name):
    assert Person("@A@", given_name, surname).name == name
