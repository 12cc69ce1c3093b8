from __future__ import annotations

import importlib
import importlib._bootstrap as bootstrap
import importlib._bootstrap_external as bootstrap_external
import importlib.util
import logging
import sys
import threading
import traceback
import zipfile
from types import ModuleType

import pytest

from ancestry_obs.patcher import Patcher, Pointcut
from ancestry_obs.patcher.import_hooks import is_initializing


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
        "pkg_d.*:*": "pending",
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
    assert reason("pkg_f.*:*") == "matches nothing in the 1 module that it spans"
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


def test_a_reload_weaves_what_is_new_and_keeps_what_was_woven(
    project, weave, weaver, states, totals
):
    load = project({"again_h.py": "def f(): return 1\nclass A:\n    def run(self): return 2"})
    weave("again_h:f", "again_h:A.run")
    module = load("again_h")
    old = [(module.f, module.A)]
    for _ in range(2):
        importlib.reload(module)

        assert module.A is not old[-1][1]
        assert [module.f(), module.A().run()] == [1, 2]
        assert weaver.take_calls() == ["again_h:f", "again_h:A.run"]
        old.append((module.f, module.A))
    for function, cls in old:
        assert [function(), cls().run()] == [1, 2]
        assert weaver.take_calls() == ["again_h:f", "again_h:A.run"]
    assert states() == {"again_h:f": "installed", "again_h:A.run": "installed"}
    assert totals() == {"again_h:f": 5, "again_h:A.run": 5}
    weave()
    for function, cls in old:
        assert [function(), cls().run()] == [1, 2]
    assert weaver.calls == []


def test_what_a_reload_left_behind_follows_a_change_of_the_map(project, patcher, weaver):
    load = project({"left_h.py": "def f(): return 1"})
    patcher.apply([Pointcut("left_h:f", "one")])
    module = load("left_h")
    old = module.f
    importlib.reload(module)
    patcher.apply([Pointcut("left_h:f", "two")])
    old()

    assert weaver.calls == ["left_h:f"]
    assert [each.advices for each in weaver.asked] == [("one",), ("one",), ("two",), ("two",)]


@pytest.mark.parametrize("subclasses", [False, True])
@pytest.mark.parametrize("decorator", ["", "@functools.lru_cache\n", "@decorated\n"])
def test_every_kind_is_woven_again_when_reloaded(
    project, weave, weaver, states, decorator, subclasses
):
    load = project(
        {
            "kinds_h.py": "import functools\n"
            "def decorated(g):\n    return functools.wraps(g)(lambda *args: g(*args))\n"
            f"{decorator}def f(n): return n\n"
            f"class A:\n    {decorator or 'pass'}\n    def run(self): return 2"
        }
    )
    weave("kinds_h:f", "kinds_h:A.run", subclasses=subclasses)
    module = load("kinds_h")
    for number in range(3):
        assert [module.f(number), module.A().run()] == [number, 2]
        assert weaver.take_calls() == ["kinds_h:f", "kinds_h:A.run"]
        importlib.reload(module)
    assert set(states().values()) == {"installed"}


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

    assert weaver.asked == []
    assert states() == {}


def test_after_the_revert_a_second_apply_watches_again(project, weave, weaver):
    load = project({"on_m.py": "def f(): ..."})
    weave("on_m:f")
    weave()
    weave("on_m:f")
    load("on_m").f()

    assert weaver.calls == ["on_m:f"]


def _import_system():
    functions = (
        bootstrap_external._LoaderBasics.exec_module,
        bootstrap._load_unlocked,
        bootstrap._exec,
        bootstrap._ModuleLockManager.__exit__,
    )
    return [(each, each.__code__) for each in functions]


def test_the_revert_leaves_the_import_system_as_it_was(weave):
    finders, before = list(sys.meta_path), _import_system()
    weave("never_imported_n:f")
    assert [function for function, _ in _import_system()] == [function for function, _ in before]
    assert sys.meta_path == finders
    weave()

    after = _import_system()
    assert all(old[1] is new[1] for old, new in zip(before, after, strict=True))


