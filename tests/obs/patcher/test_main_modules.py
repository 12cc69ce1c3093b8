from __future__ import annotations

import ast
import subprocess
import sys
from textwrap import dedent
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


PROGRAM = """
import ancestry_obs

def install():
    settings = ancestry_obs.ObservabilitySettings(
        enable_prometheus_metrics=True, metrics_export_port=0
    )
    ancestry_obs.install("map.toml", settings=settings)

{above}
def charge(amount):
    return amount

{below}
charge(1)
print([(each.target, each.state, each.calls) for each in ancestry_obs.status().targets])
charge(2)
print([(each.target, each.state, each.calls) for each in ancestry_obs.status().targets])
"""
MAP = """
version = 1
[metrics.charged_total]
type = "counter"
help = "Charged."
[[instrument]]
target = "shop:charge"
record = [{ metric = "charged_total" }]
"""


TO_COME = (
    "target shop:charge: 'shop' runs as __main__ and has none of that name yet; what it defines "
    "after install() is measured from the first scrape on: call install() below it, or start the "
    "program by `ancestry-obs run`\n"
)


@pytest.mark.parametrize("start", [["shop.py"], ["-m", "shop"]], ids=["script", "module"])
@pytest.mark.parametrize(
    ("places", "calls", "said"),
    [
        ({"above": "", "below": "install()"}, (1, 2), ""),
        ({"above": "install()", "below": ""}, (0, 1), TO_COME),
    ],
    ids=["below", "above"],
)
def test_a_program_of_one_file_that_installs_a_map_for_it(tmp_path, start, places, calls, said):
    (tmp_path / "shop.py").write_text(PROGRAM.format(**places))
    (tmp_path / "map.toml").write_text(dedent(MAP))
    done = subprocess.run(
        [sys.executable, *start], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stderr == said
    assert done.stdout == "".join(f"[('shop:charge', 'installed', {each})]\n" for each in calls)


def test_a_module_of_another_file_has_its_name_for_itself(execute, weave, weaver, program):
    sys.modules["__main__"].__file__ = "/elsewhere/prog.py"
    prog = program("def f(): return 1")
    execute("def f(): return 2", name="another")
    weave("prog:f")
    sys.modules["__main__"].f()
    assert prog.f() == 1
    assert weaver.calls == ["prog:f"]
