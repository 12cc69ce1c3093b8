from __future__ import annotations

import sys
from types import ModuleType

from ancestry_obs.patcher.references import rebind


def test_every_modules_name_for_an_object_is_bound_anew(program):
    one = program("a = b = object()\nc = 3", "one")
    two = program("from one import a as d", "two")
    old, new = one.a, object()
    rebind({id(old): new})

    assert [one.a, one.b, one.c, two.d] == [new, new, 3, new]
    assert list(vars(one))[-3:] == ["a", "b", "c"]


def test_rebinding_passes_over_what_is_no_module(monkeypatch):
    class Lazy(ModuleType):
        def __getattribute__(self, name):
            raise AssertionError(name)

    old, new = object(), object()
    lazy = Lazy("lazy")
    object.__getattribute__(lazy, "__dict__")["a"] = old
    monkeypatch.setitem(sys.modules, "lazy", lazy)
    monkeypatch.setitem(sys.modules, "odd", object())
    rebind({id(old): new})

    assert object.__getattribute__(lazy, "__dict__")["a"] is new
