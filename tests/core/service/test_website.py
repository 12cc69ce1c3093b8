from __future__ import annotations

import pytest

from ancestry_core.service.faults import FaultRates


def test_the_form_is_there_for_everybody(open_desk):
    answer = open_desk().ask("GET", "/account/signin")
    assert answer.status == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert b'id="signInBtn"' in answer.body


def test_a_sign_in_leads_home_with_cookies(open_desk):
    desk = open_desk()
    answer = desk.sign_in()
    assert answer.status == 302
    assert ("Location", "/") in answer.headers
    assert set(desk.cookies) == {
        "ANCSESSIONID",
        "SecureATT",
        "_dnamatches-matchlistui-x-csrf-token",
    }
    assert b'id="navAccount"' in desk.ask("GET", "/").body
    assert desk.application.record.sign_ins == 1


@pytest.mark.parametrize(("username", "password"), [("demo@example.org", "no"), ("", "")])
def test_wrong_credentials_show_the_alert_and_set_nothing(open_desk, username, password):
    desk = open_desk()
    answer = desk.sign_in(username, password)
    assert answer.status == 200
    assert b'id="invalidCredentialsAlert"' in answer.body
    assert desk.cookies == {}
    assert desk.application.record.failed_sign_ins == 1
    assert desk.application.record.sign_ins == 0


@pytest.mark.parametrize("path", ["/", "/account/settings"])
def test_who_is_not_signed_in_is_sent_to_the_form(open_desk, path):
    answer = open_desk().ask("GET", path)
    assert answer.status == 302
    assert answer.headers == [("Location", "/account/signin")]


def test_the_settings_page_renews_the_cookies(desk):
    before = dict(desk.cookies)
    answer = desk.ask("GET", "/account/settings")
    assert b'id="navAccount"' in answer.body
    assert desk.cookies["ANCSESSIONID"] != before["ANCSESSIONID"]
    assert desk.cookies["SecureATT"] == before["SecureATT"]
    assert desk.application.record.renewals == 1


def test_the_settings_page_may_throw_the_browser_out(open_desk):
    desk = open_desk(faults=FaultRates(settings_failure_every=2))
    desk.sign_in()
    assert desk.ask("GET", "/account/settings").status == 200
    assert desk.ask("GET", "/account/settings").status == 302
    assert desk.ask("GET", "/").status == 302
    assert desk.ask("GET", "/account/settings").status == 302
    desk.sign_in()
    assert desk.ask("GET", "/account/settings").status == 200


def test_a_visitor_without_a_session_uses_up_no_failure_of_the_settings_page(open_desk):
    desk = open_desk(faults=FaultRates(settings_failure_every=2))
    desk.ask("GET", "/account/settings")
    desk.sign_in()
    assert desk.ask("GET", "/account/settings").status == 200


def test_a_page_takes_its_own_methods_only(open_desk):
    answer = open_desk().ask("POST", "/account/settings")
    assert answer.status == 405
    assert ("Allow", "GET") in answer.headers
    assert answer.endpoint == "POST /account/settings"


def test_cookies_can_be_kept_over_plain_http(desk):
    answer = desk.ask("GET", "/account/settings")
    cookies = [value for name, value in answer.headers if name == "Set-Cookie"]
    assert len(cookies) == 3
    assert all("; Path=/" in value for value in cookies)
    assert not any("secure" in value.lower().partition(";")[2] for value in cookies)
