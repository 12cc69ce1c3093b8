from __future__ import annotations

import functools
import gc
import sys

import pytest

from ancestry_obs.patcher.definitions_in import definition_in, functions_with


def wanted(): ...


def holding(value):
    def inner():
        return value

    return inner


class Slotted:
    __slots__ = ("held",)

    def __init__(self, held):
        self.held = held


class Lazy:
    def __getattr__(self, name):
        raise RuntimeError(name)

    @property
    def __class__(self):
        raise RuntimeError("awake")


@pytest.mark.parametrize(
    "value",
    [
        wanted,
        [wanted],
        {"a": (1, [wanted])},
        functools.partial(wanted),
        functools.lru_cache(wanted),
        holding(wanted),
        holding(holding(functools.partial(wanted))),
        Slotted(wanted),
        Slotted(holding(wanted)),
        property(wanted),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_definition_is_found_inside(value):
    assert definition_in(value, __name__, "wanted") is wanted


@pytest.mark.parametrize(
    "value",
    [
        holding,
        [holding],
        sys,
        Slotted,
        3,
        [[[[[[[[[[[[[[wanted]]]]]]]]]]]]]],
        [[each] for each in range(5000)] + [[wanted]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_there_is_not_found_and_nothing_wakes_up(value):
    assert definition_in(value, __name__, "wanted") is None


def test_a_lazy_object_that_holds_it_is_not_woken():
    lazy = Lazy()
    assert definition_in(lazy, __name__, "wanted") is None
    vars(lazy)["held"] = wanted
    assert definition_in(lazy, __name__, "wanted") is wanted


def test_module_and_name_have_to_be_right():
    assert definition_in([wanted], "another", "wanted") is None
    assert definition_in([wanted], __name__, "unwanted") is None


def test_a_ring_is_gone_round_once():
    ring = []
    ring.append(ring)
    assert definition_in(ring, __name__, "wanted") is None


def test_every_living_function_is_found():
    kept = holding(1)
    gc.collect()
    found = list(functions_with([kept.__code__, wanted.__code__]))
    # Those of the tests before are not collected yet.
    assert {id(kept), id(wanted)} <= {id(each) for each in found}
