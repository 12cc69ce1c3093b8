"""The text that a code was compiled from: from its file, from whoever made it, from its loader."""

from __future__ import annotations

import importlib
import linecache
import sys
import zipfile

import pytest

from ancestry_obs.compiler.sources import source_of

TEXT = "def f():\n    return 'ä'\n"


def code_of(filename):
    namespace = {}
    exec(compile(TEXT, str(filename), "exec", dont_inherit=True), namespace)
    return namespace["f"].__code__


@pytest.mark.parametrize(
    ("start", "encoding"), [("", "utf-8"), ("# coding: latin-1\n", "latin-1"), ("", "utf-8-sig")]
)
def test_a_file_is_read_as_python_reads_it(tmp_path, start, encoding):
    path = tmp_path / "m.py"
    path.write_bytes((start + TEXT).replace("\n", "\r\n").encode(encoding))
    assert source_of(code_of(path), {}) == start + TEXT


def test_an_old_entry_of_linecache_is_not_believed(tmp_path):
    path = tmp_path / "m.py"
    path.write_text("old\n")
    linecache.getlines(str(path))
    path.write_text(TEXT, "utf-8")
    assert source_of(code_of(path), {}) == TEXT


def test_what_was_put_into_linecache_without_a_time_is_the_source(monkeypatch):
    entry = (len(TEXT), None, TEXT.splitlines(keepends=True), "<cell 1>")
    monkeypatch.setitem(linecache.cache, "<cell 1>", entry)
    assert source_of(code_of("<cell 1>"), {}) == TEXT


def test_an_entry_that_is_still_to_be_loaded_is_left_alone(monkeypatch):
    monkeypatch.setitem(linecache.cache, "<lazy>", (lambda: 1 / 0,))
    assert source_of(code_of("<lazy>"), {}) is None
    assert len(linecache.cache["<lazy>"]) == 1


@pytest.mark.parametrize("content", [b"\xff\xfe\0", b"# coding: unknown\n"])
def test_a_file_that_cannot_be_read_is_no_source(tmp_path, content):
    path = tmp_path / "m.py"
    path.write_bytes(content)
    assert source_of(code_of(path), {}) is None


def test_a_module_of_an_archive_is_found_by_its_loader(tmp_path, monkeypatch):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("zipped_module.py", TEXT.replace("\n", "\r\n"))
    monkeypatch.syspath_prepend(str(archive))
    module = importlib.import_module("zipped_module")
    try:
        assert source_of(module.f.__code__, vars(module)) == TEXT
    finally:
        del sys.modules["zipped_module"]


class Loader:
    def __init__(self, result):
        self.result = result

    def get_source(self, name):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize("result", [None, "", OSError(), ImportError(), ZeroDivisionError()])
def test_a_loader_may_have_none(result):
    namespace = {"__loader__": Loader(result), "__name__": "m"}
    assert source_of(code_of("<nowhere>"), namespace) is None
