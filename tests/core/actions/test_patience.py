from __future__ import annotations

import pytest

from ancestry_core.actions.patience import MOST_GIVEN_UP, MOST_WAITS, Patience
from ancestry_core.exceptions import (
    ApiError,
    CircuitOpenError,
    PlatformError,
    RequestFailed,
    ServiceError,
)


class Service:
    """Fails as told, then answers."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def answer(self, value="answer"):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return value


def open_for(seconds):
    return CircuitOpenError("api", seconds)


def test_an_answer_is_passed_on(clock):
    assert Patience(clock.sleep).call(Service().answer, "value") == "value"
    assert clock.slept == []


def test_an_open_breaker_is_waited_for_as_long_as_it_says(clock):
    assert Patience(clock.sleep).call(Service(open_for(7.0), open_for(2.0)).answer) == "answer"
    assert clock.slept == [7.0, 2.0]


def test_waiting_never_spins(clock):
    Patience(clock.sleep).call(Service(open_for(0.0)).answer)
    assert clock.slept == [0.05]


@pytest.mark.parametrize("error", [RequestFailed("failed"), ServiceError("refused")])
def test_other_errors_are_passed_on_at_once(clock, error):
    service = Service(error)
    with pytest.raises(type(error)):
        Patience(clock.sleep).call(service.answer)
    assert (service.calls, clock.slept) == (1, [])


def test_waiting_has_an_end(clock):
    service = Service(*[open_for(1.0)] * 50)
    with pytest.raises(CircuitOpenError):
        Patience(clock.sleep).call(service.answer)
    assert service.calls == MOST_WAITS + 1
    assert clock.slept == [1.0] * MOST_WAITS


def given_up(patience, times):
    for _ in range(times):
        with pytest.raises(CircuitOpenError):
            patience.call(Service(*[open_for(1.0)] * 50).answer)


def test_a_service_that_stays_down_ends_the_action(clock):
    patience = Patience(clock.sleep)
    given_up(patience, MOST_GIVEN_UP - 1)
    with pytest.raises(PlatformError) as caught:
        patience.call(Service(*[open_for(1.0)] * 50).answer)
    assert not isinstance(caught.value, ApiError)
    assert str(caught.value) == (
        "the service stays down (circuit breaker 'api' is open after repeated failures; "
        "try again in 1.0 s); run again later, nothing done is lost"
    )


def test_an_answer_in_between_gives_new_patience(clock):
    patience = Patience(clock.sleep)
    given_up(patience, MOST_GIVEN_UP - 1)
    patience.call(Service().answer)
    given_up(patience, MOST_GIVEN_UP - 1)


def test_insisting_takes_two_failures(clock):
    failed = RequestFailed("failed")
    assert Patience(clock.sleep).insist(Service(failed, failed).answer) == "answer"
    with pytest.raises(RequestFailed):
        Patience(clock.sleep).insist(Service(failed, failed, failed).answer)
