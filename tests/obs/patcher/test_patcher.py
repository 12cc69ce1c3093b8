from __future__ import annotations

import functools
import logging
import sys
import threading
from types import FunctionType, ModuleType

import pytest
import wrapt

from ancestry_obs.patcher import Pointcut

SOURCE = """
    def f(n=1): return n

    class Base:
        def run(self): return "base"
        __call__ = run

    class Child(Base): ...
"""


def test_a_function_and_a_method_are_woven_in_place_and_put_back(program, weave, weaver, picture):
    prog = program(SOURCE)
    before = picture(prog)
    function, method = prog.f, prog.Base.run
    codes = function.__code__, method.__code__
    weave("prog:f", "prog:Base.run")

    assert (prog.f is function, prog.Base.run is method) == (True, True)
    assert (function.__code__ is codes[0], method.__code__ is codes[1]) == (False, False)
    assert (prog.f(2), prog.Child().run()) == (2, "base")
    assert weaver.take_calls() == ["prog:f", "prog:Base.run"]
    weave()
    assert picture(prog) == before
    assert (prog.f(2), weaver.calls) == (2, [])


def test_nothing_is_remembered_after_the_revert(program, patcher, weave):
    prog = program(SOURCE)
    weave("prog:*", "prog:Child.run", subclasses=True)
    prog.f()
    weave()
    weavings = patcher._weavings

    assert weavings.all == {}
    assert weavings._named == {}
    assert patcher.report() == ()
    assert not patcher._imports.is_open


@pytest.mark.parametrize(
    ("holder", "call"),
    [
        ("table = [f]", "table[0]()"),
        ("def use(a=f): return a()", "use()"),
        ("def make(h):\n    def use(): return h()\n    return use\nuse = make(f)", "use()"),
        ("import functools\nuse = functools.partial(f, 2)", "use()"),
        ("class A:\n    use = staticmethod(f)", "A.use()"),
        ("import types\nuse = types.MethodType(f, 1)", "use()"),
        ("from prog import f as g", "g()"),
        ("use = {f: f}.popitem()[1]", "use()"),
        ("use = iter(f, None)", "next(use)"),
    ],
)
def test_whoever_held_it_before_calls_the_woven_one(program, weave, weaver, holder, call):
    program(SOURCE)
    user = program(f"from prog import f\n{holder}", "user")
    weave("prog:f")
    eval(call, vars(user))

    assert weaver.calls == ["prog:f"]


def test_identity_and_attributes_stay(program, weave):
    prog = program("def f(a, *, b=2) -> int:\n    'Doc.'\n    return a\nf.note = 1")
    f = prog.f
    before = hash(f), dict(vars(f)), f.__defaults__, f.__kwdefaults__, f.__doc__, repr(f)
    weave("prog:f")

    assert (hash(f), vars(f), f.__defaults__, f.__kwdefaults__, f.__doc__, repr(f)) == before
    assert not hasattr(f, "__wrapped__")
    assert f.__code__.co_firstlineno == 1


def test_an_inherited_method_leaves_nothing_on_the_subclass(program, weave, weaver):
    prog = program(SOURCE)
    weave("prog:Child.run")

    assert "run" not in vars(prog.Child)
    assert prog.Child().run() == "base"
    assert weaver.calls == ["prog:Base.run"]


def test_patterns_that_meet_at_one_function_are_woven_once(program, patcher, weaver, reports):
    prog = program(SOURCE)
    patcher.apply(
        [
            Pointcut("prog:Child.run", "first"),
            Pointcut("prog:Base.*", "second"),
            Pointcut("prog:*", "first"),
        ]
    )
    prog.Base().run()
    prog.Base()()

    assert weaver.targets().count("prog:Base.run") == 1
    (asked,) = [each for each in weaver.asked if each.target == "prog:Base.run"]
    assert asked.advices == ("first", "second")
    assert reports()["prog:Base.run"].patterns == ("prog:Child.run", "prog:Base.*", "prog:*")
    assert weaver.calls == ["prog:Base.run"] * 2


def test_two_classes_with_one_function_are_one_target_with_an_alias(
    program, weave, weaver, reports
):
    prog = program(SOURCE + "\n    class Other:\n        go = Base.run\n")
    weave("prog:Base.run", "prog:Other.go")
    prog.Other().go()

    assert weaver.calls == ["prog:Base.run"]
    assert reports()["prog:Base.run"].aliases == ("prog:Other.go",)


