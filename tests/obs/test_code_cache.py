"""Woven code from the process before: the same code or none, whatever became of the folder."""

from __future__ import annotations

import logging
import marshal
import os
import subprocess
import sys
from binascii import crc32
from textwrap import dedent

import pytest
from tests.obs.compiler.conftest import Loom

import ancestry_obs
from ancestry_obs.code_cache import CodeCache, _files, open_code_cache
from ancestry_obs.compiler import Aspect, Runtime, weave
from ancestry_obs.compiler.code import codes_in
from ancestry_obs.compiler.inlining import inlined
from ancestry_obs.compiler.sources import Source
from ancestry_obs.exceptions import CompileError

TEXT = "def f(a):\n    return g(a)\ndef g(a):\n    return (lambda: a + 1)()\n"
posix = pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")


def load(text):
    names = {}
    exec(compile(text, "<module>", "exec", dont_inherit=True), names)
    return names


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def process(folder, monkeypatch):
    """Weaves f and g as another process would; gives the functions, and whether it compiled."""

    def run(text=TEXT, version="1", label="text(a)", most_bytes=10**6, **functions):
        loom = Loom()
        loom.metric("a_total", v=9)
        advices = (loom.advice(loom.record("a_total", v=label)),)
        cache = CodeCache(str(folder), version, most_bytes)
        runtime = Runtime(loom.store, loom.functions, code_cache=cache)
        names = {**load(text), **functions}
        aspects = [
            Aspect(f"m:{each}", names[each].__code__, advices, runtime, function=names[each])
            for each in "fg"
        ]
        compiled = []
        monkeypatch.setattr(
            "ancestry_obs.compiler.inlining._compiled",
            lambda *given: compiled.append(given) or COMPILED(*given),
        )
        wovens = weave(aspects, text)
        for each, woven in zip("fg", wovens, strict=True):
            names[each].__code__ = woven.code
        return names, wovens, loom, bool(compiled)

    return run


COMPILED = sys.modules[inlined.__module__]._compiled


def test_the_next_process_compiles_nothing(process):
    for expected in (True, False, False):
        names, wovens, loom, compiled = process()
        assert compiled is expected
        assert [each.why_called for each in wovens] == ["", ""]
        assert names["f"](1) == 2
        assert [each.calls() for each in wovens] == [1, 1]
        assert loom.read("a_total") == {("1",): 2.0}


def test_what_is_inside_is_the_programs_own(process):
    process()
    names, (_, woven), _, compiled = process()
    (inside,) = [each for each in woven.code.co_consts if hasattr(each, "co_code")]
    assert not compiled
    assert inside.co_filename == names["g"].__code__.co_filename


def test_why_there_is_none_is_kept_as_well(process):
    text = "def f(a):\n    return locals()\ndef g(a):\n    return a\n"
    for expected in (True, False):
        names, (f, g), _, compiled = process(text)
        assert compiled is expected
        assert (f.why_called, g.why_called) == (
            "it could see the statements' variables by locals()",
            "",
        )
        assert names["f"](1) == {"a": 1}


@pytest.mark.parametrize(
    "other",
    [
        {"text": TEXT.replace("+ 1", "+ 2")},
        {"text": f"show = locals\n{TEXT}"},
        {"version": "2"},
        {"label": "'x'"},
    ],
    ids=["the text", "the text elsewhere", "the toolkit", "the map"],
)
def test_what_it_depends_on_makes_another_entry(process, other):
    process()
    assert process(**other)[3]
    assert not process(**other)[3]
    assert not process()[3]


def test_what_reads_another_parameter_has_an_entry_of_its_own(process):
    text = "def f(a, b):\n    return a\ndef g(b, a):\n    return a\n"
    for name, expected in (("a", {("1",): 2.0}), ("b", {("2",): 2.0})):
        for _ in range(2):
            names, _, loom, compiled = process(text, label=f"text({name})")
            names["f"](1, 2)
            names["g"](2, 1)
            assert loom.read("a_total") == expected
        assert not compiled


@pytest.mark.parametrize("there", [True, False])
def test_a_toolkit_that_somebody_works_on_has_entries_of_its_own(
    folder, tmp_path, monkeypatch, there
):
    toolkit = tmp_path / ("toolkit" if there else "archive.zip")
    monkeypatch.setattr("ancestry_obs.code_cache.__file__", str(toolkit / "code_cache.py"))
    file = tmp_path / "toolkit" / "mapfile" / "records.py"
    file.parent.mkdir(parents=True)
    file.write_text("a = 1")

    def name():
        _files.cache_clear()
        return CodeCache(str(folder), "1").name([b"a"])

    before = name()
    assert name() == before
    file.write_text("a = 12")
    assert (name() != before) is there
    _files.cache_clear()


def test_an_entry_is_good_for_the_code_alone_that_it_was_made_of(process):
    process()
    changed = load(TEXT.replace("+ 1", "+ 5"))["g"]
    names, (_, woven), _, compiled = process(g=changed)
    assert compiled
    assert woven.why_called == "its source gives other code than what runs"
    assert names["g"](1) == 6
    assert not process(g=load(TEXT.replace("+ 1", "+ 5"))["g"])[3]
    assert not process()[3]


