from __future__ import annotations

import copy
import functools
import inspect
import operator
import pickle

import pytest

from ancestry_obs.patcher.proxies import WovenProxy


@functools.lru_cache(maxsize=4)
def square(number):
    """Square it."""
    return number * number


@functools.singledispatch
def show(value):
    return "any"


@show.register
def _(value: int):
    return "int"


half = functools.partial(operator.mul, 0.5)


class Adder:
    """A callable instance."""

    def __init__(self, step):
        self.step = step

    def __call__(self, number):
        return number + self.step

    def __eq__(self, other):
        return isinstance(other, Adder) and other.step == self.step

    __hash__ = None


add_two = Adder(2)


def make_wrapper(calls):
    def decorated(number):
        return number

    @functools.wraps(decorated)
    def wrapper(*args):
        wrapper.count += 1
        return decorated(*args)

    wrapper.count = 0
    return wrapper


@pytest.fixture
def calls():
    return []


@pytest.fixture
def proxied(calls):
    def proxy(original):
        def woven(*args, **kwargs):
            calls.append(args)
            return original(*args, **kwargs)

        return WovenProxy(original, woven)

    return proxy


@pytest.mark.parametrize(
    ("original", "arguments", "expected"),
    [(square, (3,), 9), (half, (4,), 2), (add_two, (1,), 3), (show, (1,), "int")],
)
def test_a_call_goes_through_the_woven_function(proxied, calls, original, arguments, expected):
    assert proxied(original)(*arguments) == expected
    assert calls == [arguments]


def test_a_parameter_may_be_called_self(calls):
    proxy = WovenProxy(half, lambda **kwargs: kwargs)

    assert proxy(self=1) == {"self": 1}


def test_a_cache_is_the_same_cache(proxied):
    proxy = proxied(square)
    proxy.cache_clear()
    proxy(3)
    proxy(3)

    assert proxy.cache_info() == square.cache_info()
    assert (square.cache_info().hits, proxy.cache_parameters()["maxsize"]) == (1, 4)


def test_a_generic_function_can_be_extended_through_the_proxy(proxied):
    proxy = proxied(show)
    proxy.register(bytes, lambda value: "bytes")

    assert proxy(b"") == show(b"") == "bytes"
    assert proxy.dispatch(int) is show.dispatch(int)


def test_attributes_are_the_originals_own_read_and_written(proxied, calls):
    wrapper = make_wrapper(calls)
    proxy = proxied(wrapper)
    proxy(1)
    proxy.count += 10

    assert (wrapper.count, proxy.count) == (11, 11)


@pytest.mark.parametrize("original", [square, half, add_two, show])
def test_it_looks_like_the_original(proxied, original):
    proxy = proxied(original)

    assert inspect.signature(proxy) == inspect.signature(original)
    assert isinstance(proxy, type(original))
    assert proxy.__doc__ == original.__doc__
    assert getattr(proxy, "__name__", None) == getattr(original, "__name__", None)


@pytest.mark.parametrize("original", [square, show])
def test_it_is_pickled_by_name(proxied, monkeypatch, original):
    proxy = proxied(original)
    monkeypatch.setitem(globals(), original.__name__, proxy)

    assert pickle.loads(pickle.dumps(proxy)) is proxy


def test_what_is_pickled_by_value_stays_so(proxied):
    assert pickle.loads(pickle.dumps(proxied(half)))(4) == 2


def test_copies_are_those_of_the_original(proxied):
    proxy = proxied(square)

    assert copy.copy(proxy) is proxy
    assert copy.deepcopy(proxy) is proxy
    assert isinstance(copy.copy(proxied(half)), functools.partial)
    assert type(copy.deepcopy(proxied(half))) is functools.partial


def test_what_binds_like_a_function_becomes_a_method(proxied, calls):
    class Owner:
        method = proxied(functools.lru_cache(lambda self, n: (self, n)))

    owner = Owner()

    assert owner.method(1) == (owner, 1)
    assert owner.method.__self__ is owner
    assert Owner.method.cache_info().misses == 1
    assert calls == [(owner, 1)]


def test_what_does_not_bind_stays_unbound(proxied, calls):
    class Owner:
        add = proxied(add_two)

    assert Owner().add(1) == Owner.add(1) == 3
    assert calls == [(1,), (1,)]
