from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.service.exchange import Request
from ancestry_core.service.inputs import Rejected, json_object, whole_number


def with_page(text: str) -> Request:
    return Request("GET", "/", {"page": text})


@given(st.integers(1, 10**9 - 1))
def test_a_whole_number_is_taken_as_it_is(number):
    assert whole_number(with_page(str(number)), "page", 1) == number


def test_a_number_that_is_not_given_is_the_default():
    assert whole_number(Request("GET", "/"), "page", 30) == 30


def test_a_number_is_cut_to_the_most():
    assert whole_number(with_page("500"), "page", 1, 200) == 200


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1.5", "²", "٣", "9" * 5000])
def test_anything_else_is_rejected_by_name(text):
    with pytest.raises(Rejected) as caught:
        whole_number(with_page(text), "page", 1)
    assert caught.value.answer.status == 400
    assert str(caught.value) == "page must be a whole number from 1"


def test_a_json_object_is_read():
    assert json_object(Request("POST", "/", body=b'{"a": 1}')) == {"a": 1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body must be JSON"),
        (b"{", "the body must be JSON"),
        (b"\xff\xfe\xfd", "the body must be JSON"),
        (b"[]", "the body must be a JSON object"),
        (b"null", "the body must be a JSON object"),
    ],
)
def test_any_other_body_is_rejected(body, message):
    with pytest.raises(Rejected) as caught:
        json_object(Request("POST", "/", body=body))
    assert json.loads(caught.value.answer.body) == {"error": {"code": 400, "message": message}}
