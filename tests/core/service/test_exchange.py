from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.service.exchange import (
    Request,
    cut_off,
    error_answer,
    html_answer,
    json_answer,
    redirect,
)

values = st.none() | st.integers() | st.text()


@given(st.lists(values) | st.dictionaries(st.text(), values))
def test_no_parser_takes_what_was_cut_off(content):
    answer = json_answer(content)
    assert json.loads(answer.body) == content
    cut_off(answer)
    with pytest.raises(ValueError):
        json.loads(answer.body)


def test_an_error_says_its_code_and_what_is_not_right():
    answer = error_answer(404, "no such page")
    assert (answer.status, answer.content_type) == (404, "application/json")
    assert json.loads(answer.body)["error"] == {"code": 404, "message": "no such page"}


def test_pages_and_redirects():
    assert html_answer("<p>é").body == "<p>é".encode()
    assert redirect("/x").headers == [("Location", "/x")]


def test_a_request_does_not_show_its_secrets():
    shown = repr(Request("POST", "/", cookies={"a": "s3cret"}, body=b"pass=s3cret"))
    assert "s3cret" not in shown
