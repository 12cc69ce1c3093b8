from __future__ import annotations

import os
import re
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestry_obs.exceptions import SettingsError
from ancestry_obs.settings import VARIABLES, ObservabilitySettings


def read(environ=None, dotenv=None):
    return ObservabilitySettings.from_environment(environ or {}, dotenv)


@pytest.fixture
def write_dotenv(tmp_path):
    """Write a .env file and give its path."""

    def write(text):
        path = tmp_path / ".env"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_defaults_are_the_plans():
    assert read() == ObservabilitySettings(
        enable_prometheus_metrics=False,
        metrics_export_port=9000,
        metrics_namespace="ancestry",
        metrics_export_host="127.0.0.1",
        metrics_export_page=True,
        instrumentation_map=None,
        push_url=None,
        textfile=None,
        file_sd=None,
        code_cache=None,
        web_config=None,
        follow_children=False,
    )


def test_every_setting_has_its_variable():
    assert [setting.name for setting in fields(ObservabilitySettings)] == list(VARIABLES)
    given_values = read(
        {
            "PROMETHEUS_METRICS_ENABLED": "true",
            "METRICS_EXPORT_PORT": "0",
            "METRICS_NAMESPACE": "shop",
            "METRICS_EXPORT_HOST": "::1",
            "METRICS_EXPORT_PAGE": "off",
            "INSTRUMENTATION_MAP": "my.toml",
            "INSTRUMENTATION_PACKS": "flask, redis",
            "METRICS_PUSH_URL": "https://push.example.org:9091/x",
            "METRICS_TEXTFILE": "/tmp/a.prom",
            "METRICS_FILE_SD": "targets.json",
            "METRICS_CODE_CACHE": "cache",
            "METRICS_WEB_CONFIG": "web.yml",
            "METRICS_FOLLOW_CHILDREN": "yes",
            "METRICS_MAP_WATCH": "on",
        }
    )
    assert given_values == ObservabilitySettings(
        enable_prometheus_metrics=True,
        metrics_export_port=0,
        metrics_namespace="shop",
        metrics_export_host="::1",
        metrics_export_page=False,
        instrumentation_map="my.toml",
        instrumentation_packs="flask, redis",
        push_url="https://push.example.org:9091/x",
        textfile="/tmp/a.prom",
        file_sd="targets.json",
        code_cache="cache",
        web_config="web.yml",
        follow_children=True,
        map_watch=True,
    )


@pytest.mark.parametrize(
    ("environ", "text", "expected"),
    [
        ({}, "", None),
        ({"METRICS_CODE_CACHE": ""}, "", "off"),
        ({"METRICS_CODE_CACHE": " "}, "METRICS_CODE_CACHE=a", "off"),
        ({}, "METRICS_CODE_CACHE=", "off"),
        ({}, "METRICS_CODE_CACHE=a", "a"),
        ({"METRICS_CODE_CACHE": "b"}, "METRICS_CODE_CACHE=", "b"),
    ],
)
def test_an_empty_folder_of_woven_code_switches_it_off(tmp_path, environ, text, expected):
    file = tmp_path / ".env"
    file.write_text(text)
    assert read(environ, file).code_cache == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("true", "TRUE", "1", "yes", "on", " On ")),
        *((text, False) for text in ("false", "False", "0", "no", "off")),
    ],
)
def test_booleans(text, value):
    assert read({"PROMETHEUS_METRICS_ENABLED": text}).enable_prometheus_metrics is value


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        (
            "PROMETHEUS_METRICS_ENABLED",
            "maybe",
            (
                "PROMETHEUS_METRICS_ENABLED (enable_prometheus_metrics) is 'maybe'; "
                "allowed is true or false (also 1/0, yes/no, on/off)"
            ),
        ),
        (
            "METRICS_EXPORT_PORT",
            "70000",
            (
                "METRICS_EXPORT_PORT (metrics_export_port) is 70000; "
                "allowed is a whole number from 0 to 65535 (0: any free port)"
            ),
        ),
        ("METRICS_EXPORT_PORT", "-1", "is '-1'; allowed is a whole number"),
        ("METRICS_EXPORT_PORT", "9_000", "is '9_000'; allowed is a whole number"),
        ("METRICS_EXPORT_PORT", "9000.0", "is '9000.0'; allowed is a whole number"),
        (
            "METRICS_NAMESPACE",
            "my-app",
            (
                "METRICS_NAMESPACE (metrics_namespace) is 'my-app'; allowed is letters, digits and "
                "underscores, not starting with a digit or two underscores"
            ),
        ),
        ("METRICS_NAMESPACE", "__x", "is '__x'"),
        ("METRICS_NAMESPACE", "9x", "is '9x'"),
        ("METRICS_EXPORT_HOST", "http://x", "allowed is a host name or IP address without scheme"),
        ("METRICS_EXPORT_HOST", "x:9000", "is 'x:9000'"),
        ("METRICS_EXPORT_HOST", "a b", "is 'a b'"),
        (
            "METRICS_PUSH_URL",
            "127.0.0.1:9091",
            (
                "METRICS_PUSH_URL (push_url) is '127.0.0.1:9091'; "
                "allowed is an http or https URL such as http://127.0.0.1:9091"
            ),
        ),
        ("METRICS_PUSH_URL", "ftp://x", "is 'ftp://x'"),
        ("METRICS_PUSH_URL", "http://", "is 'http://'"),
        ("METRICS_PUSH_URL", "http://x:99999", "is 'http://x:99999'"),
        ("METRICS_PUSH_URL", "http://[::1", "is 'http://[::1'"),
        (
            "METRICS_TEXTFILE",
            "metrics.txt",
            (
                "METRICS_TEXTFILE (textfile) is 'metrics.txt'; "
                "allowed is a file that ends in .prom (others are not collected)"
            ),
        ),
        ("METRICS_FILE_SD", "sd.yml", "allowed is a file that ends in .json"),
        ("INSTRUMENTATION_PACKS", "flask,,redis", "allowed is names of packs, with commas"),
        ("INSTRUMENTATION_MAP", "  ", "allowed is a map's file, pack:NAME, or the name of one"),
    ],
)
def test_a_bad_value_is_refused_with_variable_value_and_rule(variable, text, message):
    with pytest.raises(SettingsError) as caught:
        read({variable: text})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"enable_prometheus_metrics": 1},
        {"metrics_export_port": True},
        {"metrics_export_port": "9000"},
        {"metrics_namespace": None},
        {"textfile": 7},
    ],
)
def test_values_given_in_code_are_checked_too(values):
    (name,) = values
    with pytest.raises(SettingsError, match=re.escape(f"{VARIABLES[name]} ({name}) is")):
        ObservabilitySettings(**values)


