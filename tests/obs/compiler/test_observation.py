"""The lines of an observation: cheap look-ups, and nothing that is not asked for."""

from __future__ import annotations

import pytest

from ancestry_obs.compiler.observation import indented


def returns(value):
    return value


@pytest.fixture
def source(loom):
    """Gives the source of a woven function with one record."""

    def weave(text="value", kind="counter", **wishes):
        loom.metric("a_total", kind, v=9)
        return loom.weave(returns, loom.record("a_total", v=text, **wishes)).source

    return weave


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("'constant'", "[0]"),
        ("value", "[value if _obs_type(value) is _obs_str else _obs_labels0_0(value)]"),
        ("lower(value)", "[value if _obs_type(value) is _obs_str else _obs_labels0_0(value)]"),
        ("value.host", "[_obs_text(value.host)]"),
        ("outcome(error)", "[0]"),
    ],
)
def test_the_key_of_a_look_up_is_the_cheapest_one(source, label, key):
    assert f"_obs_buffer0 = _obs_r0.memo{key}\n" in source(label)


def test_the_status_of_known_responses_is_a_key(source):
    text = source("status_family(result)")
    assert "_obs_result.status_code if _obs_type(_obs_result) in _obs_r0.responses else" in text


def test_only_expressions_that_may_run_code_of_the_program_are_marked(source):
    assert "_obs_unmark(" not in source("lower(value)")
    assert "_obs_unmark(" in source("value.host")


def test_a_value_is_a_float_and_a_hit_is_one_or_zero(source):
    assert "_obs_value1 = _obs_float(value)\n" in source(value="value")
    assert "_obs_value1 = 1.0 if value else 0.0\n" in source(kind="ratio", hit="value")


def test_what_is_not_asked_for_is_not_in_the_code(loom):
    loom.metric("a_total", kind=9)
    source = loom.weave(returns, loom.record("a_total", on="call", kind="'x'")).source
    for word in ("clock", "elapsed", "result", "str", "fn_"):
        assert word not in source
    assert f"return {'value' if loom.way == 'inline' else '_obs_call(value)'}" in source


def test_the_metrics_of_a_target_without_records_are_its_calls(loom):
    woven = loom.weave(returns)
    woven.function(1)
    assert woven.calls() == 1
    assert "try:\n" in woven.source


def test_lines_go_one_level_deeper():
    assert indented(["a", "    b"]) == ["    a", "        b"]
