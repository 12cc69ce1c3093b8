from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.actions.extraction import extract_facts

WORDS = st.sampled_from(
    [
        "Mary",
        "von",
        "Teck",
        "born",
        "in",
        "1867",
        "London,",
        "* ",
        "(b.",
        "my",
        "grandmother",
        ".",
        "of",
    ]
)


def facts(text):
    return [(fact.kind.value, fact.value) for fact in extract_facts(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("born 1867", ["1867"]),
        ("1066 and 2024", ["1066", "2024"]),
        ("about 1850-1900", ["1850", "1900"]),
        ("in 999, 2100 or 18670, call 555-1867", []),
        ("we share 1200 cM", []),
        ("a tree with 1500 people", []),
        ("$1500, 1867.5, #1867, A1867", []),
    ],
)
def test_years(text, expected):
    assert [value for kind, value in facts(text) if kind == "year"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My great-grandmother Victoria Hanover was born there", ["Victoria Hanover"]),
        ("my ancestor was Ludwig van der Berg", ["Ludwig van der Berg"]),
        ("We descend from Louis IV of Hesse (b. 1837).", ["Louis IV of Hesse"]),
        ("the link is J. S. Bach, born 1685", ["J. S. Bach"]),
        ("In our family Bible stands Christian Oldenburg, * 1818", ["Christian Oldenburg"]),
        ("Saxe-Coburg-Gotha was born", ["Saxe-Coburg-Gotha"]),
        ("Élisabeth O'Neill, born 1700", ["Élisabeth O'Neill"]),
        ("I was born in May", []),
        ("My mother is well", []),
        ("Hello from Anna Smith", []),
    ],
)
def test_names(text, expected):
    assert [value for kind, value in facts(text) if kind == "name"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in Kensington, London, England. Does that help?", ["Kensington, London, England"]),
        ("at Rio de Janeiro, Brazil; yes", ["Rio de Janeiro, Brazil"]),
        ("* 1819, St. Petersburg, Russia. I descend", ["St. Petersburg, Russia"]),
        ("they came from Norway and moved to New York", ["Norway", "New York"]),
        ("in May 1900, in my tree", []),
        ("In our family", []),
    ],
)
def test_places(text, expected):
    assert [value for kind, value in facts(text) if kind == "place"] == expected


def test_facts_come_in_the_order_of_the_text_and_once():
    text = "My aunt Ada Byron, born 1815 in London. Ada Byron, born 1815 in London!"
    assert facts(text) == [("name", "Ada Byron"), ("year", "1815"), ("place", "London")]


def test_what_the_service_writes_is_understood():
    from ancestry_core.service import prose

    values = {"relation": "ancestor", "name": "Ada Byron", "surname": "Byron", "year": 1815}
    for template in prose._WITH_PLACE:
        text = template.format(**values, place="Marylebone, London")
        assert facts(text) == [
            ("name", "Ada Byron"),
            ("year", "1815"),
            ("place", "Marylebone, London"),
        ], text
    for template in prose._WITHOUT_PLACE:
        text = template.format(**values)
        assert facts(text) == [("name", "Ada Byron"), ("year", "1815")], text


@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=30).map(" ".join)))
def test_every_fact_stands_in_the_text(text):
    found = extract_facts(text)
    normal = " ".join(text.split())
    for fact in found:
        assert fact.value in normal
        assert fact.value == fact.value.strip()
        assert 1 <= len(fact.value) <= 120
    assert len(found) == len(set(found))
