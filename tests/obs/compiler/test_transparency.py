"""Promise 3: nothing of a woven function changes but that it is measured."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import inspect
import multiprocessing
import pickle
import sys
import traceback
import types
import typing

import pytest


def plain(a, b: int = 2, *rest: str, key: float = 1.0, **options: object) -> str:
    """Doc of plain."""
    return f"{a} {b} {rest} {key} {sorted(options)}"


plain.attribute = object()


def positional(a, b=[], /, c=None):  # noqa: B006 - the default's identity is what is tested
    return a, b, c


def keyword_only(*, a, b=3):
    return a, b


async def coroutine(a, b=1):
    await asyncio.sleep(0)
    return a, b


def generator(a):
    got = yield a
    yield got
    return "end"


async def async_generator(a):
    got = yield a
    yield got


@types.coroutine
def legacy(a):
    yield
    return a


# What says that annotations are texts is of no use to a code that has none.
FUTURE = annotations.compiler_flag
EVERY_KIND = [plain, positional, keyword_only, coroutine, generator, async_generator, legacy]


def picklable(number):
    return number * 2


@pytest.mark.parametrize("original", EVERY_KIND, ids=lambda each: each.__name__)
class TestWhatWovenCodeLooksLike:
    def test_it_is_of_the_same_kind(self, loom, original):
        woven = loom.counting(original).function
        for asks in (
            inspect.iscoroutinefunction,
            inspect.isgeneratorfunction,
            inspect.isasyncgenfunction,
            asyncio.iscoroutinefunction,
        ):
            assert asks(woven) is asks(original), asks
        flags = [each.__code__.co_flags & ~FUTURE for each in (woven, original)]
        assert flags[0] == flags[1]

    def test_its_signature_and_its_hints_are_the_original_s(self, loom, original):
        woven = loom.counting(original).function
        assert inspect.signature(woven) == inspect.signature(original)
        assert inspect.getfullargspec(woven) == inspect.getfullargspec(original)
        assert typing.get_type_hints(woven) == typing.get_type_hints(original)
        assert woven.__doc__ == original.__doc__

    def test_it_has_the_name_and_the_place_that_it_had(self, loom, original):
        code = loom.counting(original).function.__code__
        for name in (
            "co_name",
            "co_qualname",
            "co_filename",
            "co_firstlineno",
            "co_argcount",
            "co_posonlyargcount",
            "co_kwonlyargcount",
            "co_freevars",
        ):
            assert getattr(code, name) == getattr(original.__code__, name), name
        assert inspect.getsource(code) == inspect.getsource(original)

    def test_its_lines_are_the_original_s(self, loom, original):
        def lines(code):
            return {line for *_, line in code.co_lines() if line}

        code = loom.counting(original).function.__code__
        expected = lines(original.__code__)
        assert lines(code) == (expected if loom.way == "inline" else {code.co_firstlineno})

    def test_it_can_be_hashed_and_is_equal_to_itself_alone(self, loom, original):
        codes = [loom.counting(original).function.__code__ for _ in range(2)]
        assert len({*codes, original.__code__}) == 3


@pytest.mark.parametrize(
    ("original", "args", "kwargs"),
    [
        (plain, (1,), {}),
        (plain, (1, 2, "x"), {"key": 3, "other": 4, "self": 5}),
        (positional, (1,), {"c": 2}),
        (keyword_only, (), {"a": 1}),
    ],
)
def test_calls_give_what_the_original_gives(loom, original, args, kwargs):
    woven = loom.counting(original).function
    assert woven(*args, **kwargs) == original(*args, **kwargs)


@pytest.mark.parametrize(
    ("original", "args", "kwargs"),
    [
        (plain, (), {}),
        (plain, (1,), {"a": 1}),
        (positional, (1,), {"a": 2}),
        (keyword_only, (1,), {}),
        (keyword_only, (), {}),
        (coroutine, (), {"x": 1}),
        (generator, (1, 2, 3), {}),
        (async_generator, (), {}),
    ],
)
def test_calls_that_do_not_fit_fail_as_the_original_s(loom, original, args, kwargs):
    woven = loom.counting(original).function
    with pytest.raises(TypeError) as expected:
        original(*args, **kwargs)
    with pytest.raises(TypeError) as found:
        woven(*args, **kwargs)
    assert str(found.value) == str(expected.value)


def test_arguments_and_defaults_arrive_as_the_very_same_objects(loom):
    def f(a, b=[], *rest, c={}, **more):  # noqa: B006 - the identity of defaults is tested
        return a, b, rest, c, more["d"]

    woven = loom.counting(f).function
    a, r, d = object(), object(), object()
    found = woven(a, d=d)
    assert found[0] is a
    assert found[1] is f.__defaults__[0]
    assert found[3] is f.__kwdefaults__["c"]
    assert found[4] is d
    assert woven(a, 1, r, d=d)[2][0] is r


def test_parameters_may_have_any_name(loom):
    def f(_obs_call, _obs_len, result, error, elapsed, self, type, str):  # noqa: A002 - so named
        return (_obs_call, _obs_len, result, error, elapsed, self, type, str)

    loom.metric("a_total", x=9)
    woven = loom.weave(f, loom.record("a_total", x="_obs_len"))
    assert woven.function(*range(8)) == tuple(range(8))
    assert loom.read("a_total") == {("1",): 1}
    assert "_obs2_len(" in woven.source


def test_a_module_that_hides_builtins_does_not_hide_them_from_the_statements(loom):
    namespace = {"len": None, "Exception": None, "BaseException": None, "float": None, "str": None}
    exec("def f(a): return a", namespace)
    loom.metric("a_total", x=9)
    woven = loom.weave(namespace["f"], loom.record("a_total", x="a", value="a")).function
    assert woven(3) == 3
    assert loom.read("a_total") == {("3",): 3.0}


@pytest.mark.parametrize("name", ["<lambda>", "class", "no identifier"])
def test_functions_may_have_any_name(loom, name):
    def f():
        return 1

    f.__name__ = name
    woven = loom.counting(f).function
    assert woven() == 1
    assert woven.__name__ == name


def test_an_exception_comes_out_with_its_original_frames_and_nothing_added(loom):
    raised = KeyError("k")

    def inner():
        raise raised

    def f():
        inner()

    woven = loom.counting(f).function
    with pytest.raises(KeyError) as caught:
        woven()
    assert caught.value is raised
    assert raised.__context__ is None
    assert raised.__cause__ is None
    frames = traceback.extract_tb(raised.__traceback__)
    # A call of the original code is one frame more, in the same file and under the same name.
    names = ["f", "inner"] if loom.way == "inline" else ["f", "f", "inner"]
    assert [frame.name for frame in frames][1:] == names
    assert {frame.filename for frame in frames} == {__file__}
    assert [frame.line for frame in frames[-2:]] == ["inner()", "raise raised"]


def test_woven_code_keeps_no_exception_alive(loom):
    def f():
        raise ValueError

    woven = loom.counting(f).function
    gc.disable()
    try:
        error = None
        try:
            woven()
        except ValueError as raised:
            error = raised
        # What is left are this variable, the argument of getrefcount and `caught`'s traceback.
        assert sys.getrefcount(error) == 2
    finally:
        gc.enable()


def test_recursion_counts_every_level(loom):
    def fact(n):
        return n * function(n - 1) if n else 1

    woven = loom.counting(fact)
    function = woven.function
    assert function(5) == 120
    assert woven.calls() == 6
    assert loom.total("calls_total") == 6


DEEP = """
def deep(n):
    try:
        return deep(n + 1)
    except RecursionError:
        return n
