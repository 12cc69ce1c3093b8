from __future__ import annotations

from types import SimpleNamespace

import pytest

from ancestry_obs.compiler.keys import plan_keys, response_key
from ancestry_obs.expressions import BUILTIN_FUNCTIONS, parse

OWN = {**BUILTIN_FUNCTIONS, "own": str, "upper": str.title}


def kinds(*labels, functions=BUILTIN_FUNCTIONS, free=()):
    expressions = [parse(label) for label in labels]
    keys = plan_keys(expressions, {"url", "method"}, functions, {parse(label) for label in free})
    return [(key.kind, key.variable, *map(str, key.labels)) for key in keys]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("url", [("text", "url", "url")]),
        ("endpoint(url)", [("text", "url", "endpoint(url)")]),
        ("'x' if upper(url) == 'A' else lower(url)", None),
        ("status_family(result)", [("status", "result", "status_family(result)")]),
        ("'a' if ok(result) else 'b'", None),
        ("'constant'", []),
        ("outcome(error)", []),
        ("type_name(result)", [("label", "", "type_name(result)")]),
        ("result", [("label", "", "result")]),
        ("url.host", [("label", "", "url.host")]),
        ("status_family(result.response)", [("label", "", "status_family(result.response)")]),
        ("url + method", [("label", "", "url + method")]),
        ("bucket(elapsed, 1)", [("label", "", "bucket(elapsed, 1)")]),
    ],
)
def test_each_label_gets_the_cheapest_key_that_is_right(label, expected):
    kind = "text" if "url" in label else "status"
    variable = "url" if kind == "text" else "result"
    assert kinds(label) == ([(kind, variable, label)] if expected is None else expected)


def test_labels_of_one_variable_share_a_key():
    assert kinds("upper(method)", "lower(method)", "ok(result)", "status_family(result)") == [
        ("text", "method", "upper(method)", "lower(method)"),
        ("status", "result", "ok(result)", "status_family(result)"),
    ]


@pytest.mark.parametrize("label", ["own(url)", "upper(url)", "own('x')"])
def test_a_function_of_one_s_own_may_be_impure_and_is_never_skipped(label):
    assert kinds(label, functions=OWN) == [("label", "", label)]


def test_labels_without_a_limited_set_of_values_come_last():
    assert [key[1] for key in kinds("url", "method", free=("url",))] == ["method", "url"]


@pytest.mark.parametrize(
    "result", [404, True, None, ValueError(), SimpleNamespace, SimpleNamespace()]
)
def test_what_is_no_response_is_not_learned(result):
    types = set()
    key = response_key(types, result, ("labels",))
    assert key == (None if result is None else ("labels",))
    assert not types


def test_few_types_of_responses_are_learned():
    types = set()
    made = [type(f"R{number}", (), {"status_code": 200}) for number in range(20)]
    for kind in made:
        response_key(types, kind(), ())
    response_key(types, type("Text", (), {"status_code": "200"})(), ())
    assert types == set(made[:16])
    assert response_key(types, made[0](), ("labels",)) == 200
    assert response_key(types, made[-1](), ("labels",)) == ("labels",)


def test_a_response_whose_status_is_no_number_this_time_is_known_by_its_labels():
    kind = type("Response", (), {"status_code": 200})
    types, one = {kind}, kind()
    one.status_code = "200"
    assert response_key(types, one, ("labels",)) == ("labels",)


def test_the_memo_of_calls_that_raised_knows_no_result_and_asks_for_the_error():
    labels = [parse("status_family(result)"), parse("outcome(error)"), parse("url")]
    keys = plan_keys(labels, {"url"}, BUILTIN_FUNCTIONS, absent="result")
    assert [(key.kind, str(key.labels[0])) for key in keys] == [
        ("label", "outcome(error)"),
        ("text", "url"),
    ]