def test_the_same_set_again_changes_nothing(program, weave, weaver, picture):
    prog = program(SOURCE)
    weave("prog:f", "prog:Base.run")
    before = picture(prog)
    weave("prog:f", "prog:Base.run")

    assert picture(prog) == before
    assert len(weaver.asked) == 2


def test_a_changed_set_weaves_only_what_changed_and_from_the_original(
    program, patcher, weaver, totals
):
    prog = program(SOURCE)
    original = prog.f.__code__
    patcher.apply([Pointcut("prog:f", "one"), Pointcut("prog:Base.run", "one")])
    prog.f()
    kept, replaced = prog.Base.run.__code__, prog.f.__code__
    patcher.apply([Pointcut("prog:f", "two"), Pointcut("prog:Base.run", "one")])

    assert prog.Base.run.__code__ is kept
    assert prog.f.__code__ not in {replaced, original}
    assert prog.f() == 1
    assert weaver.calls == ["prog:f"] * 2
    assert totals() == {"prog:f": 2}
    patcher.apply(())
    assert prog.f.__code__ is original


def test_a_target_that_is_wanted_no_more_is_put_back_alone(program, weave):
    prog = program(SOURCE)
    original, method = prog.f.__code__, prog.Base.run.__code__
    weave("prog:f", "prog:Base.run")
    woven = prog.Base.run.__code__
    weave("prog:Base.run")

    assert prog.f.__code__ is original
    assert prog.Base.run.__code__ is woven is not method


def test_the_halves_of_a_property_are_targets_of_their_own(program, weave, weaver, picture):
    prog = program(
        """
        class A:
            @property
            def x(self): return 1
            @x.setter
            def x(self, value): ...
            @x.deleter
            def x(self): ...
        """
    )
    before, raw = picture(prog), prog.A.x
    weave("prog:A.x")
    getter = prog.A.x.fget.__code__
    prog.A().x = prog.A().x
    assert weaver.take_calls() == ["prog:A.x"]
    weave("prog:A.x", "prog:A.x.fset", "prog:A.x.fdel")
    prog.A().x = prog.A().x
    del prog.A().x

    assert prog.A.x is raw
    assert prog.A.x.fget.__code__ is getter
    assert weaver.take_calls() == ["prog:A.x", "prog:A.x.fset", "prog:A.x.fdel"]
    weave("prog:A.x.fset")
    prog.A().x = prog.A().x
    assert weaver.calls == ["prog:A.x.fset"]
    weave()
    assert picture(prog) == before


def test_a_decorator_that_comes_later_holds_the_woven_function(program, patcher, weave, weaver):
    prog = program(SOURCE)
    original, code = prog.f, prog.f.__code__
    weave("prog:f")
    theirs = prog.f = functools.wraps(prog.f)(functools.partial(prog.f))
    prog.f()
    assert weaver.take_calls() == ["prog:f"]
    weave()

    assert prog.f is theirs
    assert (prog.f(3), weaver.calls) == (3, [])
    assert original.__code__ is code
    assert patcher.report() == ()


def test_a_name_that_was_deleted_meanwhile_stays_deleted(program, patcher, weave):
    prog = program(SOURCE)
    weave("prog:f")
    del prog.f
    weave()

    assert not hasattr(prog, "f")
    assert patcher.report() == ()


def test_a_refused_target_costs_itself_only(program, weave, weaver, states, reason, caplog):
    prog = program(SOURCE)
    original = prog.f.__code__
    weaver.refuse["prog:f"] = ValueError("no parameter 'url'")
    weave("prog:f", "prog:Base.run")
    weave("prog:f", "prog:Base.run")

    assert prog.f.__code__ is original
    assert states() == {"prog:f": "error", "prog:Base.run": "installed"}
    assert reason("prog:f") == "cannot be woven: no parameter 'url'"
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == [
        "target prog:f: cannot be woven: no parameter 'url'"
    ]


def test_a_weaver_that_refuses_later_leaves_the_original(program, patcher, weaver, states):
    prog = program(SOURCE)
    original = prog.f.__code__
    patcher.apply([Pointcut("prog:f", "one")])
    weaver.refuse["prog:f"] = KeyError("url")
    patcher.apply([Pointcut("prog:f", "two")])

    assert prog.f.__code__ is original
    assert states() == {"prog:f": "error"}


