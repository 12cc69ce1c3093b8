"""Code objects: lines stay, columns go, names are changed everywhere."""

from __future__ import annotations

from types import CodeType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.compiler.code import closure_source, inner_code, relabel


def compiled(source):
    """What Python itself makes of a source."""
    outer = next(each for each in compile(source, "x", "exec").co_consts if type(each) is CodeType)
    return next(each for each in outer.co_consts if type(each) is CodeType)


STATEMENTS = st.sampled_from(
    (
        "x = a",
        "pass",
        "x = (a,\n\n\n        a)",
        "x = [\n" + "\n" * 80 + "        a]; x = a",
        "x = [\n" + "\n" * 40 + "        a]; x = a",
        "if a: x = a",
        "while a:\n        if x: break\n    x = a",
        "for x in a: print(" + ", ".join("x" * 30) + ")",
        "try: x = a\n    except a: x = a\n    finally: x = a",
        "with a as x: x = a",
        "return a",
        "yield a",
    )
)


@given(st.lists(STATEMENTS, min_size=1, max_size=6))
def test_lines_are_those_that_python_gives(statements):
    source = closure_source("def f(a):\n    x = a\n    " + "\n    ".join(statements), ())
    ours, pythons = inner_code(source), compiled(source)
    assert list(ours.co_lines()) == list(pythons.co_lines())
    assert ours.co_code == pythons.co_code


def test_columns_are_unknown():
    code = inner_code(closure_source("def f(a):\n    return a + 1", ()))
    assert {place[2:] for place in code.co_positions()} == {(None, None)}


def original(url, *, retries, **rest):
    return url, retries, rest


@pytest.mark.parametrize(
    "call", ["call(p0, p1=p1)", "call(p0, p1=p1, **p2)", "call(p0, p1=p1, x='p', y=('q',))"]
)
def test_keywords_of_calls_are_renamed(call):
    source = closure_source(f"def f(p0, *, p1, **p2):\n    return {call}", ("call",))
    names = {"p0": "url", "p1": "retries", "p2": "rest"}
    code = relabel(inner_code(source), original, "file", names)
    assert code.co_varnames == ("url", "retries", "rest")
    flat = {each for c in code.co_consts for each in (c if type(c) is tuple else (c,))}
    assert "retries" in flat
    assert "p1" not in flat


def test_the_code_is_called_as_the_original_is():
    code = relabel(inner_code(closure_source("def f(p0): pass", ())), original, "file", {})
    assert (code.co_filename, code.co_name, code.co_qualname) == ("file", "original", "original")
    assert relabel(code, max, "other", {}).co_qualname == "call"
