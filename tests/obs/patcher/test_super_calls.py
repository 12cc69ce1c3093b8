"""Which calls of a base class's method count beside those of its overrides."""

from __future__ import annotations

import asyncio
import gc

import pytest

from ancestry_obs.patcher.super_calls import SuperCalls, SuperTest

SOURCE = """
    class Base:
        def save(self, n=1): return n
        @property
        def size(self): return 1
        @size.setter
        def size(self, value): ...
        @classmethod
        def make(cls): return cls
        async def wait(self): return 1
        def items(self): yield 1
        async def stream(self): yield 1

    class Sub(Base):
        def save(self, n=1): return super().save(n)
        def other(self): return super().save(2)
        def compare(self, n): return Base.save(self)
        @property
        def size(self): return super().size + 1
        @size.setter
        def size(self, value): Base.size.fset(self, value)
        @classmethod
        def make(cls): return super().make()
        async def wait(self): return await super().wait()
        def items(self): yield from super().items()
        async def stream(self):
            async for each in super().stream(): yield each

    class Explicit(Base):
        def save(self, n=1): return Base.save(self, n)

    class Both(Base):
        def save(self, n=1):
            twin = Base()
            twin.__class__ = Both
            Base.save(twin)
            return super().save(n)

    class Named(Base):
        def save(self, n=1): return super(Named, self).save(n)

    class Listed(Base):
        def save(self, n=1): return [super(Listed, self).save(each) for each in range(2)]

    class Summed(Base):
        def save(self, n=1): return sum(super(Summed, self).save(each) for each in range(2))

    class Starred(Base):
        def save(*args): return super(Starred, args[0]).save(*args[1:])

    class Held(Base):
        def save(self, n=1):
            def inside(): return self
            up = super().save
            return up(n), inside()

    class Deep(Sub):
        def save(self, n=1): return super().save(n)

    class Leaf(Base): ...

    class Each(Base):
        def __init__(self, each): self.each = each
        def save(self, n=1):
            for call in self.each: call()
            return super().save(n)

    class Stored(Base):
        def save(self, n=1):
            local = n
            return Base.save(self, local)
"""


@pytest.mark.parametrize(
    ("call", "calls"),
    [
        ("Base().save()", ["Base.save"]),
        ("Sub().save()", ["Sub.save"]),
        ("Deep().save()", ["Deep.save"]),
        ("Explicit().save()", ["Explicit.save"]),
        ("Named().save()", ["Named.save"]),
        ("Listed().save()", ["Listed.save"]),
        ("Summed().save()", ["Summed.save"]),
        ("Starred().save()", ["Starred.save"]),
        ("Held().save()", ["Held.save"]),
        ("Stored().save()", ["Stored.save"]),
        ("Each([Leaf().save]).save()", ["Each.save", "Base.save"]),
        ("Each([Each([]).save]).save()", ["Each.save", "Each.save"]),
        ("Base.save(Sub())", ["Base.save"]),
        ("Sub.save(Deep())", ["Sub.save"]),
        ("Sub().other()", ["Base.save"]),
        ("Sub().compare(1)", ["Base.save"]),
        ("Both().save()", ["Both.save", "Base.save"]),
        ("Sub().size", ["Sub.size"]),
        ("Sub.make()", ["Sub.make"]),
        ("Deep().make()", ["Sub.make"]),
        ("Base.make()", ["Base.make"]),
        ("list(Sub().items())", ["Sub.items"]),
        ("asyncio.run(Sub().wait())", ["Sub.wait"]),
        ("asyncio.run(collected(Sub().stream()))", ["Sub.stream"]),
        ("asyncio.run(Base.wait(Sub()))", ["Base.wait"]),
    ],
)
@pytest.mark.parametrize("has_source", [True, False])
def test_a_call_counts_where_it_comes_from_outside(program, weave, weaver, call, calls, has_source):
    prog = program(SOURCE, has_source=has_source)
    target = calls[0].split(".")[1]

    async def collected(stream):
        return [each async for each in stream]

    names = {**vars(prog), "asyncio": asyncio, "collected": collected}
    plain = repr(eval(call, names)).partition(" at ")[0]
    weave(f"prog:Base.{target}", subclasses=True)

    assert repr(eval(call, names)).partition(" at ")[0] == plain
    assert weaver.calls == [f"prog:{each}" for each in calls]


