"""Weaving: proof before the exchange, the original called where there is none, taking out again."""

from __future__ import annotations

import gc
import sys
import weakref
from textwrap import dedent
from types import FunctionType

import pytest

from ancestry_obs.compiler import Advice, Aspect, Runtime, embed, weave
from ancestry_obs.compiler.code import codes_in
from ancestry_obs.exceptions import CompileError
from ancestry_obs.recording import Store

ADVICES = (Advice(),)
NOT_THERE = "its definition is not in its source"
OTHER_CODE = "its source gives other code than what runs"
since_312 = pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")


def call(value):
    return value() if callable(value) else value


@pytest.fixture
def aspect_of():
    """Makes an aspect that counts the calls of a function or, without one, of a code."""
    runtime = Runtime(Store(""))

    def make(target, **wishes):
        is_function = isinstance(target, FunctionType)
        code = target.__code__ if is_function else target
        function = target if is_function else None
        wishes = {"advices": ADVICES, "runtime": runtime, "function": function, **wishes}
        return Aspect(f"m:{code.co_qualname}", code, **wishes)

    return make


@pytest.fixture
def load(tmp_path):
    """Executes a file; gives its names."""

    def execute(text):
        path = tmp_path / "program.py"
        path.write_text(dedent(text), "utf-8")
        namespace = {"__name__": "program"}
        exec(compile(dedent(text), str(path), "exec", dont_inherit=True), namespace)
        return namespace

    return execute


@pytest.fixture
def put(aspect_of):
    """Weaves into functions themselves."""

    def exchange(*functions, source=None):
        woven = weave([aspect_of(function) for function in functions], source)
        for function, each in zip(functions, woven, strict=True):
            if isinstance(each, Exception):
                raise each
            function.__code__ = each.code
        return woven

    return exchange


