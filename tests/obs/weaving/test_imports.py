"""Modules are woven as they are loaded, by any finder, and again when they are loaded anew."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import py_compile
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import ancestry_obs

WORK = """
    class Thing:
        def go(self):
            return 1
        @classmethod
        def make(cls):
            return cls()
    def work():
        return 1
    def stream():
        yield 1
        yield 2
"""
TARGETS = ("app:Thing.go", "app:work", "app:stream")


def _plain(module):
    """Compile the source of a module as Python does, without this module's future features."""
    source = module.__spec__.loader.get_source(module.__name__)
    return compile(source, module.__file__, "exec", dont_inherit=True)


def use(work, thing, stream):
    assert [work(), thing.go(), [*stream()]] == [1, 1, [1, 2]]


@pytest.mark.parametrize("times", [1, 3])
def test_names_and_instances_from_before_a_reload_count(program, times):
    app = program(WORK, *TARGETS)
    held = [(app.work, app.Thing(), app.stream)]
    for _ in range(times):
        assert importlib.reload(app) is app
        held.append((app.work, app.Thing(), app.stream))
    for each in held:
        use(*each)
    assert program.calls() == dict.fromkeys(TARGETS, times + 1)


def test_a_reload_of_a_changed_source(program, tmp_path):
    app = program(WORK, *TARGETS)
    old, thing = app.work, app.Thing()
    program.write("app", WORK.replace("return 1", "return 'changed'"))
    later = (tmp_path / "app.py").stat().st_mtime_ns + 10**10
    os.utime(tmp_path / "app.py", ns=(later, later))
    importlib.reload(app)
    assert [old(), thing.go(), app.work(), app.Thing().go()] == [1, 1, "changed", "changed"]
    assert program.calls() == {"app:work": 2, "app:Thing.go": 2}


def test_a_module_that_is_imported_a_second_time_after_its_name_was_forgotten(program):
    first = program(WORK, *TARGETS)
    del sys.modules["app"]
    second = importlib.import_module("app")
    assert second is not first
    use(first.work, first.Thing(), first.stream)
    use(second.work, second.Thing(), second.stream)
    assert program.calls() == dict.fromkeys(TARGETS, 2)


def test_after_a_reload_uninstall_leaves_the_new_code_as_it_is_without_a_map(program):
    app = program(WORK, *TARGETS)
    importlib.reload(app)
    ancestry_obs.uninstall()
    plain = _plain(app)
    codes = {each.co_name: each for each in plain.co_consts if hasattr(each, "co_name")}
    assert app.work.__code__ == codes["work"]
    assert app.stream.__code__ == codes["stream"]


class Front:
    """A finder of the program's own, as import-time rewriters put it in front of all others."""

    def __init__(self, loader=None):
        self.loader = loader

    def find_spec(self, name, path=None, target=None):
        if name not in {"app", "lib"}:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec and self.loader:
            spec.loader = self.loader(name, spec.origin)
        return spec


class Rewrites(importlib.machinery.SourceFileLoader):
    """Compiles another source than the one that stands in the file."""

    def source_to_code(self, data, path, *, _optimize=-1):
        return super().source_to_code(data.replace(b"return 1", b"return 1 + 0 + len('')"), path)


class Executes(importlib.abc.Loader):
    """Has nothing but `exec_module`."""

    def __init__(self, name, path):
        self.path = path

    def exec_module(self, module):
        exec(compile(Path(self.path).read_bytes(), self.path, "exec"), vars(module))


@pytest.fixture(params=[None, Rewrites, Executes], ids=["plain", "rewrites", "executes"])
def front(request):
    """Put a finder in front of all that are there, when it is called."""
    finder = Front(request.param)
    yield lambda: sys.meta_path.insert(0, finder)
    sys.meta_path.remove(finder)


def test_a_finder_that_comes_in_front_later(make_module, enabled, counting_map, front):
    make_module("app", WORK)
    ancestry_obs.install(counting_map(*TARGETS), settings=enabled)
    front()
    app = importlib.import_module("app")
    use(app.work, app.Thing(), app.stream)
    # Nobody asks for the status before the calls are made.
    states = {each.target: (each.state, each.calls) for each in ancestry_obs.status().targets}
    assert states == dict.fromkeys(TARGETS, ("installed", 1))


