"""The patcher with the real compiler: every kind of callable is counted exactly."""

from __future__ import annotations

import inspect

import pytest

from ancestry_obs.compiler import Advice, Runtime
from ancestry_obs.instrumentation import _Weaver
from ancestry_obs.mapfile import load
from ancestry_obs.patcher import Patcher, Pointcut
from ancestry_obs.recording import Store

SOURCE = """
    import functools
    import wrapt

    def f(a, b=2): return a + b

    @functools.lru_cache
    def cached(a): return a

    half = functools.partial(f, 1)

    @functools.singledispatch
    def generic(x): return "any"

    @generic.register
    def _(x: int): return "int"

    @wrapt.decorator
    def through(wrapped, instance, args, kwargs): return wrapped(*args, **kwargs)

    def decorate(function):
        @functools.wraps(function)
        def inner(*args): return function(*args)
        return inner

    @through
    def wrapped(a): return a

    class A:
        @functools.lru_cache
        def cached(self, a): return a
        @through
        def wrapped(self, a): return a
        @through
        @classmethod
        def named(cls, a): return a
        @through
        @staticmethod
        def free(a): return a
        @decorate
        def decorated(self, a): return a
        partly = functools.partialmethod(wrapped, 1)
        @functools.singledispatchmethod
        def generic(self, x): return "any"
        @generic.register
        def _(self, x: int): return "int"
        @property
        def size(self): return 1
        @functools.cached_property
        def once(self): return 1
        @staticmethod
        def static(a): return a
        @classmethod
        def klass(cls, a): return a
        def plain(self, a): return a

        @through
        async def waits(self, a): return a
        @through
        @classmethod
        async def waits_too(cls, a): return a
        soon = functools.partialmethod(waits, 1)

    @through
    async def waits(a): return a

    class B(A):
        @decorate
        def decorated(self, a): return super().decorated(a)
        def plain(self, a): return super().plain(a)
        @functools.lru_cache
        def cached(self, a): return super().cached(a)
"""


@pytest.fixture
def compiled():
    spec = load(
        {
            "version": 1,
            "metrics": {"calls_total": {"type": "counter", "help": "Calls."}},
            "instrument": [{"target": "prog:f", "record": [{"metric": "calls_total"}]}],
        }
    )
    patcher = Patcher(_Weaver(Runtime(Store()), {}))

    def apply(*patterns, subclasses=False):
        advice = Advice(spec.instruments[0].records, spec.metrics, subclasses=subclasses)
        patcher.apply([Pointcut(pattern, advice, subclasses) for pattern in patterns])
        return take

    def take():
        calls = {r.target: sum(woven.calls() for woven in r.woven) for r in patcher.report()}
        return {target: count for target, count in calls.items() if count}

    yield apply
    patcher.apply(())


@pytest.mark.parametrize(
    ("call", "target"),
    [
        ("f(1)", "f"),
        ("cached(1)", "cached"),
        ("half(1)", "half"),
        ("generic(1)", "generic"),
        ("wrapped(1)", "wrapped"),
        ("A().cached(1)", "A.cached"),
        ("A().wrapped(1)", "A.wrapped"),
        ("A.wrapped(A(), 1)", "A.wrapped"),
        ("A().named(1)", "A.named"),
        ("A.named(1)", "A.named"),
        ("A.free(1)", "A.free"),
        ("A().free(1)", "A.free"),
        ("A().decorated(1)", "A.decorated"),
        ("A().partly()", "A.partly"),
        ("A().generic(1)", "A.generic"),
        ("A().size", "A.size"),
        ("A().once", "A.once"),
        ("A().static(1)", "A.static"),
        ("B.klass(1)", "A.klass"),
    ],
)
def test_one_call_of_any_callable_counts_one(program, compiled, call, target):
    prog = program(SOURCE)
    plain = eval(call, vars(prog))
    counted = compiled(f"prog:{target}")

    assert eval(call, vars(prog)) == plain
    assert counted() == {f"prog:{target}": 1}


@pytest.mark.parametrize("method", ["plain", "decorated", "cached"])
def test_a_call_that_goes_up_through_super_counts_once(program, compiled, method):
    prog = program(SOURCE)
    counted = compiled(f"prog:A.{method}", subclasses=True)

    assert getattr(prog.B(), method)(1) == 1
    assert counted() == {f"prog:B.{method}": 1}


@pytest.mark.parametrize(
    ("call", "target"),
    [
        ("waits(1)", "waits"),
        ("A().waits(1)", "A.waits"),
        ("A().waits_too(1)", "A.waits_too"),
        ("A.waits_too(1)", "A.waits_too"),
        ("A().soon()", "A.soon"),
    ],
)
def test_a_decorated_coroutine_counts_when_it_is_done(program, compiled, call, target):
    prog = program(SOURCE)
    counted = compiled(f"prog:{target}")

    coroutine = eval(call, vars(prog))
    assert inspect.iscoroutine(coroutine)
    assert counted() == {}
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    assert stop.value.value == 1
    assert counted() == {f"prog:{target}": 1}


def test_a_function_that_exchanges_its_own_code_is_woven_again_in_that_call(program, compiled):
    prog = program(
        """
        def f(n):
            f.__code__ = g.__code__
            return f(n)
        def g(n): return n
        """
    )
    counted = compiled("prog:f")

    # The call inside the first one comes before anybody can see the exchange.
    assert [prog.f(1), prog.f(2), prog.f(3)] == [1, 2, 3]
    assert counted() == {"prog:f": 3}
