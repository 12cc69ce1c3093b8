"""Woven code from the process before: the same code or none, whatever became of the folder."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from tests.obs.compiler.conftest import Loom

from ancestry_obs.compiler import Aspect, CodeCache, Runtime, weave
from ancestry_obs.compiler.inlining import inlined

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


def test_an_entry_is_good_for_the_code_alone_that_it_was_made_of(process):
    process()
    changed = load(TEXT.replace("+ 1", "+ 5"))["g"]
    names, (_, woven), _, compiled = process(g=changed)
    assert compiled
    assert woven.why_called == "its source gives other code than what runs"
    assert names["g"](1) == 6
    assert not process(g=load(TEXT.replace("+ 1", "+ 5"))["g"])[3]
    assert process()[3]


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
    assert marshal.loads(entry.read_bytes()[20:])
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


def test_two_runs_of_a_program(tmp_path):
    (tmp_path / "shop.py").write_text("def buy(a):\n    return a * 2\n")
    (tmp_path / "map.toml").write_text(dedent(MAP))
    environment = {
        **os.environ,
        "PROMETHEUS_METRICS_ENABLED": "true",
        "METRICS_EXPORT_PORT": "0",
        "METRICS_CODE_CACHE": "cache",
    }
    said, entries = set(), set()
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            check=True,
        )
        said.add((done.stdout, done.stderr))
        entries.add(tuple(sorted(Path(tmp_path, "cache").iterdir())))
    assert said == {("[0, 2, 4] 3\n", "")}
    assert len(entries) == 1
