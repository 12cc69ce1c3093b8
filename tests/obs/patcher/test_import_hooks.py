from __future__ import annotations

import importlib
import logging
import sys

import pytest

from ancestry_obs.patcher import Patcher, Pointcut
from ancestry_obs.patcher.import_hooks import ImportHooks


def test_a_module_is_woven_when_it_is_imported(project, weave, weaver, states):
    load = project({"later_a.py": "def f(): return 1"})
    weave("later_a:f")
    assert states() == {"later_a:f": "pending"}

    module = load("later_a")

    assert states() == {"later_a:f": "installed"}
    assert module.f() == 1
    assert weaver.calls == ["later_a:f"]


def test_nothing_is_imported_by_looking(project, weave):
    project({"pkg_b/__init__.py": "", "pkg_b/mod.py": "1 / 0"})
    weave("pkg_b.*:*", "pkg_b.mod:f")
    importlib.import_module("pkg_b")

    assert "pkg_b.mod" not in sys.modules


def test_a_target_that_the_imported_module_has_not_is_an_error_logged_once(
    project, weave, states, reason, caplog
):
    load = project({"later_c.py": "def fetch(): ..."})
    weave("later_c:fetsch")
    load("later_c")

    assert states() == {"later_c:fetsch": "error"}
    weave("later_c:fetsch")
    assert reason("later_c:fetsch") == "'later_c' has no 'fetsch'; did you mean 'fetch'?"
    assert [r.getMessage() for r in caplog.records] == [
        "target later_c:fetsch: 'later_c' has no 'fetsch'; did you mean 'fetch'?"
    ]


def test_a_glob_over_a_package_follows_its_modules_as_they_come(project, weave, weaver, states):
    load = project(
        {
            "pkg_d/__init__.py": "def top(): ...",
            "pkg_d/one.py": "from pkg_d import top\ndef f(): ...",
            "pkg_d/_private.py": "def f(): ...",
            "pkg_d/sub/__init__.py": "",
            "pkg_d/sub/deep.py": "class A:\n    def run(self): ...",
        }
    )
    weave("pkg_d:*", "pkg_d.*:*")
    assert states() == {"pkg_d:*": "pending", "pkg_d.*:*": "pending"}

    load("pkg_d")
    assert states() == {
        "pkg_d:top": "installed",
        "pkg_d.one:*": "pending",
        "pkg_d.sub:*": "pending",
    }

    load("pkg_d._private").f()
    load("pkg_d.one").f()
    load("pkg_d.sub.deep").A().run()
    assert weaver.calls == ["pkg_d.one:f", "pkg_d.sub.deep:A.run"]
    assert set(states().values()) == {"installed"}


def test_a_glob_finds_modules_that_are_there_already(project, weave, states):
    load = project({"pkg_e/__init__.py": "", "pkg_e/one.py": "def f(): ..."})
    load("pkg_e.one")
    weave("pkg_e.*:*")

    assert states() == {"pkg_e.one:f": "installed"}


def test_a_glob_reaches_through_packages_that_it_does_not_match(project, weave, weaver):
    load = project(
        {
            "pkg_s/__init__.py": "",
            "pkg_s/sub/__init__.py": "",
            "pkg_s/sub/deep.py": "def f(): ...",
        }
    )
    weave("pkg_s.*.deep:f")
    load("pkg_s.sub.deep").f()

    assert weaver.calls == ["pkg_s.sub.deep:f"]


def test_a_glob_that_matches_nothing_is_an_error(project, weave, states, reason):
    load = project({"pkg_f/__init__.py": "", "pkg_f/one.py": "LIMIT = 1"})
    load("pkg_f.one")
    weave("pkg_f.*:*", "pkg_f.one:Cl*")

    assert states() == {"pkg_f.*:*": "error", "pkg_f.one:Cl*": "error"}
    assert reason("pkg_f.*:*") == "matches nothing in the 1 modules that it spans"
    assert reason("pkg_f.one:Cl*") == "matches nothing that 'pkg_f.one' defines"


def test_modules_that_import_each_other_are_woven(project, weave, weaver, picture):
    load = project(
        {
            "cycle_a.py": "def f(): return g()\nfrom cycle_b import g",
            "cycle_b.py": "from cycle_a import f\ndef g(): return 1\ndef h(): return f()",
        }
    )
    weave("cycle_a:f", "cycle_b:g")
    a = load("cycle_a")

    assert sys.modules["cycle_b"].h() == 1
    assert weaver.calls == ["cycle_a:f", "cycle_b:g"]
    assert sys.modules["cycle_b"].f is a.f