def test_code_that_another_tool_put_on_top_stays(hooks):
    ours = hooks()
    ours.open()
    function = bootstrap._exec
    woven = function.__code__
    theirs = woven.replace(co_name="theirs")
    function.__code__ = theirs
    ours.close()
    assert function.__code__ is theirs
    function.__code__ = woven
    ours.open()
    ours.close()


def test_opening_twice_is_opening_once(project, hooks):
    load = project({"once_p.py": ""})
    told = []
    ours = hooks(loaded=lambda name, module: told.append((name, module)))
    ours.open()
    ours.open()
    module = load("once_p")
    assert ours.is_open
    ours.close()
    assert not ours.is_open
    importlib.reload(module)

    assert [each for each in told if each[0] == "once_p"] == [("once_p", module)] * 2


def test_no_exception_leaves_a_hook(project, hooks, caplog):
    load = project({"breaks_o.py": "x = 1"})

    def fail(name, *_):
        raise RuntimeError("a bug in the patcher")

    hooks(fail, fail, fail, fail).open()
    assert load("breaks_o").x == 1
    assert importlib.reload(sys.modules["breaks_o"]).x == 1

    messages = {r.getMessage() for r in caplog.records if r.levelno == logging.ERROR}
    assert messages == {
        "module 'breaks_o' is not instrumented: its import hook failed",
        "module 'breaks_o' is not instrumented before it runs",
    }


def test_calls_during_a_modules_own_import_count(project, weave, weaver, totals):
    load = project(
        {
            "own_a/__init__.py": """
                import functools
                def f(): return 1
                class A:
                    def run(self): return 2
                    @staticmethod
                    def make(): return 3
                    @property
                    def size(self): return 4
                    size_at_definition = size.fget(None)
                f()
                A().run()
                A().size
                from own_a import other
                """,
            "own_a/other.py": "import own_a\nown_a.f()\ndef g(): ...\ng()",
        }
    )
    weave("own_a:*", "own_a.*:*")
    load("own_a").f()

    assert weaver.calls == [
        "own_a:A.size", "own_a:f", "own_a:A.run", "own_a:A.size", "own_a:f", "own_a.other:g",
        "own_a:f",
    ]  # fmt: skip
    assert totals() == {"own_a:A.size": 2, "own_a:f": 3, "own_a:A.run": 1, "own_a.other:g": 1}


def test_a_setter_that_nobody_asked_for_keeps_its_code(project, weave, weaver):
    text = """
        class A:
            @property
            def x(self): return 1
            @x.setter
            def x(self, value): ...
        got = A().x
        """
    load = project({"setter_a.py": text, "setter_b.py": text})
    weave("setter_a:A.x")
    module, plain = load("setter_a"), load("setter_b")

    assert weaver.calls == ["setter_a:A.x"]
    setter = module.A.x.fset.__code__
    assert setter.replace(co_filename="") == plain.A.x.fset.__code__.replace(co_filename="")


def test_no_bytecode_file_holds_woven_code(project, weave, weaver, tmp_path, monkeypatch):
    load = project({"cached_a.py": "def f(): ...\nf()"})
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    weave("cached_a:f")
    load("cached_a")
    assert weaver.take_calls() == ["cached_a:f"]
    assert list(tmp_path.rglob("*.pyc"))
    weave()
    for watched in (False, True):
        del sys.modules["cached_a"]
        weave(*["cached_a:f"] * watched)
        load("cached_a")
        assert weaver.take_calls() == ["cached_a:f"] * watched


@pytest.mark.parametrize("transforms", [False, True])
def test_a_finder_that_is_put_in_front_later_changes_nothing(
    project, weave, weaver, monkeypatch, transforms, tmp_path
):
    class Loader(importlib.machinery.SourceFileLoader):
        if transforms:

            def exec_module(self, module):
                text = self.get_source(module.__name__).replace("1", "2")
                exec(compile(text, self.path, "exec", dont_inherit=True), vars(module))

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "front_a":
                place = tmp_path / "front_a.py"
                return importlib.util.spec_from_loader(name, Loader(name, str(place)))
            return None

    load = project({"front_a.py": "def f(): return 1"})
    weave("front_a:f")
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    module = load("front_a")

    assert module.f() == 1 + transforms
    importlib.reload(module).f()
    assert weaver.calls == ["front_a:f"] * 2