def test_a_finder_that_was_in_front_before(program, front):
    front()
    app = program(WORK, *TARGETS)
    use(app.work, app.Thing(), app.stream)
    assert program.calls() == dict.fromkeys(TARGETS, 1)


def test_a_finder_in_front_of_a_reload(program, front):
    app = program(WORK, *TARGETS)
    held = (app.work, app.Thing(), app.stream)
    front()
    importlib.reload(app)
    use(*held)
    use(app.work, app.Thing(), app.stream)
    assert program.calls() == dict.fromkeys(TARGETS, 2)


def test_a_module_that_is_loaded_by_hand(program, tmp_path):
    program.write("app", WORK)
    program.write("lib", WORK)
    if program.order == "map first":
        program.install(*TARGETS)
    spec = importlib.util.spec_from_file_location("app", tmp_path / "app.py")
    app = sys.modules["app"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    if program.order == "module first":
        program.install(*TARGETS)
    use(app.work, app.Thing(), app.stream)
    assert program.calls() == dict.fromkeys(TARGETS, 1)


def test_a_module_without_its_source(program, tmp_path):
    program.write("app", WORK)
    py_compile.compile(str(tmp_path / "app.py"), cfile=str(tmp_path / "app.pyc"), doraise=True)
    (tmp_path / "app.py").unlink()
    if program.order == "map first":
        program.install(*TARGETS)
    app = importlib.import_module("app")
    if program.order == "module first":
        program.install(*TARGETS)
    use(app.work, app.Thing(), app.stream)
    assert program.calls() == dict.fromkeys(TARGETS, 1)


def test_a_source_that_has_changed_since_it_was_imported(make_module, enabled, counting_map):
    make_module("app", WORK)
    app = importlib.import_module("app")
    make_module("app", "\n\n" + WORK.replace("return 1", "return 'changed'"))
    ancestry_obs.install(counting_map(*TARGETS), settings=enabled)
    use(app.work, app.Thing(), app.stream)
    states = {each.target: (each.state, each.calls) for each in ancestry_obs.status().targets}
    assert states == dict.fromkeys(TARGETS, ("installed", 1))


def test_no_cached_bytecode_holds_woven_code(make_module, enabled, counting_map, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    make_module("app", WORK)
    ancestry_obs.install(counting_map(*TARGETS), settings=enabled)
    app = importlib.import_module("app")
    cached = app.__spec__.cached
    ancestry_obs.uninstall()
    plain = _plain(app)
    if Path(cached).exists():
        loader = importlib.machinery.SourcelessFileLoader("app", cached)
        assert loader.get_code("app") == plain
    assert app.__spec__.loader.get_code("app") == plain


def test_a_namespace_package_by_a_glob(program, tmp_path, monkeypatch):
    for name in ("ns", "ns.deep"):  # of another folder, where it was imported before
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("ns/one", "ns/deep/two"):
        program.write(name.replace("/", "."), f"def f():\n    return {name!r}\n")
    for marker in (tmp_path / "ns").rglob("__init__.py"):
        marker.unlink()
    source = """
        from ns import one
        from ns.deep import two
        from ns.deep.two import f as held
        TABLE = [one.f, two.f, held]
    """
    app = program(source, {"target": ["ns:*", "ns.*:*"]}, "ns.one:f", "ns.deep.two:f")
    assert [each() for each in app.TABLE] == ["ns/one", "ns/deep/two", "ns/deep/two"]
    assert program.calls() == {"ns:* ns.*:*": 3, "ns.one:f": 1, "ns.deep.two:f": 2}
    targets = {each.target for each in ancestry_obs.status().targets}
    assert targets == {"ns.one:f", "ns.deep.two:f"}


OWN_IMPORT = """
    from pkg.helpers import register, NAMES
    @register
    def first():
        return 1
    @register
    def second():
        return 2
    def set_up():
        return [each() for each in NAMES]
    READY = set_up()
    class Kept:
        def __init_subclass__(cls):
            cls.called = cls.name()
        @classmethod
        def name(cls):
            return cls.__name__
    class Sub(Kept):
        pass
"""
HELPERS = """
    NAMES = []
    def register(function):
        NAMES.append(function)
        return function
"""
OWN_TARGETS = (
    "pkg:first", "pkg:second", "pkg:set_up", "pkg:Kept.name", "pkg.helpers:register",
)  # fmt: skip


def test_calls_during_a_package_s_own_import(make_module, enabled, counting_map, tmp_path):
    make_module("pkg.helpers", HELPERS)
    (tmp_path / "pkg/__init__.py").write_text(dedent(OWN_IMPORT))
    ancestry_obs.install(counting_map(*OWN_TARGETS), settings=enabled)
    pkg = importlib.import_module("pkg")
    assert (pkg.READY, pkg.Sub.called) == ([1, 2], "Sub")
    calls = {each.target: each.calls for each in ancestry_obs.status().targets}
    assert calls == dict(zip(OWN_TARGETS, (1, 1, 1, 1, 2), strict=True))


def test_calls_while_a_package_is_reloaded(make_module, enabled, counting_map, tmp_path):
    make_module("pkg.helpers", HELPERS)
    (tmp_path / "pkg/__init__.py").write_text(dedent(OWN_IMPORT))
    pkg = importlib.import_module("pkg")
    ancestry_obs.install(counting_map(*OWN_TARGETS), settings=enabled)
    importlib.reload(pkg)
    # The list has the functions of the first import too.
    assert pkg.READY == [1, 2, 1, 2]
    calls = {each.target: each.calls for each in ancestry_obs.status().targets}
    assert calls == dict(zip(OWN_TARGETS, (2, 2, 1, 1, 2), strict=True))


def test_an_import_that_fails_fails_as_without_a_map(make_module, enabled, counting_map):
    make_module("app", "def work():\n    return 1 / 0\nwork()\n")
    with pytest.raises(ZeroDivisionError) as bare:
        importlib.import_module("app")
    ancestry_obs.install(counting_map("app:work"), settings=enabled)
    with pytest.raises(ZeroDivisionError) as woven:
        importlib.import_module("app")
    assert "app" not in sys.modules

    def frames(raised):
        return [(each.path, each.lineno, each.name) for each in raised.traceback]

    mine = [each for each in frames(woven) if str(each[0]).endswith("app.py")]
    assert mine == [each for each in frames(bare) if str(each[0]).endswith("app.py")]
    assert [each for each in frames(woven) if "ancestry_obs" in str(each[0])] == []


def test_a_syntax_error_is_told_as_without_a_map(make_module, enabled, counting_map):
    make_module("app", "def work(:\n    return 1\n")
    with pytest.raises(SyntaxError) as bare:
        importlib.import_module("app")
    ancestry_obs.install(counting_map("app:work"), settings=enabled)
    with pytest.raises(SyntaxError) as woven:
        importlib.import_module("app")
    assert woven.value.args == bare.value.args


@pytest.mark.parametrize(
    "source",
    [
        b"def work():\n    return '\xc3\xa9'\n",
        b"\xef\xbb\xbfdef work():\n    return '\xc3\xa9'\n",
        b"# -*- coding: latin-1 -*-\ndef work():\n    return '\xe9'\n",
        b"def work():\r\n    return '\xc3\xa9'\r\n",
        b"def work():\n\treturn '\xc3\xa9'",
        b"\x0cdef work():\n    return '\xc3\xa9'\n\x0c\n",
        b"from __future__ import annotations\ndef work() -> Missing:\n    return '\xc3\xa9'\n",
        b"'Doc.'\nfrom __future__ import annotations\nx: Missing = 1\nwork = lambda: '\xc3\xa9'\n",
        b"def work(): assert True, 1; return '\xc3\xa9'\n",
        b"if 1:\n  if 1:\n    def work():\n      'doc'\n      return '\xc3\xa9'\n",
        b"def work():\n    return '\\\n\xc3\xa9'\n",
    ],
    ids=[
        "utf-8", "byte order mark", "latin-1", "carriage returns", "tab and no last newline",
        "form feeds", "future annotations", "future after a text", "on one line", "indented",
        "continued line",
    ],
)  # fmt: skip
def test_sources_of_every_form(program, tmp_path, source):
    program.write("app", "")
    (tmp_path / "app.py").write_bytes(source)
    if program.order == "map first":
        program.install("app:work")
    app = importlib.import_module("app")
    before = app.work
    if program.order == "module first":
        program.install("app:work")
    assert app.work() == before() == "é"
    assert program.calls() == {"app:work": 2}