def test_a_setter_that_goes_up_counts_once(program, weave, weaver):
    prog = program(SOURCE)
    weave("prog:Base.size.fset", subclasses=True)
    prog.Sub().size = 2
    prog.Base().size = 3

    assert weaver.calls == ["prog:Sub.size.fset", "prog:Base.size.fset"]


def test_without_subclasses_every_call_of_the_base_counts(program, weave, weaver):
    prog = program(SOURCE)
    weave("prog:Base.save")
    prog.Sub().save()

    assert weaver.calls == ["prog:Base.save"]


def test_an_override_that_cannot_be_woven_leaves_the_count_to_the_base(program, weave, weaver):
    prog = program(SOURCE)
    weaver.refuse["prog:Sub.save"] = ValueError("no")
    weave("prog:Base.save", subclasses=True)
    prog.Sub().save()

    assert weaver.calls == ["prog:Base.save"]


def test_overrides_that_share_code_are_told_apart(program, weave, weaver):
    prog = program(
        """
        class Base:
            def save(self): ...
        def derive():
            class Sub(Base):
                def save(self): super().save()
            return Sub
        first, second = derive(), derive()
        """,
        has_source=False,
    )
    weave("prog:Base.save", subclasses=True)
    del prog.first
    gc.collect()
    prog.second().save()

    assert [each.rpartition(".")[2] for each in weaver.calls] == ["save"]
    assert weaver.calls != ["prog:Base.save"]


def test_code_that_is_gone_is_forgotten():
    calls = SuperCalls()

    def run(number):
        space = {}
        exec(f"def save(self): return super().save({number})", space)
        calls.add("save", space["save"].__code__)

    for number in range(3):
        run(number)
    gc.collect()

    assert calls._codes == {"save": {}}


def test_code_is_known_as_long_as_it_has_a_user():
    calls = SuperCalls()
    code = test_code_that_is_gone_is_forgotten.__code__
    calls.add("save", code)
    calls.add("save", code)
    calls.remove("save", code)
    assert id(code) in calls._codes["save"]
    calls.remove("save", code)
    calls.remove("save", code)
    calls.remove("other", code)

    assert calls._codes == {"save": {}}


def test_what_python_calls_by_itself_for_another_object_counts(program, weave, weaver):
    prog = program(
        """
        class Base:
            def __init__(self, n): self.n = n
        class Sub(Base):
            def __init__(self, n):
                super().__init__(n)
                self.inside = Deep(n - 1) if n else None
        class Deep(Sub): pass
        """
    )
    weave("prog:Base.__init__", subclasses=True)
    assert prog.Sub(2).inside.inside.n == 0

    assert weaver.calls == ["prog:Sub.__init__"] * 3


def test_a_class_tells_its_own_code_from_what_it_only_holds():
    class Base:
        def save(self): ...

    class Sub(Base):
        def save(self): ...

        store = Base.save

    calls = SuperCalls()
    assert calls.test(Sub, "save").has_own(Sub.save.__code__)
    assert not calls.test(Sub, "save").has_own(Base.save.__code__)
    assert not calls.test(Sub, "store").has_own(Base.save.__code__)


def test_a_permit_goes_to_those_alone_that_take_it(program, weave):
    prog = program(SOURCE)
    weave("prog:Base.save", "prog:Base.items", subclasses=True)

    def test_of(function):
        return next(e for e in function.__code__.co_consts if type(e) is SuperTest)

    assert test_of(prog.Base.save).takes
    assert not test_of(prog.Base.items).takes
    assert not test_of(prog.Starred.save).takes


def test_what_a_class_says_when_asked_does_not_reach_the_call():
    class Odd(type):
        @property
        def __mro__(cls):
            raise RuntimeError

    class Base(metaclass=Odd):
        pass

    is_inner = SuperCalls().test(Base, "save").is_inner
    assert not is_inner(Base())
    assert not is_inner(None)
    assert not is_inner()
    assert not is_inner(Base)


def test_no_class_is_kept_alive(program, weave, living, states):
    prog = program(SOURCE)
    weave("prog:Base.save", subclasses=True)
    prog.Stored().save()
    del prog.Stored
    gc.collect()
    states()

    assert living("Stored.save") == 0
