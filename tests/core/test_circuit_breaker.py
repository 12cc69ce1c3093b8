import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.circuit_breaker import BreakerState, SessionCircuitBreaker
from ancestry_core.config import BreakerSettings
from ancestry_core.exceptions import CircuitOpenError

CLOSED, HALF_OPEN, OPEN = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN


@pytest.fixture
def make(clock):
    def breaker(threshold=3, recovery_seconds=10, max_probes=1):
        settings = BreakerSettings(
            threshold=threshold, recovery_seconds=recovery_seconds, max_probes=max_probes
        )
        return SessionCircuitBreaker("api", settings, clock=clock)

    return breaker


def fail(breaker, times):
    for _ in range(times):
        breaker.record_failure()


def test_failures_in_a_row_open_it(make):
    breaker = make(threshold=3)
    fail(breaker, 2)
    assert breaker.allow()
    fail(breaker, 1)
    assert (breaker.state, breaker.allow()) == (OPEN, False)


def test_a_success_in_between_begins_the_row_afresh(make):
    breaker = make(threshold=3)
    for _ in range(5):
        fail(breaker, 2)
        breaker.record_success()
    assert breaker.state is CLOSED


def test_an_open_breaker_says_when_to_come_back(make, clock):
    breaker = make(threshold=1, recovery_seconds=10)
    fail(breaker, 1)
    clock.advance(4)
    with pytest.raises(CircuitOpenError) as caught:
        breaker.before_request()
    assert caught.value.retry_in_seconds == 6
    assert str(caught.value) == (
        "circuit breaker 'api' is open after repeated failures; try again in 6.0 s"
    )


def test_after_the_recovery_time_only_so_many_probes_are_let_through(make, clock):
    breaker = make(threshold=1, recovery_seconds=10, max_probes=2)
    fail(breaker, 1)
    clock.advance(10)
    assert breaker.retry_in_seconds() == 0
    assert [breaker.allow() for _ in range(4)] == [True, True, False, False]
    assert breaker.state is HALF_OPEN


def test_a_probe_that_succeeds_closes_it(make, clock):
    breaker = make(threshold=2, recovery_seconds=10)
    fail(breaker, 2)
    clock.advance(10)
    breaker.before_request()
    breaker.record_success()
    assert (breaker.state, breaker.retry_in_seconds()) == (CLOSED, 0)
    fail(breaker, 1)
    assert breaker.state is CLOSED


def test_a_probe_that_fails_opens_it_for_another_recovery_time(make, clock):
    breaker = make(threshold=5, recovery_seconds=10)
    fail(breaker, 5)
    clock.advance(10)
    breaker.before_request()
    fail(breaker, 1)
    assert (breaker.state, breaker.retry_in_seconds()) == (OPEN, 10)


def test_probes_that_never_report_are_given_up_after_a_while(make, clock):
    breaker = make(threshold=1, recovery_seconds=10)
    fail(breaker, 1)
    clock.advance(10)
    assert breaker.allow()
    clock.advance(9)
    assert not breaker.allow()
    clock.advance(1)
    assert breaker.allow()


def test_a_late_failure_of_a_request_sent_before_changes_nothing(make):
    breaker = make(threshold=1)
    seen = []
    breaker.add_listener(lambda *change: seen.append(change))
    fail(breaker, 3)
    assert seen == [("api", CLOSED, OPEN)]


def test_listeners_hear_of_every_change_in_order(make, clock):
    breaker = make(threshold=1, recovery_seconds=10)
    seen = []
    breaker.add_listener(lambda name, old, new: seen.append((name, old, new, breaker.state)))
    fail(breaker, 1)
    clock.advance(10)
    breaker.allow()
    breaker.record_success()
    assert seen == [
        ("api", CLOSED, OPEN, OPEN),
        ("api", OPEN, HALF_OPEN, HALF_OPEN),
        ("api", HALF_OPEN, CLOSED, CLOSED),
    ]


def test_a_listener_that_fails_harms_nobody(make, caplog):
    breaker, seen = make(threshold=1), []
    breaker.add_listener(lambda *_: 1 / 0)
    breaker.add_listener(lambda *change: seen.append(change))
    with caplog.at_level(logging.ERROR):
        fail(breaker, 1)
    assert breaker.state is OPEN
    assert len(seen) == 1
    assert "a listener of circuit breaker 'api' failed" in caplog.text


def test_the_state_as_a_number(make, clock):
    breaker = make(threshold=1, recovery_seconds=10)
    values = [breaker.state_value]
    fail(breaker, 1)
    values.append(breaker.state_value)
    clock.advance(10)
    breaker.allow()
    values.append(breaker.state_value)
    assert values == [0, 1, 0.5]


def test_one_probe_is_given_to_one_of_many_threads(make, clock):
    breaker, given_leave = make(threshold=1, recovery_seconds=10), []
    fail(breaker, 1)
    clock.advance(10)
    barrier = threading.Barrier(8)

    def ask():
        barrier.wait()
        given_leave.append(breaker.allow())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given_leave.count(True) == 1


STEPS = st.lists(st.sampled_from(["ask", "success", "failure", "wait"]), max_size=80)


@given(steps=STEPS, threshold=st.integers(1, 4), max_probes=st.integers(1, 3))
def test_nothing_is_sent_between_opening_and_recovery(steps, threshold, max_probes):
    now, opened_at, probes = [0.0], [None], [0]
    settings = BreakerSettings(threshold=threshold, recovery_seconds=10, max_probes=max_probes)
    breaker = SessionCircuitBreaker("api", settings, clock=lambda: now[0])

    def note(_name, old, new):
        assert old is not new
        opened_at[0] = now[0] if new is OPEN else opened_at[0]
        probes[0] = 0

    breaker.add_listener(note)
    for step in steps:
        if step == "wait":
            now[0] += 4
            probes[0] = 0 if breaker.retry_in_seconds() == 0 else probes[0]
        elif step != "ask":
            getattr(breaker, f"record_{step}")()
        elif breaker.allow() and breaker.state is not CLOSED:
            probes[0] += 1
            assert now[0] - opened_at[0] >= 10
            assert probes[0] <= max_probes
        assert breaker.state_value in {0, 0.5, 1}