def test_what_the_text_says_around_a_function_is_part_of_its_name(process):
    text = "show = {}\ndef f(a):\n    return show()\ndef g(a):\n    return a\n".format
    for name, expected in (("dict", ""), ("locals", "show()"), ("dict", "")):
        assert expected in process(text(name))[1][0].why_called
        assert bool(process(text(name))[1][0].why_called) is bool(expected)


@pytest.fixture
def imported(folder):
    """Weaves the functions of a module before it runs, as another process would."""

    def run(text, read=None):
        loom = Loom()
        loom.metric("a_total", v=9)
        advices = (loom.advice(loom.record("a_total", v="text(a)")),)
        runtime = Runtime(loom.store, loom.functions, code_cache=CodeCache(str(folder), "1"))
        module = compile(text, "<module>", "exec", dont_inherit=True)
        aspects = [
            Aspect(f"m:{code.co_name}", code, advices, runtime, is_definition=False)
            for code in codes_in(module)
            if not code.co_name.startswith("<")
        ]
        return weave(aspects, Source(read or (lambda: text), module))

    return run


def unreadable():
    raise AssertionError("the source was read")


def test_a_module_is_woven_without_its_source_the_next_time(imported):
    first = imported(TEXT)
    second = imported(TEXT, unreadable)
    assert [each.code.co_code for each in second] == [each.code.co_code for each in first]
    assert [each.why_called for each in second] == ["", ""]


@pytest.mark.parametrize(("known", "other"), [("fit", "jit"), ("jit", "fit")])
def test_what_the_module_says_around_a_function_is_part_of_the_proof(imported, known, other):
    text = "def fit(a): return a\njit = fit\n@{}\ndef f(a):\n    return a\n".format

    def refused(name):
        woven = imported(text(name))[1]
        return isinstance(woven, CompileError) and str(woven)

    expected = {"fit": False, "jit": "what reads its code must find its own"}
    for name in (known, other, known):
        assert refused(name) == expected[name]


def test_a_module_without_a_source_is_woven_when_it_is_there(imported):
    for woven in imported("def f(a):\n    return lambda: a\n", lambda: None):
        assert str(woven) == "its source is not there, so that it is woven when it is a function"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[:30] + bytes([data[30] ^ 1]) + data[31:],
    ],
    ids=["empty", "cut off", "changed"],
)
def test_a_damaged_entry_is_as_good_as_none(process, folder, damage):
    process()
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    names, _, _, compiled = process()
    assert compiled
    assert names["f"](1) == 2
    assert marshal.loads(entry.read_bytes()[4:])
    assert not process()[3]


def test_code_that_cannot_be_written_costs_no_other_its_code(process):
    made = load(TEXT)["g"]
    made.__code__ = made.__code__.replace(co_consts=(*made.__code__.co_consts, object()))
    for _ in range(2):
        _, wovens, _, _ = process(g=made)
        assert [each.why_called for each in wovens] == [
            "", "its source gives other code than what runs",
        ]  # fmt: skip


@posix
def test_a_folder_that_others_can_write_to_is_not_used(process, folder, caplog):
    folder.mkdir()
    folder.chmod(0o777)
    for _ in range(2):
        assert process()[3]
    assert not list(folder.iterdir())
    assert caplog.messages[0] == (
        f"code cache {folder} is not used: others can write to it; "
        "take that right from them (chmod go-w)"
    )


@posix
def test_a_folder_of_another_user_is_not_used(folder, monkeypatch, caplog):
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    CodeCache(str(folder), "1").write("entry", [1])
    assert not list(folder.iterdir())
    assert caplog.messages == [
        f"code cache {folder} is not used: it is another user's; name one of your own"
    ]


def test_a_tilde_is_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    CodeCache("~/cache", "1").write("entry", [1])
    assert (tmp_path / "cache" / "entry").exists()


def test_a_folder_that_cannot_be_made_is_told_once(process, folder, caplog):
    folder.write_text("a file")
    names, _, _, compiled = process()
    assert compiled
    assert names["f"](1) == 2
    assert caplog.messages == [f"code cache {folder} is not used: File exists"]


def test_a_folder_that_goes_is_told_once(folder, caplog):
    cache = CodeCache(str(folder), "1")
    folder.rmdir()
    for _ in range(2):
        cache.write("entry", [1])
        assert cache.read("entry") is None
    (message,) = caplog.messages
    assert message == f"code cache {folder} is not used any more: No such file or directory"


def test_it_stays_where_it_was_when_the_program_goes_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache = CodeCache("here", "1")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    cache.write("entry", [1])
    assert cache.read("entry") == [1]
    assert (tmp_path / "here" / "entry").exists()


