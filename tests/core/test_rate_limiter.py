import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.config import LimiterSettings
from ancestry_core.rate_limiter import RateLimiter

ROUNDING = 1e-6


class Timeline:
    """A clock of the property's own: fixtures are not made afresh for each example."""

    def __init__(self):
        self.now = 5_000.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def limiter_at(clock, rate=4.0, **settings):
    values = {"requests_per_second": rate, "min_requests_per_second": min(rate, 0.1), **settings}
    return RateLimiter(LimiterSettings(**values), clock=clock, sleep=clock.sleep)


def most_in_any_window(granted, allowed):
    """Check every window that begins and ends with a grant; no other holds more."""
    for first, start in enumerate(granted):
        for last, end in enumerate(granted[first:], first):
            assert last - first + 1 <= allowed(end - start) + ROUNDING


@given(
    rate=st.floats(0.2, 500),
    burst=st.integers(1, 20),
    idle=st.lists(st.floats(0, 20), min_size=1, max_size=60),
)
def test_no_window_sees_more_than_burst_and_rate_allow(rate, burst, idle):
    clock = Timeline()
    limiter = limiter_at(clock, rate, burst=burst)
    granted = []
    for pause in idle:
        clock.now += pause
        before, already = clock.now, len(clock.slept)
        delay = limiter.wait()
        assert delay == sum(clock.slept[already:])
        assert delay == pytest.approx(clock.now - before, abs=ROUNDING)
        granted.append(clock.now)
    most_in_any_window(granted, lambda seconds: burst + rate * seconds)


EVENTS = st.sampled_from(["success", "throttled", "retry-after", "nothing"])


@given(
    events=st.lists(st.tuples(EVENTS, st.floats(0, 3)), max_size=60),
    burst=st.integers(1, 5),
)
def test_whatever_the_service_says_the_rate_stays_between_floor_and_ceiling(events, burst):
    clock = Timeline()
    limits = {"min_requests_per_second": 1, "max_requests_per_second": 20}
    limiter = limiter_at(clock, 10, burst=burst, recovery_successes=2, **limits)
    granted = []
    for event, pause in events:
        clock.now += pause
        if event == "success":
            limiter.on_success()
        elif event != "nothing":
            limiter.on_throttled(pause if event == "retry-after" else None)
        assert 1 <= limiter.rate <= 20
        limiter.wait()
        granted.append(clock.now)
    most_in_any_window(granted, lambda seconds: burst + 20 * seconds)


def test_a_steady_caller_is_held_to_the_rate(clock):
    limiter = limiter_at(clock, 4)
    assert [limiter.wait("/a"), limiter.wait("/b"), limiter.wait()] == [0.0, 0.25, 0.25]
    clock.advance(0.1)
    assert limiter.wait() == pytest.approx(0.15)


def test_a_burst_is_saved_up_no_further_than_allowed(clock):
    limiter = limiter_at(clock, 1, burst=3)
    clock.advance(1_000)
    assert [limiter.wait() for _ in range(5)] == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_throttling_slows_down_to_the_floor(clock):
    limiter = limiter_at(clock, 10, min_requests_per_second=7)
    rates = []
    for _ in range(3):
        limiter.on_throttled()
        rates.append(limiter.rate)
    assert rates == [8.0, 7.0, 7.0]


def test_a_run_of_successes_speeds_up_to_the_ceiling(clock):
    limiter = limiter_at(clock, 10, max_requests_per_second=10.8, recovery_successes=3)
    rates = []
    for _ in range(9):
        limiter.on_success()
        rates.append(limiter.rate)
    assert rates == [10, 10, 10.5, 10.5, 10.5, 10.8, 10.8, 10.8, 10.8]


def test_a_throttled_request_ends_the_run_of_successes(clock):
    limiter = limiter_at(clock, 10, max_requests_per_second=20, recovery_successes=2)
    limiter.on_success()
    limiter.on_throttled()
    limiter.on_success()
    assert limiter.rate == 8.0


def test_without_a_ceiling_of_its_own_the_rate_only_comes_back(clock):
    limiter = limiter_at(clock, 10, recovery_successes=1)
    limiter.on_throttled()
    for _ in range(50):
        limiter.on_success()
    assert limiter.rate == 10


def test_retry_after_holds_the_next_caller_back(clock):
    limiter = limiter_at(clock, 10)
    limiter.on_throttled(7.0)
    assert limiter.wait() == pytest.approx(7.0)
    assert limiter.wait() == pytest.approx(1 / 8)


def test_a_shorter_retry_after_does_not_shorten_the_pause(clock):
    limiter = limiter_at(clock, 10)
    limiter.on_throttled(7.0)
    limiter.on_throttled(1.0)
    assert limiter.wait() == pytest.approx(7.0)


def test_a_retry_after_is_waited_no_longer_than_allowed(clock):
    limiter = limiter_at(clock, 10, max_pause_seconds=30)
    limiter.on_throttled(86_400)
    assert limiter.wait() == pytest.approx(30)


def test_what_was_saved_up_is_lost_when_throttled(clock):
    limiter = limiter_at(clock, 10, burst=5)
    limiter.on_throttled()
    assert limiter.wait() == pytest.approx(1 / 8)


def test_a_change_of_rate_does_not_revalue_time_gone_by(clock):
    limiter = limiter_at(clock, 1, burst=10, min_requests_per_second=0.1)
    for _ in range(10):
        limiter.wait()
    clock.advance(0.5)
    limiter.on_throttled()
    # Half a token was lost to the throttling; the whole one is gained at 0.8 a second.
    assert limiter.wait() == pytest.approx(1 / 0.8)


def test_a_rate_that_changes_during_the_sleep_counts(clock):
    limiter = limiter_at(clock, 1)
    limiter.wait()
    changed = []

    def sleep(seconds):
        clock.sleep(seconds)
        if not changed:
            changed.append(limiter.on_throttled(2.0))

    limiter._sleep = sleep
    assert limiter.wait() == pytest.approx(1 + 2)


def test_callers_are_let_through_in_the_order_of_asking(clock):
    limiter, order, threads = limiter_at(clock, 4), [], []
    first_sleeps, go_on = threading.Event(), threading.Event()

    def sleep(seconds):
        order.append(threading.current_thread().name)
        first_sleeps.set()
        go_on.wait()
        clock.sleep(seconds)

    limiter._sleep = sleep
    limiter.wait()
    for number in range(6):
        threads.append(threading.Thread(target=limiter.wait, name=str(number)))
        threads[-1].start()
        first_sleeps.wait()
        while limiter._turn.waiting < number:
            threading.Event().wait(0.001)
    go_on.set()
    for thread in threads:
        thread.join()
    assert order == [str(number) for number in range(6)]
    assert clock.slept == [0.25] * 6


def test_the_longest_pause_is_known_to_callers(clock):
    assert limiter_at(clock, max_pause_seconds=9).max_pause_seconds == 9