def test_namespace_packages_are_woven(project, weave, weaver, states):
    load = project({"spread_a/one.py": "def f(): ...\nf()", "spread_a/sub/two.py": "def g(): ..."})
    weave("spread_a.*:*")
    assert states() == {"spread_a.*:*": "pending"}
    load("spread_a.one")
    load("spread_a.sub.two").g()

    assert weaver.calls == ["spread_a.one:f", "spread_a.sub.two:g"]
    assert set(states().values()) == {"installed"}


def test_a_module_in_an_archive_is_woven(tmp_path, weave, weaver, ways, monkeypatch):
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("zipped_a.py", "def f(): return 1\nf()")
    monkeypatch.syspath_prepend(tmp_path / "archive.zip")
    weave("zipped_a:f")
    try:
        module = importlib.import_module("zipped_a")
        assert module.f() == 1
        assert weaver.calls == ["zipped_a:f"] * 2
        assert ways() == {"zipped_a:f": "inline"}
    finally:
        sys.modules.pop("zipped_a", None)


def test_a_module_whose_import_fails_leaves_nothing_woven(project, weave, weaver, states, tmp_path):
    text = "import keeps_f\ndef f(): return 1\nkeeps_f.kept.append(f)\nf()\n1 / 0"
    load = project({"keeps_f.py": "kept = []", "fails_f.py": text})
    kept = load("keeps_f").kept
    with pytest.raises(ZeroDivisionError):
        load("fails_f")
    plain = kept.pop().__code__
    weave("fails_f:f")
    with pytest.raises(ZeroDivisionError) as caught:
        load("fails_f")

    assert [each.name for each in traceback.extract_tb(caught.value.__traceback__)][-1] == (
        "<module>"
    )
    assert weaver.take_calls() == ["fails_f:f"]
    assert states() == {"fails_f:f": "pending"}
    (function,) = kept
    assert (function(), weaver.take_calls()) == (1, [])
    assert function.__code__ == plain
    (tmp_path / "fails_f.py").write_text("def f(): return 2\nf()\n")
    importlib.invalidate_caches()
    assert load("fails_f").f() == 2
    assert weaver.take_calls() == ["fails_f:f"] * 2


def test_tracebacks_of_failed_imports_have_no_frame_of_ours(project, weave):
    load = project(
        {
            "trace_a.py": "import trace_b",
            "trace_b.py": "def f(): ...\nimport no_such_module_trace",
        }
    )

    def frames():
        try:
            import trace_a  # noqa: F401
        except ImportError as error:
            return [each.filename for each in traceback.extract_tb(error.__traceback__)]

    assert load
    before = frames()
    weave("trace_a:f", "trace_b:f")
    assert frames() == before
    assert len(before) == 3


def test_a_module_that_is_executed_twice_by_its_loader_is_woven_twice(project, weave, weaver):
    load = project({"twice_a.py": "def f(): return 1\nf()"})
    weave("twice_a:f", subclasses=True)
    module = load("twice_a")
    module.__spec__.loader.exec_module(module)
    weaver.take_calls()
    module.f()

    assert weaver.calls == ["twice_a:f"]


def test_one_source_under_two_names_is_two_modules(project, weave, weaver, tmp_path):
    load = project({"named_a.py": "def f(): return 1"})
    spec = importlib.util.spec_from_file_location("named_b", tmp_path / "named_a.py")
    weave("named_a:f", "named_b:f")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.f()
    load("named_a").f()

    assert weaver.calls == ["named_b:f", "named_a:f"]


