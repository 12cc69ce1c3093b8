import logging
import threading
import time
import traceback
from itertools import pairwise

import pytest

from ancestry_core.browser import Cookies
from ancestry_core.exceptions import (
    BrowserError,
    DatabaseError,
    RequestFailed,
    ServiceError,
    SettingsError,
    SignInError,
)
from ancestry_core.service.defaults import DEFAULT_PASSWORD, DEFAULT_USERNAME
from ancestry_core.service.embedded import EmbeddedService
from ancestry_core.service.faults import FaultRates
from ancestry_core.service.settings import ServiceSettings
from ancestry_core.session_manager import SessionManager

ACCOUNT = {"username": DEFAULT_USERNAME, "password": DEFAULT_PASSWORD}
OPEN = {"requests_per_second": 100_000}


class FakeBrowser:
    """Gives new cookies each time, or the prepared faults; notes what was asked of it."""

    def __init__(self):
        self.asked, self.faults, self.closed = [], [], 0
        self.slot, self.alone = None, []

    def sign_in(self, username, password):
        return self._give(f"sign in {username}")

    def renew(self):
        return self._give("renew")

    def close(self):
        self.closed += 1

    def _give(self, what):
        self.asked.append(what)
        self.alone.append(self.slot is None or self.slot._held)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        return Cookies({"ANCSESSIONID": str(len(self.asked)), "SecureATT": "a"})


@pytest.fixture
def browser():
    return FakeBrowser()


@pytest.fixture
def session(settings_for, browser, clock):
    """A session manager of its own clock, whose browser is a fake; it has signed in."""
    settings = settings_for(session={"refresh_after_seconds": 100})
    with SessionManager(settings, browser=browser, clock=clock, sleep=clock.sleep) as manager:
        manager._adopt(manager._sign_in())
        yield manager


@pytest.fixture(scope="module")
def service():
    with EmbeddedService(ServiceSettings(matches=40)) as running:
        yield running


@pytest.fixture
def live(service, settings_for):
    service.switch_faults(FaultRates.none())
    with SessionManager(settings_for(service.base_url, service=ACCOUNT, limiter=OPEN)) as manager:
        yield manager


def test_a_ready_session_knows_who_it_is(live, service):
    live.ensure_session_ready()
    assert live.profile_id == live.profile_id.upper() != ""
    assert live.dna_test_id
    assert live.tree_id
    assert live.api.fetch_match_page(1)["totalPages"] == 2
    signed_in = service.record.sign_ins
    live.ensure_session_ready()
    assert service.record.sign_ins == signed_in


def test_before_it_is_ready_it_is_nobody(live):
    assert (live.profile_id, live.dna_test_id, live.tree_id) == ("", "", None)
    assert live.session_age_seconds() == 0.0
    assert live.api.generation == 0
    assert live.health is None


def test_the_database_is_opened_before_the_service_is_asked(service, settings_for, tmp_path):
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database, but long enough to be taken for one" * 40)
    settings = settings_for(service.base_url, service=ACCOUNT, database={"path": broken})
    before = service.record.total
    with SessionManager(settings) as manager, pytest.raises(DatabaseError):
        manager.ensure_session_ready()
    assert service.record.total == before


def test_making_and_closing_one_opens_nothing(settings_for):
    settings = settings_for()
    threads = threading.active_count()
    manager = SessionManager(settings)
    manager.close()
    manager.close()
    assert threading.active_count() == threads
    assert not settings.database.path.exists()


@pytest.mark.parametrize(
    ("missing", "variable", "source"),
    [
        ("base_url", "ANCESTRY_BASE_URL", "the environment, .env or --base-url"),
        ("username", "ANCESTRY_USERNAME", "the environment or .env"),
        ("password", "ANCESTRY_PASSWORD", "the environment or .env"),
    ],
)
def test_a_setting_that_is_needed_and_not_there_is_named(settings_for, missing, variable, source):
    settings = settings_for()
    lacking = settings.service.model_copy(update={missing: None})
    with pytest.raises(SettingsError) as caught:
        SessionManager(settings.model_copy(update={"service": lacking}))
    assert str(caught.value) == f"{variable} is not set; give it by {source}"


def test_wrong_credentials_are_tried_once(service, settings_for, clock):
    settings = settings_for(service.base_url, service={**ACCOUNT, "password": "wrong"})
    failed = service.record.failed_sign_ins
    with (
        SessionManager(settings, clock=clock, sleep=clock.sleep) as manager,
        pytest.raises(SignInError, match="refused the credentials"),
    ):
        manager.ensure_session_ready()
    assert service.record.failed_sign_ins == failed + 1


def test_a_passing_failure_of_signing_in_is_tried_again(session, browser, clock):
    browser.asked.clear()
    browser.faults = [BrowserError("one"), BrowserError("two")]
    session.refresh_browser_cookies("browser_error")
    assert browser.asked == ["sign in demo@example.org"] * 3
    first, second = clock.slept
    assert 0.25 <= first <= 0.5 <= second <= 1.0


def test_a_lasting_failure_of_signing_in_is_given_up(session, browser):
    browser.asked.clear()
    browser.faults = [BrowserError(str(number)) for number in range(9)]
    with pytest.raises(BrowserError, match="3"):
        session.refresh_browser_cookies("browser_error")
    assert len(browser.asked) == 4


def test_the_age_begins_anew_with_each_refresh(session, clock):
    clock.advance(40)
    assert session.session_age_seconds() == 40
    session.refresh_browser_cookies("proactive")
    assert session.session_age_seconds() == 0
    assert session.api.generation == 2


