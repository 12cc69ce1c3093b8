"""Statements in a body: where they stand, which lines they show, what they leave as it was."""

from __future__ import annotations

import ast
import gc
import sys
import threading
from contextlib import nullcontext, suppress
from textwrap import dedent, indent

import pytest

from ancestry_obs.compiler.visibility import looks_at_locals


def function_of(text):
    namespace = {"manager": nullcontext}
    exec(compile(text, "<text>", "exec", dont_inherit=True), namespace)
    return namespace["f"]


@pytest.fixture
def weave(loom):
    """Weaves into the function of a text, inline; at the end of calls unless said otherwise."""
    loom.way = "inline"
    loom.metric("a_total")

    def make(text, on="exit"):
        woven = loom.weave(function_of(text), loom.record("a_total", on=on), text=text)
        assert woven.woven.why_called == ""
        return woven

    return make


@pytest.fixture(params=["inline"])
def loom(loom):
    """Weaves inline alone: what calls the original has no body to speak of."""
    return loom


def lines_of(function):
    """Give the lines that a tracer sees in a call whose look-ups hit."""
    function()
    seen = []

    def look(frame, event, _):
        if event == "line":
            seen.append(frame.f_lineno)
        return look

    before = sys.gettrace()
    sys.settrace(lambda frame, *_: look if frame.f_code is function.__code__ else None)
    try:
        function()
    finally:
        sys.settrace(before)
    return seen


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="before, a line may show several times in a row"
)
@pytest.mark.parametrize("on", ["call", "return", "exit"])
@pytest.mark.parametrize(
    "body",
    [
        "x = 1\ny = 2",
        "x = 1\nreturn x",
        "x = [\n    a,\n    1,\n]",
        "for x in 1, 2:\n    y = x",
        "for x in 1, 2:\n    if x:\n        break",
        "while True:\n    break",
        "for x in 1,:\n    pass\nelse:\n    y = 1",
        "if a:\n    x = 1\nelse:\n    y = 2",
        "if a:\n    x = 1",
        "try:\n    x = 1\nexcept KeyError:\n    y = 1",
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    y = 1",
        "try:\n    if x := 1:\n        y = 1\nexcept KeyError:\n    y = 1",
        "try:\n    x = 1\nfinally:\n    y = 1",
        "match a:\n    case 1:\n        x = 1",
        "match a:\n    case _:\n        x = 1",
        "'Doc.'\nx = 1",
        "'Doc.'",
    ],
)
def test_each_line_shows_as_often_as_it_did(weave, on, body):
    text = f"def f(a=None):\n{indent(body, '    ')}\n"
    assert lines_of(weave(text, on).function) == lines_of(function_of(text))


def test_no_line_shows_that_was_not_run(weave):
    text = """
        def f(a=None):
            if a:
                for x in a:
                    with x:
                        return x
            y = 1
    """
    assert {*lines_of(weave(dedent(text)).function)} <= {2, 3, 7}


@pytest.mark.parametrize(
    "body",
    [
        "for x in range(9):\n    with manager(): break",
        "for x in range(9):\n    with manager(): break\nelse: return 3",
        "for x in range(n):\n    with manager():\n        if x: break\nelse: return 3",
        "for x in range(9):\n    for y in 1, 2: break\n    else: break",
        "for x in range(9):\n    for y in 1, 2: pass\n    else: break",
        "while True:\n    if n: break\n    n += 1",
        "while True:\n    try: break\n    finally: n += 1",
        "while True:\n    try: return n\n    finally: break",
        "while n > 1: n -= 1\nelse:\n    if n: return n",
        "try: 1 / n\nexcept* ZeroDivisionError: n = 1",
        "try: 1 / n\nexcept* ZeroDivisionError: n = 1\nelse: n = 2",
        "try: return 1 / n\nexcept ZeroDivisionError: return 1\nfinally: n = 1",
        "try: return 1\nfinally: return 2",
        "def g(): return 1\nclass A:\n    def h(self): return 2",
        "return (lambda: n)()",
        "pass",
    ],
)
@pytest.mark.parametrize("on", ["return", "exit"])
@pytest.mark.filterwarnings("ignore::SyntaxWarning")  # 3.14 warns of what leaves a `finally`
def test_a_call_that_ends_is_counted_once(loom, weave, body, on):
    text = f"def f(n):\n{indent(body, '    ')}\n"
    woven, plain = weave(text, on), function_of(text)
    for number, argument in enumerate((0, 1, 2), 1):
        assert woven.function(argument) == plain(argument)
        assert loom.total("a_total") == woven.calls() == number


@pytest.mark.parametrize(
    ("body", "is_once"),
    [
        ("return a", True),
        ("a = 1", True),
        ("while a: a -= 1\nreturn a", True),
        ("def g(): return 1\nreturn g", True),
        ("if a: return 1\nreturn 2", False),
        ("try: return 1\nexcept KeyError: pass\na = 1", False),
        ("if a: a = 1", False),
        ("with manager(): return a", False),
        ("raise KeyError", False),
    ],
)
def test_less_is_woven_into_a_body_that_ends_in_one_place(weave, body, is_once):
    woven = weave(f"def f(a=None):\n{indent(body, '    ')}\n")
    assert ("_obs_started" not in woven.function.__code__.co_varnames) is is_once


