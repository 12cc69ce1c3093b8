from __future__ import annotations

import pytest

from ancestry_core.service.sessions import BROWSER_COOKIE, SESSION_COOKIE, Refusal, Sessions
from ancestry_core.service.settings import ServiceSettings

NAME, PASSWORD = "me@example.org", "right"


@pytest.fixture
def open_sessions(clock):
    def make(**changes):
        return Sessions(ServiceSettings(username=NAME, password=PASSWORD, **changes), clock)

    return make


@pytest.mark.parametrize(
    ("name", "password"), [(NAME, "wrong"), ("you@example.org", PASSWORD), ("", ""), (NAME, "é")]
)
def test_wrong_credentials_are_refused(open_sessions, name, password):
    assert open_sessions().sign_in(name, password) is None


def test_a_sign_in_sets_the_three_cookies(open_sessions):
    cookies = open_sessions().sign_in(NAME, PASSWORD)
    assert set(cookies) == {
        "ANCSESSIONID",
        "SecureATT",
        "_dnamatches-matchlistui-x-csrf-token",
    }
    assert len(set(cookies.values())) == 3


def test_a_session_lives_until_its_time_is_over(open_sessions, clock):
    sessions = open_sessions(session_seconds=60)
    cookies = sessions.sign_in(NAME, PASSWORD)
    clock.now += 59.9
    assert sessions.check(cookies) == sessions.csrf_token(cookies)
    clock.now += 0.1
    assert isinstance(sessions.check(cookies), Refusal)


def test_a_session_may_end_after_a_number_of_requests(open_sessions):
    sessions = open_sessions(session_requests=2)
    cookies = sessions.sign_in(NAME, PASSWORD)
    answers = [isinstance(sessions.check(cookies), Refusal) for _ in range(4)]
    assert answers == [False, False, True, True]


def test_sessions_that_end_are_refused_in_both_ways_in_turn(open_sessions):
    sessions = open_sessions(session_requests=1)
    seen = []
    for _ in range(2):
        cookies = sessions.sign_in(NAME, PASSWORD)
        sessions.check(cookies)
        seen.append(sessions.check(cookies))
    assert set(seen) == {Refusal.UNAUTHORIZED, Refusal.FORBIDDEN}


def test_a_session_that_is_not_known_is_refused(open_sessions):
    assert open_sessions().check({SESSION_COOKIE: "forged"}) is Refusal.UNAUTHORIZED
    assert open_sessions().check({}) is Refusal.UNAUTHORIZED


def test_renewing_begins_another_session_of_the_same_browser(open_sessions, clock):
    sessions = open_sessions(session_seconds=60)
    old = sessions.sign_in(NAME, PASSWORD)
    clock.now += 100
    new = sessions.renew(old)
    assert new[SESSION_COOKIE] != old[SESSION_COOKIE]
    assert new[BROWSER_COOKIE] == old[BROWSER_COOKIE]
    assert sessions.check(new) == sessions.csrf_token(new) != ""
    assert sessions.check(old) is Refusal.UNAUTHORIZED


def test_a_browser_that_never_signed_in_renews_nothing(open_sessions):
    assert open_sessions().renew({BROWSER_COOKIE: "forged"}) is None


def test_a_browser_that_was_thrown_out_has_to_sign_in_afresh(open_sessions):
    sessions = open_sessions()
    cookies = sessions.sign_in(NAME, PASSWORD)
    sessions.throw_out(cookies)
    assert not sessions.is_signed_in(cookies)
    assert sessions.renew(cookies) is None
    assert sessions.check(cookies) is Refusal.UNAUTHORIZED
    assert sessions.is_signed_in(sessions.sign_in(NAME, PASSWORD))


@pytest.mark.parametrize("refusal", list(Refusal))
def test_a_session_that_is_ended_early_is_refused_until_renewed(open_sessions, refusal):
    sessions = open_sessions()
    cookies = sessions.sign_in(NAME, PASSWORD)
    sessions.end(cookies, refusal)
    assert [sessions.check(cookies) for _ in range(2)] == [refusal, refusal]
    assert isinstance(sessions.check(sessions.renew(cookies)), str)


def test_two_browsers_do_not_disturb_each_other(open_sessions):
    sessions = open_sessions()
    mine, yours = (sessions.sign_in(NAME, PASSWORD) for _ in range(2))
    sessions.throw_out(yours)
    assert isinstance(sessions.check(mine), str)