@pytest.mark.parametrize("reason", ["proactive", "api_forced"])
def test_a_refresh_renews_in_the_live_browser(session, browser, reason):
    session.refresh_browser_cookies(reason)
    assert browser.asked[-1] == "renew"
    assert session.refreshes == {reason: 1}


def test_no_request_is_in_flight_while_the_browser_speaks_to_the_service(session, browser):
    browser.slot, browser.faults = session.api.slot, [None, BrowserError("crashed")]
    session.refresh_browser_cookies("proactive")
    session.refresh_browser_cookies("proactive")
    assert browser.asked[-3:] == ["renew", "renew", "sign in demo@example.org"]
    assert browser.alone == [True] * 4
    assert not browser.slot._held


@pytest.mark.parametrize("reason", ["proactive", "api_forced"])
def test_a_browser_that_fails_is_signed_in_afresh(session, browser, reason):
    browser.faults = [BrowserError("crashed")]
    session.refresh_browser_cookies(reason)
    assert browser.asked[-2:] == ["renew", "sign in demo@example.org"]
    assert session.refreshes == {reason: 1, "browser_error": 1}
    assert session.api.generation == 2


def test_a_health_check_refreshes_a_session_that_grows_old(session, clock):
    clock.advance(99.9)
    session.check_health()
    assert session.refreshes == {}
    clock.advance(0.1)
    session.check_health()
    session.check_health()
    assert session.refreshes == {"proactive": 1}
    assert session.health.age_seconds == 0


def test_a_health_check_takes_stock(session, clock):
    clock.advance(7)
    session.check_health()
    assert (session.health.age_seconds, session.health.breaker) == (7, 0)
    assert session.health.process.threads >= 1


def in_threads(count, work):
    """Run work in threads that begin together; give what they raised."""
    barrier, raised = threading.Barrier(count), []

    def run():
        barrier.wait()
        try:
            work()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_old_age_seen_by_many_threads_leads_to_one_refresh(session, clock):
    clock.advance(100)
    assert in_threads(8, session.check_health) == []
    assert session.refreshes == {"proactive": 1}


def test_a_storm_of_rejections_leads_to_one_refresh(live, service):
    live.ensure_session_ready()
    renewals = service.record.renewals
    # The service forgets the session of a browser that renews elsewhere: all are rejected now.
    live._browser.renew()
    assert in_threads(8, lambda: live.api.fetch_match_page(1)) == []
    assert live.refreshes == {"api_forced": 1}
    assert service.record.renewals == renewals + 2


def test_a_browser_thrown_out_by_the_service_signs_in_afresh(live, service):
    live.ensure_session_ready()
    sign_ins = service.record.sign_ins
    live._browser.renew()
    service.switch_faults(FaultRates(settings_failure_every=1))
    assert live.api.fetch_match_page(1)
    assert live.refreshes == {"api_forced": 1, "browser_error": 1}
    assert service.record.sign_ins == sign_ins + 1


def test_a_session_that_is_always_rejected_ends_in_an_error(live, service):
    live.ensure_session_ready()
    service.switch_faults(FaultRates(forbidden=1.0))
    with pytest.raises(ServiceError, match="403 Forbidden, with a renewed session too"):
        live.api.fetch_match_page(1)
    assert live.refreshes == {"api_forced": 1}


def test_eight_threads_reach_the_service_one_after_the_other_at_the_rate(service, settings_for):
    service.switch_faults(FaultRates.none())
    rate, already = 50, service.record.total
    settings = settings_for(
        service.base_url, service=ACCOUNT, limiter={"requests_per_second": rate}
    )
    with SessionManager(settings) as live:
        # Opening the database takes a while in which the limiter would be quiet anyway.
        assert live.database
        started = time.monotonic()
        live.ensure_session_ready()
        # Rejections and the refresh they lead to have to keep in line too.
        live._browser.renew()
        assert in_threads(8, lambda: [live.api.fetch_match_page(1) for _ in range(3)]) == []
    received = sorted(
        (one for one in service.record.requests if one.number > already),
        key=lambda one: one.arrived,
    )
    assert len(received) >= 8 * 3 + 8
    assert all(after.arrived >= before.finished for before, after in pairwise(received))
    # The service runs in this process and by the same clock. Its n-th request cannot be there
    # before the limiter let n go, however long any of them was under way.
    for number, one in enumerate(received):
        assert one.arrived - started >= number / rate


def test_no_error_and_no_log_holds_password_or_cookie(live, service, caplog):
    with caplog.at_level(logging.DEBUG):
        live.ensure_session_ready()
        live.refresh_browser_cookies("api_forced")
        service.switch_faults(FaultRates(server_error=1.0))
        live.sleep = live.api._sleep = lambda _: None
        with pytest.raises(RequestFailed) as caught:
            live.api.fetch_match_page(1)
    secrets = [DEFAULT_PASSWORD, live.api._credentials.headers["Cookie"].split("=")[1]]
    text = caplog.text + "".join(traceback.format_exception(caught.value)) + repr(vars(live))
    for secret in secrets:
        assert secret not in text


def test_leaving_the_session_closes_what_it_owns(settings_for, browser):
    with SessionManager(settings_for(), browser=browser) as manager:
        assert manager.database.path.exists()
    assert browser.closed == 1


def test_an_error_inside_closes_it_too(settings_for, browser):
    with pytest.raises(KeyError), SessionManager(settings_for(), browser=browser):
        raise KeyError
    assert browser.closed == 1