def test_the_oldest_entries_go_first_and_what_was_left_half_written(folder):
    CodeCache(str(folder), "1").write("first", [0] * 100)
    size = (folder / "first").stat().st_size
    for age, name in enumerate(("old", "older", "oldest"), start=1):
        (folder / name).write_bytes(b"." * size)
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    (folder / "killed.1.tmp").write_bytes(b"")
    os.utime(folder / "killed.1.tmp", (1e9, 1e9))
    (folder / "under way.2.tmp").write_bytes(b"")
    CodeCache(str(folder), "1", most_bytes=3 * size).write("new", [0] * 100)
    assert sorted(each.name for each in folder.iterdir()) == [
        "first",
        "new",
        "old",
        "older",
        "under way.2.tmp",
    ]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Is the user's cache folder; Python writes bytecode."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_where_nothing_is_said_it_is_in_the_users_cache_folder(home):
    cache = open_code_cache(None, "1")
    cache.write("entry", [1])
    folder = home / "ancestry-obs" / "code"
    assert [each.name for each in folder.iterdir()] == ["entry"]
    assert os.name != "posix" or folder.stat().st_mode & 0o777 == 0o700
    assert open_code_cache(None, "1").read("entry") == [1]


@pytest.mark.parametrize("setting", ["", "off", " OFF "])
def test_it_can_be_switched_off(home, setting):
    assert open_code_cache(setting, "1") is None
    assert not list(home.iterdir())


def test_where_python_writes_no_bytecode_only_a_folder_that_is_named_is_used(
    home, folder, monkeypatch
):
    open_code_cache(None, "1").write("entry", [1])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert open_code_cache(None, "1") is None
    assert open_code_cache(str(folder), "1").is_open


def taken(home, monkeypatch):
    (home / "ancestry-obs").write_text("a file")


def of_another(home, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: home.stat().st_uid + 1)


def open_to_others(home, monkeypatch):
    (home / "ancestry-obs" / "code").mkdir(parents=True)
    (home / "ancestry-obs" / "code").chmod(0o777)


def without_home(home, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)


def that_is_no_path(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ("long" * 100)))


@posix
@pytest.mark.parametrize(
    "spoil", [taken, of_another, open_to_others, without_home, that_is_no_path]
)
def test_nobody_hears_of_a_users_folder_that_cannot_be_used(home, monkeypatch, caplog, spoil):
    spoil(home, monkeypatch)
    caplog.set_level(logging.INFO)
    before = sorted(home.rglob("*"))
    assert open_code_cache(None, "1") is None
    assert sorted(home.rglob("*")) == before
    assert caplog.messages == []


def test_with_metrics_off_there_is_no_folder(home):
    assert not ancestry_obs.install(settings=ancestry_obs.ObservabilitySettings()).enabled
    assert not list(home.iterdir())


PROGRAM = """
import ancestry_obs
ancestry_obs.install("map.toml", settings=ancestry_obs.ObservabilitySettings.from_environment())
import shop
print([shop.buy(each) for each in range(3)], ancestry_obs.status().targets[0].calls)
"""
MAP = """
version = 1
[metrics.bought_total]
type = "counter"
help = "Bought."
[[instrument]]
target = "shop:buy"
record = [{ metric = "bought_total" }]
"""


@pytest.fixture
def start(tmp_path):
    """Starts a program that measures itself."""
    (tmp_path / "shop.py").write_text("def buy(a):\n    return a * 2\n")
    (tmp_path / "map.toml").write_text(dedent(MAP))
    known = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    known |= {"PROMETHEUS_METRICS_ENABLED": "true", "METRICS_EXPORT_PORT": "0"}

    def run(**variables):
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**known, "XDG_CACHE_HOME": str(tmp_path / "home"), **variables},
        )

    return run


def is_code(path):
    # Beside code is the map, as soon as it is old enough.
    return path.is_file() and not path.name.startswith("map-")


CASES = {
    "default": ({}, "home/ancestry-obs/code"),
    "named": ({"METRICS_CODE_CACHE": "cache"}, "cache"),
    "named without bytecode": (
        {"METRICS_CODE_CACHE": "cache", "PYTHONDONTWRITEBYTECODE": "1"},
        "cache",
    ),
    "without bytecode": ({"PYTHONDONTWRITEBYTECODE": "1"}, ""),
    "off": ({"METRICS_CODE_CACHE": "off"}, ""),
    "empty": ({"METRICS_CODE_CACHE": ""}, ""),
}


@pytest.mark.parametrize(("variables", "expected"), CASES.values(), ids=CASES)
def test_two_runs_of_a_program(start, tmp_path, variables, expected):
    said, entries = set(), set()
    for _ in range(2):
        said.add(start(**variables).communicate())
        found = [*tmp_path.glob("home/**/*"), *tmp_path.glob("cache/**/*")]
        entries.add(tuple((each, each.stat().st_mtime_ns) for each in found if is_code(each)))
    assert said == {("[0, 2, 4] 3\n", "")}
    (written,) = entries
    assert [path.parent for path, _ in written] == [tmp_path / expected][: bool(expected)]


def test_programs_that_start_at_once(start, tmp_path):
    for each in [start() for _ in range(6)]:
        assert each.communicate() == ("[0, 2, 4] 3\n", "")
    (entry,) = (each for each in (tmp_path / "home/ancestry-obs/code").iterdir() if is_code(each))
    data = entry.read_bytes()
    assert crc32(data[4:]).to_bytes(4) == data[:4]
