"""What patterns mean in a source, compared with what they mean in the program that it makes."""

from __future__ import annotations

import importlib
import sys
from textwrap import dedent

import pytest

from ancestry_obs.checking.modules import Finder
from ancestry_obs.checking.program import Program
from ancestry_obs.checking.resolution import Doubt, Problem
from ancestry_obs.checking.resolution import Resolver as SourceResolver
from ancestry_obs.exceptions import TargetError
from ancestry_obs.patcher.patterns import Pattern
from ancestry_obs.patcher.resolver import Resolver

BASE = """
    import functools

    def shared(): ...

    def wrapping(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            return function(*args, **kwargs)
        return call

    def renaming(function):
        def call(*args):
            return function(*args)
        return call

    def given(times):
        def decorate(function):
            @functools.wraps(function)
            def call(*args):
                return function(*args)
            return call
        return decorate

    def marking(function):
        function.marked = True
        return function

    class Task:
        def __init__(self, function):
            self.function = function
        def __call__(self):
            return self.function()

    class Base:
        def run(self): ...
        def stop(self): ...
        @property
        def size(self): ...
        @size.setter
        def size(self, value): ...

    class Meta(type):
        def __call__(cls): ...

    __all__ = ["Base", "_hidden", "shared"]
    def _hidden(): ...
    def unlisted(): ...
"""
CODE = """
    from __future__ import annotations
    import abc
    import contextlib
    import dataclasses
    import enum
    import functools
    import sys
    import typing
    from typing import TYPE_CHECKING
    import prog_base
    from prog_base import *
    from prog_base import shared as common, wrapping, renaming, given, marking, Task
    from prog_base import Base as Parent

    if TYPE_CHECKING:
        from prog_base import unlisted

    if sys.version_info >= (3, 0):
        def new(): ...
    else:
        def old(): ...

    try:
        import no_such_module_x
    except ImportError:
        def without(): ...
    else:
        def with_it(): ...

    try:
        import json
        def with_json(): ...
    except ImportError:
        def without_json(): ...

    def plain(): ...
    async def waits(): ...
    def yields(): yield
    async def both(): yield
    _private = plain
    other_name = plain
    named_lambda = lambda x: x
    numbers = [1, 2]
    text = "x"
    partial = functools.partial(plain)
    task_made = Task(plain)

    @wrapping
    def wrapped(): ...
    @renaming
    def renamed(): ...
    @given(3)
    def three_times(): ...
    @marking
    def marked(): ...
    @Task
    def task(): ...
    @functools.lru_cache(maxsize=3)
    def cached(): ...
    @functools.cache
    def cached_all(): ...
    @contextlib.contextmanager
    def context(): yield
    @functools.singledispatch
    def single(x): ...
    @single.register(int)
    def single_int(x): ...
    def late(): ...
    late = wrapping(late)
    def gone(): ...
    del gone
    def twice(): ...
    def twice(a): ...

    def outer():
        def inner():
            def innermost(): ...
        class Local:
            def method(self): ...
        if inner:
            def conditional(): ...
        return inner

    class Cart(Parent):
        limit = 3
        def add(self, item): ...
        @staticmethod
        def clean(text): ...
        @classmethod
        def of(cls): ...
        @property
        def total(self): ...
        @total.setter
        def total(self, value): ...
        @total.deleter
        def total(self): ...
        @functools.cached_property
        def slow(self): ...
        @abc.abstractmethod
        def must(self): ...
        @functools.singledispatchmethod
        def kinds(self, x): ...
        @wrapping
        def tried(self): ...
        def get_name(self): ...
        name = property(get_name)
        again = add
        borrowed = Parent.run
        from_outside = plain
        foreign = common
        quick = lambda self: 1
        partly = functools.partialmethod(add, 1)
        __special__ = add
        def _own(self): ...
        class Inner:
            def deep(self): ...
            class Deeper:
                def deepest(self): ...
        def stop(self):
            super().stop()

    class Kinds(enum.Enum):
        ONE = 1
        TWO = 2
        def shown(self): ...

    @dataclasses.dataclass
    class Point:
        x: int = 0
        def length(self): ...

    class Pair(typing.NamedTuple):
        a: int
        def both(self): ...

    class Words(dict):
        def count(self): ...

    class Sub(Cart): ...
    class Other(prog_base.Base):
        def run(self): ...
    Alias = Cart
    Cart.added = plain

    def __turning(function): return function
    class Vault:
        def open(self): return self.__turn()
        def __turn(self): ...
        @property
        def __size(self): ...
        @__size.setter
        def __size(self, value): ...
        class Inner:
            def __deeper(self): ...
    class _Odd__:
        def __x(self): ...
    class __:
        def __bare(self): ...

    class Emptied:
        def keep(self): ...
        def go(self): ...
        def lost(self): ...
        del lost
    del Emptied.go
"""
_NAMES = """
    plain plane waits yields both _private other_name named_lambda numbers text new old without
    with_it with_json without_json wrapped three_times renamed marked cached context late gone
    twice common shared Base.run unlisted _hidden prog_base json Cart Cart.add Cart.ad
    Cart.clean Cart.of Cart.total Cart.total.fget Cart.total.fset Cart.total.fdel Cart.name.fset
    Cart.slow Cart.run Cart.size Cart.size.fset Cart.size.fdel Cart.name Cart.again
    Cart.borrowed Cart.from_outside Cart.limit Cart.Inner.deep Cart.Inner.Deeper.deepest
    Cart.Inner Cart.limit.x Cart.tried Cart.kinds Cart.must Cart.__init__ Cart.added Alias.add
    Sub.add Sub.run Sub.stop Other.stop Kinds.shown Kinds.ONE Point.length Point.__init__
    Words.count Words.get Words.__init__ outer.<locals>.inner
    outer.<locals>.inner.<locals>.innermost outer.<locals>.Local.method
    outer.<locals>.conditional outer.<locals>.nothing Parent.run Parent.nothing partial
    task_made plain.inside
    Vault.__turn Vault._Vault__turn Vault._Vault__size.fset Vault.Inner._Inner__deeper
    Vault.Inner._Vault__deeper _Odd__._Odd____x
    __.__bare __turning Emptied.keep Emptied.go Emptied.lost
"""
NAMES = _NAMES.split()
_GLOBS = """
    * Cart.* *d Cart._* _* __* *.total Cart.total.* *.fset *.fget Cart.*.fdel Cart.*.* C*
    *.deep* outer.<locals>.* zzz* Cart.__special__ Sub.* Vault.* Vault._* Vault.__*
    Vault._Vault__* Vault.Inner._* Emptied.*
"""
GLOBS = _GLOBS.split()


