"""Any signature: woven code behaves as the original for any arguments."""

from __future__ import annotations

import inspect
from inspect import Parameter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ancestry_obs.compiler import Advice, Aspect, Runtime, weave
from ancestry_obs.compiler.signature import Names, binder, shown_parameters, signature_of
from ancestry_obs.recording import Store

# One for all examples, so that they share what was compiled for others of the same shape.
RUNTIME = Runtime(Store(""))
NAMES = ("a", "b", "c", "_obs_p0", "result", "self", "len")
KINDS = (
    Parameter.POSITIONAL_ONLY,
    Parameter.POSITIONAL_OR_KEYWORD,
    Parameter.VAR_POSITIONAL,
    Parameter.KEYWORD_ONLY,
    Parameter.VAR_KEYWORD,
)


@st.composite
def signatures(draw):
    """Any signature with up to five parameters."""
    names = draw(st.permutations(NAMES))
    counts = [draw(st.integers(0, most)) for most in (2, 2, 1, 2, 1)]
    kinds = [kind for kind, count in zip(KINDS, counts, strict=True) for _ in range(count)]
    parameters, defaulted = [], False
    for name, kind in zip(names, kinds, strict=False):
        has_default = draw(st.booleans())
        if kind in KINDS[:2]:
            defaulted = has_default = has_default or defaulted
        if kind in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD} or not has_default:
            parameters.append(Parameter(name, kind))
        else:
            parameters.append(Parameter(name, kind, default=f"default of {name}"))
    return inspect.Signature(parameters)


arguments = st.tuples(
    st.lists(st.integers(), max_size=5),
    st.dictionaries(st.sampled_from((*NAMES, "unknown")), st.integers(), max_size=4),
)


def source_with(signature):
    names = "".join(f"{name}, " for name in signature.parameters)
    return f"def f{signature}: return ({names})"


def function_with(signature):
    namespace = {}
    exec(compile(source_with(signature), "<text>", "exec", dont_inherit=True), namespace)
    return namespace["f"]


def outcome(function, args, kwargs):
    try:
        return function(*args, **kwargs)
    except TypeError as error:
        return str(error)


@pytest.mark.parametrize("way", ["inline", "call"])
@given(signature=signatures(), given_=arguments)
@settings(deadline=None)
def test_woven_code_of_any_signature_answers_any_arguments_as_the_original(way, signature, given_):
    original, woven = function_with(signature), function_with(signature)
    aspect = Aspect("m:f", original.__code__, (Advice(),), RUNTIME, function=original)
    (result,) = weave([aspect], source_with(signature) if way == "inline" else "")
    assert bool(result.why_called) is (way == "call")
    woven.__code__ = result.code
    args, kwargs = given_
    assert outcome(woven, args, kwargs) == outcome(original, args, kwargs)
    assert inspect.signature(woven) == signature
    result.disarm()
    assert outcome(woven, args, kwargs) == outcome(original, args, kwargs)


@given(signatures(), arguments)
@example(inspect.Signature(), ([], {}))
def test_a_binder_finds_what_the_original_would_be_given(signature, given_):
    original = function_with(signature)
    args, kwargs = given_
    bind = binder(shown_parameters(original), tuple(signature.parameters))
    expected, found = outcome(original, args, kwargs), outcome(bind, args, kwargs)
    assert type(found) is type(expected)
    if isinstance(expected, tuple):
        assert found == expected


def test_own_names_give_way_to_parameters():
    assert Names(["a"]).clock == "_obs_clock"
    assert Names(["a", "_obs_x", "_obs2_"])("clock") == "_obs3_clock"


@pytest.mark.parametrize("thing", [dict, type("C", (), {"__signature__": 3})()])
def test_what_shows_no_signature_has_no_shown_parameters(thing):
    assert shown_parameters(thing) == {}


def test_a_callable_without_code_takes_whatever_is_passed():
    assert signature_of(None).definition == "*args, **kwargs"
    assert signature_of(None).call == "*args, **kwargs"


def test_the_first_argument_is_a_parameter_or_what_a_spread_has_first():
    def first(text):
        return signature_of(eval(f"lambda {text}: 0").__code__).first_argument

    assert [first(text) for text in ("a, *b", "a, /", "*b", "*, c", "**d", "")] == [
        "a", "a", "*b[:1]", "", "", "",
    ]  # fmt: skip