def test_a_lazy_module_is_woven_when_it_wakes_up(project, weave, weaver, states, caplog):
    project({"lazy_a.py": "def f(): return 1\nf()", "lazy_b.py": "def f(): return 1"})
    weave("lazy_a:f", "lazy_b:f", subclasses=True)

    def import_lazily(name):
        spec = importlib.util.find_spec(name)
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    first, second = import_lazily("lazy_a"), import_lazily("lazy_b")
    assert states() == {"lazy_a:f": "pending", "lazy_b:f": "pending"}
    weave("lazy_a:f", "lazy_b:f")
    states()
    assert {type(first).__name__, type(second).__name__} == {"_LazyModule"}
    assert (first.f(), second.f()) == (1, 1)

    assert weaver.calls == ["lazy_a:f", "lazy_a:f", "lazy_b:f"]
    assert states() == {"lazy_a:f": "installed", "lazy_b:f": "installed"}
    assert caplog.messages == []


def test_whether_a_module_is_under_way_is_read_without_waking_it():
    class Lazy(ModuleType):
        def __getattribute__(self, name):
            raise SystemExit(name)

    assert not is_initializing(Lazy("lazy"))


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
        module = load("mid_q")
    finally:
        del sys.test_patcher_hook
    module.early()
    module.late()
    calls = weaver.take_calls()
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
    assert calls == ["mid_q:early", "mid_q:late"]


def test_a_program_that_reverts_in_the_midst_of_an_import(project, patcher, weaver):
    load = project({"revert_q.py": "import sys\ndef f(): ...\nf()\nsys.test_patcher_hook()\nf()"})
    patcher.apply([Pointcut("revert_q:f", "count")])
    sys.test_patcher_hook = lambda: patcher.apply(())
    try:
        module = load("revert_q")
    finally:
        del sys.test_patcher_hook
    module.f()

    assert weaver.calls == ["revert_q:f"]
    assert patcher.report() == ()
    assert "revert_q" not in patcher._prepared
    plain = compile("import sys\ndef f(): ...", module.__file__, "exec", dont_inherit=True)
    assert module.f.__code__ in plain.co_consts


def test_a_map_that_changes_in_the_midst_of_an_import_counts_once(project, patcher, weaver, ways):
    load = project({"change_q.py": "import sys\ndef f(): ...\nf()\nsys.test_patcher_hook()\nf()"})
    patcher.apply([Pointcut("change_q:f", "one")])
    sys.test_patcher_hook = lambda: patcher.apply([Pointcut("change_q:f", "two")])
    try:
        module = load("change_q")
    finally:
        del sys.test_patcher_hook
    module.f()

    assert weaver.calls == ["change_q:f"] * 3
    assert ways() == {"change_q:f": "inline"}


def test_a_function_that_is_reached_through_another_module_in_a_circle_counts_once(
    project, weave, weaver, ways
):
    load = project(
        {
            "circle_a.py": "def f(): return 1\nimport circle_b\nf()",
            "circle_b.py": "from circle_a import f\nf()",
        }
    )
    weave("circle_a:f", "circle_b:f")
    load("circle_a").f()

    assert weaver.calls == ["circle_a:f"] * 3
    assert ways() == {"circle_a:f": "inline"}


def test_patterns_that_meet_from_two_modules_keep_the_maps_order(project, program, patcher, weaver):
    load = project({"two_r/__init__.py": "", "two_r/base.py": "class A:\n    def run(self): ..."})
    load("two_r.base")
    user = program("", "user")
    user.run = sys.modules["two_r.base"].A.run
    patcher.apply([Pointcut("two_r.late:A.run", "first"), Pointcut("two_r.base:A.run", "second")])
    project({"two_r/late.py": "from two_r.base import A"})
    load("two_r.late")

    assert weaver.asked[-1].advices == ("first", "second")
    user.run(None)
    assert weaver.calls == ["two_r.base:A.run"]


def test_what_was_under_way_is_taken_in_as_soon_as_it_is_done(project, weaver):
    load = project({"under_u.py": "import sys\nsys.test_patcher_hook()\ndef late(): ..."})
    patcher = Patcher(weaver)
    sys.test_patcher_hook = lambda: patcher.apply([Pointcut("under_u:late", "count")])
    try:
        module = load("under_u")
    finally:
        del sys.test_patcher_hook
    module.late()
    patcher.apply(())

    assert weaver.calls == ["under_u:late"]


