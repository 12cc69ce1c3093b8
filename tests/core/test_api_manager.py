import logging
import random
import threading
import traceback
from contextlib import suppress

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.exceptions import ConnectTimeout, ReadTimeout

from ancestry_core.api_manager import APIManager
from ancestry_core.browser.cookies import Cookies
from ancestry_core.circuit_breaker import BreakerState, SessionCircuitBreaker
from ancestry_core.config import load_settings
from ancestry_core.exceptions import (
    ApiError,
    CircuitOpenError,
    RequestFailed,
    ServiceError,
    SignInError,
    UncertainSendError,
)
from ancestry_core.rate_limiter import RateLimiter
from ancestry_core.transport import HttpTransport
from ancestry_core.unified_cache_manager import CacheKey, UnifiedCacheManager

BASE = "http://service.test"
KEY = CacheKey("matches", "details", "m1")


def build(settings_for, scripted, clock, **sections):
    """Make an API manager whose session is renewed by counting, and adopting new cookies."""
    sections.setdefault("limiter", {"requests_per_second": 10})
    settings = settings_for(**sections)
    renewed = []

    def renew(generation):
        renewed.append(generation)
        api.adopt(Cookies({"ANCSESSIONID": f"session-{generation + 1}"}))

    api = APIManager(
        BASE,
        settings.http,
        limiter=RateLimiter(settings.limiter, clock=clock, sleep=clock.sleep),
        breaker=SessionCircuitBreaker("api", settings.breaker, clock=clock),
        cache=UnifiedCacheManager(settings.cache, clock=clock),
        renew=renew,
        sleep=clock.sleep,
        draws=random.Random(7),
        transport=HttpTransport(BASE, settings.http, adapter=scripted),
    )
    api.renewed = renewed
    api.adopt(Cookies({"ANCSESSIONID": "session-1", "SecureATT": "att"}))
    return api


@pytest.fixture
def api(settings_for, scripted, clock):
    return build(settings_for, scripted, clock)


@pytest.fixture(scope="module")
def settings_for_property(tmp_path_factory):
    """The same settings for every example: none of them is changed by a request."""
    path = tmp_path_factory.mktemp("unused") / "unused.db"
    return lambda **sections: load_settings(
        {"database": {"path": path}, **sections}, environ={}, dotenv=None
    )


def request(api, url="x", **options):
    return api._api_req_with_auth_refresh(url, **options)


def test_an_answer_comes_back_with_one_request(api, scripted):
    scripted.answer(200, {"a": 1})
    response = request(api, params={"q": "1"}, headers={"X-Own": "2"})
    (sent,) = scripted.sent
    assert response.json() == {"a": 1}
    assert (sent.method, sent.url) == ("GET", f"{BASE}/x?q=1")
    assert sent.headers["X-Own"] == "2"
    assert (api.statistics.requests_sent, api.statistics.retries) == (1, 0)


def test_a_request_carries_the_session(api, scripted):
    api.adopt(Cookies({"A": "1", "_dnamatches-matchlistui-x-csrf-token": "csrf-1"}))
    api.profile_id = "ME"
    scripted.answer(200, {})
    request(api)
    headers = scripted.sent[0].headers
    assert headers["Cookie"] == "A=1; _dnamatches-matchlistui-x-csrf-token=csrf-1"
    assert (headers["X-CSRF-Token"], headers["ancestry-userid"]) == ("csrf-1", "ME")
    generation = api.generation
    api.use_csrf_token("csrf-2")
    scripted.answer(200, {})
    request(api)
    assert scripted.sent[1].headers["X-CSRF-Token"] == "csrf-2"
    assert api.generation == generation


def test_before_a_session_there_is_none_to_carry(settings_for, scripted, clock):
    api = build(settings_for, scripted, clock)
    assert api.generation == 1
    api.adopt(Cookies({}))
    assert api.generation == 2


@pytest.mark.parametrize("url", ["x/y", "/x/y", f"{BASE}/x/y"])
def test_a_url_may_be_relative_or_under_the_base(api, scripted, url):
    scripted.answer(200, {})
    assert request(api, url).url == f"{BASE}/x/y"


