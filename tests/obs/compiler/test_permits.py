"""Permits: where an override gives one, and that one is taken before anything else can happen."""

from __future__ import annotations

import ast
import dis
import gc
import sys
from textwrap import dedent

import pytest

from ancestry_obs.compiler.permits import Permit, Way, called_as, can_take, going_up, taken_first
from ancestry_obs.compiler.signature import signature_of

needs_3_12 = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="finalizers run where a container is made"
)


PERMIT = Permit()


def body_of(text):
    function = ast.parse(dedent(text)).body[0]
    return function, function.body


@pytest.mark.parametrize(
    "statement",
    [
        "return super().f(a, 1, key=b)",
        "x = super().f()",
        "x: int = super().f()",
        "super().f(a)",
        "if a:\n        return super().f(a)",
        "for b in a:\n        pass\n    else:\n        super().f(a)",
        "while a:\n        super().f(\n            a,\n        )",
        "match a:\n        case 1:\n            super().f(a)",
        pytest.param("return super().f(*args, **kwargs)", marks=needs_3_12),
    ],
)
def test_where_nothing_comes_in_between_a_permit_is_given(statement):
    function, body = body_of(f"def f(self, a, *args, **kwargs):\n    {statement}")
    (found,) = going_up(body, function, {"args", "kwargs"})
    block, holder, call = found
    assert holder in block
    assert holder.value is call
    assert ast.unparse(call.func) == "super().f"


@pytest.mark.parametrize(
    "statement",
    [
        "return super().g(a)",
        "return super(C, self).f(a)",
        "return other().f(a)",
        "return super().f",
        "return super().f(a.b)",
        "return super().f(a())",
        "return super().f(key=[a])",
        "return super().f(*a)",
        "return super().f(**a)",
        "return 1 + super().f(a)",
        "return super(\n    ).f(a)",
        "a.b: int = super().f(a)",
        "try:\n        return super().f(a)\n    finally:\n        pass",
        "with a:\n        return super().f(a)",
        "def inner():\n        return super().f(a)",
        "x = [super().f(a) for a in a]",
    ],
)
def test_where_something_may_come_in_between_none_is(statement):
    function, body = body_of(f"def f(self, a):\n    {statement}")
    assert [*going_up(body, function, {"args"})] == []


def test_the_call_stays_where_it_is():
    call = ast.parse("\n  \nx = super().f(a, key=b)").body[0].value
    woven = called_as(call, "up", "self")
    assert ast.unparse(woven) == "up(self, a, key=b) if up is not None else super().f(a, key=b)"
    compile(ast.Expression(woven), "<text>", "eval")
    places = {(e.lineno, e.col_offset, e.end_col_offset) for e in (woven, woven.body, woven.orelse)}
    assert places == {(3, 4, 23)}


def test_a_permit_is_taken_before_the_function_begins():
    def call(self):
        taken = PERMIT.first
        if taken is not None:
            PERMIT.first = None
        return taken, sys._getframe().f_lineno

    code = taken_first(call.__code__)
    names = [each.opname for each in dis.get_instructions(code)]
    assert names.index("STORE_ATTR") + 1 == names.index("RESUME")
    assert sorted(names) == sorted(each.opname for each in dis.get_instructions(call.__code__))
    before = [each.opname for each in dis.get_instructions(code)][: names.index("RESUME")]
    assert "CALL" not in before
    lines = [line for _, _, line in call.__code__.co_lines() if line][-1]

    woven = type(call)(code, globals())
    assert woven(1) == (None, lines)
    PERMIT.first = 1
    assert woven(1) == (1, lines)
    assert PERMIT.first is None


@pytest.mark.parametrize(
    ("function", "always"),
    [
        (lambda self, a=1, /, b=2, *, c=3: None, True),
        (lambda self, *args: None, False),
        (lambda self, **kwargs: None, False),
    ],
)
def test_what_makes_containers_of_its_arguments_takes_none_where_that_runs_finalizers(
    function, always
):
    assert can_take(signature_of(function.__code__)) == (always or sys.version_info >= (3, 12))


def test_a_python_that_nobody_has_looked_at_does_without(monkeypatch):
    monkeypatch.setattr("ancestry_obs.compiler.permits.UNKNOWN", sys.version_info[:2])
    assert not can_take(signature_of((lambda self: None).__code__))


def test_a_way_keeps_no_function():
    def function(): ...

    way = Way(function, Permit())
    assert way() is function
    del function
    gc.collect()
    assert way() is None