class TestProof:
    SOURCE = "def f(a):\n    return a + 1\n"

    def test_a_function_whose_source_is_there_is_woven_into(self, load, put):
        f = load(self.SOURCE)["f"]
        (woven,) = put(f)
        assert (woven.why_called, f(1), woven.calls()) == ("", 2, 1)
        assert woven.source.startswith(
            "def f(a):\n    try:\n        try:\n            _obs_buffer0"
        )

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("def f(a):\n    return a + 2\n", OTHER_CODE),
            ("def f(b):\n    return b + 1\n", OTHER_CODE),
            ("def f(a):\n\n    return a + 1\n", OTHER_CODE),
            ("async def f(a):\n    return a + 1\n", OTHER_CODE),
            ("\n\n\ndef f(a):\n    return a + 1\n", NOT_THERE),
            ("def g(a):\n    return a + 1\n", NOT_THERE),
            ("class A:\n    def f(a): return a + 1\n", NOT_THERE),
            ("def f(a:\n", "its source is no Python"),
            ("\0", "its source is no Python"),
            ("(" * 1000 + ")" * 1000, "its source is no Python"),
        ],
    )
    def test_an_edited_file_has_the_original_called(self, load, put, tmp_path, text, reason):
        f = load(self.SOURCE)["f"]
        (tmp_path / "program.py").write_bytes(text.encode())
        (woven,) = put(f)
        assert woven.why_called.startswith(reason)
        assert (f(1), woven.calls()) == (2, 1)
        assert "_obs_call(a)" in woven.source

    def test_without_a_source_the_original_is_called(self, load, put, tmp_path):
        f = load(self.SOURCE)["f"]
        (tmp_path / "program.py").unlink()
        (woven,) = put(f)
        assert woven.why_called == "its source is not there"
        assert (f(1), woven.calls()) == (2, 1)

    def test_a_source_that_is_given_need_not_be_looked_for(self, load, put, tmp_path):
        f = load(self.SOURCE)["f"]
        (tmp_path / "program.py").unlink()
        (woven,) = put(f, source=self.SOURCE)
        assert (woven.why_called, f(1), woven.calls()) == ("", 2, 1)

    def test_code_that_was_changed_has_the_original_called(self, load, put):
        f = load(self.SOURCE)["f"]
        constants = tuple(5 if each == 1 else each for each in f.__code__.co_consts)
        f.__code__ = f.__code__.replace(co_consts=constants, co_name="g")
        (woven,) = put(f)
        assert woven.why_called == OTHER_CODE
        assert woven.code.co_name == "g"
        assert woven.calls() == 0
        f(1)
        assert woven.calls() == 1

    def test_what_is_compiled_again_warns_nobody_again(self, load, put):
        with pytest.warns(SyntaxWarning):
            f = load("def f(a):\n    return a is 'text'\n")["f"]
        (woven,) = put(f)
        assert woven.why_called == ""

    @pytest.mark.parametrize(
        "text",
        [
            "from __future__ import annotations\ndef f(a: Missing = 1) -> Missing: return a",
            "import os, sys as s\ndef f(a): return os.path.join(a, s.platform), s.intern(a)",
            "try:\n    import json\nexcept ImportError:\n    json = 0\ndef f(a): json.dumps(a)",
            "from os import path\nclass A:\n    def f(self, a): return path.join(a, a)\nf = A.f",
            "def f(a):\n    import os\n    global found\n    found = os.getpid()",
            "class A:\n    def f(self, __a=1):\n        self.__x = __a\n        __a = 2\nf = A.f",
            "class A:\n    class B:\n        def f(self): return __class__, super()\nf = A.B.f",
            "if True:\n    def f(a): return a\nelse:\n    def f(a): return a",
            "for f in 'ab':\n    def f(a): return a\n",
            "try:\n    1 / 0\nexcept ZeroDivisionError:\n    def f(a): return a\n",
            "match 1:\n    case 1:\n        def f(a): return a\n",
            "def f(a): return [a for a in range(9) if (b := a)], b, {**{'a': (lambda: a)()}}",
            "def deco(f): return f\n\n@deco\n@deco\ndef f(\n    a=1,\n): return a",
            "def f(a):\n    '''Doc.'''",
            "def f(a):\n    '''Doc.'''; return 1",
            "def f(a): ...",
            "x = 1; f = lambda a: (a, x)",
            "f = (\n    lambda a:\n        a,\n)[0]",
            "class A:\n    f = lambda self: 1\nf = A.f",
            "def f(): x = 1\ndef g(): x = 1",
            "def f(): return 1\nf_again = f\ndef f(): return 2",
        ],
    )
    def test_every_way_to_define_one_can_be_proven(self, load, put, text):
        f = load(text)["f"]
        before = f.__code__
        (woven,) = put(f)
        assert woven.why_called == ""
        assert (f.__code__.co_name, f.__code__.co_qualname) == (before.co_name, before.co_qualname)
        assert f.__code__.co_firstlineno == before.co_firstlineno

    @since_312
    @pytest.mark.parametrize(
        "text",
        [
            "def f[T](a: T) -> T:\n    b: T = a\n    return T",
            "def f[T: int, *Ts, **P](a):\n    def g() -> T: return T, Ts, P\n    return g()",
            "class A[T]:\n    def f(self, a: T = 1): return T, __class__\nf = A.f",
            "class A:\n    def f[T](self, a: T = 1): return T, __class__\nf = A.f",
            "def f(a):\n    type X[T] = list[T]\n    return str(X)",
        ],
    )
    @pytest.mark.parametrize("source", [None, ""])
    def test_generics_are_woven_too(self, load, put, text, source):
        f = load(text)["f"]
        expected = repr(f(1))
        (woven,) = put(f, source=source)
        assert bool(woven.why_called) is (source == "")
        assert repr(f(1)) == expected
        assert woven.calls() == 1

    def test_two_lambdas_of_a_line_cannot_be_told_apart(self, load, put):
        names = load("f, g = lambda: 1, lambda: 2")
        woven = put(names["f"], names["g"])
        assert [each.why_called for each in woven] == [NOT_THERE] * 2
        assert (names["f"](), names["g"]()) == (1, 2)
        assert [each.calls() for each in woven] == [1, 1]

    def test_a_lambda_inside_a_function_has_the_original_called(self, load, put):
        f = load("def make(a):\n    return lambda: a\nf = make(3)")["f"]
        (woven,) = put(f)
        assert woven.why_called == NOT_THERE
        assert (f(), woven.calls()) == (3, 1)

    @pytest.mark.parametrize(
        ("body", "seer"),
        [
            ("return locals()", "locals()"),
            ("return [*vars()]", "vars()"),
            ("return dir()", "dir()"),
            ("return eval('a')", "eval()"),
            ("exec('a')", "exec()"),
            ("look = locals; return look()", "locals()"),
            ("import sys; return sys._getframe().f_locals['a']", "f_locals"),
        ],
    )
    def test_what_could_see_the_variables_has_the_original_called(self, load, put, body, seer):
        f = load(f"def f(a=1):\n    {body}")["f"]
        expected = f()
        (woven,) = put(f)
        assert woven.why_called == f"it could see the statements' variables by {seer}"
        assert (f(), woven.calls()) == (expected, 1)

    def test_what_sees_other_variables_is_woven_into(self, load, put):
        f = load(
            """
            def f(a=1):
                def inner():
                    return locals()
                return inner(), vars(f), dir(3), eval("1", {}), exec("1", {}), a.locals
            """
        )["f"]
        (woven,) = put(f)
        assert woven.why_called == ""


