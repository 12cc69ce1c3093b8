from __future__ import annotations

import sys

from ancestry_obs.patcher import Pointcut
from ancestry_obs.patcher.references import modules_since, rebind

SOURCE = """
    def f(): return 1
    also = f

    class A:
        def get(self): return 2
        __call__ = get
        @staticmethod
        def make(): return 3

    get = A.get
    make = A.make
"""


def test_names_bound_before_are_bound_to_the_wrapper_and_back(
    program, patcher, weave, weaver, picture
):
    prog = program(SOURCE)
    user = program("from prog import f as g, A, get, make", "user")
    before = picture(prog, prog.A, user)
    weave("prog:f", "prog:A.get", "prog:A.make")

    assert [user.g(), user.get(None), user.make(), prog.also(), prog.A()()] == [1, 2, 3, 1, 2]
    assert weaver.take_calls() == ["prog:f", "prog:A.get", "prog:A.make", "prog:f", "prog:A.get"]
    assert {each.target: each.aliases for each in patcher.report()} == {
        "prog:f": ("prog:also", "user:g"),
        "prog:A.get": ("prog:A.__call__", "prog:get", "user:get"),
        "prog:A.make": ("prog:make", "user:make"),
    }
    weave()
    assert picture(prog, prog.A, user) == before


def test_names_bound_while_woven_are_put_back_too(program, weave):
    prog = program(SOURCE)
    original = prog.f
    weave("prog:f")
    late = program("from prog import f", "late")
    assert late.f is not original

    weave()

    assert late.f is original


def test_names_follow_when_a_target_is_woven_anew(program, patcher, weaver):
    prog = program(SOURCE)
    user = program("from prog import f", "user")
    patcher.apply([Pointcut("prog:f", "one")])
    late = program("from prog import f as again", "late")
    patcher.apply([Pointcut("prog:f", "two")])

    assert user.f is late.again is prog.f
    assert user.f() == 1
    assert weaver.calls == ["prog:f"]
    assert patcher.report()[0].aliases == ("late:again", "prog:also", "user:f")


def test_a_name_that_was_bound_to_something_else_meanwhile_is_left(program, weave):
    program(SOURCE)
    user = program("from prog import f", "user")
    weave("prog:f")
    user.f = len
    weave()

    assert user.f is len


def test_a_plain_function_inside_a_static_method_is_not_the_static_method(program, weave, weaver):
    prog = program(
        """
        def helper(): ...
        class A:
            run = staticmethod(helper)
        """
    )
    weave("prog:A.run")
    prog.helper()
    assert weaver.calls == []

    prog.A.run()
    assert weaver.calls == ["prog:A.run"]


def test_a_getter_that_is_a_method_as_well_stays_one(program, weave, weaver):
    prog = program(
        """
        class A:
            def get_x(self): return 1
            x = property(get_x)
        """
    )
    weave("prog:A.x")
    prog.A().get_x()
    assert weaver.calls == []

    assert prog.A().x == 1
    assert weaver.calls == ["prog:A.x"]


def test_only_modules_whose_import_began_later_can_hold_what_is_new(program):
    first, second, third = (program("", name) for name in ("one", "two", "three"))

    since = modules_since("two")

    assert first not in since
    assert since == [third, second]
    assert first in modules_since(None)
    assert set(modules_since("absent")) == set(modules_since(None))


def test_rebinding_tells_each_name_once_though_a_module_comes_twice(program):
    one = program("a = b = object()", "one")
    old, new = one.a, object()

    rebound = rebind({id(old): new}, [one, sys.modules["one"]])

    assert rebound == [(id(old), "one:a"), (id(old), "one:b")]
    assert one.a is one.b is new
