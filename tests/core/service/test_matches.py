from __future__ import annotations

from dataclasses import replace

import pytest

from ancestry_core.service.matches import Account
from ancestry_core.service.pedigree import Person
from ancestry_core.service.population import populate


@pytest.mark.parametrize(
    ("given_name", "surname", "tree"),
    [
        ("Ann", "Old", "Old Family Tree"),
        ("Ann", "", "Ann Family Tree"),
        ("", "", "Family Family Tree"),
    ],
)
def test_the_tree_is_called_after_the_family(given_name, surname, tree):
    assert Account(Person("@A@", given_name, surname), "P", "T", "1").tree_name == tree


@pytest.mark.parametrize(
    ("given_name", "surname", "initials"),
    [("ann mary", "old", "AO"), ("Ann", "", "AA"), ("", "", "UU")],
)
def test_initials_are_of_the_first_and_the_last_word(family, given_name, surname, initials):
    match = populate(family, "@E@", 1, 7).matches[0]
    named = replace(match, person=Person("@A@", given_name, surname))
    assert named.initials == initials