def test_a_weaver_that_raises_costs_that_target_only(program, weave, weaver, states, reason):
    prog = program(SOURCE)

    def fail(wanted):
        if wanted.target == "prog:f":
            raise RuntimeError("a bug in the compiler")

    weaver.when_asked = fail
    weave("prog:f", "prog:Base.run")
    prog.Base().run()

    assert states() == {"prog:f": "error", "prog:Base.run": "installed"}
    assert reason("prog:f") == "cannot be woven: a bug in the compiler"
    assert weaver.calls == ["prog:Base.run"]


def test_two_threads_that_apply_the_same_set_weave_once(program, patcher, weaver):
    program(SOURCE)
    barrier = threading.Barrier(2)

    def apply():
        barrier.wait()
        patcher.apply([Pointcut("prog:f", 1), Pointcut("prog:Base.run", 1)])

    threads = [threading.Thread(target=apply) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(weaver.targets()) == ["prog:Base.run", "prog:f"]


def test_calls_in_other_threads_go_on_while_code_is_exchanged(program, weave, totals, workers):
    prog = program("def f(n): return n\ndef g(n): return f(n)")

    def call(_):
        for number in range(100):
            assert prog.g(number) == number

    with workers(call, threads=2) as callers:
        for _ in range(30):
            weave("prog:f", "prog:g")
            callers.let_them_work()
            weave("prog:f")
            weave()
            callers.let_them_work()

    assert totals() == {}


def test_a_weaver_that_applies_in_the_midst_is_served_afterwards(program, patcher, weaver):
    prog = program(SOURCE)

    def reenter(wanted):
        if len(weaver.asked) == 1:
            patcher.apply([Pointcut("prog:Base.run", "later")])

    weaver.when_asked = reenter
    original = prog.f.__code__
    patcher.apply([Pointcut("prog:f", "first")])

    assert prog.f.__code__ is original
    assert [each.target for each in patcher.report()] == ["prog:Base.run"]


def test_many_targets_of_one_module_are_woven_together(program, patcher, states, ways):
    program("\n".join(f"def f{number}(): ..." for number in range(1000)))
    patcher.apply([Pointcut(f"prog:f{number}", "count") for number in range(1000)])

    assert set(states().values()) == {"installed"}
    assert set(ways().values()) == {"inline"}


def test_a_function_without_source_is_woven_by_a_call(program, weave, weaver, ways, reason):
    prog = program(SOURCE, has_source=False)
    code = prog.f.__code__
    weave("prog:f")

    assert prog.f(4) == 4
    assert weaver.calls == ["prog:f"]
    assert ways() == {"prog:f": "call"}
    assert reason("prog:f") == ("the original is called, one frame deeper: its source is not there")
    weave()
    assert prog.f.__code__ is code


def test_a_class_whose_metaclass_refuses_assignment_is_woven_all_the_same(
    program, weave, weaver, picture
):
    prog = program(
        """
        import functools
        class Frozen(type):
            def __setattr__(cls, name, value): raise AttributeError("frozen")
        class A(metaclass=Frozen):
            def run(self): return 1
            @functools.lru_cache
            def cached(self): return 2
        """
    )
    before = picture(prog)
    weave("prog:A.run", "prog:A.cached")

    assert (prog.A().run(), prog.A().cached()) == (1, 2)
    assert weaver.calls == ["prog:A.run", "prog:A.cached"]
    weave()
    assert picture(prog) == before


def test_a_child_process_after_fork_does_not_wait_for_a_lost_thread(
    patcher, program, weave, states
):
    program(SOURCE)
    held, release = threading.Event(), threading.Event()

    def hold():
        with patcher._lock:
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    patcher.renew_lock()  # what the hook after fork does in the child
    weave("prog:f")
    release.set()
    thread.join()

    assert states() == {"prog:f": "installed"}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from 3.12 on, beside threads
def test_a_forked_child_weaves_imports_and_reverts(project, program, weave, weaver, in_child):
    load = project({"forked_a.py": "def f(): return 1"})
    prog = program(SOURCE)
    original = prog.f.__code__
    weave("prog:f", "forked_a:f")

    def work():
        prog.f()
        load("forked_a").f()
        calls = weaver.take_calls()
        weave()
        prog.f()
        return calls, weaver.calls, prog.f.__code__ is original

    assert in_child(work) == (["prog:f", "forked_a:f"], [], True)
    prog.f()
    assert weaver.calls == ["prog:f"]


@pytest.mark.parametrize("name", ["A.work", "A.__init__", "A.__call__", "A.__enter__", "A.__len__"])
def test_special_methods_are_woven_when_named(program, weave, weaver, picture, name):
    prog = program(
        """
        class A:
            def __init__(self): self.made = True
            def __call__(self): return 1
            def __enter__(self): return self
            def __exit__(self, *error): ...
            def __len__(self): return 3
            def work(self): ...
        """
    )
    before = picture(prog)
    weave(f"prog:{name}")

    with prog.A() as a:
        assert (a(), len(a), a.made) == (1, 3, True)
        a.work()

    assert weaver.take_calls() == [f"prog:{name}"]
    weave()
    assert picture(prog) == before
    len(prog.A())
    assert weaver.calls == []


def test_of_a_function_that_wrapt_wrapped_the_definition_is_woven(program, weave, weaver, picture):
    prog = program(SOURCE)
    inner = prog.f
    prog.f = wrapt.FunctionWrapper(prog.f, lambda wrapped, _, args, kwargs: wrapped(*args) + 1)
    before, code = picture(prog), inner.__code__
    weave("prog:f")

    assert (prog.f(1), inner(1)) == (2, 1)
    assert weaver.calls == ["prog:f"] * 2
    weave()
    assert picture(prog) == before
    assert inner.__code__ is code


def test_an_odd_object_in_sys_modules_is_passed_over(program, weave, monkeypatch, states):
    program(SOURCE)
    monkeypatch.setitem(sys.modules, "odd", object())
    weave("prog:f", "odd:f")

    assert states() == {"prog:f": "installed", "odd:f": "pending"}


def test_a_lazy_module_is_asked_nothing(program, weave, monkeypatch, states):
    class Lazy(ModuleType):
        def __getattribute__(self, name):
            raise SystemExit(name)

    program(SOURCE + "\n    import functools\n    cached = functools.lru_cache(f)")
    lazy = Lazy("lazy")
    object.__getattribute__(lazy, "__dict__")["f"] = FunctionType((lambda: 1).__code__, {})
    monkeypatch.setitem(sys.modules, "lazy", lazy)

    weave("prog:f", "prog:cached", "lazy:g")
    assert states() == {"prog:f": "installed", "prog:cached": "installed", "lazy:g": "error"}


def test_a_pattern_of_another_form_is_an_error_of_its_own(program, weave, states, reason):
    program(SOURCE)
    weave("prog:f", "nonsense")

    assert states() == {"prog:f": "installed", "nonsense": "error"}
    assert "'nonsense'" in reason("nonsense")


def test_a_property_of_a_kind_that_cannot_be_copied_is_woven(program, weave, weaver, picture):
    prog = program(
        """
        class Odd(property):
            def __init__(self, name): super().__init__(self.get)
            def get(self, instance): return 1
        class Odder(property):
            def __init__(self, get, *, reason): super().__init__(get)
        class A:
            x = Odder(lambda self: 1, reason="odd")
            def get_y(self): return 2
            y = Odder(get_y, reason="odd")
        """
    )
    before = picture(prog)
    weave("prog:A.x", "prog:A.y")

    assert (prog.A().x, prog.A().y) == (1, 2)
    assert weaver.calls == ["prog:A.x", "prog:A.y"]
    weave()
    assert picture(prog) == before


def test_the_report_says_where_a_target_is_defined(project, patcher, weave, tmp_path):
    project(
        {
            "where_a.py": """
                import functools
                def f(): ...
                @functools.lru_cache
                def cached(): ...
                """
        }
    )("where_a")
    weave("where_a:f", "where_a:cached", "where_a:lost")

    assert {each.target: each.defined_at for each in patcher.report()} == {
        "where_a:f": f"{tmp_path}/where_a.py:3",
        "where_a:cached": f"{tmp_path}/where_a.py:4",
        "where_a:lost": "",
    }
