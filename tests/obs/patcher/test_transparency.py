from __future__ import annotations

import asyncio
import functools
import inspect
import multiprocessing
import pickle
import traceback
from concurrent.futures import ProcessPoolExecutor

import pytest

FILES = {
    "plain_math.py": """
        import asyncio
        import functools

        def double(n):
            return 2 * n

        def halve(n: int, *, by: int = 2) -> float:
            "Halve it."
            return n / by

        @functools.lru_cache
        def cached(n):
            return n + 1

        @functools.wraps(double)
        def decorated(*args):
            return double(*args)
        decorated.__name__ = decorated.__qualname__ = "decorated"

        def fail():
            raise ValueError("as ever")

        async def wait(n):
            return n

        class Tools:
            @staticmethod
            def triple(n):
                return 3 * n

            @classmethod
            def named(cls, n):
                return cls.__name__ * n

            def method(self, n):
                return 4 * n

            @functools.lru_cache
            def remembered(self, n):
                return 5 * n

            @functools.cached_property
            def value(self):
                return object()

        class More(Tools):
            def method(self, n):
                return super().method(n) + 1
        """
}
NAMES = ["double", "cached", "decorated", "Tools.triple", "Tools.named"]


@pytest.fixture
def tools(project):
    return project(FILES)("plain_math")


@pytest.fixture
def woven_tools(tools, weave):
    weave("plain_math:*")
    return tools


def reach(module, name):
    return functools.reduce(getattr, name.split("."), module)


@pytest.mark.parametrize("name", NAMES)
def test_a_woven_callable_is_pickled_by_name(woven_tools, weaver, name):
    function = reach(woven_tools, name)

    assert pickle.loads(pickle.dumps(function)) == function
    assert f"plain_math:{name}" in weaver.targets()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # fork beside threads
def test_a_process_pool_runs_woven_callables(woven_tools, method):
    context = multiprocessing.get_context(method)

    with ProcessPoolExecutor(1, mp_context=context) as pool:
        results = [pool.submit(reach(woven_tools, name), 2) for name in NAMES]
        results.append(pool.submit(woven_tools.More().method, 2))
        assert [each.result(60) for each in results] == [4, 3, 4, 6, "ToolsTools", 9]


@pytest.mark.parametrize(
    "name", [*NAMES, "halve", "wait", "fail", "Tools.method", "Tools.remembered", "More.method"]
)
def test_it_looks_like_the_original(tools, weave, weaver, name):
    def look(function):
        return (
            str(inspect.signature(function)),
            *(getattr(function, each) for each in ("__name__", "__qualname__", "__module__")),
            function.__doc__,
            inspect.iscoroutinefunction(function),
            inspect.isroutine(function),
            callable(function),
        )

    before = look(reach(tools, name))
    weave("plain_math:*")

    assert f"plain_math:{name}" in weaver.targets()
    assert look(reach(tools, name)) == before


def test_static_and_class_methods_bind_through_instance_and_class(woven_tools, weaver):
    tools = woven_tools.Tools

    assert (tools.triple(1), tools().triple(1)) == (3, 3)
    assert (tools.named(1), tools().named(1), woven_tools.More.named(1)) == (
        "Tools",
        "Tools",
        "More",
    )
    assert len(weaver.calls) == 5


def test_super_reaches_the_woven_base(woven_tools, weaver):
    assert woven_tools.More().method(1) == 5
    assert weaver.calls == ["plain_math:More.method", "plain_math:Tools.method"]


def test_a_cached_method_keeps_one_cache_and_its_controls(woven_tools, weaver):
    tools = woven_tools.Tools()
    tools.remembered.cache_clear()

    assert [tools.remembered(1), tools.remembered(1)] == [5, 5]
    assert tools.remembered.cache_info().hits == 1
    assert len(weaver.calls) == 2


def test_a_cached_property_is_computed_once_and_stored_under_its_name(woven_tools, weaver):
    tools = woven_tools.Tools()

    assert tools.value is tools.value
    assert vars(tools) == {"value": tools.value}
    assert weaver.calls == ["plain_math:Tools.value"]


def test_an_exception_comes_with_its_own_frame(woven_tools):
    with pytest.raises(ValueError, match="as ever") as caught:
        woven_tools.fail()

    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "fail"


def test_a_coroutine_function_is_one_and_is_awaited(woven_tools):
    assert asyncio.run(woven_tools.wait(3)) == 3


def test_a_decorator_put_on_top_copies_what_it_would_have_copied(woven_tools):
    @functools.wraps(woven_tools.halve)
    def outer(*args, **kwargs):
        return woven_tools.halve(*args, **kwargs)

    assert (outer.__name__, outer.__doc__, outer(4)) == ("halve", "Halve it.", 2)
    assert str(inspect.signature(outer)) == "(n: int, *, by: int = 2) -> float"
