"""What is pickled by value arrives as the original: with cloudpickle, dill, or their like."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from types import CodeType, FunctionType, ModuleType

import pytest

from ancestry_obs.patcher.library_hooks import LibraryHooks

STAND_IN = """
    def _code_reduce(obj): return obj.co_code, obj.co_consts
    def reduce(function): return _code_reduce(function.__code__)
"""
SOURCE = """
    def f(n=1): return n
    def outer(n):
        def inner(): return n
        return inner
    kept = outer(3)
"""


@pytest.fixture(params=["stand-in", "cloudpickle", "dill"])
def dump(request, program):
    """Pickle a function by value, or what a stand-in gives for that."""
    if request.param == "stand-in":
        return program(STAND_IN, "brought_along.cloudpickle").reduce
    if request.param == "cloudpickle":
        cloudpickle = pytest.importorskip("cloudpickle")

        def dump_by_value(function):
            cloudpickle.register_pickle_by_value(sys.modules["prog"])
            try:
                return cloudpickle.dumps(function)
            finally:
                cloudpickle.unregister_pickle_by_value(sys.modules["prog"])

        return dump_by_value
    dill = pytest.importorskip("dill")
    return lambda function: dill.dumps(function, byref=False, recurse=True)


@pytest.mark.parametrize("name", ["f", "kept"])
def test_a_woven_function_is_pickled_as_if_it_was_not(program, dump, weave, weaver, name):
    prog = program(SOURCE)
    before = dump(getattr(prog, name))
    weave("prog:f", "prog:outer.<locals>.inner")
    assert getattr(prog, name)() in {1, 3}
    assert len(weaver.calls) == 1

    assert dump(getattr(prog, name)) == before
    if isinstance(before, bytes):
        assert pickle.loads(before)() in {1, 3}
    weave()
    assert dump(getattr(prog, name)) == before


def test_the_writer_is_put_back(program, weave):
    writer = program(STAND_IN, "brought_along.cloudpickle")._code_reduce
    before = writer.__code__
    weave("prog:f")
    assert writer.__code__ is not before
    weave()
    assert writer.__code__ is before


def test_one_that_is_imported_later_gets_its_hook_too(project, program, weave):
    prog = program(SOURCE)
    load = project({"brought_b/__init__.py": "", "brought_b/cloudpickle.py": STAND_IN})
    before = prog.f.__code__.co_code
    weave("prog:f")

    assert load("brought_b.cloudpickle").reduce(prog.f)[0] == before


def _module(writer):
    module = ModuleType("cloudpickle")
    module._code_reduce = writer
    return module


def test_only_a_writer_that_can_get_a_step_in_front_gets_one():
    value = object()

    def closed_over(obj):
        return value

    hooks = LibraryHooks(lambda code: code, print)
    for writer in (None, len, closed_over):
        hooks.look_at("cloudpickle", _module(writer))
    hooks.look_at("pickle", _module(lambda obj: obj))
    assert hooks._given == []


def test_a_hook_is_put_once_and_another_ones_code_on_top_stays():
    def writer(obj):
        return obj

    other = CodeType.replace(writer.__code__, co_name="other")
    hooks = LibraryHooks(lambda code: other, print)
    module = _module(writer)
    hooks.look_at("cloudpickle", module)
    hooks.look_at("cloudpickle", module)
    assert len(hooks._given) == 1
    assert writer(writer.__code__) is other
    writer.__code__ = theirs = FunctionType(other, {}).__code__
    hooks.close()
    assert writer.__code__ is theirs


def test_the_real_ones_are_still_as_they_are_expected():
    for name, writer in (("cloudpickle.cloudpickle", "_code_reduce"), ("dill._dill", "save_code")):
        if importlib.util.find_spec(name.partition(".")[0]):
            assert type(getattr(importlib.import_module(name), writer)) is FunctionType


def test_who_gives_a_function_other_code_says_so_afterwards():
    def update_function(old, new):
        old.__code__ = new.__code__

    module = ModuleType("autoreload")
    module.update_function = update_function
    seen = []
    hooks = LibraryHooks(lambda code: code, lambda function: seen.append(function()))
    hooks.look_at("IPython.extensions.autoreload", module)
    old = FunctionType((lambda: "old").__code__, {})
    module.update_function(old, lambda: "new")
    assert seen == ["new"]
    hooks.close()
    module.update_function(old, lambda: "newer")
    assert (old(), seen) == ("newer", ["new"])


def test_a_function_of_other_arguments_is_another_one():
    def update_function(old, new, more):
        pass

    module = ModuleType("autoreload")
    module.update_function = update_function
    hooks = LibraryHooks(lambda code: code, print)
    hooks.look_at("autoreload", module)
    assert hooks._given == []
