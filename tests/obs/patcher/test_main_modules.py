from __future__ import annotations

import ast
import sys
from types import ModuleType

import pytest

from ancestry_obs.patcher import Pointcut


@pytest.fixture
def execute(patcher):
    """Execute a program's statements one at a time as `__main__`, weaving it after each."""
    main = ModuleType("__main__")
    before = sys.modules["__main__"]
    sys.modules["__main__"] = main

    def run(source, name="app.job"):
        for statement in ast.parse(source).body:
            exec(compile(ast.Module([statement], []), "<program>", "exec"), vars(main))
            patcher.weave_main(main, name)
        return main

    yield run
    sys.modules["__main__"] = before


def test_what_a_program_defines_is_woven_before_the_next_statement(execute, weave, weaver, states):
    weave("app.job:f", "app.job:A.run")
    execute("def f(): ...\nf()\nclass A:\n    def run(self): ...\nA().run()")

    assert weaver.calls == ["app.job:f", "app.job:A.run"]
    assert states() == {"app.job:f": "installed", "app.job:A.run": "installed"}


def test_globs_and_aliases_work_there_too(execute, weave, weaver):
    weave("app.*:*")
    execute("def f(): ...\ng = f\nh = g\nh()\ndef later(): f()\nlater()")

    assert weaver.calls == ["app.job:f", "app.job:later", "app.job:f"]


def test_a_target_may_still_come(execute, weave, states, reason):
    weave("app.job:f")
    execute("x = 1")

    assert states() == {"app.job:f": "pending"}
    assert reason("app.job:f") == "'app.job' is still being executed: 'app.job' has no 'f'"


def test_a_redefinition_is_woven_in_place_of_the_first(execute, weave, weaver):
    weave("app.job:f")
    execute("def f(): return 1\nf()\ndef f(): return 2\nassert f() == 2")

    assert weaver.calls == ["app.job:f", "app.job:f"]


def test_a_decorated_target_counts_once(execute, weave, weaver):
    weave("app.job:f")
    execute(
        "def decorate(g):\n    def inner(): return g()\n    return inner\n"
        "def f(): return 1\n"
        "f = decorate(f)\n"
        "assert f() == 1"
    )

    assert weaver.calls == ["app.job:f"]


def test_nothing_new_is_not_looked_at_again(execute, patcher, weave, weaver, monkeypatch):
    weave("app.job:f")
    main = execute("def f(): ...")
    monkeypatch.setattr(patcher, "_find", lambda *_, **__: 1 / 0)
    patcher.weave_main(main, "app.job")
    patcher.weave_main(main, "another.module")

    with pytest.raises(ZeroDivisionError):
        execute("x = 1")


def test_a_second_copy_that_is_imported_is_woven_as_well(execute, project, weave, weaver):
    load = project({"appx/__init__.py": "", "appx/job.py": "def f(): ..."})
    weave("appx.job:f")
    main = execute("def f(): ...", "appx.job")
    copy = load("appx.job")
    main.f()
    copy.f()

    assert main.f is not copy.f
    assert weaver.calls == ["appx.job:f", "appx.job:f"]


def test_the_revert_reaches_it(execute, weave, weaver):
    weave("app.job:f")
    main = execute("def f(): ...")
    weave()
    main.f()

    assert weaver.calls == []


def test_a_change_of_the_map_reaches_it(execute, patcher, weave, weaver):
    weave("app.job:f")
    main = execute("def f(): ...")
    patcher.apply([Pointcut("app.job:f", "another")])
    main.f()

    assert weaver.calls == ["app.job:f"]
    assert weaver.asked[-1].advices == ("another",)
