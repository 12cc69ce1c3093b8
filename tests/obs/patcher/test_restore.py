"""Weaving and undoing is the identity on every namespace and every code, whatever is there."""

from __future__ import annotations

import gc
import sys
import textwrap
from types import FunctionType, ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestry_obs.patcher import Patcher, Pointcut

MEMBERS = {
    "method": "def {n}(self): return 1",
    "static": "@staticmethod\ndef {n}(): return 1",
    "classmethod": "@classmethod\ndef {n}(cls): return 1",
    "property": "@property\ndef {n}(self): return 1\n@{n}.setter\ndef {n}(self, value): ...",
    "cached": "@functools.cached_property\ndef {n}(self): return 1",
    "lru": "@functools.lru_cache\ndef {n}(self): return 1",
    "partial": "{n} = functools.partialmethod(lambda self, a: a, 1)",
    "abstract": "@abc.abstractmethod\ndef {n}(self): return 1",
    "value": "{n} = 3",
    "none": "{n} = None",
    "nested": "class {n}:\n    def a(self): return 1",
    "init_subclass": "def __init_subclass__(cls, **kwargs): super().__init_subclass__(**kwargs)",
    "call": "def __call__(self): return 1",
    "inner": "def {n}(self):\n    def inner(): return self\n    return inner",
    "generator": "def {n}(self): yield 1",
    "coroutine": "async def {n}(self): return 1",
    "super": "def {n}(self): return super()",
    "locals": "def {n}(self): return locals()",
    "lambda": "{n} = lambda self: 1",
    "cached_property": "@property\n@functools.lru_cache\ndef {n}(self): return 1",
    "static_cache": "@staticmethod\n@functools.lru_cache\ndef {n}(): return 1",
    "alias": "{n} = __init_subclass__ = classmethod(lambda cls, **kwargs: None)",
}

_members = st.lists(
    st.tuples(st.sampled_from(sorted(MEMBERS)), st.sampled_from("abcd")), max_size=5
)
_classes = st.lists(st.tuples(_members, st.integers(0, 3)), min_size=1, max_size=4)
_wanted = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "*",
                "C0.*",
                "C1.*",
                "C3.a",
                "C2.b",
                "*.c",
                "C0.a.fset",
                "C1.__call__",
                "C0.a.<locals>.inner",
                "C1.b.<locals>.inner",
                "C0.__init__",
                "C2.__init__",
            ]
        ),
        st.sampled_from(["one", "two"]),
        st.booleans(),
        st.sampled_from(["", "", "object", "definition"]),
    ),
    max_size=4,
)


def _source(classes):
    text = "import abc, functools\n"
    for number, (members, base) in enumerate(classes):
        parent = f"C{base}" if base < number else "object"
        body = "\n".join(MEMBERS[kind].format(n=name) for kind, name in members) or "pass"
        text += f"class C{number}({parent}):\n{textwrap.indent(body, '    ')}\n"
    return text


@pytest.fixture(scope="module")
def everything(tools):
    """Take a picture of a module's namespaces and of the code of every function made there."""
    kept = []

    def take(module):
        spaces = [list(each.items()) for each in tools.namespaces(module)]
        made = [
            (each, each.__code__)
            for each in gc.get_objects()
            if type(each) is FunctionType and each.__globals__ is vars(module)
        ]
        kept.append((spaces, made))
        names = [[(name, id(value)) for name, value in each] for each in spaces]
        return names, {id(function): id(code) for function, code in made}

    return take


@pytest.mark.parametrize("has_source", [True, False])
@settings(deadline=None, max_examples=15)
@given(classes=_classes, rounds=st.lists(_wanted, min_size=1, max_size=3))
def test_applying_and_undoing_is_the_identity(tools, everything, has_source, classes, rounds):
    module = sys.modules["generated"] = ModuleType("generated")
    tools.execute(_source(classes), module, has_source=has_source)
    before = everything(module)
    patcher = Patcher(tools.Weaver())
    try:
        for wanted in rounds:
            patcher.apply([Pointcut(f"generated:{name}", *rest) for name, *rest in wanted])
        patcher.apply(())
        names, codes = everything(module)
    finally:
        del sys.modules["generated"]

    assert names == before[0]
    assert {key: codes[key] for key in before[1]} == before[1]
    assert patcher.report() == ()


ZOO = {
    "enum": """
        import enum
        class T(enum.Enum):
            A = 1
            def run(self): return self.value
        def make(): return T.A
        """,
    "dataclass": """
        import dataclasses
        @dataclasses.dataclass(slots=True, frozen=True)
        class T:
            x: int = 1
            def run(self): return self.x
        make = T
        """,
    "slots": """
        class T:
            __slots__ = ("x",)
            def __init__(self): self.x = 1
            def run(self): return self.x
        make = T
        """,
    "metaclass": """
        class Meta(type):
            def __call__(cls): return super().__call__()
            def __new__(meta, name, bases, space): return super().__new__(meta, name, bases, space)
        class T(metaclass=Meta):
            def run(self): return 1
        make = T
        """,
    "generic": """
        import typing
        K = typing.TypeVar("K")
        class T(typing.Generic[K]):
            def run(self): return 1
        make = T[int]
        """,
    "protocol": """
        import typing
        @typing.runtime_checkable
        class P(typing.Protocol):
            def run(self): ...
        class T(P):
            def run(self): return 1
        def make():
            assert isinstance(T(), P)
            assert not isinstance(3, P)
            return T()
        """,
    "namedtuple": """
        import typing
        class T(typing.NamedTuple):
            x: int = 1
            def run(self): return self.x
        make = T
        """,
    "exception": """
        class T(Exception):
            def run(self): return 1
        make = T
        """,
    "singledispatch": """
        import functools
        class T:
            @functools.singledispatchmethod
            def run(self, value=None): return 0
            @run.register
            def _(self, value: int): return value
        def make():
            t = T()
            t_run = t.run
            class Bound:
                def run(self): return t_run(1)
            return Bound()
        """,
}


@pytest.mark.parametrize("kind", ZOO)
def test_classes_of_every_kind_work_and_come_back(program, weave, weaver, picture, kind):
    prog = program(ZOO[kind])
    prog.make()  # a protocol's subclass gets its __init__ when it is first called
    before = picture(prog, prog.T)
    weave("prog:T.run", subclasses=kind != "enum")

    assert prog.make().run() == 1
    assert weaver.calls == ["prog:T.run"]
    weave()
    assert picture(prog, prog.T) == before
    assert prog.make().run() == 1
    assert len(weaver.calls) == 1


def test_a_protocol_that_is_watched_for_subclasses_still_checks(program, weave, weaver):
    prog = program(ZOO["protocol"])
    weave("prog:P.run", subclasses=True)

    assert prog.make().run() == 1
    assert weaver.calls == ["prog:T.run"]