def test_two_threads_that_import_while_others_report_do_not_wait_for_each_other(
    project, patcher, weaver, workers, monkeypatch
):
    load = project(
        {
            "dead_a.py": "import sys\nsys.test_both()\nimport dead_c\ndef f(): ...\nf()",
            "dead_b.py": "import sys\nsys.test_both()\nimport dead_c\ndef f(): ...\nf()",
            "dead_c.py": "import sys\nsys.test_reports()\ndef f(): ...\nf()",
        }
    )
    both = threading.Barrier(2, timeout=60)
    monkeypatch.setattr(sys, "test_both", both.wait, raising=False)
    pointcuts = [Pointcut(f"dead_{each}:f", "count") for each in "abc"]
    patcher.apply(pointcuts)
    threads = [threading.Thread(target=load, args=(f"dead_{each}",)) for each in "ab"]
    with workers(lambda _: patcher.report(), threads=3) as reporters:
        # One of the two waits for the other's import, which waits for reports.
        monkeypatch.setattr(sys, "test_reports", reporters.let_them_work, raising=False)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    assert not any(thread.is_alive() for thread in threads)
    assert sorted(weaver.calls) == ["dead_a:f", "dead_b:f", "dead_c:f"]


def test_a_weaver_that_waits_for_an_import_of_another_thread_does_not_block_it(
    project, program, patcher, weaver, monkeypatch
):
    monkeypatch.setattr("ancestry_obs.patcher.patcher._PATIENCE", 0.1)
    load = project({"wait_a.py": "import sys\nsys.test_patcher_hook()\ndef f(): ...\nf()"})
    program("def g(): ...")
    importing, weaving = threading.Event(), threading.Event()

    def meet():
        importing.set()
        weaving.wait(10)

    def weave_with_an_import(wanted):
        if wanted.target == "prog:g":
            importing.wait(10)
            weaving.set()
            load("wait_a")

    sys.test_patcher_hook = meet
    weaver.when_asked = weave_with_an_import
    threads = [
        threading.Thread(target=load, args=("wait_a",)),
        threading.Thread(
            target=patcher.apply,
            args=([Pointcut("prog:g", "count"), Pointcut("wait_a:f", "count")],),
        ),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    del sys.test_patcher_hook

    assert not any(thread.is_alive() for thread in threads)
    sys.modules["wait_a"].f()
    assert weaver.calls[-1] == "wait_a:f"


def test_a_report_does_not_wait_for_ever_for_a_thread_that_weaves(
    program, patcher, weaver, caplog, monkeypatch
):
    """Who asks may be in the midst of the import that the other thread is waiting for."""
    monkeypatch.setattr("ancestry_obs.patcher.patcher._PATIENCE", 0.05)
    program("def f(): ...\ndef g(): ...")
    patcher.apply([Pointcut("prog:f", "count")])
    weaving, reported = threading.Event(), threading.Event()

    def wait(wanted):
        if wanted.target == "prog:g":
            weaving.set()
            assert reported.wait(10)

    weaver.when_asked = wait
    pointcuts = [Pointcut("prog:f", "count"), Pointcut("prog:g", "count")]
    thread = threading.Thread(target=patcher.apply, args=(pointcuts,))
    thread.start()
    assert weaving.wait(10)
    told = {each.target: each.state for each in patcher.report()}
    reported.set()
    thread.join(10)

    assert told == {"prog:f": "installed", "prog:g": "pending"}
    assert "another thread has been weaving" in caplog.text
    assert {each.target: each.state for each in patcher.report()} == {
        "prog:f": "installed",
        "prog:g": "installed",
    }


def test_an_empty_module_is_no_error_where_the_rest_of_its_list_finds_something(
    project, patcher, states, caplog
):
    load = project({"pkg_l/__init__.py": "", "pkg_l/one.py": "def f(): pass"})
    load("pkg_l")
    wish = object()
    patcher.apply([Pointcut("pkg_l:*", wish), Pointcut("pkg_l.*:*", wish)])
    assert states() == {"pkg_l.*:*": "pending"}
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
