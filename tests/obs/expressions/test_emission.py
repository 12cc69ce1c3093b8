from __future__ import annotations

import keyword
import math
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ancestry_obs.exceptions import ExpressionError
from ancestry_obs.expressions import BUILTIN_FUNCTIONS, check, emit, parse
from ancestry_obs.expressions.given import Given

VARIABLES = {
    "url": "/api/v2/users/17",
    "method": "get",
    "self": SimpleNamespace(real=4),
    "result": SimpleNamespace(status_code=503),
    "error": None,
    "elapsed": 0.25,
    "value": [3, "b", None],
}


def test_variables_and_functions_are_two_namespaces():
    source = emit(
        parse("endpoint(endpoint.endpoint)"), names={"endpoint": "_v"}, functions={"endpoint": "_f"}
    )
    assert source == "_f(_v.endpoint)"


@pytest.mark.parametrize("source", ["a * b", "b * a", "b * (a + 1)", "a * 3", "c % b", "d * b"])
def test_no_text_or_list_is_repeated_or_formatted_at_a_call(source):
    variables = {"a": "x", "b": 10**12, "c": "%999999999d", "d": [0]}
    emitted = emit(parse(source), names={name: name for name in variables}, functions={})
    with pytest.raises(TypeError):
        eval(emitted, {"__builtins__": {}}, variables)


@pytest.mark.parametrize("source", ["a * 3", "-a * 2", "2 * (a + a)", "a % (b * 2)", "a % b * b"])
@pytest.mark.parametrize("number", [7, 2.5, True, Fraction(1, 3)])
def test_numbers_are_multiplied_as_python_does_it(source, number):
    variables = {"a": number, "b": 3}
    emitted = emit(parse(source), names={"a": "a", "b": "b"}, functions={})
    assert eval(emitted, {}, variables) == eval(source, {}, variables)


@pytest.mark.parametrize(
    ("source", "emitted"),
    [
        ("a", "v_a"),
        ("a.b[0]", "v_a.b[0]"),
        ("'x'", "'x'"),
        ("-1", "(-1)"),
        ("1", "(1)"),
        ("a if b else c", "(v_a if v_b else v_c)"),
        ("a or b", "(v_a or v_b)"),
        ("a in ('x',)", "(v_a in ('x',))"),
        ("(a or b).c", "(v_a or v_b).c"),
    ],
)
def test_emitted_source_can_stand_as_an_operand(source, emitted):
    assert emit(parse(source), names={name: f"v_{name}" for name in "abc"}, functions={}) == emitted


def test_emitting_twice_with_other_names_leaves_the_expression_alone():
    expression = parse("upper(a)")
    for name in ("x", "y"):
        emitted = emit(expression, names={"a": name}, functions={"upper": f"_{name}"})
        assert emitted == f"_{name}({name})"


def test_a_method_of_self_is_emitted_for_a_sample():
    expression = parse("self.pool.size() + 1", allow_methods=True)
    assert emit(expression, names={"self": "_s"}, functions={}) == "(_s.pool.size() + 1)"


def test_emit_refuses_what_it_has_no_identifier_for():
    with pytest.raises(ExpressionError, match="unknown name 'b'; known are a"):
        emit(parse("a + b"), names={"a": "a"}, functions={})


def test_check_names_the_nearest_and_all_names():
    expression = parse("ok(1) + ok(metod)")
    with pytest.raises(ExpressionError) as caught:
        check(expression, names=("method", "url"), functions=("ok",))
    assert str(caught.value) == (
        "unknown name 'metod'; did you mean 'method'? known are method, url "
        "(in 'ok(1) + ok(metod)', column 12)"
    )


def test_check_knows_functions_apart_from_names():
    expression = parse("text + ok(text(1))")
    check(expression, names=("text",), functions=("ok", "text"))
    with pytest.raises(ExpressionError) as caught:
        check(expression, names=("text", "ok"), functions=("ok",))
    assert caught.value.message == "unknown function 'text'; known are ok"
    assert caught.value.column == 11


