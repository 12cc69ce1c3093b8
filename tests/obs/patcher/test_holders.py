from __future__ import annotations

import gc

import pytest

SOURCE = "def f(a=1): return a\ndef g(): ..."


@pytest.fixture
def unreached(patcher):
    return lambda: {each.target: each.unreached for each in patcher.report(search=True)}


@pytest.mark.parametrize(
    ("user", "description"),
    [
        ("table = [f, 1]", "a list of 2 items"),
        ("table = (f, [])", "a tuple of 2 items"),
        ("table = {'key': f}", "a dict under the key 'key'"),
        ("table = {f: 1}", "the keys of a dict"),
        ("table = {(1, 2): f}", "a dict"),
        ("table = {f}", "a set of 1 items"),
        ("def use(a=f): ...", "a default value of user.use"),
        ("def use(*, a=f): ...", "a default value of user.use"),
        (
            "def make(h):\n    def use(): return h\n    return use\nuse = make(f)",
            "the closure of user.make.<locals>.use",
        ),
        ("import functools\nuse = functools.partial(f, 2)", "a functools.partial"),
        ("class A:\n    use = f", "the namespace of class user.A"),
        ("class A:\n    use = staticmethod(f)", "an object of type builtins.staticmethod"),
        ("import types\nuse = types.MethodType(f, 1)", "a bound method"),
    ],
)
def test_who_holds_the_unwrapped_function_is_told(program, weave, unreached, user, description):
    program(SOURCE)
    program(f"from prog import f\n{user}", "user")
    weave("prog:f", "prog:g")
    gc.collect()

    assert unreached() == {"prog:f": (description,), "prog:g": ()}


def test_an_attribute_of_an_object_is_told(program, weave, unreached):
    program(SOURCE)
    user = program(
        """
        from prog import f
        class Holder:
            __slots__ = ("use",)
        holder = Holder()
        holder.use = f
        """,
        "user",
    )
    weave("prog:f")

    assert unreached() == {"prog:f": ("an object of type user.Holder",)}
    del user.holder
    assert unreached() == {"prog:f": ()}


def test_nothing_of_ours_is_told(program, weave, unreached):
    program(
        """
        import functools
        class A:
            @property
            def p(self): return 1
            @p.setter
            def p(self, value): ...
            @staticmethod
            def s(): ...
            @classmethod
            def c(cls): ...
            @functools.cached_property
            def cp(self): ...
            @functools.lru_cache
            def l(self): ...
            def m(self): ...
            __call__ = m
        class B(A):
            def m(self): return super().m()
        """
    )
    weave("prog:*", "prog:A.p.fset", subclasses=True)

    assert set(unreached().values()) == {()}


def test_it_is_searched_for_on_demand_only(program, patcher, weave):
    program(SOURCE)
    program("from prog import f\ntable = [f]", "user")
    weave("prog:f")

    assert patcher.report()[0].unreached == ()


def test_a_hostile_class_somewhere_in_the_process_is_no_obstacle(program, weave, unreached):
    user = program(
        """
        class Meta(type):
            def __getattribute__(cls, name): raise RuntimeError(name)
        class Lazy:
            __slots__ = ("use",)
            @property
            def __class__(self): raise RuntimeError("not now")
        class Hostile(metaclass=Meta): ...
        """,
        "user",
    )
    prog = program(SOURCE)
    lazy, user.Hostile.use = user.Lazy(), prog.f
    lazy.use = prog.f
    weave("prog:f")

    assert unreached() == {
        "prog:f": ("an object of type user.Lazy", "the namespace of class user.Hostile")
    }
