from __future__ import annotations

from random import Random

import pytest

from ancestry_core.service.pedigree import Person
from ancestry_core.service.prose import write_conversation

ALAN = Person("@A@", "Alan", "Old", "M", 1925, "Leeds , ,England")
UNPLACED = Person("@A@", "Alan", "Old", "M", 1925)


def newest(kind: str, subject: Person = ALAN) -> set[tuple[bool, str]]:
    return {write_conversation(kind, subject, Random(seed))[-1] for seed in range(60)}


def test_a_productive_match_writes_name_year_and_place():
    for is_mine, text in newest("productive"):
        assert not is_mine
        assert "Alan Old" in text
        assert "1925" in text
        assert "Leeds, England" in text


def test_without_a_place_the_name_and_year_remain():
    for _, text in newest("productive", UNPLACED):
        assert "Alan Old" in text
        assert "1925" in text
        assert "  " not in text


def test_relations_agree_with_the_sex():
    texts = " ".join(text for _, text in newest("productive"))
    assert "father" in texts
    assert "mother" not in texts


@pytest.mark.parametrize("kind", ["desist", "other"])
def test_what_helps_nobody_names_nobody(kind):
    texts = newest(kind)
    assert len(texts) > 2
    assert not any("1925" in text or "Alan" in text for _, text in texts)


def test_a_conversation_that_was_only_begun_has_the_accounts_message_alone():
    assert all(is_mine for is_mine, _ in newest("sent"))


def test_some_matches_answer_and_some_begin_by_themselves():
    lengths = {len(write_conversation("other", ALAN, Random(seed))) for seed in range(60)}
    assert lengths == {1, 2}
