from __future__ import annotations

import sys

import pytest

from ancestry_obs.exceptions import TargetError
from ancestry_obs.patcher.namespaces import MISSING
from ancestry_obs.patcher.patterns import Pattern
from ancestry_obs.patcher.resolver import Base, Resolver

IN_C = "is implemented in C and cannot be replaced; name a Python caller of it"

SOURCE = """
    import functools
    from os.path import join

    class Meta(type):
        def made(cls): ...

    class Base:
        def run(self): ...
        def _hidden(self): ...
        @property
        def size(self): return 1
        @size.setter
        def size(self, value): ...
        @staticmethod
        def make(): ...

    class Child(Base, metaclass=Meta):
        __call__ = Base.run
        def walk(self): ...
        go = walk
        kind = "child"
        missing = None

        class Inner:
            def deep(self): ...

    Alias = Child

    def top(): ...

    def decorate(function):
        @functools.wraps(function)
        def inner(*args): return function(*args)
        return inner

    @decorate
    def decorated(): ...

    @functools.lru_cache
    def cached(): ...

    second = top
    make = Base.make
    half = functools.partial(top)
    sort = sorted
    LIMIT = 3
"""


@pytest.fixture
def resolver():
    return Resolver(lambda value: value, {"__main__": "prog.main"})


@pytest.fixture
def find(program, resolver):
    module = program(SOURCE)

    def find_in_prog(qualname):
        return resolver.find(Pattern.parse(f"prog:{qualname}"), module)

    return find_in_prog


@pytest.mark.parametrize(
    ("qualname", "target", "is_method"),
    [
        ("top", "prog:top", False),
        ("second", "prog:top", False),
        ("Base.run", "prog:Base.run", True),
        ("Child.run", "prog:Base.run", True),
        ("Child.go", "prog:Child.walk", True),
        ("Alias.walk", "prog:Child.walk", True),
        ("Child.Inner.deep", "prog:Child.Inner.deep", True),
        ("Child.__call__", "prog:Child.__call__", True),
        ("Base._hidden", "prog:Base._hidden", True),
        ("Base.make", "prog:Base.make", False),
        ("make", "prog:Base.make", False),
        ("Child.size", "prog:Base.size", True),
        ("Child.size.fset", "prog:Base.size.fset", True),
        ("Meta.made", "prog:Meta.made", True),
        ("decorated", "prog:decorated", False),
        ("cached", "prog:cached", False),
        ("half", "prog:half", False),
    ],
)
def test_a_named_target_is_found_where_it_is_defined(find, qualname, target, is_method):
    (found,) = find(qualname)

    assert (found.target, found.is_method) == (target, is_method)


def test_what_was_found_names_module_owner_and_the_class_of_the_pattern(find):
    (found,) = find("Child.run")
    prog = sys.modules["prog"]

    assert found.module is prog
    assert found.owner is prog.Base
    assert found.named is prog.Child
    assert found.container is prog.Base
    assert found.function is prog.Base.run


def test_a_function_that_was_only_imported_is_found_in_its_own_module(program, resolver):
    program("def shared(): ...", "elsewhere")
    module = program("from elsewhere import shared")

    (found,) = resolver.find(Pattern.parse("prog:shared"), module)

    assert found.target == "elsewhere:shared"


def test_a_wrapper_of_an_imported_function_is_the_importing_modules_own(program, resolver):
    program("def shared(): ...", "elsewhere")
    module = program(
        """
        import functools
        from elsewhere import shared
        shared = functools.wraps(shared)(lambda: None)
        """
    )

    (found,) = resolver.find(Pattern.parse("prog:shared"), module)

    assert found.target == "prog:shared"


