from __future__ import annotations

import json

import pytest

from ancestry_core.service.exchange import Request
from ancestry_core.service.faults import FaultRates

ME = "/app-api/cdp-p13n/api/v1/users/me"
DNA = "/api/navheaderdata/v1/header/data/dna"
TREE = "/discoveryui-matches/parents/list/api/badges/matchesInTree"
SEND = "/app-api/express/v2/conversations/message"


@pytest.fixture
def failing(open_desk):
    """Return a way to a signed-in desk with the given faults."""

    def make(**rates):
        desk = open_desk(faults=FaultRates(**rates))
        desk.sign_in()
        return desk

    return make


def message(desk):
    population = desk.application.population
    me = population.account.profile_id
    members = [{"user_id": me}, {"user_id": population.matches[0].profile_id}]
    return json.dumps({"content": "Hi", "author": me, "conversation_members": members}).encode()


def test_without_a_session_nothing_is_told(open_desk):
    answer = open_desk().ask("GET", ME)
    assert answer.status == 401
    assert json.loads(answer.body)["error"]["message"] == "the session has ended; sign in"


def test_a_session_that_ended_is_renewed_by_the_settings_page(open_desk):
    desk = open_desk(session_seconds=60)
    desk.sign_in()
    assert desk.ask("GET", ME).status == 200
    desk.clock.now += 60
    assert desk.ask("GET", ME).status in {401, 403}
    desk.ask("GET", "/account/settings")
    assert desk.ask("GET", ME).status == 200


def test_the_csrf_token_is_told_and_is_the_cookies(desk):
    answer = desk.ask("GET", "/discoveryui-matches/parents/api/csrfToken")
    expected = desk.cookies["_dnamatches-matchlistui-x-csrf-token"]
    assert json.loads(answer.body) == {"csrfToken": expected}


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_post_needs_the_sessions_csrf_token(desk, token):
    test_id = desk.application.population.account.test_id
    body = b'{"sampleIds": []}'
    assert desk.ask("POST", f"{TREE}/{test_id}", body, x_csrf_token=token).status == 403
    assert desk.ask("POST", f"{TREE}/{test_id}", body).status == 200


def test_a_wrong_profile_id_is_refused_and_an_absent_one_only_for_posts(desk):
    test_id = desk.application.population.account.test_id
    me = desk.application.population.account.profile_id
    assert desk.ask("GET", ME, ancestry_userid=me.lower()).status == 403
    del desk.headers["ancestry-userid"]
    assert desk.ask("GET", ME).status == 200
    assert desk.ask("POST", f"{TREE}/{test_id}", b'{"sampleIds": []}').status == 403


def test_an_unknown_path_is_not_found_and_meets_no_fault(failing):
    desk = failing(server_error=1.0)
    answer = desk.ask("GET", "/app-api/unknown")
    assert answer.status == 404
    assert answer.endpoint == "other"


def test_a_call_takes_its_own_method_only(desk):
    answer = desk.ask("POST", ME)
    assert answer.status == 405
    assert ("Allow", "GET") in answer.headers


def test_an_answer_names_its_endpoint_without_ids(desk):
    test_id = desk.application.population.account.test_id
    url = f"/discoveryui-matches/parents/list/api/matchList/{test_id}?currentPage=1"
    endpoint = "GET /discoveryui-matches/parents/list/api/matchList/:test"
    assert desk.ask("GET", url).endpoint == endpoint


def test_the_record_is_told_without_a_session(open_desk):
    answer = open_desk().ask("GET", "/__service__/record")
    assert answer.status == 200
    assert json.loads(answer.body)["total"] == 0


def test_throttling_says_how_long_to_wait(failing):
    answer = failing(throttled=1.0, retry_after=3).ask("GET", ME)
    assert answer.status == 429
    assert ("Retry-After", "3") in answer.headers


@pytest.mark.parametrize(("rate", "status"), [("unauthorized", 401), ("forbidden", 403)])
def test_a_session_may_be_ended_early(failing, rate, status):
    desk = failing(**{rate: 1.0})
    assert desk.ask("GET", ME).status == status
    desk.application.faults.switch(FaultRates.none())
    assert desk.ask("GET", ME).status == status
    desk.ask("GET", "/account/settings")
    assert desk.ask("GET", ME).status == 200


def test_a_slow_answer_waits_and_then_comes(failing):
    desk = failing(slow=1.0, slow_seconds=2.5)
    assert desk.ask("GET", ME).status == 200
    assert desk.slept == [2.5]


@pytest.mark.parametrize(
    ("rates", "status"), [({"server_error": 1.0}, 500), ({"throttled": 1.0}, 429)]
)
def test_a_refused_message_was_not_stored(failing, rates, status):
    desk = failing(**rates)
    assert desk.ask("POST", SEND, message(desk)).status == status
    assert desk.application.record.messages_stored == 0


@pytest.mark.parametrize("rate", ["dropped", "broken_json"])
def test_a_message_whose_answer_is_lost_was_stored(failing, rate):
    desk = failing(**{rate: 1.0})
    answer = desk.ask("POST", SEND, message(desk))
    assert desk.application.record.messages_stored == 1
    if rate == "dropped":
        assert answer.status == 0
    else:
        with pytest.raises(ValueError):
            json.loads(answer.body)


def test_an_outage_lasts_a_number_of_requests_and_spares_the_website(failing):
    desk = failing(outage_start=2, outage_length=3)
    statuses = [desk.ask("GET", DNA).status for _ in range(3)]
    assert desk.ask("GET", "/account/settings").status == 200
    statuses += [desk.ask("GET", DNA).status for _ in range(3)]
    assert statuses == [200, 503, 503, 503, 200, 200]


def test_faults_count_before_the_session_is_looked_at(open_desk):
    desk = open_desk(faults=FaultRates(outage_length=1))
    assert [desk.ask("GET", ME).status for _ in range(2)] == [503, 401]


def test_two_services_of_one_seed_do_the_same(open_desk):
    def run():
        desk = open_desk(faults=FaultRates.realistic(), session_requests=40)
        desk.sign_in()
        answers = []
        for _ in range(300):
            answer = desk.ask("GET", ME)
            answers.append((answer.status, answer.body))
            if answer.status in {401, 403} and desk.ask("GET", "/account/settings").status == 302:
                desk.sign_in()
        return answers

    first = run()
    assert first == run()
    assert {status for status, _ in first} >= {0, 200, 403, 429, 500, 503}


def test_the_body_of_a_sign_in_is_not_shown():
    assert "right" not in repr(Request("POST", "/account/signin", body=b"password=right"))
