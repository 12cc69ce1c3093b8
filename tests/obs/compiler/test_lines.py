"""The lines that a tracer sees of code with statements in it."""

from __future__ import annotations

import bdb
import contextlib
import sys
from textwrap import dedent, indent

import pytest

from ancestry_obs.compiler.code import codes_in
from ancestry_obs.compiler.lines import first_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def f(a):\n    x = [\n        a,\n    ]", 3),
        ("@deco\ndef f(a):\n    'Doc.'\n    return a", 4),
        ("def f(a):\n    'Doc.'", 1),
        ("def f(a): return a", 1),
        ("async def f(a):\n\n    yield a", 3),
        ("def f(a):\n    global b\n    b = lambda: a", 3),
    ],
)
def test_the_first_line_is_the_one_that_a_tracer_sees_first(text, line):
    code = next(codes_in(compile(text, "<text>", "exec", dont_inherit=True)))
    assert first_line(code) == line


def function_of(text):
    namespace = {"manager": contextlib.nullcontext}
    exec(compile(text, "<text>", "exec", dont_inherit=True), namespace)
    return namespace["f"]


@pytest.fixture(params=["inline"])
def loom(loom):
    """Weaves inline alone: what calls the original shows its lines in another frame."""
    return loom


@pytest.fixture
def weave(loom):
    """Weaves into the function of a text, inline, at the end of calls."""
    loom.way = "inline"
    loom.metric("a_total")

    def make(text):
        woven = loom.weave(function_of(text), loom.record("a_total"), text=text)
        assert woven.woven.why_called == ""
        return woven.function

    return make


def traced(function, argument):
    """Give what a tracer sees of a call: events with the line of the frame."""
    seen = []

    def trace(frame, event, _):
        if frame.f_code is not function.__code__:
            return None
        told = event, frame.f_lineno
        # What misses, and what comes back on 3.11, shows a line several times in a row.
        if event != "exception" and told not in seen[-1:]:
            seen.append(told)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        list(function(argument) or ())
    except (ZeroDivisionError, KeyError):
        pass
    finally:
        sys.settrace(before)
    return seen


def text_of(body):
    return f"def f(a):\n{indent(dedent(body).strip(), '    ')}\n"


@pytest.mark.parametrize("argument", [[], [1]], ids=["raises", "returns"])
@pytest.mark.parametrize(
    "body",
    [
        "x = 1\nreturn [x / len(a)]",
        "with manager():\n    if a:\n        return a\n    1 / 0",
        "with manager():\n    if a:\n        return a\nx = 1 / 0",
        "with manager():\n    with manager():\n        return a",
        "try:\n    with manager():\n        return a\nfinally:\n    x = 2",
        "try:\n    1 / len(a)\nexcept ZeroDivisionError:\n    return a\nfinally:\n    x = 2",
        "try:\n    return [1 / len(a)]\nexcept ZeroDivisionError:\n    raise KeyError from None",
        "for x in 1, 2:\n    if x == 2:\n        1 / len(a)",
        "for x in a:\n    with manager():\n        break\nelse:\n    1 / 0",
        "with manager():\n    yield a\n    return [1 / len(a)]",
        "try:\n    yield 1 / len(a)\nfinally:\n    x = 2",
    ],
)
def test_a_tracer_sees_each_end_on_its_line(weave, body, argument):
    text = text_of(body)
    assert traced(weave(text), argument) == traced(function_of(text), argument)


def test_where_several_lines_lead_to_one_end_the_first_one_shows_once_more(weave):
    """A ``finally`` of several lines after a return: it is one that was run, and it has a line."""
    text = text_of("x = 1\ntry:\n    return a\nfinally:\n    if a:\n        x = 3")
    plain = traced(function_of(text), [1])
    assert plain[-2:] == [("line", 7), ("return", 7)]
    assert traced(weave(text), [1]) == [*plain[:-1], ("line", 2), ("return", 2)]


def test_a_debugger_stops_where_an_exception_leaves(weave):
    """It compares the line of a frame that is left, and cannot do without one."""
    text = text_of("with manager():\n    x = 1\n    return [x / len(a)]")

    def stops(function):
        seen = []

        class Debugger(bdb.Bdb):
            def user_line(self, frame):
                self.set_next(frame)

            def user_return(self, frame, value):
                seen.append((frame.f_code.co_name, frame.f_lineno))

        with contextlib.suppress(ZeroDivisionError):
            Debugger().runcall(function, [])
        return seen

    assert stops(weave(text)) == stops(function_of(text)) == [("f", 4)]