@pytest.mark.parametrize("url", ["http://other.test/x", f"{BASE}.evil.test/x", "//x://y"])
def test_cookies_go_nowhere_else(api, scripted, url):
    with pytest.raises(ServiceError, match="the session's cookies are not sent there"):
        request(api, url)
    assert not scripted.sent


def test_a_cached_answer_sends_nothing(api, scripted):
    scripted.answer(200, {"a": 1})
    first, second = request(api, cache_as=KEY), request(api, cache_as=KEY)
    assert (first.from_cache, second.from_cache) == (False, True)
    first.json()["a"] = 2
    assert second.json() == {"a": 1}
    assert len(scripted.sent) == 1


def test_absence_is_an_answer_but_is_not_kept(api, scripted):
    for _ in range(2):
        scripted.answer(404, {})
        response = request(api, cache_as=KEY)
        assert (response.ok, response.status_code) == (False, 404)
    assert len(scripted.sent) == 2


@pytest.mark.parametrize("status", [400, 405, 409, 422])
def test_a_refusal_is_not_repeated(api, scripted, status):
    scripted.answer(status, {})
    with pytest.raises(ServiceError, match="does not accept this request") as caught:
        request(api)
    assert caught.value.status == status
    assert len(scripted.sent) == 1


def test_a_page_where_json_belongs_is_not_repeated(api, scripted):
    scripted.answer(200, "<html>")
    with pytest.raises(ServiceError, match="with text/html where JSON belongs"):
        request(api)
    assert len(scripted.sent) == 1


PASSING = [
    lambda script: script.answer(500),
    lambda script: script.answer(503),
    lambda script: script.fault(ReadTimeout()),
    lambda script: script.fault(ConnectTimeout()),
    lambda script: script.fault(requests.ConnectionError()),
    lambda script: script.script.append((200, b'{"a":', {"Content-Type": "application/json"})),
]


@pytest.mark.parametrize("fail", PASSING)
def test_a_passing_failure_is_repeated_with_growing_waits(api, scripted, clock, fail):
    for _ in range(3):
        fail(scripted)
    scripted.answer(200, {"a": 1})
    assert request(api).json() == {"a": 1}
    waits = [seconds for seconds in clock.slept if seconds > 0.2]
    assert [low <= wait <= 2 * low for low, wait in zip((0.25, 0.5, 1.0), waits, strict=True)]
    assert (api.statistics.requests_sent, api.statistics.retries) == (4, 3)


@pytest.mark.parametrize("fail", PASSING)
def test_a_lasting_failure_is_given_up(api, scripted, fail):
    for _ in range(4):
        fail(scripted)
    with pytest.raises(RequestFailed, match="given up after attempt 4; try again later") as caught:
        request(api)
    assert caught.value.attempts == 4
    assert str(caught.value).startswith(f"GET {BASE}/x: ")
    assert (api.statistics.requests_sent, api.statistics.retries) == (4, 3)


def test_without_retries_one_failure_is_enough(settings_for, scripted, clock):
    api = build(settings_for, scripted, clock, http={"retries": 0})
    scripted.answer(503)
    with pytest.raises(RequestFailed, match="503 Service Unavailable; given up after attempt 1"):
        request(api)


def test_the_waits_follow_from_the_seed(settings_for, fakes):
    def waits():
        clock, scripted = fakes.Clock(), fakes.Scripted()
        api = build(settings_for, scripted, clock)
        for _ in range(3):
            scripted.answer(503)
        scripted.answer(200, {})
        request(api)
        return clock.slept

    assert waits() == waits()


def test_a_throttled_request_waits_as_asked_and_slows_all_down(api, scripted, clock):
    scripted.answer(429, Retry_After="7")
    scripted.answer(200, {"a": 1})
    started = clock.now
    assert request(api).json() == {"a": 1}
    assert clock.now - started == pytest.approx(7)
    assert api._limiter.rate == 8
    assert api.statistics.retries == 1


def test_a_retry_after_of_nothing_adds_no_back_off(api, scripted, clock):
    scripted.answer(429, Retry_After="0")
    scripted.answer(200, {})
    request(api)
    assert clock.slept == [pytest.approx(1 / 8)]


