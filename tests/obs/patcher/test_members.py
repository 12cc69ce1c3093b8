from __future__ import annotations

import functools
import inspect
import types

import pytest
import wrapt

from ancestry_obs.exceptions import TargetError
from ancestry_obs.patcher.members import (
    core_of,
    is_function_like,
    is_plain_data,
    is_static,
    repack,
    unpack,
)
from ancestry_obs.patcher.proxies import bind_explicitly


def plain(self=None): ...


def other(self=None): ...


class KeptStatic(staticmethod):
    pass


class Titled(property):
    pass


class Lazy:
    def __getattribute__(self, name):
        raise RuntimeError(name)


def take(raw, accessor="fget", at="", *, named=True):
    return unpack(raw, accessor, __name__, "plain", at, named=named)


@pytest.mark.parametrize(
    "raw",
    [
        plain,
        staticmethod(plain),
        classmethod(plain),
        property(plain),
        Titled(plain),
        functools.cached_property(plain),
        functools.partial(plain, 1),
        functools.partialmethod(plain, 1),
        functools.singledispatch(plain).__wrapped__,
        wrapt.FunctionWrapper(plain, lambda *args: None),
    ],
    ids=lambda raw: type(raw).__name__,
)
@pytest.mark.parametrize("at", ["", "definition"])
def test_the_function_that_was_defined_is_what_is_woven(raw, at):
    assert take(raw, at=at) is plain


def test_a_cache_is_woven_itself_unless_the_definition_is_meant():
    cached = functools.lru_cache(plain)

    assert take(cached) is take(property(cached)) is cached
    assert take(cached, at="definition") is plain


def test_a_generic_method_is_woven_itself_since_it_enters_other_functions():
    generic = functools.singledispatchmethod(plain)

    assert take(generic) is take(generic, named=False) is generic
    assert take(generic, at="definition") is plain


def test_a_wrapper_is_woven_itself_unless_the_definition_is_meant():
    @functools.wraps(plain)
    def wrapper():
        return plain()

    assert take(wrapper) is take(wrapper, at="object") is wrapper
    with pytest.raises(TargetError, match="has no definition of that name"):
        take(other, at="definition")


def test_what_compiled_code_is_called_by_is_woven_by_its_name():
    class cython_function_or_method:  # noqa: N801 - so it is called
        def __call__(self):
            return 1

    compiled = cython_function_or_method()

    assert is_function_like(compiled)
    assert take(compiled) is compiled


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (len, "is implemented in C and cannot be replaced; name a Python caller of it"),
        (str.join, "is implemented in C and cannot be replaced; name a Python caller of it"),
        (int, "is a class; name a method of it, such as '.__init__'"),
        (None, "is not callable but a value of type 'NoneType'"),
        (property(None), "is a property without a getter"),
    ],
)
def test_what_cannot_be_woven_is_refused(raw, message):
    with pytest.raises(TargetError) as caught:
        take(raw)
    assert str(caught.value) == message


def test_a_glob_takes_no_callable_that_nobody_named():
    class Callable:
        def __call__(self): ...

    assert take(found := Callable()) is found
    with pytest.raises(TargetError):
        take(Callable(), named=False)


@pytest.mark.parametrize(
    ("value", "function_like", "data"),
    [
        (plain, True, False),
        (functools.lru_cache(plain), True, False),
        (functools.partial(plain), False, False),
        (3, False, True),
        ({}, False, True),
        (int, False, True),
        (types, False, True),
        (types.SimpleNamespace(), False, True),
    ],
)
def test_what_a_glob_looks_into(value, function_like, data):
    assert is_function_like(value) is function_like
    if not function_like:
        assert is_plain_data(value) is data


def test_a_lazy_object_does_not_wake_up():
    lazy = Lazy()
    assert (is_function_like(lazy), is_plain_data(lazy), is_static(lazy)) == (False,) * 3


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(plain, False), (staticmethod(plain), True), (KeptStatic(plain), True)],
)
def test_static(raw, expected):
    assert is_static(raw) is expected


@pytest.mark.parametrize(
    "raw",
    [
        plain,
        staticmethod(plain),
        KeptStatic(plain),
        classmethod(plain),
        property(plain, doc="the size"),
        functools.cached_property(plain),
    ],
    ids=lambda raw: type(raw).__name__,
)
def test_repacked_it_is_of_the_same_kind_around_the_other_function(raw):
    repacked = repack(raw, other)

    assert type(repacked) is type(raw)
    assert core_of(repacked) is other
    assert core_of(raw) is plain


def test_a_property_takes_over_only_the_function_that_is_given():
    raw = property(plain, plain, plain, "the size")

    repacked = repack(raw, other, "fset")

    assert (repacked.fget, repacked.fset, repacked.fdel) == (plain, other, plain)
    assert repacked.__doc__ == "the size"


def test_a_property_of_another_kind_is_not_copied():
    with pytest.raises(TargetError, match="is a 'Titled' around no function"):
        repack(Titled(plain), other)


def test_subclasses_of_descriptors_keep_their_type_and_attributes():
    static = KeptStatic(plain)
    static.note = "kept"

    assert repack(static, other).note == "kept"
    assert repack(static, other).__wrapped__ is other


def test_a_cached_property_keeps_its_name():
    class Owner:
        value = functools.cached_property(lambda self: 1)

    repacked = repack(vars(Owner)["value"], lambda self: 2)

    assert repacked.attrname == "value"
    assert repacked.__get__(Owner(), Owner) == 2


def test_a_descriptor_that_must_be_bound_is_called_through_its_binding():
    @wrapt.decorator
    def tell(wrapped, instance, args, kwargs):
        return instance, args

    class Owner:
        method = tell(plain)

    function = bind_explicitly(vars(Owner)["method"], Owner)
    owner = Owner()

    assert function(owner, 1) == (owner, (1,))


def test_a_partial_method_does_not_show_the_parameters_that_it_has_filled():
    class Owner:
        method = functools.partialmethod(lambda self, a, b: (a, b), 1)

    function = bind_explicitly(vars(Owner)["method"], Owner)

    assert list(inspect.signature(function).parameters) == ["instance", "args", "kwargs"]
    assert function(Owner(), 2) == (1, 2)