def test_a_password_in_the_push_url_is_not_shown():
    settings = ObservabilitySettings(push_url="https://me:secret@push.example.org")
    assert "secret" not in repr(settings)
    with pytest.raises(SettingsError) as caught:
        ObservabilitySettings(push_url="ftp://me:secret@push.example.org")
    assert "'ftp://***@push.example.org'" in str(caught.value)


def test_dotenv_is_read_and_the_environment_wins(write_dotenv):
    dotenv = write_dotenv("METRICS_NAMESPACE=file\nMETRICS_EXPORT_PORT=9100\n")
    settings = read({"METRICS_NAMESPACE": "own", "METRICS_EXPORT_PORT": ""}, dotenv)
    assert (settings.metrics_namespace, settings.metrics_export_port) == ("own", 9100)


def test_a_missing_dotenv_is_no_mistake(tmp_path):
    assert read({}, tmp_path / "none") == ObservabilitySettings()


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("METRICS_NAMESPACE=shop", "shop"),
        ("export METRICS_NAMESPACE = shop", "shop"),
        ("  METRICS_NAMESPACE=shop  # the prefix", "shop"),
        ('METRICS_NAMESPACE="shop"', "shop"),
        ("METRICS_NAMESPACE='shop' # c", "shop"),
        ("METRICS_NAMESPACE=", "ancestry"),
        ('METRICS_NAMESPACE=""', "ancestry"),
        ("METRICS_NAMESPACE= # nothing", "ancestry"),
        ("# METRICS_NAMESPACE=shop", "ancestry"),
        ("PASSWORD=it's#1\nMETRICS_NAMESPACE=shop", "shop"),
        ((r'PASSWORD="a\"b"' "\nMETRICS_NAMESPACE=shop"), "shop"),
        ("ANCESTRY_PASSWORD='pa#ss = \"x\"'\nMETRICS_NAMESPACE=shop", "shop"),
        ("METRICS_NAMESPACE=first\r\nMETRICS_NAMESPACE=shop\r\n", "shop"),
    ],
)
def test_forms_of_dotenv_lines(write_dotenv, line, value):
    assert read({}, write_dotenv(f"\n{line}\n")).metrics_namespace == value


def test_a_value_may_hold_spaces_and_equals_signs(write_dotenv):
    dotenv = write_dotenv(
        "INSTRUMENTATION_MAP=my maps/a=b.toml\n"
        "METRICS_FILE_SD='a # b.json'\n"
        "METRICS_TEXTFILE=c#d.prom # why\n"
        r'METRICS_PUSH_URL="http://x/\"y"'
    )
    settings = read({}, dotenv)
    assert settings.instrumentation_map == "my maps/a=b.toml"
    assert settings.file_sd == "a # b.json"
    assert settings.textfile == "c#d.prom"
    assert settings.push_url == 'http://x/"y'


@pytest.mark.parametrize("line", ["no equals sign", "=x", "1X=y", "X='open", 'X="a" b'])
def test_a_malformed_dotenv_line_is_named_but_not_shown(write_dotenv, line):
    dotenv = write_dotenv(f"# c\n\n{line}\n")
    with pytest.raises(SettingsError) as caught:
        read({}, dotenv)
    assert str(caught.value) == f"{dotenv}:3: no NAME=value line; close its quotes"


def test_an_unreadable_dotenv_is_told(tmp_path):
    (tmp_path / "latin").write_bytes(b"A=\xe9")
    for path in (tmp_path, tmp_path / "latin"):
        with pytest.raises(SettingsError, match=r"cannot be read \(.+\); make it readable UTF-8"):
            read({}, path)


def test_the_process_environment_is_the_default(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / ".env").write_text("METRICS_EXPORT_PORT=9200")
    monkeypatch.setenv("METRICS_NAMESPACE", "process")
    settings = ObservabilitySettings.from_environment()
    assert (settings.metrics_namespace, settings.metrics_export_port) == ("process", 9200)
    assert "METRICS_EXPORT_PORT" not in os.environ


@settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(st.sampled_from(list(VARIABLES.values())), st.text(max_size=20)))
def test_any_text_gives_settings_or_an_error_that_names_the_variable(environ):
    named = None
    try:
        read_settings = read(environ)
    except SettingsError as error:
        named = str(error).partition(" ")[0]
    else:
        again = {name: getattr(read_settings, name) for name in VARIABLES}
        assert ObservabilitySettings(**again) == read_settings
    assert named in {None, *environ}


def test_the_functions_of_dataclasses_take_settings():
    settings = replace(read(), metrics_namespace="shop", textfile="a.prom")
    assert (settings.metrics_namespace, settings.textfile) == ("shop", "a.prom")
    assert settings == replace(settings)
    with pytest.raises(SettingsError):
        replace(settings, textfile="a.txt")