@pytest.fixture
def both(write, monkeypatch):
    """Ask for a pattern in the source, and in the program; a refusal is given as its class."""
    folder = write({"prog_base.py": BASE, "prog.py": CODE})
    monkeypatch.syspath_prepend(str(folder))

    def ask(qualname):
        pattern = Pattern.parse(f"prog:{qualname}")
        program = Program(Finder([str(folder), *sys.path]))
        try:
            told = {
                each.target
                for each in SourceResolver(program).find(pattern, program.module("prog"))
            }
        except Problem as problem:
            told = type(problem).__name__
        assert "prog" not in sys.modules
        try:
            module = importlib.import_module("prog")
            found = {each.target for each in Resolver(lambda raw: raw, {}).find(pattern, module)}
        except TargetError:
            found = "nothing"
        return told, found

    yield ask
    for name in ("prog", "prog_base"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("qualname", NAMES)
def test_a_name_means_in_the_source_what_it_means_in_the_program(both, qualname):
    told, found = both(qualname)
    expected = {"Missing", "Refused"} if found == "nothing" else found
    assert (told in expected) if found == "nothing" else (told == expected)


@pytest.mark.parametrize("glob", GLOBS)
def test_a_glob_takes_in_from_the_source_what_it_takes_in_from_the_program(both, glob):
    told, found = both(glob)
    expected = {"Missing", "Refused"} if found == "nothing" else found
    assert (told in expected) if found == "nothing" else (told == expected)


DYNAMIC = {
    "setattr": "class A: ...\nsetattr(A, 'run', lambda self: 1)\n",
    "exec": "class A: ...\nexec('A.run = print')\n",
    "globals": "def make():\n    globals()['A'] = 1\nmake()\n",
    "a metaclass": "class M(type): ...\nclass A(metaclass=M): ...\n",
    "a base that is made": "def make(): ...\nclass A(make()): ...\n",
    "a base that is not there": "from absent_x import B\nclass A(B): ...\n",
    "a star that is not there": "from absent_x import *\n",
    "a class decorator": "from absent_x import add\n@add\nclass A: ...\n",
    "a class decorator that gives another": (
        "def other(cls):\n    class Proxy:\n        x = 1\n    return Proxy\n"
        "@other\nclass A:\n    def run(self): ...\n"
    ),
    "a class decorator that makes a function of it": (
        "def single(cls):\n    def call(*args):\n        return cls(*args)\n    return call\n"
        "@single\nclass A:\n    def run(self): ...\n"
    ),
    "a class decorator that takes away": (
        "def less(cls):\n    del cls.run\n    return cls\n@less\nclass A:\n    def run(self): ...\n"
    ),
    "a class that is made": "A = type('A', (), {'run': print})\n",
    "locals of a class": "class A:\n    locals()['run'] = print\n",
    "an import that is not there": "from absent_x import A\n",
}


@pytest.mark.parametrize("how", DYNAMIC)
def test_what_is_made_at_run_time_is_neither_found_nor_missing(survey, how):
    answer = survey({"made.py": DYNAMIC[how]}, "made:A.run")
    assert answer.doubt
    assert (answer.targets, answer.loss, answer.findings) == ([], None, [])


WRITTEN = {
    "dataclass": ("@dataclasses.dataclass(order=True)\nclass A:\n    x: int\n", "__lt__"),
    "its subclass": (
        "@dataclasses.dataclass\nclass B:\n    x: int\nclass A(B): ...\n",
        "__repr__",
    ),
    "enum": ("class A(enum.IntFlag):\n    ONE = 1\n", "__or__"),
}


EXCHANGED = {
    "bound anew": "def deco(cls):\n    cls = type('A', (), {})\n    return cls\n@deco\n",
    "a cache": "import functools\n@functools.cache\n",
    "another": "def deco(cls):\n    class B:\n        x = 1\n    return B\n@deco\n",
    "emptied": "def deco(cls):\n    del cls.run\n    return cls\n@deco\n",
    "emptied by name": "def deco(cls):\n    delattr(cls, 'run')\n    return cls\n@deco\n",
    "with arguments": (
        "def deco(n):\n    def inner(cls):\n        del cls.run\n        return cls\n"
        "    return inner\n@deco(1)\n"
    ),
}


@pytest.mark.parametrize("target", ["A.run", "A.*", "A.r*"])
@pytest.mark.parametrize("how", EXCHANGED)
def test_what_is_in_a_class_that_is_exchanged_is_a_doubt_for_globs_too(write, how, target):
    folder = write({"made.py": f"{EXCHANGED[how]}class A:\n    def run(self): ...\n"})
    program = Program(Finder([str(folder), *sys.path]))
    resolver = SourceResolver(program)
    if how == "bound anew" and "*" not in target:
        (found,) = resolver.find(Pattern.parse(f"made:{target}"), program.module("made"))
        assert resolver.decorators.left_of_class(found.named, "deco") == "unknown"
    elif how == "bound anew":
        assert resolver.find(Pattern.parse(f"made:{target}"), program.module("made"))
    else:
        with pytest.raises(Doubt, match="leaves another class than 'made:A', or less of it"):
            resolver.find(Pattern.parse(f"made:{target}"), program.module("made"))


def test_a_decorator_that_deletes_of_something_else_changes_nothing(survey):
    deco = "class R:\n    x = 1\ndef deco(cls):\n    del R.x\n    return cls\n"
    answer = survey({"made.py": f"{deco}@deco\nclass A:\n    def run(self): ...\n"}, "made:A.run")
    assert answer.targets == ["made:A.run"]


@pytest.mark.parametrize("how", WRITTEN)
def test_what_is_written_for_a_class_while_it_is_made_may_be_there(write, how):
    source, name = WRITTEN[how]
    folder = write({"made.py": f"import dataclasses, enum\n{source}"})
    program = Program(Finder([str(folder), *sys.path]))
    with pytest.raises(Doubt, match=f"made:A.{name} may be written by"):
        SourceResolver(program).find(Pattern.parse(f"made:A.{name}"), program.module("made"))


def test_what_no_one_writes_is_the_interpreters(survey):
    answer = survey({"made.py": "class A: ...\n"}, "made:A.__eq__")
    assert "'made:A.__eq__' is implemented in C" in answer.findings[0]


@pytest.mark.parametrize("how", ["class A:\n    def run(self): ...\n", "@keep\nclass A({}): ..."])
def test_a_decorator_that_gives_a_class_back_changes_nothing(survey, how):
    base = "class B:\n    def run(self): ...\n"
    keep = f"{base}def keep(cls):\n    cls.more = 1\n    return cls\n"
    assert survey({"made.py": keep + how.format("B")}, "made:A.run").targets


@pytest.mark.parametrize("target", ["moved:*", "pkg.*:A*"])
def test_a_glob_that_finds_nothing_where_names_are_made_is_a_doubt(survey, target):
    text = "from hidden_x import A\nimport sys\nsys.modules[__name__].__dict__.update(b=1)\n"
    answer = survey({"moved.py": text, "pkg/moved.py": text}, target)
    assert answer.doubt.endswith("__dict__ in line 3")
    assert answer.loss is None


def test_where_a_condition_cannot_be_known_each_way_counts(survey):
    text = """
        import os
        if os.environ.get("FAST"):
            def run(a): ...
        else:
            def run(b): ...
    """
    found = survey({"either.py": text}, "either:run").found
    assert {each.symbol.names for each in found} == {("a",), ("b",)}


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("ring_a:f", ["ring_b:f"]),
        ("ring_a:nothing", []),
        ("ring_a:B.run", ["ring_b:B.run"]),
    ],
)
def test_modules_that_import_each_other(survey, target, answer):
    files = {
        "ring_a.py": "from ring_b import *\nfrom ring_b import f, nothing, B\nclass A(B): ...\n",
        "ring_b.py": "from ring_a import *\nfrom ring_a import nothing, A\n"
        "def f(): ...\nclass B(A):\n    def run(self): ...\n",
    }
    assert survey(files, target).targets == answer


