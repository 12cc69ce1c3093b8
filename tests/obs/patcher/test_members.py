from __future__ import annotations

import abc
import functools
import inspect

import pytest
import wrapt

from ancestry_obs.patcher.members import core_of, is_plain, repack, unpack
from ancestry_obs.patcher.proxies import WovenProxy


def plain(self=None): ...


def woven(self=None): ...


def with_attributes(): ...


with_attributes.calls = 0


def with_marks(): ...


with_marks.__isabstractmethod__ = True


class KeptStatic(staticmethod):
    pass


class Titled(property):
    pass


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (plain, True),
        (with_marks, True),
        (with_attributes, False),
        (functools.wraps(plain)(lambda: None), False),
        (functools.lru_cache(plain), False),
        (functools.partial(plain), False),
        (len, False),
    ],
)
def test_plain_is_a_function_without_a_life_of_its_own(function, expected):
    assert is_plain(function) is expected


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (plain, "method"),
        (staticmethod(plain), "staticmethod"),
        (classmethod(plain), "classmethod"),
        (property(plain), "property"),
        (functools.cached_property(plain), "cached_property"),
        (functools.lru_cache(plain), "callable"),
    ],
)
def test_unpacked_and_repacked_it_is_of_the_same_kind_around_the_other_function(raw, kind):
    assert unpack(raw, "fget", object) == (kind, core_of(raw))

    repacked = repack(raw, {"fget": woven})

    core = core_of(repacked)
    assert type(repacked) is type(raw) or isinstance(repacked, WovenProxy)
    assert core is woven or core.__wrapped__ is raw
    assert core_of(raw) is not woven


def test_a_function_of_a_module_is_no_method():
    assert unpack(plain, "fget", None) == ("function", plain)


def test_a_property_takes_over_only_the_functions_that_are_given():
    raw = property(plain, plain, plain, "the size")

    repacked = repack(raw, {"fset": woven})

    assert (repacked.fget, repacked.fset, repacked.fdel) == (plain, woven, plain)
    assert repacked.__doc__ == "the size"


def test_subclasses_of_descriptors_keep_their_type_and_attributes():
    static, titled = KeptStatic(plain), Titled(plain)
    static.note = titled.note = "kept"

    for raw in (static, titled):
        repacked = repack(raw, {"fget": woven})
        assert type(repacked) is type(raw)
        assert repacked.note == "kept"


def test_a_static_method_describes_the_function_that_it_holds_now():
    repacked = repack(staticmethod(plain), {"fget": woven})

    assert repacked.__wrapped__ is woven
    assert repacked.__name__ == "woven"


def test_an_abstract_property_stays_abstract():
    raw = property(abc.abstractmethod(lambda self: 1))
    abstract = functools.wraps(raw.fget)(lambda self: 1)

    assert repack(raw, {"fget": abstract}).__isabstractmethod__


def test_a_cached_property_keeps_its_name():
    class Owner:
        value = functools.cached_property(lambda self: 1)

    repacked = repack(vars(Owner)["value"], {"fget": lambda self: 2})

    assert repacked.attrname == "value"
    assert repacked.__get__(Owner(), Owner) == 2


def test_state_inside_a_static_method_is_proxied():
    cached = functools.lru_cache(plain)

    repacked = repack(staticmethod(cached), {"fget": woven})

    assert isinstance(repacked.__func__, WovenProxy)
    assert repacked.__func__.cache_info().hits == 0


def test_a_descriptor_that_must_be_bound_is_called_through_its_binding():
    @wrapt.decorator
    def tell(wrapped, instance, args, kwargs):
        return instance, args

    class Owner:
        method = tell(plain)

    raw = vars(Owner)["method"]
    kind, function = unpack(raw, "fget", Owner)
    owner = Owner()

    assert kind == "callable"
    assert function(owner, 1) == (owner, (1,))


def test_a_partial_method_does_not_show_the_parameters_that_it_has_filled():
    class Owner:
        method = functools.partialmethod(lambda self, a, b: (a, b), 1)

    function = unpack(vars(Owner)["method"], "fget", Owner)[1]

    assert list(inspect.signature(function).parameters) == ["instance", "args", "kwargs"]
    assert function(Owner(), 2) == (1, 2)
