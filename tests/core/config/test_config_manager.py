import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.config import load_settings
from ancestry_core.exceptions import SettingsError


def load(overrides=None, dotenv=None, **environ):
    return load_settings(overrides, environ=environ, dotenv=dotenv)


def refusal(overrides=None, dotenv=None, **environ):
    with pytest.raises(SettingsError) as caught:
        load(overrides, dotenv, **environ)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_anything_the_defaults_hold():
    settings = load()
    assert settings.service.base_url is None
    assert settings.limiter.requests_per_second == 2
    assert settings.session.browser == "http"
    assert settings.database.path == Path("ancestry.db")


def test_variables_reach_their_settings():
    settings = load(
        ANCESTRY_BASE_URL="http://127.0.0.1:8080/",
        ANCESTRY_USERNAME="demo@example.org",
        ANCESTRY_PASSWORD="s3cr3t",
        ANCESTRY_REQUESTS_PER_SECOND="7.5",
        ANCESTRY_HTTP_RETRIES="0",
        ANCESTRY_CACHE_TTL_SECONDS="matches=60, profiles=3600",
        ANCESTRY_DATABASE_PATH="x/y.db",
        HOME="/root",
    )
    assert settings.service.base_url == "http://127.0.0.1:8080"
    assert settings.service.password.get_secret_value() == "s3cr3t"
    assert settings.limiter.requests_per_second == 7.5
    assert settings.http.retries == 0
    assert settings.cache.ttl_seconds == {"matches": 60, "profiles": 3600}
    assert settings.database.path == Path("x/y.db")


def test_overrides_beat_the_environment_and_that_beats_the_file(tmp_path):
    dotenv = tmp_path / ".env"
    dotenv.write_text("ANCESTRY_HTTP_RETRIES=1\nANCESTRY_BREAKER_THRESHOLD=1\n# note\n")
    settings = load(
        {"http": {"retries": 3}}, dotenv, ANCESTRY_HTTP_RETRIES="2", ANCESTRY_BREAKER_THRESHOLD="2"
    )
    assert (settings.http.retries, settings.breaker.threshold) == (3, 2)
    assert load(None, dotenv).breaker.threshold == 1


def test_the_process_environment_is_read_when_none_is_given(monkeypatch):
    monkeypatch.setenv("ANCESTRY_HTTP_RETRIES", "9")
    assert load_settings(dotenv=None).http.retries == 9


def test_an_override_of_none_is_not_given():
    assert load({"http": {"retries": None}}, ANCESTRY_HTTP_RETRIES="2").http.retries == 2


def test_an_empty_variable_is_not_set():
    assert load(ANCESTRY_HTTP_RETRIES=" ").http.retries == 3


def test_a_missing_file_is_no_error(tmp_path):
    assert load(None, tmp_path / "absent").http.retries == 3


def test_values_of_the_file_are_taken_as_they_are(tmp_path):
    dotenv = tmp_path / ".env"
    dotenv.write_text("ANCESTRY_PASSWORD='a${HOME}b'\n")
    assert load(None, dotenv).service.password.get_secret_value() == "a${HOME}b"


def test_a_file_that_is_no_text_is_refused(tmp_path):
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"\xff\xfe\x00")
    assert refusal(None, dotenv) == (
        f"{dotenv}: cannot be read as settings (UnicodeDecodeError); "
        "it must be a readable UTF-8 text of NAME=value lines"
    )


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("ANCESTRY_REQUESTS_PER_SECOND", "fast", "a valid number"),
        ("ANCESTRY_REQUESTS_PER_SECOND", "0", "greater than 0"),
        ("ANCESTRY_REQUESTS_PER_SECOND", "nan", "a finite number"),
        ("ANCESTRY_HTTP_RETRIES", "-1", "greater than or equal to 0"),
        ("ANCESTRY_HTTP_RETRIES", "2.5", "a valid integer"),
        ("ANCESTRY_SESSION_BROWSER", "firefox", "'http' or 'chromium'"),
        ("ANCESTRY_CACHE_TTL_SECONDS", "matches=soon", "a valid number"),
        ("ANCESTRY_CACHE_TTL_SECONDS", "matches", "a valid number"),
        ("ANCESTRY_BASE_URL", "nonsense", "a valid URL"),
    ],
)
def test_a_refusal_names_variable_value_and_what_is_allowed(variable, value, allowed):
    message = refusal(**{variable: value})
    assert message.startswith(f"{variable}={value!r}: ")
    assert allowed in message
    assert message.endswith("; correct the value or unset it")


def test_rates_out_of_order_name_all_three_variables():
    assert refusal(ANCESTRY_REQUESTS_PER_SECOND="0.05") == (
        "settings: ANCESTRY_MIN_REQUESTS_PER_SECOND (0.1) <= ANCESTRY_REQUESTS_PER_SECOND (0.05) "
        "<= ANCESTRY_MAX_REQUESTS_PER_SECOND (0.05) does not hold; change one of them"
    )


def test_an_override_that_is_no_setting_is_refused():
    assert refusal({"htpp": {"retries": 1}}).startswith(
        "'htpp' is no section of the settings; there are service, http, "
    )
    assert refusal({"http": {"retrys": 1}}).startswith(
        "'http.retrys' is no setting; section 'http' has connect_timeout_seconds, "
    )


def test_a_refused_secret_is_not_shown():
    message = refusal({"service": {"password": 12345678}})
    assert "12345678" not in message
    assert message.startswith("ANCESTRY_PASSWORD='***': ")


def test_credentials_in_the_url_are_refused_and_not_shown():
    message = refusal(ANCESTRY_BASE_URL="http://me:s3cr3t@host/")
    assert "s3cr3t" not in message
    assert message == (
        "ANCESTRY_BASE_URL='***' (the URL holds credentials): credentials belong into "
        "ANCESTRY_USERNAME and ANCESTRY_PASSWORD; correct the value or unset it"
    )


def test_a_refusal_carries_no_error_that_holds_the_values():
    with pytest.raises(SettingsError) as caught:
        load(ANCESTRY_PASSWORD="s3cr3t", ANCESTRY_HTTP_RETRIES="x")
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_a_misspelt_variable_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        load(ANCESTRY_REQUEST_PER_SECOND="3", ANCESTRY_OTHER="1", OTHER_HTTP_RETRIES="1")
    (message,) = caplog.messages
    assert message == (
        "ANCESTRY_REQUEST_PER_SECOND is no setting and is ignored; "
        "did you mean ANCESTRY_REQUESTS_PER_SECOND?"
    )


NAMES = st.sampled_from(
    [
        "ANCESTRY_HTTP_RETRIES",
        "ANCESTRY_PASSWORD",
        "ANCESTRY_BASE_URL",
        "ANCESTRY_CACHE_TTL_SECONDS",
        "ANCESTRY_DATABASE_PATH",
        "ANCESTRY_MAX_PAUSE_SECONDS",
    ]
)


@given(environ=st.dictionaries(NAMES, st.text(max_size=20)))
def test_whatever_the_variables_hold_the_outcome_is_settings_or_one_line(environ):
    try:
        load_settings(environ=environ, dotenv=None)
    except SettingsError as error:
        problem = str(error)
    else:
        problem = "none"
    assert len(problem.splitlines()) == 1
