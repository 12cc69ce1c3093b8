import logging
import traceback

import pytest
import requests

from ancestry_core.browser import HttpFormBrowser
from ancestry_core.config import HttpSettings
from ancestry_core.exceptions import BrowserError, SignInError
from ancestry_core.service.embedded import EmbeddedService
from ancestry_core.service.faults import FaultRates
from ancestry_core.service.settings import ServiceSettings
from ancestry_core.transport import HttpTransport

BASE = "http://service.test"
URL = f"{BASE}/account/signin"
FORM = """<form action="{action}"><input type="hidden" name="once" value="1">
<input id="username" name="u"><input id="password" name="p"></form>"""
HOME = '<a id="navAccount">Me</a>'
ME = ("demo@example.org", "demo-password")


@pytest.fixture
def paced():
    return []


@pytest.fixture
def browser(scripted, paced):
    settings = HttpSettings()
    transport = HttpTransport(BASE, settings, adapter=scripted)
    return HttpFormBrowser(BASE, settings, pace=paced.append, transport=transport)


@pytest.fixture(scope="module")
def service():
    with EmbeddedService(ServiceSettings(matches=5)) as running:
        yield running


@pytest.fixture
def live(service, paced):
    browser = HttpFormBrowser(service.base_url, HttpSettings(), pace=paced.append)
    yield browser
    browser.close()


def test_signing_in_at_the_service_gives_the_cookies_of_a_session(live, service, paced):
    cookies = live.sign_in(*ME)
    assert {"ANCSESSIONID", "SecureATT", "_dnamatches-matchlistui-x-csrf-token"} <= set(cookies)
    assert service.record.sign_ins >= 1
    # Each request was announced, the redirect's too.
    assert paced[:2] == [f"{service.base_url}/account/signin"] * 2


def test_each_request_that_reaches_the_service_was_paced(live, service, paced):
    before = service.record.total
    live.sign_in(*ME)
    live.renew()
    assert service.record.total - before == len(paced)


def test_renewing_gives_a_new_session_to_the_same_browser(live):
    first = live.sign_in(*ME)
    second = live.renew()
    assert first["ANCSESSIONID"] != second["ANCSESSIONID"]
    assert first["SecureATT"] == second["SecureATT"]


def test_wrong_credentials_are_refused_in_one_line(live, service):
    with pytest.raises(SignInError) as caught:
        live.sign_in("demo@example.org", "wr0ng")
    assert str(caught.value) == (
        f"{service.base_url}/account/signin refused the credentials; "
        "check ANCESTRY_USERNAME and ANCESTRY_PASSWORD"
    )


def test_a_browser_that_never_signed_in_cannot_renew(live, service):
    with pytest.raises(BrowserError) as caught:
        live.renew()
    assert str(caught.value) == (
        f"{service.base_url}/account/settings does not show a signed-in account; "
        "signing in afresh may help"
    )


def test_a_browser_that_was_thrown_out_cannot_renew_but_sign_in_afresh(live, service):
    live.sign_in(*ME)
    service.switch_faults(FaultRates(settings_failure_every=1))
    with pytest.raises(BrowserError, match="does not show a signed-in account"):
        live.renew()
    service.switch_faults(FaultRates.none())
    live.sign_in(*ME)
    assert live.renew()


def test_hidden_fields_and_the_forms_own_names_are_posted(browser, scripted):
    scripted.answer(200, FORM.format(action="/go"))
    scripted.answer(200, HOME)
    with pytest.raises(BrowserError, match="left the cookies ANCSESSIONID, SecureATT unset"):
        browser.sign_in("a b", "c&d")
    form, post = scripted.sent
    assert (form.method, form.url) == ("GET", URL)
    assert (post.method, post.url) == ("POST", f"{BASE}/go")
    assert post.body == "once=1&u=a+b&p=c%26d"


@pytest.mark.parametrize("page", ["<h1>Welcome</h1>", '<input id="username" name="u">', ""])
def test_a_page_without_a_form_points_to_the_base_url(browser, scripted, page):
    scripted.answer(200, page)
    with pytest.raises(SignInError) as caught:
        browser.sign_in(*ME)
    assert str(caught.value) == (
        f"{URL} has no sign-in form (200 OK); check that ANCESTRY_BASE_URL is the service's address"
    )


def test_a_missing_page_is_no_form_either(browser, scripted):
    scripted.answer(404, "<h1>Not found</h1>")
    with pytest.raises(SignInError, match=r"has no sign-in form \(404 Not Found\)"):
        browser.sign_in(*ME)


@pytest.mark.parametrize(
    "action", ["http://evil.test/", "//evil.test/", f"{BASE}.evil.test/", "http://["]
)
def test_the_password_is_posted_to_no_other_site(browser, scripted, action):
    scripted.answer(200, FORM.format(action=action))
    with pytest.raises(SignInError, match="it leads to another site"):
        browser.sign_in(*ME)
    assert len(scripted.sent) == 1


def test_a_redirect_is_followed_without_the_password(browser, scripted):
    scripted.answer(200, FORM.format(action=""))
    scripted.answer(307, "", Location="/home")
    scripted.answer(200, HOME)
    with pytest.raises(BrowserError, match="left the cookies"):
        browser.sign_in(*ME)
    assert (scripted.sent[2].method, scripted.sent[2].body) == ("GET", None)


def test_redirects_come_to_an_end(browser, scripted):
    for _ in range(5):
        scripted.answer(302, "", Location="/account/signin")
    with pytest.raises(BrowserError, match="redirected 5 times; is the service's address right"):
        browser.sign_in(*ME)


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda script: script.answer(503, ""), "GET .*signin: 503 Service Unavailable; is the"),
        (lambda script: script.answer(429, ""), "GET .*signin: 429 Too Many Requests; is the"),
        (lambda script: script.fault(requests.ReadTimeout()), "GET .*signin: no answer within 30"),
        (lambda script: script.fault(requests.ConnectionError()), "the connection was dropped"),
    ],
)
def test_a_service_that_fails_may_be_back_later(browser, scripted, prepare, reason):
    prepare(scripted)
    with pytest.raises(BrowserError, match=reason):
        browser.sign_in(*ME)


def test_no_error_and_no_log_holds_the_password(browser, scripted, caplog):
    secret = "s3" + "cr3t"
    scripted.answer(200, FORM.format(action="/go"))
    scripted.fault(requests.ConnectionError(f"while posting p={secret}"))
    with caplog.at_level(logging.DEBUG), pytest.raises(BrowserError) as caught:
        browser.sign_in("me", secret)
    context = caught.value.__context__
    assert not hasattr(context, "request")
    assert secret not in "".join(traceback.format_exception(caught.value)) + caplog.text


def test_signing_in_begins_without_the_cookies_of_before(browser, scripted):
    browser._transport.cookies.set("SecureATT", "of before")
    scripted.answer(200, "no form")
    with pytest.raises(SignInError):
        browser.sign_in(*ME)
    assert "Cookie" not in scripted.sent[0].headers


def test_closing_forgets_the_cookies(live):
    live.sign_in(*ME)
    live.close()
    live.close()
    with pytest.raises(BrowserError):
        live.renew()
