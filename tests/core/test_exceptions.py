import inspect

import pytest

from ancestry_core import exceptions
from ancestry_core.exceptions import (
    CircuitOpenError,
    PlatformError,
    RequestFailed,
    ServiceError,
    SettingsError,
)

ALL = [kind for _, kind in inspect.getmembers(exceptions, inspect.isclass)]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_is_a_platform_error_with_a_docstring_and_a_place_in_the_tree(kind):
    assert issubclass(kind, PlatformError)
    assert kind.__doc__
    assert kind.__name__ in exceptions.__doc__


def test_only_settings_are_a_usage_error():
    assert {kind.__name__ for kind in ALL if kind.exit_code == 2} == {"SettingsError"}


def test_a_settings_error_is_a_value_error_for_callers_that_know_no_platform():
    assert isinstance(SettingsError("x"), ValueError)


def test_an_open_circuit_says_which_and_for_how_long():
    error = CircuitOpenError("api", 12.34)
    assert (error.breaker, error.retry_in_seconds) == ("api", 12.34)
    assert str(error) == (
        "circuit breaker 'api' is open after repeated failures; try again in 12.3 s"
    )


def test_status_and_attempts_are_known_to_callers():
    assert ServiceError("refused", 409).status == 409
    failed = RequestFailed("given up", status=503, attempts=4)
    assert (failed.status, failed.attempts, str(failed)) == (503, 4, "given up")
