from __future__ import annotations

import inspect
import pickle

import pytest

from ancestry_obs import exceptions
from ancestry_obs.exceptions import (
    ExpressionError,
    Finding,
    MapError,
    ObservabilityError,
    SettingsError,
    Where,
)

FINDINGS = (
    Finding("unknown key 'tpye'", Where("my.toml", 3, "metrics.a"), "did you mean 'type'?"),
    Finding("the key 'version' is missing", Where("<mapping>", None, "")),
)


def test_a_finding_is_one_line_with_place_message_and_remedy():
    assert [str(finding) for finding in FINDINGS] == [
        "my.toml:3: metrics.a: unknown key 'tpye'; did you mean 'type'?",
        "<mapping>: the key 'version' is missing",
    ]


def test_a_map_error_has_all_findings_and_a_line_for_each():
    error = MapError(iter(FINDINGS))
    assert error.findings == FINDINGS
    assert str(error).splitlines() == [str(finding) for finding in FINDINGS]


def test_an_expression_error_shows_the_expression_and_the_column():
    error = ExpressionError("a lambda is not allowed", "ok(lambda: 1)", 4)
    assert str(error) == "a lambda is not allowed (in 'ok(lambda: 1)', column 4)"


@pytest.mark.parametrize("error", [MapError(FINDINGS), ExpressionError("no", "x", 2)])
def test_errors_survive_pickling(error):
    copied = pickle.loads(pickle.dumps(error))
    assert str(copied) == str(error)
    assert vars(copied) == vars(error)


@pytest.mark.parametrize("kind", [MapError, ExpressionError, SettingsError])
def test_bad_input_is_also_a_value_error(kind):
    assert issubclass(kind, ValueError)


def test_every_error_is_exported_documented_and_in_the_tree():
    errors = {
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and issubclass(value, ObservabilityError)
    }
    assert errors | {"Where", "Finding"} == set(exceptions.__all__)
    assert all(name in (exceptions.__doc__ or "") for name in errors)


def test_a_finding_of_any_length_is_a_line_with_its_place_and_its_remedy():
    where = Where("my.toml", 3, "metrics." + "k" * 100_000)
    line = str(Finding(f"found the text '{'x' * 100_000}'", where, "allowed: a, b"))
    assert line.startswith("my.toml:3: metrics.kkk")
    assert line.endswith("xxx'; allowed: a, b")
    assert len(line) < 1300


def test_a_finding_on_a_key_of_several_lines_is_one_line():
    finding = Finding("the label 'a\n\u2028' is missing", Where("my.toml", 3, "a\n\u2028\x1b[2Jé"))
    assert str(finding) == ("my.toml:3: a\\n\\u2028\\x1b[2Jé: the label 'a\\n\\u2028' is missing")
