from __future__ import annotations

import functools
import logging
import sys
import threading
from types import ModuleType

import pytest
import wrapt

from ancestry_obs.patcher import Patcher, Pointcut, fabric

SOURCE = """
    def f(n=1): return n

    class Base:
        def run(self): return "base"
        __call__ = run

    class Child(Base): ...
"""


def test_a_function_and_a_method_are_woven_and_put_back(program, patcher, weave, weaver, picture):
    prog = program(SOURCE)
    before = picture(prog, prog.Base, prog.Child)
    weave("prog:f", "prog:Base.run")

    assert (prog.f(2), prog.Child().run()) == (2, "base")
    assert weaver.take_calls() == ["prog:f", "prog:Base.run"]
    weave()
    assert picture(prog, prog.Base, prog.Child) == before
    assert (prog.f(2), weaver.calls) == (2, [])
    assert patcher._fabric._originals == {}  # ids are reused: a stale one would name a stranger


def test_an_inherited_method_leaves_nothing_on_the_subclass(program, weave, weaver):
    prog = program(SOURCE)
    weave("prog:Child.run")

    assert "run" not in vars(prog.Child)
    assert prog.Child().run() == "base"
    assert weaver.calls == ["prog:Base.run"]


def test_patterns_that_meet_at_one_function_make_one_wrapper(program, patcher, weaver):
    prog = program(SOURCE)
    patcher.apply(
        [
            Pointcut("prog:Child.run", "first"),
            Pointcut("prog:Base.*", "second"),
            Pointcut("prog:*", "first"),
        ]
    )
    prog.Base().run()

    assert weaver.targets().count("prog:Base.run") == 1
    (report,) = [each for each in patcher.report() if each.target == "prog:Base.run"]
    assert report.woven.advices == ("first", "second")
    assert report.patterns == ("prog:Child.run", "prog:Base.*", "prog:*")
    assert weaver.calls == ["prog:Base.run"]


def test_the_same_set_again_changes_nothing(program, weave, weaver):
    prog = program(SOURCE)
    weave("prog:f", "prog:Base.run")
    wrapper = prog.f
    weave("prog:f", "prog:Base.run")

    assert prog.f is wrapper
    assert len(weaver.made) == 2


def test_a_changed_set_weaves_only_what_changed_and_from_the_original(program, patcher, weaver):
    prog = program(SOURCE)
    original = prog.f
    patcher.apply([Pointcut("prog:f", "one"), Pointcut("prog:Base.run", "one")])
    kept, replaced = vars(prog.Base)["run"], prog.f
    patcher.apply([Pointcut("prog:f", "two"), Pointcut("prog:Base.run", "one")])

    assert vars(prog.Base)["run"] is kept
    assert prog.f is not replaced
    assert prog.f.__wrapped__ is original
    assert prog.f() == 1
    assert weaver.calls == ["prog:f"]
    replaced()
    assert weaver.calls == ["prog:f"]  # who still holds the old wrapper is not counted


def test_a_target_that_is_wanted_no_more_is_put_back_alone(program, weave):
    prog = program(SOURCE)
    original = prog.f
    weave("prog:f", "prog:Base.run")
    weave("prog:Base.run")

    assert prog.f is original
    assert vars(prog.Base)["run"].__wrapped__


def test_a_property_keeps_the_wrapper_of_its_unchanged_half(program, weave, weaver):
    prog = program(
        """
        class A:
            @property
            def x(self): return 1
            @x.setter
            def x(self, value): ...
        """
    )
    weave("prog:A.x")
    getter = prog.A.x.fget
    weave("prog:A.x", "prog:A.x.fset")
    prog.A().x = prog.A().x

    assert prog.A.x.fget is getter
    assert weaver.take_calls() == ["prog:A.x", "prog:A.x.fset"]
    weave("prog:A.x.fset")
    prog.A().x = prog.A().x
    assert weaver.calls == ["prog:A.x.fset"]


def test_a_wrapper_that_somebody_put_on_top_is_left_and_ours_disarmed(
    program, patcher, weave, weaver, states
):
    prog = program(SOURCE)
    weave("prog:f")
    ours = prog.f

    @functools.wraps(ours)
    def theirs(*args):
        return ours(*args)

    prog.f = theirs
    prog.f()
    assert weaver.take_calls() == ["prog:f"]
    assert [each.reason for each in patcher.report()] == [
        "another wrapper was put on top of it meanwhile; calls through that one still count"
    ]

    weave()

    assert prog.f is theirs
    assert (prog.f(3), weaver.calls) == (3, [])
    (report,) = patcher.report()
    assert (report.target, report.state) == ("prog:f", "error")
    assert report.reason == (
        "left in place: prog.f was put on top of our wrapper, which passes calls through from now "
        "on; remove it with the tool that put it there"
    )


def test_a_covered_target_whose_advice_changes_is_woven_on_top_and_counts_once(
    program, patcher, weaver
):
    prog = program(SOURCE)
    patcher.apply([Pointcut("prog:f", "one")])
    theirs = prog.f = functools.wraps(prog.f)(functools.partial(prog.f))
    patcher.apply([Pointcut("prog:f", "one")])
    assert prog.f is theirs

    patcher.apply([Pointcut("prog:f", "two")])

    assert prog.f(2) == 2
    assert weaver.calls == ["prog:f"]
    patcher.apply(())
    assert prog.f is theirs


def test_a_name_that_was_deleted_meanwhile_stays_deleted(program, patcher, weave):
    prog = program(SOURCE)
    weave("prog:f")
    del prog.f
    weave()

    assert not hasattr(prog, "f")
    assert patcher.report() == ()