@pytest.mark.parametrize("rest", ["", "\n    return a", "; return a"])
def test_a_documentation_stays_the_first_statement(weave, rest):
    woven = weave(f"def f(a=1):\n    'Doc.'{rest}\n")
    assert woven.function.__code__.co_consts[0] == "Doc."
    assert woven.function() == (1 if rest else None)


@pytest.mark.parametrize("first", ["f'{a}'", "3", "...", "b'bytes'"])
def test_what_looks_like_a_documentation_is_none(weave, first):
    woven = weave(f"def f(a=1):\n    {first}\n    return a\n")
    assert woven.function() == 1
    assert woven.function.__doc__ is None


@pytest.mark.parametrize(
    ("body", "seer"),
    [
        ("locals()", "locals()"),
        ("vars()", "vars()"),
        ("vars(1)", ""),
        ("eval('1')", "eval()"),
        ("eval('1', {})", ""),
        ("exec(a, b, c)", ""),
        ("eval", "eval()"),
        ("map(dir, a)", "dir()"),
        ("dir(a)", ""),
        ("a.f_locals", "f_locals"),
        ("a.locals()", ""),
        ("[locals() for a in b]", "locals()"),
        ("lambda: locals()", ""),
        ("a", ""),
    ],
)
def test_what_looks_at_variables_is_found(body, seer):
    function = ast.parse(f"def f(a):\n    {body}").body[0]
    names = {each.id for each in ast.walk(function) if isinstance(each, ast.Name)}
    names |= {each.attr for each in ast.walk(function) if isinstance(each, ast.Attribute)}
    assert looks_at_locals(function, names, {}) == seer
    assert looks_at_locals(function, (), {}) == ""


def garbage_of(function):
    """Count what a call leaves that only the garbage collector gets rid of."""
    gc.collect()
    gc.disable()
    try:
        with suppress(KeyError):
            function()
        return gc.collect()
    finally:
        gc.enable()


MANY = "\n".join(f"    x{index} = {index}" for index in range(80))


@pytest.mark.parametrize("on", ["return", "raise", "exit"])
@pytest.mark.parametrize(
    "body",
    [
        "try:\n    1 / 0\nexcept Exception as e:\n    return e",
        "try:\n    1 / 0\nexcept Exception as e:\n    x = e\nfor y in 1, 2:\n    return locate()",
        "return locate()",
        "with manager():\n    return locate()",
        "try:\n    return locate()\nfinally:\n    a = 1",
        f"if a:\n{MANY}\n    return locate()",
        f"with manager():\n{MANY}\n    return locate()",
        "try:\n    return locate()\nfinally:\n    raise KeyError",
    ],
)
def test_no_result_stays_in_a_frame_that_lives_on(weave, on, body):
    """A result that knows the frame, as an exception does by its traceback, would never go."""
    text = f"import sys\ndef f(a=1):\n    locate = sys._getframe\n{indent(body, '    ')}\n"
    woven = weave(text, on)
    with suppress(KeyError):
        woven.function()  # what a first call leaves is the toolkit's
    assert garbage_of(woven.function) == garbage_of(function_of(text))


def test_a_result_does_not_stay_in_the_traceback_of_what_a_finally_raises(weave):
    text = "def f(a=1):\n    try:\n        return {a}\n    finally:\n        raise KeyError"
    with pytest.raises(KeyError) as caught:
        weave(text).function()
    left = caught.value.__traceback__.tb_next.tb_frame.f_locals
    assert {1} not in left.values()


@pytest.mark.parametrize("rest", ["yield a", "a = 2", "x = 1"])
def test_what_follows_a_break_makes_the_function_what_it_is(weave, rest):
    text = f"def f(a=1):\n    while a:\n        break\n        {rest}\n    else:\n        x\n"
    woven, plain = weave(text).function, function_of(text)
    assert woven.__code__.co_flags == plain.__code__.co_flags
    assert {*plain.__code__.co_varnames} <= {*woven.__code__.co_varnames}
    assert [*(woven() or ())] == []


@pytest.mark.parametrize("on", ["raise", "exit"])
@pytest.mark.parametrize(
    "last", ["raise ValueError", "return f(0)", "with manager():\n        return f(0)"]
)
def test_an_exception_at_the_limit_of_recursion_is_the_program_s_own(weave, on, last):
    """There is no frame for the toolkit's own call then."""
    text = f"def f(a=1):\n    if a: return f(a - 1)\n    {last}\n".replace("f(0)", "f(a)")

    def raised(function):
        function.__globals__["f"] = function
        found = []

        def run():
            for depth in range(980, 1000):
                try:
                    function(depth)
                except Exception as error:
                    found.append((type(error), error.__context__))

        before = sys.getrecursionlimit()
        sys.setrecursionlimit(1000)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        sys.setrecursionlimit(before)
        return found

    woven = weave(text).function
    assert raised(woven) == raised(function_of(text))


@pytest.mark.parametrize("way", ["return", "for each in a: return", "while a: return"])
def test_a_result_is_there_for_its_labels_where_something_comes_after_the_return(loom, way):
    """It is not taken out of its variable by a ``return`` that has a ``finally`` to go through."""
    text = f"""
def f(a=(1,)):
    try:
        try:
            raise ValueError
        except ValueError as x:
            {way} [1]
    finally:
        a = 2
"""
    loom.metric("a_total", v=9)
    record = loom.record("a_total", on="return", v="text(result)")
    woven = loom.weave(function_of(text), record, text=text)
    assert [woven.function() for _ in range(3)] == [[1]] * 3
    assert loom.read("a_total") == {("[1]",): 3}