class TestClosures:
    def test_functions_of_one_definition_are_woven_each_by_itself(self, load, put):
        make = load(
            """
            def make(a):
                def f(b):
                    nonlocal a
                    a += b
                    return a
                return f
            """
        )["make"]
        one, two = make(1), make(10)
        woven = put(one, two)
        assert [each.why_called for each in woven] == ["", ""]
        assert (one(1), one(1), two(5)) == (2, 3, 15)
        assert [each.calls() for each in woven] == [2, 1]

    @pytest.mark.parametrize("source", [None, ""])
    def test_a_variable_around_can_be_unset(self, load, put, source):
        f = load(
            """
            def make():
                def f():
                    return later
                return f
                later = 1
            f = make()
            """
        )["f"]
        (woven,) = put(f, source=source)
        with pytest.raises(NameError, match="later"):
            f()
        assert woven.calls() == 1

    def test_a_function_and_one_inside_it_are_both_woven(self, load, aspect_of):
        outer = load(
            """
            def outer(a):
                def inner(b):
                    return a + b
                return inner(1)
            """
        )["outer"]
        (inside,) = [each for each in codes_in(outer.__code__) if each.co_name == "inner"]
        around, inner = weave([aspect_of(outer), aspect_of(inside)])
        assert inner.why_called == around.why_called == ""
        (held,) = [each for each in codes_in(around.code) if each.co_name == "inner"]
        assert held == inside
        outer.__code__ = embed(around.code, {id(held): inner.code})
        assert outer(2) == 3
        assert (around.calls(), inner.calls()) == (1, 1)

    @pytest.mark.parametrize("source", [None, ""])
    def test_super_and_its_class_are_found(self, load, put, source):
        names = load(
            """
            class A:
                def f(self):
                    return "A"
            class B(A):
                def f(self):
                    return "B" + super().f() + __class__.__name__
            """
        )
        put(names["B"].f, source=source)
        assert names["B"]().f() == "BAB"


