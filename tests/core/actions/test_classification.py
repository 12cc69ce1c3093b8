from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.actions.classification import classify
from ancestry_core.database.models import Classification


@pytest.mark.parametrize(
    "text",
    [
        "Please stop sending me messages.",
        "STOP",
        "stop.",
        "I am not interested, thank you.",
        "Don't contact me again!",
        "Don\u2019t write to me",
        "Please remove me from your list, I no longer do genealogy.",
        "unsubscribe",
        "No more messages please",
        "My grandmother was Mary Teck, born 1867, but please do not contact me again.",
    ],
)
def test_whoever_wants_peace_is_left_in_peace(text):
    assert classify(text) is Classification.DESIST


@pytest.mark.parametrize(
    "text",
    [
        "My grandmother Mary Teck was born in 1867 in London.",
        "We descend from Louis IV of Hesse (b. 1837).",
        "In our Bible stands Christian Oldenburg, * 1818, Gottorp.",
        "My mother's maiden name was Windsor, she was born in 1930",
        "I believe the link is Albert, born 1819 at Rosenau; that is my ancestor.",
    ],
)
def test_family_with_a_name_or_year_is_productive(text):
    assert classify(text) is Classification.PRODUCTIVE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Merry Christmas to you and yours!",
        "Thanks for writing. I will have a look when I find the time.",
        "My mother knows more than I do.",
        "I met Anna in Paris in 1999.",
        "Does the bus stop in London?",
    ],
)
def test_everything_else_is_other(text):
    assert classify(text) is Classification.OTHER


@given(st.text(), st.text())
def test_a_wish_for_peace_counts_whatever_stands_around_it(before, after):
    assert classify(f"{before} please stop {after}") is Classification.DESIST


@given(st.text(max_size=300))
def test_no_text_makes_it_raise(text):
    assert classify(text) in Classification
