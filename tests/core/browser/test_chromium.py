"""A real Chromium at the embedded service's sign-in page."""

import logging
import os
import shutil
from pathlib import Path

import pytest

from ancestry_core.browser import open_browser
from ancestry_core.config import HttpSettings
from ancestry_core.exceptions import BrowserError, SignInError
from ancestry_core.service.embedded import EmbeddedService
from ancestry_core.service.faults import FaultRates
from ancestry_core.service.settings import ServiceSettings
from ancestry_core.session_manager import SessionManager

if os.environ.get("CI"):
    # There everything has to be.
    from ancestry_core.browser import chromium
else:
    name = "ancestry_core.browser.chromium"
    chromium = pytest.importorskip(name, reason="selenium not installed")

ME = ("demo@example.org", "demo-password")


@pytest.fixture(scope="module")
def installed():
    """Chromium must be there in CI; elsewhere its absence is said and skipped."""
    try:
        chromium.find_program(chromium.BINARIES)
        chromium.find_program(chromium.DRIVERS)
    except BrowserError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def service():
    with EmbeddedService(ServiceSettings(matches=5)) as running:
        yield running


@pytest.fixture
def browser(installed, service):
    browser = open_browser("chromium", service.base_url, HttpSettings(), lambda _: None)
    yield browser
    browser.close()


@pytest.mark.real
def test_a_real_browser_signs_in_renews_and_leaves_nothing_behind(browser, service, caplog):
    with caplog.at_level(logging.DEBUG):
        first = browser.sign_in(*ME)
        second = browser.renew()
    assert {"ANCSESSIONID", "SecureATT"} <= set(first)
    assert first["ANCSESSIONID"] != second["ANCSESSIONID"]
    assert service.record.renewals >= 1
    for secret in (ME[1], first["SecureATT"], second["ANCSESSIONID"]):
        assert secret not in caplog.text
    # Its own alone: another Chromium may run on this machine.
    profile, processes = Path(browser._profile.name), browser._processes
    assert profile.is_dir()
    assert processes
    browser.close()
    assert not profile.exists()
    assert not any(process.is_running() for process in processes)


@pytest.mark.real
def test_a_real_browser_is_refused_with_wrong_credentials(browser, service):
    with pytest.raises(SignInError) as caught:
        browser.sign_in("demo@example.org", "wrong")
    assert str(caught.value) == (
        f"{service.base_url}/account/signin refused the credentials; "
        "check ANCESTRY_USERNAME and ANCESTRY_PASSWORD"
    )


@pytest.mark.real
def test_a_real_browser_that_was_thrown_out_or_has_died_signs_in_afresh(browser, service):
    browser.sign_in(*ME)
    service.switch_faults(FaultRates(settings_failure_every=1))
    with pytest.raises(BrowserError, match="does not show a signed-in account"):
        browser.renew()
    service.switch_faults(FaultRates.none())
    browser.sign_in(*ME)
    left_behind = browser._processes
    browser._driver.service.process.kill()
    with pytest.raises(BrowserError, match=r"Chromium failed \("):
        browser.renew()
    assert browser.sign_in(*ME)
    assert len(left_behind) > 1
    assert not any(process.is_running() for process in left_behind)


@pytest.mark.real
def test_a_page_without_a_form_points_to_the_base_url(installed, service):
    browser = open_browser("chromium", f"{service.base_url}/x", HttpSettings(), lambda _: None)
    try:
        with pytest.raises(SignInError, match=r"has no sign-in form \(.*username"):
            browser.sign_in(*ME)
    finally:
        browser.close()


@pytest.mark.real
def test_the_platform_runs_on_a_real_browsers_session(installed, service, settings_for):
    account = {"username": ME[0], "password": ME[1]}
    settings = settings_for(
        service.base_url,
        service=account,
        session={"browser": "chromium"},
        limiter={"requests_per_second": 1_000},
    )
    with SessionManager(settings) as session:
        session.ensure_session_ready()
        session.refresh_browser_cookies("proactive")
        assert session.api.fetch_match_page(1)["matchList"]


def test_a_browser_that_never_signed_in_cannot_renew(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/programs/{name}")
    browser = chromium.ChromiumBrowser("http://service.test", HttpSettings())
    with pytest.raises(BrowserError, match="does not show a signed-in account"):
        browser.renew()
    browser.close()


def test_without_chromium_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BrowserError) as caught:
        chromium.ChromiumBrowser("http://service.test", HttpSettings())
    assert str(caught.value) == (
        "none of chromium, chromium-browser, google-chrome is installed; install Debian's "
        "chromium and chromium-driver, or set ANCESTRY_SESSION_BROWSER=http"
    )
