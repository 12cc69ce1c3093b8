from __future__ import annotations

import sys

import pytest
from ancestry_obs.patcher.resolve import Resolver

from ancestry_obs.exceptions import TargetError
from ancestry_obs.patcher.patterns import Pattern

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
    ("qualname", "target", "kind"),
    [
        ("top", "prog:top", "function"),
        ("second", "prog:top", "function"),
        ("Base.run", "prog:Base.run", "method"),
        ("Child.run", "prog:Base.run", "method"),
        ("Child.go", "prog:Child.walk", "method"),
        ("Alias.walk", "prog:Child.walk", "method"),
        ("Child.Inner.deep", "prog:Child.Inner.deep", "method"),
        ("Child.__call__", "prog:Child.__call__", "method"),
        ("Base._hidden", "prog:Base._hidden", "method"),
        ("Base.make", "prog:Base.make", "staticmethod"),
        ("make", "prog:Base.make", "staticmethod"),
        ("Child.size", "prog:Base.size", "property"),
        ("Child.size.fset", "prog:Base.size.fset", "property"),
        ("Meta.made", "prog:Meta.made", "method"),
        ("decorated", "prog:decorated", "callable"),
        ("cached", "prog:cached", "callable"),
        ("half", "prog:half", "callable"),
    ],
)
def test_a_named_target_is_found_where_it_is_defined(find, qualname, target, kind):
    (found,) = find(qualname)

    assert (found.target, found.kind) == (target, kind)


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

    assert found.target == "prog:Root.run"
    assert [each.target for each in resolver.overrides(found)] == ["prog:Leaf.run"]