def test_a_weaver_that_fails_costs_its_own_target_only(
    program, weave, weaver, states, reason, caplog
):
    prog = program(SOURCE)
    original = prog.f
    weaver.refuse["prog:f"] = ValueError("no parameter 'url'")
    weave("prog:f", "prog:Base.run")
    weave("prog:f", "prog:Base.run")

    assert prog.f is original
    assert states() == {"prog:f": "error", "prog:Base.run": "installed"}
    assert reason("prog:f") == "cannot be woven: no parameter 'url'"
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == [
        "target prog:f: cannot be woven: no parameter 'url'"
    ]


def test_a_disarm_that_fails_is_logged_and_stops_nothing(program, patcher, weave, weaver, caplog):
    prog = program(SOURCE)
    weave("prog:f", "prog:Base.run")
    weaver.made[0].disarm = lambda: 1 / 0
    weave()

    assert not hasattr(prog.f, "__wrapped__")
    assert not weaver.made[1].is_armed
    assert "a wrapper could not be disarmed" in caplog.text


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


def test_a_weaver_that_applies_in_the_midst_is_served_afterwards(program, weaver):
    prog = program(SOURCE)

    def weave_and_reenter(found, advices):
        if len(weaver.made) == 0:
            patcher.apply([Pointcut("prog:Base.run", "later")])
        return weaver(found, advices)

    patcher = Patcher(weave_and_reenter)
    original = prog.f
    patcher.apply([Pointcut("prog:f", "first")])

    assert prog.f is original
    assert [each.target for each in patcher.report()] == ["prog:Base.run"]
    patcher.apply(())


def test_a_thousand_targets_take_one_pass_over_the_modules(program, patcher, monkeypatch, states):
    passes = []

    def counting(replacements, containers):
        passes.append(len(replacements))
        return rebind(replacements, containers)

    rebind = fabric.rebind
    monkeypatch.setattr(fabric, "rebind", counting)
    program("\n".join(f"def f{number}(): ..." for number in range(1000)))
    patcher.apply([Pointcut(f"prog:f{number}", "count") for number in range(1000)])

    assert passes == [1000]
    assert set(states().values()) == {"installed"}


def test_a_class_whose_metaclass_refuses_assignment_is_woven_all_the_same(
    program, weave, weaver, picture
):
    prog = program(
        """
        class Frozen(type):
            def __setattr__(cls, name, value): raise AttributeError("frozen")
        class A(metaclass=Frozen):
            def run(self): return 1
        """
    )
    before = picture(prog.A)
    weave("prog:A.run")

    assert prog.A().run() == 1
    assert weaver.calls == ["prog:A.run"]
    weave()
    assert picture(prog.A) == before


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
    before = picture(prog.A)
    weave(f"prog:{name}")

    with prog.A() as a:
        assert (a(), len(a), a.made) == (1, 3, True)
        a.work()

    assert weaver.take_calls() == [f"prog:{name}"]
    weave()
    assert picture(prog.A) == before
    len(prog.A())
    assert weaver.calls == []


def test_a_function_that_wrapt_wrapped_is_woven_around(program, weave, weaver, picture):
    prog = program(SOURCE)
    prog.f = wrapt.FunctionWrapper(prog.f, lambda wrapped, _, args, kwargs: wrapped(*args) + 1)
    before = picture(prog)
    weave("prog:f")

    assert prog.f(1) == 2
    assert weaver.calls == ["prog:f"]
    weave()
    assert picture(prog) == before


def test_an_odd_object_in_sys_modules_is_passed_over(program, weave, monkeypatch, states):
    program(SOURCE)
    monkeypatch.setitem(sys.modules, "odd", object())
    weave("prog:f", "odd:f")

    assert states() == {"prog:f": "installed", "odd:f": "pending"}


def test_a_lazy_module_is_not_loaded_by_the_search_for_names(program, weave, monkeypatch):
    class Lazy(ModuleType):
        def __getattribute__(self, name):
            raise SystemExit(name)

    program(SOURCE)
    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))

    weave("prog:f")


def test_a_pattern_of_another_form_is_an_error_of_its_own(program, weave, states, reason):
    program(SOURCE)
    weave("prog:f", "nonsense")

    assert states() == {"prog:f": "installed", "nonsense": "error"}
    assert "'nonsense'" in reason("nonsense")


def test_a_weaver_that_fails_later_leaves_the_original(program, patcher, weaver, states):
    prog = program(SOURCE)
    user = program("from prog import f", "user")
    original = prog.f
    patcher.apply([Pointcut("prog:f", "one")])
    weaver.refuse["prog:f"] = KeyError("url")
    patcher.apply([Pointcut("prog:f", "two")])

    assert prog.f is user.f is original
    assert states() == {"prog:f": "error"}


def test_a_descriptor_that_cannot_be_copied_is_an_error_and_stays(program, weave, states, reason):
    prog = program(
        """
        class Odd(property):
            def __init__(self): super().__init__(lambda self: 1)
        class A:
            x = Odd()
        """
    )
    before = vars(prog.A)["x"]
    weave("prog:A.x")

    assert vars(prog.A)["x"] is before
    assert states() == {"prog:A.x": "error"}
    assert reason("prog:A.x").startswith("cannot be replaced: ")


def test_the_report_says_where_a_target_is_defined(project, patcher, weave, tmp_path):
    project({"where_a.py": "import functools\n\n@functools.lru_cache\ndef f(): ..."})("where_a")
    weave("where_a:f", "where_a:lost")

    assert [each.defined_at for each in patcher.report()] == [f"{tmp_path}/where_a.py:3", ""]
