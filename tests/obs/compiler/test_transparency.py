"""Promise 3: nothing of a wrapped callable changes but that it is measured."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import inspect
import linecache
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


EVERY_KIND = [plain, positional, keyword_only, coroutine, generator, async_generator, legacy]


def picklable(number):
    return number * 2


@pytest.mark.parametrize("original", EVERY_KIND, ids=lambda each: each.__name__)
class TestWhatAWrapperLooksLike:
    def test_its_attributes_are_the_original_s(self, loom, original):
        wrapper = loom.counting(original).function
        for name in (
            "__name__",
            "__qualname__",
            "__doc__",
            "__module__",
            "__defaults__",
            "__kwdefaults__",
            "__annotations__",
            "__globals__",
        ):
            assert getattr(wrapper, name) is getattr(original, name), name
        assert {**vars(wrapper)} == {**vars(original), "__wrapped__": original}
        assert type(wrapper) is types.FunctionType

    def test_it_is_of_the_same_kind(self, loom, original):
        wrapper = loom.counting(original).function
        for asks in (
            inspect.iscoroutinefunction,
            inspect.isgeneratorfunction,
            inspect.isasyncgenfunction,
            asyncio.iscoroutinefunction,
        ):
            assert asks(wrapper) is asks(original), asks
        assert wrapper.__code__.co_flags & 0x1FF & ~0x10 == (
            original.__code__.co_flags & 0x1FF & ~0x10
        )

    def test_its_signature_is_the_original_s_with_and_without_following(self, loom, original):
        wrapper = loom.counting(original).function
        assert inspect.signature(wrapper) == inspect.signature(original)
        own = inspect.signature(wrapper, follow_wrapped=False)
        assert own == inspect.signature(original)
        assert inspect.getfullargspec(wrapper) == inspect.getfullargspec(original)

    def test_its_hints_and_its_source_are_found(self, loom, original):
        wrapper = loom.counting(original).function
        assert typing.get_type_hints(wrapper) == typing.get_type_hints(original)
        assert inspect.getsource(wrapper) == inspect.getsource(original)

    def test_its_code_has_the_original_s_name_and_a_pseudo_file(self, loom, original):
        woven = loom.counting(original)
        code = woven.function.__code__
        assert code.co_name == original.__code__.co_name
        assert code.co_qualname == original.__code__.co_qualname
        assert code.co_filename == f"<ancestry-obs m:{original.__name__}>"
        linecache.checkcache()
        assert "".join(linecache.getlines(code.co_filename)) == woven.source

    def test_it_can_be_wrapped_again(self, loom, original):
        wrapper = loom.counting(original).function

        @functools.wraps(wrapper)
        def outer(*args, **kwargs):
            return wrapper(*args, **kwargs)

        assert inspect.signature(outer) == inspect.signature(original)
        assert inspect.unwrap(outer) is original


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
    wrapper = loom.counting(original).function
    assert wrapper(*args, **kwargs) == original(*args, **kwargs)


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
    wrapper = loom.counting(original).function
    with pytest.raises(TypeError) as expected:
        original(*args, **kwargs)
    with pytest.raises(TypeError) as found:
        wrapper(*args, **kwargs)
    assert str(found.value) == str(expected.value)


def test_arguments_and_defaults_arrive_as_the_very_same_objects(loom):
    def f(a, b=[], *rest, c={}, **more):  # noqa: B006 - the identity of defaults is tested
        return a, b, rest, c, more["d"]

    wrapper = loom.counting(f).function
    a, r, d = object(), object(), object()
    found = wrapper(a, d=d)
    assert found[0] is a
    assert found[1] is f.__defaults__[0]
    assert found[3] is f.__kwdefaults__["c"]
    assert found[4] is d
    assert wrapper(a, 1, r, d=d)[2][0] is r


def test_parameters_may_have_any_name(loom):
    def f(_obs_call, _obs_len, result, error, elapsed, self, type, str):  # noqa: A002 - so named
        return (_obs_call, _obs_len, result, error, elapsed, self, type, str)

    loom.metric("a_total", x=9)
    woven = loom.weave(f, loom.record("a_total", x="_obs_len"))
    assert woven.function(*range(8)) == tuple(range(8))
    assert loom.read("a_total") == {("1",): 1}
    assert "__obs_call(" in woven.source


def test_a_module_that_hides_builtins_does_not_hide_them_from_the_wrapper(loom):
    namespace = {"len": None, "Exception": None, "BaseException": None, "float": None, "str": None}
    exec("def f(a): return a", namespace)
    loom.metric("a_total", x=9)
    wrapper = loom.weave(namespace["f"], loom.record("a_total", x="a", value="a")).function
    assert wrapper(3) == 3
    assert loom.read("a_total") == {("3",): 3.0}


@pytest.mark.parametrize("name", ["<lambda>", "class", "no identifier"])
def test_functions_may_have_any_name(loom, name):
    def f():
        return 1

    f.__name__ = name
    wrapper = loom.counting(f).function
    assert wrapper() == 1
    assert wrapper.__name__ == name


def test_an_exception_comes_out_with_its_original_frames_and_nothing_added(loom):
    raised = KeyError("k")

    def inner():
        raise raised

    def f():
        inner()

    wrapper = loom.counting(f).function
    with pytest.raises(KeyError) as caught:
        wrapper()
    assert caught.value is raised
    assert raised.__context__ is None
    assert raised.__cause__ is None
    frames = traceback.extract_tb(raised.__traceback__)
    assert [frame.name for frame in frames][1:] == ["f", "f", "inner"]
    assert frames[1].filename == "<ancestry-obs m:f>"
    assert "_obs_call()" in frames[1].line


def test_a_wrapper_keeps_no_exception_alive(loom):
    def f():
        raise ValueError

    wrapper = loom.counting(f).function
    gc.disable()
    try:
        error = None
        try:
            wrapper()
        except ValueError as raised:
            error = raised
        # What is left are this variable, the argument of getrefcount and `caught`'s traceback.
        assert sys.getrefcount(error) == 2
    finally:
        gc.enable()


def test_recursion_counts_every_level(loom):
    def fact(n):
        return n * wrapper(n - 1) if n else 1

    woven = loom.counting(fact)
    wrapper = woven.function
    assert wrapper(5) == 120
    assert woven.calls() == 6
    assert loom.total("calls_total") == 6


def test_a_wrapper_pickles_by_name_and_runs_in_another_process(loom, monkeypatch):
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
            setattr(owner, name, wrap(loom.counting(original, owner=owner, name=name).function))

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

        A.f = loom.counting(A.f, owner=A).function
        assert A().f(_A__secret=5) == 5


class TestOtherCallables:
    def test_an_lru_cache_keeps_one_entry_however_defaults_are_passed(self, loom):
        @functools.lru_cache
        def cached(a, b=2):
            return a + b

        loom.metric("a_total", b=9)
        wrapper = loom.weave(cached, loom.record("a_total", b="b")).function
        assert (wrapper(1), wrapper(1), wrapper(5, b=6)) == (3, 3, 11)
        assert cached.cache_info().currsize == 2
        assert loom.read("a_total") == {("2",): 2, ("6",): 1}
        assert inspect.signature(wrapper) == inspect.signature(cached)

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
        wrapper = loom.weave(decorated, record).function
        assert wrapper("x", key=3) == plain("x", key=3)
        assert loom.read("a_total") == {("x", "2", "3"): 1}

    def test_a_call_that_does_not_fit_what_a_decorated_function_shows_has_error_labels(self, loom):
        @functools.wraps(plain)
        def decorated(*args, **kwargs):
            return "fine"

        loom.metric("a_total", a=9)
        wrapper = loom.weave(decorated, loom.record("a_total", a="a")).function
        assert wrapper() == "fine"
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
        A.f = loom.weave(
            decorated, loom.record("a_total", a="self.name"), owner=A, name="f"
        ).function
        assert A().f() == "ann"
        assert loom.read("a_total") == {("ann",): 1}
