from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter import write_textfile


def test_content_and_mode(tmp_path):
    path = tmp_path / "run.prom"
    write_textfile(path, b"up 1\n")
    assert path.read_bytes() == b"up 1\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_half_of_it(tmp_path, workers):
    path = tmp_path / "run.prom"
    contents = {bytes([letter]) * 100_000 for letter in b"ab"}
    write_textfile(path, b"a" * 100_000)

    def write(_):
        for content in contents:
            write_textfile(path, content)

    seen = set()
    with workers(write, threads=1, at_least=20) as writer:
        while writer.at_their_share or len(seen) < 2:
            seen.add(path.read_bytes())
    assert seen == contents


def test_a_missing_folder(tmp_path):
    path = tmp_path / "missing" / "run.prom"
    with pytest.raises(ExporterError) as caught:
        write_textfile(path, b"")
    assert str(caught.value) == (
        f"cannot write {path}: No such file or directory; its folder must exist and be writable, "
        "with space left"
    )


def test_a_failure_leaves_what_was_there_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "run.prom"
    write_textfile(path, b"old")

    def fail(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ExporterError, match="No space left on device"):
        write_textfile(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_is_passed_by_by_the_collector(tmp_path, monkeypatch):
    seen = []
    real = Path.replace

    def spy(self, target):
        seen.append(self.name)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", spy)
    write_textfile(tmp_path / "run.prom", b"")
    assert not seen[0].endswith(".prom")