def test_a_module_that_fails_to_import_can_be_imported_later(project, weave, states, tmp_path):
    load = project({"fails_g.py": "def f(): ...\n1 / 0"})
    weave("fails_g:f")
    with pytest.raises(ZeroDivisionError):
        load("fails_g")
    assert states() == {"fails_g:f": "pending"}

    (tmp_path / "fails_g.py").write_text("def f(): ...")
    load("fails_g")

    assert states() == {"fails_g:f": "installed"}


def test_a_reloaded_module_is_woven_again(project, weave, weaver, states):
    load = project({"again_h.py": "def f(): return 1\nclass A:\n    def run(self): return 2"})
    weave("again_h:f", "again_h:A.run")
    module = load("again_h")
    old_class, old_f = module.A, module.f
    for _ in range(2):
        importlib.reload(module)

        assert module.A is not old_class
        assert [module.f(), module.A().run()] == [1, 2]
        assert weaver.take_calls() == ["again_h:f", "again_h:A.run"]
    assert [old_f(), old_class().run(), weaver.calls] == [1, 2, []]
    assert states() == {"again_h:f": "installed", "again_h:A.run": "installed"}
    weave()
    assert not hasattr(module.f, "__wrapped__")
    assert not hasattr(old_class.run, "__wrapped__")


def test_a_module_that_was_there_before_is_woven_again_when_reloaded(project, weave, weaver):
    load = project({"again_i.py": "def f(): return 1"})
    module = load("again_i")
    weave("again_i:f")
    importlib.reload(module)
    module.f()

    assert weaver.calls == ["again_i:f"]


def test_a_module_that_was_removed_and_imported_anew_is_woven(project, weave, weaver):
    load = project({"anew_j.py": "def f(): return 1"})
    weave("anew_j:f")
    load("anew_j")
    del sys.modules["anew_j"]
    load("anew_j").f()

    assert weaver.calls == ["anew_j:f"]


def test_the_module_keeps_its_own_loader(project, weave):
    load = project({"loader_k.py": "def f(): ..."})
    weave("loader_k:f")
    module = load("loader_k")
    importlib.reload(module)

    assert type(module.__loader__).__name__ == "SourceFileLoader"
    assert type(module.__spec__.loader) is type(module.__loader__)


def test_an_import_after_the_revert_is_left_alone(project, weave, weaver, states):
    load = project({"off_l.py": "def f(): ..."})
    weave("off_l:f")
    weave()
    load("off_l").f()

    assert not hasattr(sys.modules["off_l"].f, "__wrapped__")
    assert states() == {}


def test_after_the_revert_a_second_apply_watches_again(project, weave, weaver):
    load = project({"on_m.py": "def f(): ..."})
    weave("on_m:f")
    weave()
    weave("on_m:f")
    load("on_m").f()

    assert weaver.calls == ["on_m:f"]


def test_the_revert_takes_our_finder_away(weave):
    before = list(sys.meta_path)
    weave("never_imported_n:f")
    weave()

    assert [each for each in sys.meta_path if type(each).__name__ == "ImportHooks"] == []
    assert [each for each in sys.meta_path if type(each).__name__ != "ImportHookFinder"] == [
        each for each in before if type(each).__name__ != "ImportHookFinder"
    ]


def test_no_exception_leaves_a_hook(project, caplog):
    load = project({"breaks_o.py": "x = 1"})

    def fail(name, module):
        raise RuntimeError("a bug in the patcher")

    hooks = ImportHooks(fail)
    hooks.watch("breaks_o")
    try:
        assert load("breaks_o").x == 1
        assert importlib.reload(sys.modules["breaks_o"]).x == 1
    finally:
        hooks.close()

    messages = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert messages == ["module 'breaks_o' is not instrumented: its import hook failed"] * 2


def test_closed_hooks_tell_nothing(project):
    load = project({"closed_t.py": ""})
    told = []
    hooks = ImportHooks(lambda name, module: told.append(name))
    hooks.watch("closed_t")
    hooks.close()
    load("closed_t")

    assert told == []
    assert hooks.watched() == frozenset()


def test_a_module_is_told_of_once_however_often_it_is_watched(project):
    load = project({"once_p.py": ""})
    told = []
    hooks = ImportHooks(lambda name, module: told.append((name, module)))
    hooks.watch("once_p")
    hooks.watch("once_p")
    hooks.close()
    hooks.watch("once_p")
    module = load("once_p")
    hooks.close()
    importlib.reload(module)

    assert told == [("once_p", module)]