@pytest.mark.parametrize("target", ["pkg:run", "pkg:part.run", "pkg:again"])
def test_a_package_that_takes_its_own_submodule(survey, target):
    files = {
        "pkg/__init__.py": "from . import part\nfrom .part import run as again\nrun = part.run\n",
        "pkg/part.py": "def run(): ...\n",
    }
    answer = survey(files, target)
    if target == "pkg:part.run":
        assert answer.findings == ["'pkg:part' is no class; nothing is in it"]
    else:
        assert answer.targets == ["pkg.part:run"]


def test_what_a_glob_may_mean_is_told_only_of_what_may_be_a_function(write):
    text = """
        import re
        from other import made_elsewhere, table
        def make(): return print
        def own(): ...
        class Size: ...
        run = make()
        wrapped = made_elsewhere(own)
        PATTERN = re.compile("x")
        users = table("users")
        total = 1 + 2
        Alias = dict[str, int]
    """
    folder = write({"app.py": text, "other.py": "def made_elsewhere(f): ...\ndef table(n): ...\n"})
    program = Program(Finder([str(folder), *sys.path]))
    resolver = SourceResolver(program)
    found = resolver.find(Pattern.parse("app:*"), program.module("app"))
    assert {each.target for each in found} == {"app:make", "app:own"}
    assert [*resolver.untold] == ["app:run", "app:wrapped"]