def test_a_throttled_request_without_retry_after_backs_off(api, scripted, clock):
    scripted.answer(429)
    scripted.answer(200, {})
    request(api)
    assert 0.25 <= clock.slept[0] <= 0.5


def test_a_failing_service_may_ask_for_a_longer_wait(api, scripted, clock):
    scripted.answer(503, Retry_After="9")
    scripted.answer(200, {})
    request(api)
    assert clock.slept[0] == 9


def test_too_long_a_pause_is_not_waited_for(api, scripted, clock):
    scripted.answer(429, Retry_After="3600")
    with pytest.raises(RequestFailed, match="run again in 3600 s, as the service asks"):
        request(api)
    assert clock.slept == []


def test_successes_raise_the_rate(settings_for, scripted, clock):
    limiter = {"requests_per_second": 10, "max_requests_per_second": 20, "recovery_successes": 2}
    api = build(settings_for, scripted, clock, limiter=limiter)
    for _ in range(2):
        scripted.answer(200, {})
        request(api)
    assert api._limiter.rate == 10.5


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_session_is_renewed_once_and_the_request_repeated(api, scripted, clock, status):
    scripted.answer(status)
    scripted.answer(200, {"a": 1})
    assert request(api).json() == {"a": 1}
    assert api.renewed == [1]
    assert [sent.headers["Cookie"] for sent in scripted.sent] == [
        "ANCSESSIONID=session-1; SecureATT=att",
        "ANCSESSIONID=session-2",
    ]
    assert clock.slept == [pytest.approx(0.1)]
    assert api.statistics.retries == 1


def test_a_renewed_session_that_is_rejected_too_is_the_end(api, scripted):
    scripted.answer(401)
    scripted.answer(403)
    with pytest.raises(ServiceError, match="403 Forbidden, with a renewed session too") as caught:
        request(api)
    assert caught.value.status == 403
    assert api.renewed == [1]


def test_a_renewal_takes_away_no_retry(api, scripted):
    for status in (503, 403, 503, 503, 200):
        scripted.answer(status, {})
    assert request(api).ok


def test_a_renewal_that_fails_says_why(settings_for, scripted, clock):
    api = build(settings_for, scripted, clock)

    def refuse(_generation):
        raise SignInError("refused")

    api._renew = refuse
    scripted.answer(401)
    with pytest.raises(SignInError, match="refused"):
        request(api)
    assert api.statistics.retries == 0


MAY_HAVE_ARRIVED = [
    lambda script: script.answer(500),
    lambda script: script.fault(ReadTimeout()),
    lambda script: script.fault(requests.ConnectionError()),
    lambda script: script.fault(requests.exceptions.ChunkedEncodingError()),
    lambda script: script.script.append((200, b'{"a":', {"Content-Type": "application/json"})),
    lambda script: script.answer(200, "<html>"),
    lambda script: script.answer(302, "<html>"),
]


@pytest.mark.parametrize("fail", MAY_HAVE_ARRIVED)
def test_a_send_that_may_have_arrived_is_never_repeated(api, scripted, fail):
    fail(scripted)
    with pytest.raises(UncertainSendError, match="is not sent again; look into"):
        request(api, method="POST", json={"content": "Hello"}, send=True)
    assert len(scripted.sent) == 1


CANNOT_HAVE_ARRIVED = [
    lambda script: script.answer(401),
    lambda script: script.answer(403),
    lambda script: script.answer(429, Retry_After="1"),
    lambda script: script.fault(ConnectTimeout()),
]


@pytest.mark.parametrize("fail", CANNOT_HAVE_ARRIVED)
def test_a_send_that_cannot_have_arrived_is_repeated(api, scripted, fail):
    fail(scripted)
    scripted.answer(200, {"a": 1})
    assert request(api, method="POST", json={"content": "Hello"}, send=True).ok
    assert len(scripted.sent) == 2


OUTCOMES = st.sampled_from([200, 302, 401, 403, 409, 429, 500, 503, "cut", "slow", "refused"])


