from __future__ import annotations

import pytest

from ancestry_core.actions.classification import classify
from ancestry_core.actions.extraction import Fact
from ancestry_core.actions.letters import compose, compose_reply
from ancestry_core.database.models import Classification, FactKind, MessageKind


@pytest.mark.parametrize("kind", [kind for kind in MessageKind if kind is not MessageKind.REPLY])
def test_every_kind_has_a_text_of_its_own(kind):
    text = compose(kind, "Ada {name}", "3rd cousin")
    assert text.startswith("Hello Ada {name}, ")
    assert len({compose(other, "Ada", "") for other in MessageKind if other != "reply"}) == 4
    if kind is not MessageKind.DESIST_ACKNOWLEDGEMENT:
        assert "(3rd cousin)" in text


def test_a_reply_names_the_first_facts():
    facts = [Fact(FactKind.NAME, "Ada Byron"), Fact(FactKind.YEAR, "1815")]
    facts += [Fact(FactKind.PLACE, f"Place {number}") for number in range(5)]
    text = compose_reply("Bob", facts)
    assert "I have noted Ada Byron, the year 1815, Place 0, Place 1, will" in text


def test_no_letter_of_the_account_reads_as_a_wish_for_peace():
    for kind in (MessageKind.INITIAL, MessageKind.FOLLOW_UP, MessageKind.FINAL_REMINDER):
        assert classify(compose(kind, "Ada", "cousin")) is not Classification.DESIST