"""


def test_recursion_gets_as_deep_as_before_to_within_one_frame_in_a_hundred(loom):
    namespace = {}
    exec(compile(DEEP, "<deep>", "exec", dont_inherit=True), namespace)
    deep = namespace["deep"]
    before = deep(0)
    namespace["deep"] = loom.counting(deep, text=DEEP).function
    # A call of the original code is a frame of its own.
    assert namespace["deep"](0) >= before * (0.99 if loom.way == "inline" else 0.49)


def test_a_woven_function_pickles_by_name_and_runs_in_another_process(loom, monkeypatch):
    woven = loom.counting(picklable)
    monkeypatch.setattr(sys.modules[__name__], "picklable", woven.function)
    assert pickle.loads(pickle.dumps(woven.function)) is woven.function
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(woven.function, 4).result() == 8


class TestMethods:
    def test_super_static_class_methods_and_properties_work_as_before(self, loom):
        class Base:
            def who(self):
                return f"base of {type(self).__name__}"

            @classmethod
            def made(cls):
                return cls.__name__

            @staticmethod
            def fixed(a):
                return a

            @property
            def size(self):
                return 3

        class Child(Base):
            def who(self):
                return "child, " + super().who()

        def put(owner, name, wrap, original):
            setattr(owner, name, wrap(loom.counting(original, is_method=name != "fixed").function))

        put(Base, "who", lambda f: f, Base.who)
        put(Child, "who", lambda f: f, Child.who)
        put(Base, "made", classmethod, vars(Base)["made"].__func__)
        put(Base, "fixed", staticmethod, Base.fixed)
        put(Base, "size", property, vars(Base)["size"].fget)
        assert Child().who() == "child, base of Child"
        assert (Child.made(), Child().made()) == ("Child", "Child")
        assert (Base.fixed(1), Base().fixed(2)) == (1, 2)
        assert Base().size == 3
        assert loom.total("calls_total") == 7

    def test_private_parameters_of_a_class_keep_their_mangled_names(self, loom):
        class A:
            def f(self, *, __secret):
                return __secret

        A.f = loom.counting(A.f, is_method=True).function
        assert A().f(_A__secret=5) == 5


class TestOtherCallables:
    def test_an_lru_cache_keeps_one_entry_however_defaults_are_passed(self, loom):
        @functools.lru_cache
        def cached(a, b=2):
            return a + b

        loom.metric("a_total", b=9)
        woven = loom.weave(cached, loom.record("a_total", b="b")).function
        assert (woven(1), woven(1), woven(5, b=6)) == (3, 3, 11)
        assert cached.cache_info().currsize == 2
        assert loom.read("a_total") == {("2",): 2, ("6",): 1}

    def test_a_partial_and_an_instance_are_called_as_they_are(self, loom):
        class Adder:
            def __call__(self, a, b=1):
                return a + b

        loom.metric("a_total", a=9)
        record = loom.record("a_total", a="a")
        part = loom.weave(functools.partial(max, 3), target="m:p").function
        adder = loom.weave(Adder(), record, target="m:a").function
        assert (part(5), adder(2), adder(a=3)) == (5, 3, 4)
        assert loom.read("a_total") == {("2",): 1, ("3",): 1}

    def test_a_partial_of_a_coroutine_function_is_timed_until_it_is_done(self, loom):
        woven = loom.counting(functools.partial(coroutine, 1))
        assert asyncio.run(woven.function(b=5)) == (1, 5)
        assert loom.read("seconds") == {(): (1, 1.0)}

    def test_a_decorated_function_is_read_by_the_names_that_it_shows(self, loom):
        @functools.wraps(plain)
        def decorated(*args, **kwargs):
            return plain(*args, **kwargs)

        loom.metric("a_total", a=9, b=9, key=9)
        record = loom.record("a_total", a="a", b="b", key="key")
        woven = loom.weave(decorated, record).function
        assert woven("x", key=3) == plain("x", key=3)
        assert loom.read("a_total") == {("x", "2", "3"): 1}

    def test_a_call_that_does_not_fit_what_a_decorated_function_shows_has_error_labels(self, loom):
        @functools.wraps(plain)
        def decorated(*args, **kwargs):
            return "fine"

        loom.metric("a_total", a=9)
        woven = loom.weave(decorated, loom.record("a_total", a="a")).function
        assert woven() == "fine"
        assert loom.read("a_total") == {("error",): 1}

    def test_the_self_of_a_decorated_method_is_found(self, loom):
        class A:
            name = "ann"

            def f(self):
                return self.name

        original = A.f

        @functools.wraps(original)
        def decorated(*args):
            return original(*args)

        loom.metric("a_total", a=9)
        A.f = loom.weave(decorated, loom.record("a_total", a="self.name"), is_method=True).function
        assert A().f() == "ann"
        assert loom.read("a_total") == {("ann",): 1}