class TestCodeWithoutFunction:
    """A module that is not executed yet has codes and no functions."""

    @pytest.fixture
    def weave_code(self, aspect_of):
        def make(text, **wishes):
            module = compile(text, "<module>", "exec", dont_inherit=True)
            code = next(each for each in codes_in(module) if each.co_name == "f")
            (woven,) = weave([aspect_of(code, **wishes)], text)
            return module, code, woven

        return make

    def test_it_is_woven_and_put_into_the_module(self, weave_code):
        module, code, woven = weave_code("def f(a):\n    return a\n")
        namespace = {}
        exec(embed(module, {id(code): woven.code}), namespace)
        assert namespace["f"](3) == 3
        assert woven.calls() == 1

    def test_what_would_need_the_original_is_left_for_later(self, weave_code):
        _, _, woven = weave_code("def f(a):\n    return locals()\n")
        assert isinstance(woven, CompileError)
        assert "it could see the statements' variables" in str(woven)

    def test_decorators_may_make_something_else_of_it(self, weave_code):
        text = "@deco\ndef f(a):\n    return a\n"
        _, _, woven = weave_code(text, is_definition=False)
        assert not isinstance(woven, Exception)
        _, _, read = weave_code(
            text.replace("@deco", "@numba.njit(cache=True)"), is_definition=False
        )
        assert str(read) == "what reads its code must find its own"
        assert not isinstance(weave_code(text)[2], Exception)

    @pytest.mark.parametrize("name", ["property", "classmethod", "abc.abstractmethod"])
    def test_some_are_known_to_keep_it(self, weave_code, name):
        text = f"class A:\n    @{name}\n    def f(self):\n        return self\n"
        _, _, woven = weave_code(text, is_definition=False, is_method=True)
        assert not isinstance(woven, Exception)

    def test_what_a_static_method_is_called_with_is_not_known_yet(self, weave_code, loom):
        text = "class A:\n    @staticmethod\n    def f(a):\n        return a\n"
        loom.metric("a_total", v=9)
        wishes = {"advices": (loom.advice(loom.record("a_total", v="a")),), "runtime": loom.runtime}
        _, _, woven = weave_code(text, is_method=True, **wishes)
        assert str(woven) == "what reads its code must find its own"

    def test_a_static_method_whose_first_parameter_nobody_reads_is_woven(self, weave_code):
        text = "class A:\n    @staticmethod\n    def f(a):\n        return a\n"
        module, code, woven = weave_code(text, is_method=True)
        namespace = {}
        exec(embed(module, {id(code): woven.code}), {"__name__": "m"}, namespace)
        assert namespace["A"].f(3) == namespace["A"]().f(3) == 3
        assert woven.calls() == 2


class TestParameters:
    """What is recorded at the end is what came in, whatever the body does with it."""

    @pytest.mark.parametrize("end", ["", "1 / 0"])
    @pytest.mark.parametrize(
        "body",
        [
            "a = 'other'",
            "del a",
            "a: str = 'other'",
            "a += 'other'",
            "(a, b) = 1, 2",
            "for a in 'xy': pass",
            "with memoryview(b'') as a: pass",
            "import sys as a",
            "from sys import path as a",
            "def a(): pass",
            "class a: pass",
            "(a := 'other')",
            "[a := b for b in 'xy']",
            "try: [][0]\n    except IndexError as a: pass",
            "match 'other':\n        case a: pass",
            "match [1, 2]:\n        case [_, *a]: pass",
            "match {1: 2}:\n        case {**a}: pass",
            "match 1:\n        case int() as a: pass",
            "def inner():\n        nonlocal a\n        a = 'other'\n    inner()",
            "def inner():\n        nonlocal a\n        del a\n    inner()",
            "pass",
            "return (lambda: a)()",
            pytest.param("type a = int", marks=since_312),
        ],
    )
    def test_it_is_read_as_it_came_in(self, loom, load, body, end):
        loom.metric("a_total", v=9)
        f = load(f"def f(a):\n    {body}\n    {end}\n")["f"]
        woven = loom.weave(f, loom.record("a_total", v="a"))
        outcomes = []
        for function in (f, woven.function):
            try:
                outcomes.append(function("given"))
            except ZeroDivisionError:
                outcomes.append("error")
        assert outcomes[0] == outcomes[1]
        assert loom.read("a_total") == {("given",): 1}
        assert bool(woven.woven.why_called) is (loom.way == "call")

    def test_a_class_private_one_too(self, loom, load):
        loom.metric("a_total", v=9)
        names = load("class A:\n    def f(self, __a):\n        __a = 'other'\n        return __a\n")
        woven = loom.weave(names["A"].f, loom.record("a_total", v="_A__a"))
        assert woven.function(None, "given") == "other"
        assert loom.read("a_total") == {("given",): 1}

    def test_a_cell_of_a_parameter_is_shared_as_before(self, loom, load):
        loom.metric("a_total", v=9)
        f = load(
            """
            def f(a):
                def put(b):
                    nonlocal a
                    a = b
                return put, lambda: a
            """
        )["f"]
        put, get = loom.weave(f, loom.record("a_total", v="a")).function("given")
        put("other")
        assert get() == "other"
        assert loom.read("a_total") == {("given",): 1}


