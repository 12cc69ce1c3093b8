import copy
import traceback
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.api_responses import (
    ApiResponse,
    AttemptFailed,
    response_of,
    retry_after_seconds,
    status_text,
)

JSON = {"Content-Type": "application/json; charset=utf-8"}


def answered(status=200, body=b'{"a": [1]}', **headers):
    return SimpleNamespace(status_code=status, content=body, headers={**JSON, **headers})


def test_a_good_answer_is_taken_over_decoded():
    response = response_of(answered(), "/x")
    assert (response.status_code, response.url, response.ok) == (200, "/x", True)
    assert response.json() == {"a": [1]}
    assert response.json() is response.json()
    assert response.text == '{"a": [1]}'
    assert not response.from_cache


@pytest.mark.parametrize("body", [b'{"a": "hi \\ud83d"}', b'{"a": "hi \\uD83D"}'])
def test_half_an_emoji_is_replaced_since_nobody_could_store_it(body):
    response = response_of(answered(body=body), "/x")
    assert response.json() == response.undecoded().json() == {"a": "hi ?"}


def test_a_whole_emoji_and_other_escapes_are_left_as_they_are():
    response = response_of(answered(body=b'["\\ud83d\\ude00 \\u00e9 \\\\ud8"]'), "/x")
    assert response.json() == ["\U0001f600 \u00e9 \\ud8"]


def test_what_the_cache_keeps_is_decoded_anew_for_each_reader():
    kept = response_of(answered(), "/x").undecoded()
    kept.json()["a"].append(2)
    assert kept.json() == {"a": [1]}
    assert kept.from_cache


def test_an_answer_is_immutable_and_need_not_be_copied():
    response = response_of(answered(), "/x")
    assert copy.deepcopy(response) is response
    with pytest.raises(AttributeError):
        response.status_code = 500


def test_neither_headers_nor_body_show():
    response = response_of(answered(body=b'"secret"', **{"Set-Cookie": "A=secret"}), "/x")
    assert "secret" not in repr(response)


@pytest.mark.parametrize(
    ("status", "rejected", "throttled", "may_have_arrived"),
    [
        (401, True, False, False),
        (403, True, False, False),
        (429, False, True, False),
        (500, False, False, True),
        (503, False, False, True),
        (599, False, False, True),
    ],
)
def test_these_call_for_another_attempt(status, rejected, throttled, may_have_arrived):
    with pytest.raises(AttemptFailed) as caught:
        response_of(answered(status), "/x")
    failure = caught.value
    assert str(failure).startswith(str(status))
    assert failure.status == status
    assert (failure.rejected, failure.throttled) == (rejected, throttled)
    assert failure.may_have_arrived is may_have_arrived


@pytest.mark.parametrize("status", [301, 400, 404, 409, 410, 422])
def test_these_are_final_and_their_bodies_are_not_decoded(status):
    response = response_of(answered(status, b"<broken"), "/x")
    assert not response.is_json or response.ok
    assert response.status_code == status


@pytest.mark.parametrize("body", [b"", b'{"a": ', b"\xff", b"<html>"])
def test_broken_json_calls_for_another_attempt_and_shows_nothing_of_it(body):
    with pytest.raises(AttemptFailed, match="the answer is broken JSON") as caught:
        response_of(answered(body=body), "/x")
    assert caught.value.may_have_arrived
    assert caught.value.__context__ is None


def test_a_page_is_no_json():
    response = response_of(answered(**{"Content-Type": "text/html"}), "/x")
    assert (response.ok, response.is_json) == (True, False)


def test_undecodable_text_is_read_as_far_as_it_goes():
    assert ApiResponse(200, "/x", JSON, b"a\xffb").text == "a\ufffdb"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2.0),
        ({"Retry-After": " 120 "}, 120.0),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "soon"}, None),
        (
            {
                "Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
        ),
        (
            {
                "Retry-After": "Wed, 21 Oct 2026 07:27:00 GMT",
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            0.0,
        ),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
    ],
)
def test_retry_after(headers, seconds):
    assert retry_after_seconds(headers) == seconds


@given(value=st.text(max_size=40), date=st.text(max_size=40))
def test_no_header_of_the_service_breaks_the_reader(value, date):
    seconds = retry_after_seconds({"Retry-After": value, "Date": date})
    assert seconds is None or seconds >= 0


def test_a_status_without_a_name_is_a_number():
    assert [status_text(404), status_text(599)] == ["404 Not Found", "599"]


def test_a_failed_attempt_shows_no_more_than_its_reason():
    failure = AttemptFailed("503 Service Unavailable", status=503, may_have_arrived=True)
    assert traceback.format_exception_only(failure)[0].endswith("503 Service Unavailable\n")
