"""Names that are bound to proxies: of what has no code to exchange."""

from __future__ import annotations

import functools
import inspect

import pytest
import wrapt

from ancestry_obs.patcher import Pointcut

SOURCE = """
    import functools

    @functools.lru_cache
    def cached(n): return n
    also = cached

    class cython_function_or_method:
        def __init__(self, name): self.__name__ = self.__qualname__ = name
        __module__ = "prog"
        def __get__(self, instance, owner=None):
            import types
            return self if instance is None else types.MethodType(self, instance)
        def __call__(self, *args): return args[-1]

    compiled = cython_function_or_method("compiled")

    class A:
        @functools.lru_cache
        def cached(self, n): return n
        @staticmethod
        @functools.lru_cache
        def free(n): return n
        @classmethod
        @functools.lru_cache
        def made(cls, n): return n
        method = cython_function_or_method("method")
"""


@pytest.mark.parametrize(
    ("target", "call"),
    [
        ("cached", "cached(1), cached(1), also(1)"),
        ("compiled", "compiled(1), compiled(2)"),
        ("A.cached", "a.cached(1), a.cached(1), A.cached(a, 1)"),
        ("A.free", "A.free(1), a.free(1)"),
        ("A.made", "A.made(1), a.made(1)"),
        ("A.method", "a.method(1), A.method(a, 1)"),
    ],
)
def test_every_call_counts_and_the_names_come_back(
    program, weave, weaver, picture, reports, target, call
):
    prog = program(SOURCE)
    prog.a = prog.A()
    before = picture(prog)
    plain = eval(call, vars(prog))
    weave(f"prog:{target}")

    assert eval(call, vars(prog)) == plain
    assert weaver.take_calls() == [f"prog:{target}"] * len(plain)
    report = reports()[f"prog:{target}"]
    assert (report.state, report.way) == ("installed", "proxy")
    assert report.reason.startswith("measured by a proxy under its name: a ")
    weave()
    assert picture(prog) == before
    assert eval(call, vars(prog)) == plain
    assert weaver.calls == []


def test_a_glob_takes_caches_and_compiled_functions(program, weave, states):
    program(SOURCE)
    weave("prog:*")

    assert {"prog:cached", "prog:compiled", "prog:A.free", "prog:A.method"} <= {*states()}
    assert {*states().values()} == {"installed"}


def test_names_of_other_modules_are_bound_to_the_proxy_and_back(program, weave, weaver, picture):
    prog = program(SOURCE)
    user = program("from prog import cached as mine", "user")
    before = picture(prog, user)
    weave("prog:cached")
    late = program("from prog import cached as mine", "late")
    user.mine(1)
    late.mine(1)

    assert user.mine is late.mine is prog.cached is prog.also
    assert weaver.calls == ["prog:cached"] * 2
    weave()
    assert picture(prog, user) == before
    assert late.mine is prog.cached


def test_applying_again_keeps_the_proxy_and_a_change_replaces_it(program, patcher, weaver):
    prog = program(SOURCE)
    original = prog.cached
    user = program("from prog import cached", "user")
    patcher.apply([Pointcut("prog:cached", "one")])
    first = prog.cached
    patcher.apply([Pointcut("prog:cached", "one")])
    assert prog.cached is first
    patcher.apply([Pointcut("prog:cached", "two")])
    prog.cached(1)
    user.cached(1)

    assert weaver.calls == ["prog:cached"] * 2
    assert prog.cached is user.cached is not first
    assert prog.cached.__wrapped__ is original
    patcher.apply(())
    assert prog.cached is user.cached is original


def test_a_name_that_is_bound_to_something_else_meanwhile_stays(program, weave, reason):
    prog = program(SOURCE)
    user = program("from prog import cached", "user")
    original = prog.cached
    weave("prog:cached")
    theirs = prog.cached = functools.partial(prog.cached)
    weave()

    assert prog.cached is theirs
    assert user.cached is original
    assert reason("prog:cached") == (
        "left in place: the name was bound to something else meanwhile"
    )


def test_one_that_is_refused_keeps_its_name(program, weave, weaver, picture, reason):
    prog = program(SOURCE)
    before = picture(prog)
    weaver.refuse["prog:cached"] = ValueError("no")
    weave("prog:cached")

    assert picture(prog) == before
    assert reason("prog:cached") == "cannot be woven: no"


def test_a_cache_and_its_controls_are_the_originals(program, weave):
    prog = program(SOURCE)
    weave("prog:cached")
    prog.cached.cache_clear()

    assert [prog.cached(1), prog.cached(1)] == [1, 1]
    assert prog.cached.cache_info().hits == 1
    assert str(inspect.signature(prog.cached)) == "(n)"


@wrapt.decorator
def tell(wrapped, instance, args, kwargs):
    return instance, wrapped(*args, **kwargs)


class Told:
    @tell
    def method(self, n):
        return n

    @tell
    @classmethod
    def made(cls, n):
        return cls, n

    @tell
    @staticmethod
    def free(n):
        return n

    @functools.singledispatchmethod
    def show(self, value):
        return "any"

    @show.register
    def _(self, value: int):
        return "int"

    def two(self, a, b):
        return self, a, b

    first = functools.partialmethod(two, 1)


def test_what_wrapt_has_wrapped_binds_as_before(weave, weaver, picture):
    def use():
        return [told.method(1), Told.method(told, 1), told.made(2), Told.made(2), told.free(3)]

    told, before = Told(), picture(Told)
    plain = use()
    weave(*(f"{__name__}:Told.{name}" for name in ("method", "made", "free")))

    assert use() == plain
    assert [each.rpartition(".")[2] for each in weaver.take_calls()] == [
        "method", "method", "made", "made", "free",
    ]  # fmt: skip
    weave()
    assert use() == plain
    assert picture(Told) == before
    assert weaver.calls == []


def test_a_descriptor_without_a_definition_of_its_name_is_woven_at_its_binding(
    weave, weaver, picture
):
    told, before = Told(), picture(Told)
    weave(f"{__name__}:Told.first")

    assert told.first(2) == (told, 1, 2)
    assert len(weaver.take_calls()) == 1
    weave()
    assert picture(Told) == before


def test_a_generic_method_can_be_extended_while_it_is_woven(weave, weaver):
    told = Told()
    weave(f"{__name__}:Told.show")
    assert (told.show("x"), told.show(1)) == ("any", "int")
    Told.show.register(bytes, lambda self, value: "bytes")
    weave()
    assert told.show(b"") == "bytes"
    assert len(weaver.calls) == 2