class TestDisarming:
    def test_what_still_runs_the_code_is_not_recorded(self, loom):
        woven = loom.counting(call)
        held = woven.function
        held(1)
        woven.disarm()
        assert held(2) == 2
        assert woven.calls() == 1
        assert loom.total("calls_total") == 1

    def test_a_call_that_is_running_is_not_recorded_any_more(self, loom):
        woven = loom.counting(call)
        woven.function(woven.disarm)
        assert loom.read("calls_total") == {}

    def test_a_gauge_of_calls_that_run_is_brought_down_again(self, loom):
        loom.metric("flying", "in_flight")
        woven = loom.weave(call, loom.record("flying", on="call"))
        woven.function(woven.disarm)
        assert loom.read("flying") == {(): 0}

    def test_every_kind_goes_on_as_it_was(self, loom):
        def numbers(n):
            yield from range(n)

        woven = loom.counting(numbers)
        running = woven.function(3)
        assert next(running) == 0
        woven.disarm()
        assert [*running, *woven.function(2)] == [1, 2, 0, 1]
        assert woven.calls() == 0

    def test_nothing_of_it_stays_behind_once_nobody_holds_it(self, loom):
        woven = loom.counting(call)
        woven.function(1)
        function, recorder = weakref.ref(woven.function), weakref.ref(woven.woven.recorders[0])
        woven.function.__code__ = call.__code__
        woven.woven.retire()
        del woven
        gc.collect()
        loom.store.fold()
        assert function() is None
        assert recorder() is None
        assert not [probe for probe in loom.store._probes if probe.target == "m:call"]
        assert loom.total("calls_total") == 1

    def test_its_count_stays_known(self, loom):
        woven = loom.counting(call)
        woven.function(1)
        woven.woven.retire()
        woven.function(2)
        assert woven.calls() == 2

    def test_whoever_watches_is_called_at_calls_that_are_new(self, loom):
        seen = []
        woven = loom.counting(call)
        woven.woven.watch(lambda: seen.append(woven.calls()))
        woven.function(1)
        woven.function(2)
        assert seen == [0]
        with pytest.raises(ZeroDivisionError):
            woven.function(lambda: 1 / 0)
        assert seen == [0, 2]


def test_what_one_definition_made_is_compiled_once(loom, load, monkeypatch):
    names = load("def maker(n):\n    def f(a): return a + n\n    return f\n")
    loom.metric("a_total", v=9)
    advices = (loom.advice(loom.record("a_total", v="text(a)")),)
    runtime = loom.runtime
    counts = []
    for number in (1, 2):
        f = names["maker"](number)
        (woven,) = weave([Aspect("m:f", f.__code__, advices, runtime, function=f)])
        f.__code__ = woven.code
        assert woven.why_called == ""
        assert f(3) == 3 + number
        counts.append(woven.calls())
        monkeypatch.setattr("ancestry_obs.compiler.weaving.source_of", lambda *_: None)
    assert counts == [1, 1]


def test_what_is_wrong_with_one_is_told_beside_what_is_woven(loom, load):
    names = load("def f(a): return a\ndef g(b): return b\n")
    loom.metric("a_total", v=9)
    advices = (loom.advice(loom.record("a_total", v="a")),)
    runtime = loom.runtime
    first, second = weave(
        [
            Aspect(f"m:{each}", names[each].__code__, advices, runtime, function=names[each])
            for each in "fg"
        ]
    )
    assert first.why_called == ""
    assert isinstance(second, CompileError)
    assert "m:g: unknown name 'a'" in str(second)