@pytest.mark.parametrize(
    ("written", "meant"),
    [("str", "text"), ("int", "number"), ("float", "number"), ("type", "type_name")],
)
def test_check_knows_what_python_calls_it(written, meant):
    with pytest.raises(
        ExpressionError, match=f"unknown function '{written}'; did you mean '{meant}'"
    ):
        check(parse(f"{written}(a)"), names=("a",), functions=BUILTIN_FUNCTIONS)


def test_check_proposes_no_function_for_a_name_or_that_there_is_not():
    with pytest.raises(ExpressionError, match="unknown name 'str'; known are text"):
        check(parse("str"), names=("text",), functions=("text",))
    with pytest.raises(ExpressionError, match="unknown function 'str'; known are ok"):
        check(parse("str(1)"), names=(), functions=("ok",))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("told.status", "told.NAME is what an inner call tells, known when the call is over"),
        ("context", "context.NAME is what an outer call knows"),
        ("entry.size", "entry.NAME is a value of the instrument's own table 'entry'"),
        ("target.nam", "there are target.name, target.module, target.class_name"),
    ],
)
def test_check_says_what_values_of_other_calls_are(text, why):
    root = text.partition(".")[0]
    with pytest.raises(ExpressionError, match=f"unknown name '{root}'; {why}; known are a "):
        check(parse(text), names=("a",), functions=())
    check(parse(text), names=(root,), functions=())


def test_a_misspelt_value_of_the_entry():
    known = Given(names=(("entry.size", "entry.size_1"), ("target.name", "target.name")))
    with pytest.raises(ExpressionError) as caught:
        parse("1 - entry.siz", given=known)
    assert str(caught.value) == (
        "unknown name 'entry.siz'; did you mean 'entry.size'? known are entry.size "
        "(in '1 - entry.siz', column 5)"
    )
    assert parse("entry.siz").names == {"entry"}


def test_check_says_when_there_is_nothing_to_name():
    with pytest.raises(ExpressionError, match="unknown name 'a'; known are none"):
        check(parse("a"), names=(), functions=())


def outcome_of(compute):
    try:
        return compute()
    except Exception as error:
        return type(error)


def same(left, right):
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return type(left) is type(right) and left == right


@settings(max_examples=400, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_emitted_source_means_what_the_tree_means(reference, expression_texts, data):
    try:
        expression = parse(data.draw(expression_texts))
    except ExpressionError:
        assume(False)
    names = {name: f"_v{at}" for at, name in enumerate(VARIABLES)}
    functions = {name: f"_f{at}" for at, name in enumerate(BUILTIN_FUNCTIONS)}
    source = emit(expression, names=names, functions=functions)
    bound = {names[name]: value for name, value in VARIABLES.items()}
    bound |= {functions[name]: function for name, function in BUILTIN_FUNCTIONS.items()}
    emitted = outcome_of(lambda: eval(source, {"__builtins__": {}}, bound))
    tree = outcome_of(lambda: reference(expression.tree, VARIABLES, BUILTIN_FUNCTIONS))
    assert same(emitted, tree)
    # Binds tighter than anything, so that missing parentheses would show.
    with_method = outcome_of(lambda: eval(f"{source}.__class__", {"__builtins__": {}}, bound))
    assert with_method is (tree if isinstance(tree, type) else type(tree))


@settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_inference_holds_for_the_value(reference, expression_texts, data):
    try:
        expression = parse(data.draw(expression_texts))
    except ExpressionError:
        assume(False)
    value = outcome_of(lambda: reference(expression.tree, VARIABLES, BUILTIN_FUNCTIONS))
    if isinstance(value, type):
        return
    if expression.is_text:
        assert isinstance(value, str)
    if expression.is_constant:
        assert value == expression.constant


@given(name=st.from_regex(r"[a-z]\w{0,8}", fullmatch=True))
def test_any_identifier_can_be_a_variable(name):
    assume(name.isascii() and not keyword.iskeyword(name))
    assert emit(parse(name), names={name: "_0"}, functions={}) == "_0"
