from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.suggestion.personal import is_personal
from ancestry_obs.suggestion.proposals import Proposal, by_calls
from ancestry_obs.suggestion.traced_command import TracedFunction


def called(results=None, **values) -> TracedFunction:
    seen = {
        name: Counter({(type(each).__name__, each): count for each, count in counts.items()})
        for name, counts in values.items()
    }
    return TracedFunction("shop", "ask", 1, 2, values=seen, results=Counter(results or {}))


@pytest.mark.parametrize(
    "name",
    [
        "user_id",
        "userId",
        "password",
        "apiKey",
        "access_token",
        "email",
        "url",
        "first_name",
        "query",
    ],
)
def test_names_of_what_is_somebody_s(name):
    assert is_personal(name)


@pytest.mark.parametrize("name", ["method", "kind", "status", "is_active", "mode", "width"])
def test_names_of_what_is_not(name):
    assert not is_personal(name)


def test_few_values_that_come_again_are_a_label():
    proposals = by_calls(called(method={"GET": 9, "POST": 2}, flag={True: 2, False: 3}))
    assert proposals == [
        Proposal("method", "method", ("GET", "POST")),
        Proposal("flag", "flag", ("False", "True")),
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"GET": 100},  # nothing to tell apart
        {"GET": 100, "POST": 1},  # seen once
        {"GET": 9, "hunter2": 9},
        {"GET": 9, "ada@example.org": 9},
        {"GET": 9, "two words": 9},
        {"GET": 9, "deadbeef": 9},
        {"GET": 9, "xKqTzRwP": 9},
        {"GET": 9, "": 9},
        {"GET": 9, "averyverylongword": 9},
        {1: 9, 4711: 9},
        {-1: 9, 1: 9},
        dict.fromkeys(range(11), 9),
    ],
)
def test_other_values_are_none(values):
    assert by_calls(called(kind=values)) == []


@pytest.mark.parametrize("name", ["password", "error", "function", "result", "le", "Kind", "_kind"])
def test_a_name_that_cannot_be_a_label_s(name):
    assert by_calls(called(**{name: {"a": 9, "b": 9}})) == []


def test_members_of_an_enumeration_are_not_listed():
    function = called()
    function.values["colour"] = Counter({("enum", "Colour.RED"): 2, ("enum", "Colour.BLUE"): 2})
    assert by_calls(function) == [Proposal("colour", "colour")]


def test_what_is_returned_tells_calls_apart_where_arguments_do_not():
    label = Proposal("result_type", "type_name(result)", ("NoneType", "str"))
    assert by_calls(called({"NoneType": 3, "str": 5})) == [label]
    assert by_calls(called({"NoneType": 3, "str": 1})) == []
    assert label not in by_calls(called({"NoneType": 3, "str": 5}, flag={True: 2, False: 2}))


@given(st.dictionaries(st.text(max_size=24), st.integers(1, 5), max_size=14))
def test_what_is_listed_is_a_word_that_was_seen_again(values):
    for proposal in by_calls(called(kind=values)):
        assert len(proposal.values) <= 10
        for each in proposal.values:
            assert values[each] > 1
            assert re.fullmatch("[A-Za-z_.-]{1,16}", each)