def test_a_program_that_installs_in_the_midst_of_its_own_import(project, weaver):
    load = project(
        {
            "mid_q/__init__.py": """
                def early(): ...
                import mid_q.start
                def late(): ...
                from mid_q.other import f
                """,
            "mid_q/start.py": "import sys\nsys.test_patcher_hook()",
            "mid_q/other.py": "def f(): ...",
        }
    )
    patcher = Patcher(weaver)
    seen = {}

    def install():
        pointcuts = ["mid_q:early", "mid_q:late", "mid_q.*:*", "mid_q:lost"]
        patcher.apply([Pointcut(each, "count") for each in pointcuts])
        seen.update({each.target: (each.state, each.reason) for each in patcher.report()})

    sys.test_patcher_hook = install
    try:
        load("mid_q")
    finally:
        del sys.test_patcher_hook
    after = {each.target: each.state for each in patcher.report()}
    patcher.apply(())

    assert seen["mid_q:early"] == ("installed", "")
    assert seen["mid_q:late"] == (
        "pending",
        "'mid_q' is still being executed: 'mid_q' has no 'late'",
    )
    assert after == {
        "mid_q:early": "installed",
        "mid_q:late": "installed",
        "mid_q.other:f": "installed",
        "mid_q:lost": "error",
    }


def test_patterns_that_meet_from_two_modules_keep_the_maps_order(project, program, patcher, weaver):
    load = project({"two_r/__init__.py": "", "two_r/base.py": "class A:\n    def run(self): ..."})
    load("two_r.base")
    user = program("", "user")
    user.run = sys.modules["two_r.base"].A.run
    patcher.apply([Pointcut("two_r.late:A.run", "first"), Pointcut("two_r.base:A.run", "second")])
    project({"two_r/late.py": "from two_r.base import A"})
    load("two_r.late")

    (report,) = patcher.report()
    assert report.woven.advices == ("first", "second")
    assert user.run is report.woven.function  # bound long before the import that changed it
    sys.modules["two_r.late"].A().run()
    assert weaver.calls == ["two_r.base:A.run"]


def test_what_was_under_way_is_taken_in_with_the_next_import(project, weaver):
    load = project(
        {
            "under_u.py": "import sys\nsys.test_patcher_hook()\ndef late(): ...",
            "next_u.py": "",
        }
    )
    patcher = Patcher(weaver)
    sys.test_patcher_hook = lambda: patcher.apply(
        [Pointcut("under_u:late", "count"), Pointcut("next_u:f", "count")]
    )
    try:
        module = load("under_u")
    finally:
        del sys.test_patcher_hook
    assert weaver.made == []

    load("next_u")
    module.late()
    patcher.apply(())

    assert weaver.calls == ["under_u:late"]


def test_an_empty_module_is_no_error_where_the_rest_of_its_list_finds_something(
    project, patcher, states, caplog
):
    load = project({"pkg_l/__init__.py": "", "pkg_l/one.py": "def f(): pass"})
    load("pkg_l")
    wish = object()
    patcher.apply([Pointcut("pkg_l:*", wish), Pointcut("pkg_l.*:*", wish)])
    assert states() == {"pkg_l.one:*": "pending"}
    load("pkg_l.one")
    assert states() == {"pkg_l.one:f": "installed"}
    assert not caplog.messages


@pytest.mark.parametrize(
    ("first", "second"), [("pkg_n:*", "pkg_n.typo:*"), ("pkg_n:Typo.*", "pkg_n.one:*")]
)
def test_a_list_excuses_neither_its_last_hope_nor_a_part_of_a_name(
    project, patcher, states, first, second
):
    load = project(
        {"pkg_n/__init__.py": "", "pkg_n/one.py": "def f(): pass", "pkg_n/typo.py": "x = 1"}
    )
    load("pkg_n.one")
    load("pkg_n.typo")
    wish = object()
    patcher.apply([Pointcut(first, wish), Pointcut(second, wish)])
    assert states()[first] == "error"


def test_another_list_is_no_excuse(project, patcher, states, caplog):
    load = project({"pkg_o/__init__.py": "", "pkg_o/one.py": "def f(): pass"})
    load("pkg_o.one")
    patcher.apply([Pointcut("pkg_o:*", frozenset("a")), Pointcut("pkg_o.*:*", frozenset("a"))])
    assert states() == {"pkg_o.one:f": "installed", "pkg_o:*": "error"}
    assert caplog.messages == ["target pkg_o:*: matches nothing that 'pkg_o' defines"]
