from __future__ import annotations

from collections import Counter

import pytest

from ancestry_core.service.pedigree import Person, build_pedigree
from ancestry_core.service.population import populate


@pytest.fixture(scope="module")
def royal(bundled):
    return populate(bundled, "@I115@", 3000, 7)


def test_the_same_arguments_give_the_same_people(family):
    assert populate(family, "@E@", 40, 7) == populate(family, "@E@", 40, 7)
    assert populate(family, "@E@", 40, 7) != populate(family, "@E@", 40, 8)


def test_a_larger_population_keeps_the_people_of_a_smaller_one(family):
    few = {match.sample_id: match for match in populate(family, "@E@", 20, 7).matches}
    many = {match.sample_id: match for match in populate(family, "@E@", 60, 7).matches}
    assert all(many[sample] == match for sample, match in few.items())


@pytest.mark.parametrize("wanted", [0, 1, 5, 60])
def test_there_are_as_many_matches_as_are_wanted(family, wanted):
    population = populate(family, "@E@", wanted, 7)
    assert len(population.matches) == wanted
    assert population.relatives == min(wanted, 9)


def test_relatives_come_first_and_cousins_fill_up(family):
    people = Counter(
        match.person.id.startswith("@") for match in populate(family, "@E@", 30, 7).matches
    )
    assert people == {True: 9, False: 21}


def test_few_matches_are_the_nearest_relatives(family):
    names = {match.person.id for match in populate(family, "@E@", 3, 7).matches}
    assert names == {"@C@", "@D@", "@F@"}


def test_matches_are_ordered_by_centimorgans(royal):
    shares = [match.dna.centimorgans for match in royal.matches]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 3000


def test_ids_are_upper_case_and_unique(royal):
    ids = [match.sample_id for match in royal.matches] + [
        match.profile_id for match in royal.matches
    ]
    ids += [item.id for item in royal.conversations]
    ids += [royal.account.profile_id, royal.account.test_id]
    assert len(set(ids)) == len(ids)
    assert all(name == name.upper() for name in ids)


def test_the_account_is_the_root_and_nobodys_match(royal):
    assert royal.account.person.name == "William Arthur Philip Windsor"
    assert royal.account.tree_name == "Windsor Family Tree"
    assert "@I115@" not in {match.person.id for match in royal.matches}


def test_near_relatives_are_called_by_their_names(royal):
    called = {match.person.id: match.dna.predicted for match in royal.matches}
    assert called["@I58@"] == called["@I65@"] == "Parent/Child"
    assert called["@I116@"] == "Full Sibling"


def test_the_tree_holds_near_relatives_and_no_simulated_ones(royal):
    in_tree = [match for match in royal.matches if match.in_tree]
    assert 20 < len(in_tree) < 1500
    assert any(match.person.id == "@I58@" for match in in_tree)
    assert all(match.person.id.startswith("@") for match in in_tree)


def test_only_who_has_a_tree_has_people_in_it(royal):
    assert all((match.tree_id is None) == (match.person_count == 0) for match in royal.matches)
    assert all(match.tree_id for match in royal.matches if match.tree_is_public)


def test_every_kind_of_conversation_is_there(royal):
    assert {item.kind for item in royal.conversations} == {
        "productive",
        "desist",
        "other",
        "sent",
    }


def test_a_small_population_has_conversations_of_several_kinds(family):
    kinds = [item.kind for item in populate(family, "@E@", 60, 7).conversations]
    assert len(kinds) == 10
    assert {"productive", "desist", "other"} <= set(kinds)


def test_conversations_are_with_matches_and_in_the_order_of_time(royal):
    profiles = {match.profile_id for match in royal.matches}
    for item in royal.conversations:
        stamps = [message.created for message in item.messages]
        assert stamps == sorted(stamps)
        assert item.partner_id in profiles
        authors = {message.author for message in item.messages}
        assert authors <= {item.partner_id, royal.account.profile_id}


def test_somebody_alone_in_the_world_has_simulated_cousins_only():
    alone = build_pedigree([Person("@A@", "", "")])
    population = populate(alone, "@A@", 12, 7)
    assert population.relatives == 0
    assert len(population.matches) == 12
    assert all(match.initials for match in population.matches)