@given(outcomes=st.lists(OUTCOMES, max_size=8))
def test_no_script_of_the_service_makes_a_send_arrive_twice(settings_for_property, fakes, outcomes):
    clock, scripted = fakes.Clock(), fakes.Scripted()
    api = build(settings_for_property, scripted, clock)
    faults = {"slow": ReadTimeout, "refused": ConnectTimeout}
    for outcome in outcomes:
        if outcome in faults:
            scripted.fault(faults[outcome]())
        elif outcome == "cut":
            scripted.script.append((200, b"{", {"Content-Type": "application/json"}))
        else:
            scripted.answer(outcome, {})
    with suppress(ApiError):
        request(api, method="POST", json={}, send=True)
    surely_not_arrived = {401, 403, 409, 429, "refused"}
    reached = outcomes[: len(scripted.sent)]
    assert all(outcome in surely_not_arrived for outcome in reached[:-1])


def test_failures_open_the_breaker_and_then_nothing_is_sent(settings_for, scripted, clock):
    api = build(settings_for, scripted, clock, breaker={"threshold": 3, "recovery_seconds": 60})
    for _ in range(3):
        scripted.answer(503)
    with pytest.raises(CircuitOpenError, match="'api' is open after repeated failures"):
        request(api)
    with pytest.raises(CircuitOpenError):
        request(api)
    assert len(scripted.sent) == 3
    clock.advance(60)
    scripted.answer(200, {})
    assert request(api).ok
    assert api._breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429])
def test_a_service_that_answers_is_up(settings_for, scripted, clock, status):
    api = build(settings_for, scripted, clock, breaker={"threshold": 2}, http={"retries": 0})
    for answer in (503, status, 503):
        scripted.script.clear()
        # Twice, for the attempt after the renewal of a rejected session.
        scripted.answer(answer, {})
        scripted.answer(answer, {})
        with suppress(ApiError):
            request(api)
    assert api._breaker.state is BreakerState.CLOSED


def test_one_request_is_in_flight_at_a_time(api, scripted, monkeypatch):
    inside, most = [], []
    original = scripted.send

    def send(prepared, **options):
        inside.append(1)
        most.append(len(inside))
        if len(most) == 1:
            # The first is inside until all others have asked, or one has come in beside it.
            while api.slot.waiting < 7 and len(inside) == 1:
                pass
        inside.pop()
        scripted.answer(200, {})
        return original(prepared, **options)

    monkeypatch.setattr(scripted, "send", send)
    threads = [threading.Thread(target=lambda: [request(api) for _ in range(5)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (40, 1)
    assert api.statistics.requests_sent == 40


@pytest.mark.parametrize(
    ("answer", "manager", "noted"),
    [
        (429, "_limiter", "on_throttled"),
        (200, "_limiter", "on_success"),
        (503, "_breaker", "record_failure"),
        (200, "_breaker", "record_success"),
    ],
)
def test_nobody_goes_out_before_it_is_noted_how_the_last_one_went(
    api, scripted, monkeypatch, answer, manager, noted
):
    held = []
    monkeypatch.setattr(getattr(api, manager), noted, lambda *_: held.append(api.slot._held))
    scripted.answer(answer, {})
    scripted.answer(200, {})
    request(api)
    assert held[0] is True


def test_no_error_and_no_log_holds_a_cookie_or_a_token(api, scripted, caplog):
    secrets = ["c00k" + "ie", "t0k" + "en"]
    api.adopt(Cookies({"ANCSESSIONID": secrets[0]}))
    api.use_csrf_token(secrets[1])
    faults = [ReadTimeout(), requests.ConnectionError("with headers"), None, None]
    with caplog.at_level(logging.DEBUG):
        for fault in faults:
            scripted.answer(503) if fault is None else scripted.fault(fault)
        with pytest.raises(RequestFailed) as caught:
            request(api)
    written = "".join(traceback.format_exception(caught.value))
    chain = [caught.value]
    while chain[-1].__context__ is not None:
        chain.append(chain[-1].__context__)
    assert not any(hasattr(error, "request") for error in chain)
    for secret in secrets:
        assert secret not in written + caplog.text + repr(api._credentials)


def test_closing_closes_the_connection(api):
    api.close()
    api.close()