def test_a_module_that_is_no_python_is_told(survey):
    files = {"pkg/good.py": "def f(): ...", "pkg/bad.py": "def f(:\n"}
    answer = survey(files, "pkg.*:f")
    assert answer.targets == ["pkg.good:f"]
    assert answer.findings == ["the module 'pkg.bad': it is no Python in line 1: invalid syntax"]


@pytest.mark.parametrize(
    ("name", "text"), [("null", "x = 1\0"), ("deep", "(" * 5000), ("bom", "# coding: no-such\n")]
)
def test_a_module_that_cannot_be_read_is_told(survey, name, text):
    (finding,) = survey({f"{name}.py": text}, f"{name}:f").findings
    assert finding.startswith(f"the module '{name}': it ")


def test_a_sample_names_a_class(survey):
    files = {"shop.py": "class Cart: ...\ndef f(): ...\n", "more.py": "from shop import Cart\n"}
    assert survey(files, "more:Cart", is_class=True).targets == ["shop:Cart.__init__"]
    assert survey(files, "shop:f", is_class=True).findings == ["shop:f is no class"]
    assert "did you mean 'Cart'?" in survey(files, "shop:Carts", is_class=True).loss


def test_the_program_of_these_tests_is_what_it_seems():
    compile(dedent(BASE), "base", "exec")
    compile(dedent(CODE), "code", "exec")
