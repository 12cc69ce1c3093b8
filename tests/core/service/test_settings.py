from __future__ import annotations

import pytest

from ancestry_core.exceptions import SettingsError
from ancestry_core.service.faults import FaultRates
from ancestry_core.service.settings import ServiceSettings


def test_the_defaults_take_a_free_port_and_have_no_faults():
    settings = ServiceSettings()
    assert settings.port == 0
    assert settings.faults == FaultRates.none()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("port", 65536, "0 to 65535"),
        ("port", -1, "0 to 65535"),
        ("matches", -1, "0 or more"),
        ("session_seconds", 0, "more than 0 seconds"),
        ("session_seconds", float("nan"), "more than 0 seconds"),
        ("session_requests", 0, "1 or more, or none"),
        ("record_limit", -1, "0 or more"),
    ],
)
def test_a_value_out_of_range_is_refused_with_what_is_allowed(name, value, allowed):
    with pytest.raises(SettingsError) as caught:
        ServiceSettings(**{name: value})
    assert (
        str(caught.value) == f"settings of the embedded service: {name} is {value}; use {allowed}"
    )


def test_the_password_is_not_shown():
    assert "s3cret" not in repr(ServiceSettings(password="s3cret"))