@pytest.mark.parametrize(
    ("qualname", "message"),
    [
        ("topp", "'prog' has no 'topp'; did you mean 'top'?"),
        ("Base.rum", "'prog:Base' has no 'rum'; did you mean 'run'?"),
        ("Base.zzzzzz", "'prog:Base' has no 'zzzzzz'"),
        ("top.inner", "'prog:top' is no class; nothing is in it"),
        ("LIMIT", "'prog:LIMIT' is not callable but a value of type 'int'"),
        ("Child.missing", "'prog:Child.missing' is not callable but a value of type 'NoneType'"),
        ("Base", "'prog:Base' is a class; name a method of it, such as '.__init__'"),
        ("Base.size.fdel", "'prog:Base.size' is a property without a deleter"),
        ("*.nothing", "matches nothing that 'prog' defines"),
        (
            "sort",
            f"'builtins:sorted' {IN_C}",
        ),
        (
            "Base.__repr__",
            f"'builtins:object.__repr__' {IN_C}",
        ),
    ],
)
def test_what_cannot_be_woven_is_refused_with_the_reason(find, qualname, message):
    with pytest.raises(TargetError) as caught:
        find(qualname)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("glob", "targets"),
    [
        (
            "*",
            {
                "Meta.made", "Base.run", "Base.size", "Base.make", "Child.walk",
                "Child.Inner.deep", "top", "decorate", "decorated", "cached",
            },
        ),
        ("Child.*", {"Child.walk", "Child.Inner.deep"}),
        ("*._*", {"Base._hidden"}),
        ("Child.__*", {"Child.__call__"}),
        ("Base.*.fset", {"Base.size.fset"}),
        ("*ed", {"decorated", "cached"}),
        ("second", {"top"}),
    ],
)  # fmt: skip
def test_a_glob_takes_what_the_module_defines(find, glob, targets):
    assert {found.target for found in find(glob)} == {f"prog:{each}" for each in targets}


def test_a_glob_wakes_no_lazy_object(program, resolver):
    module = program(
        """
        class Lazy:
            def __getattr__(self, name): raise RuntimeError(name)
            def __call__(self): ...
        lazy = Lazy()
        def f(): ...
        """
    )

    found = resolver.find(Pattern.parse("prog:*"), module)

    assert [each.target for each in found] == ["prog:f"]


def test_a_module_getattr_is_not_asked(program, resolver):
    module = program("def __getattr__(name): raise SystemExit(name)")

    with pytest.raises(TargetError, match="'prog' has no 'later'"):
        resolver.find(Pattern.parse("prog:later"), module)


def test_a_module_that_runs_as_main_goes_by_its_own_name(program, resolver):
    module = program("class A:\n    def run(self): ...\ndef f(): ...", "__main__")

    found = resolver.find(Pattern.parse("prog.main:*"), module)

    assert [each.target for each in found] == ["prog.main:A.run", "prog.main:f"]


def test_overrides_are_those_below_the_class_that_was_named(program, resolver):
    module = program(
        """
        class Root:
            def run(self): ...
        class Mid(Root): ...
        class Leaf(Mid):
            def run(self): ...
        class Off(Mid):
            run = None
        class Other(Root):
            def run(self): ...
        """
    )
    (found,) = resolver.find(Pattern.parse("prog:Mid.run"), module)
    base = Base(found.module, found.named, found.attribute, found.accessor, "")

    assert (found.target, found.named) == ("prog:Root.run", module.Mid)
    overrides = {each: resolver.override(base, getattr(module, each)) for each in ("Leaf", "Off")}
    assert overrides["Off"] is None
    assert (overrides["Leaf"].target, overrides["Leaf"].named) == ("prog:Leaf.run", module.Mid)


def test_what_we_have_added_ourselves_is_not_there(program):
    module = program("class A:\n    def run(self): ...\n    def gone(self): ...")
    resolver = Resolver(lambda value: MISSING if value is module.A.gone else value, {})

    found = resolver.find(Pattern.parse("prog:A.*"), module)
    assert [each.target for each in found] == ["prog:A.run"]
    with pytest.raises(TargetError):
        resolver.find(Pattern.parse("prog:A.gone"), module)
    assert resolver.override(Base(module, module.A, "gone", "fget", ""), module.A) is None


def test_a_function_inside_a_function_is_found_by_its_code(program, resolver):
    module = program("def f():\n    class A:\n        def run(self):\n            def g(): ...")
    (run,) = resolver.find(Pattern.parse("prog:f.<locals>.A.run"), module)
    (g,) = resolver.find(Pattern.parse("prog:f.<locals>.A.run.<locals>.g"), module)

    assert (run.code.co_name, run.is_method, run.function) == ("run", True, module.f)
    assert (g.code.co_name, g.is_method, g.target) == (
        "g", False, "prog:f.<locals>.A.run.<locals>.g",
    )  # fmt: skip
