from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter.file_sd import register
from ancestry_obs.metrics_exporter.textfile import write_textfile


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


KILLED = """
import os, signal, sys
from ancestry_obs.metrics_exporter.textfile import write_textfile
from ancestry_obs.metrics_exporter.file_sd import register
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
write_textfile(sys.argv[1], b"new") if sys.argv[1].endswith(".prom") else register(sys.argv[1], "x")
"""


def temporaries(folder):
    return sorted(each.name for each in folder.iterdir() if each.name.endswith(".tmp"))


class TestWhatKilledWritersLeave:
    def test_the_next_one_of_the_same_file_clears_it(self, tmp_path):
        for name in ("run.prom", "run.prom", "other.prom"):
            command = [sys.executable, "-c", KILLED, str(tmp_path / name)]
            done = subprocess.run(command, check=False)
            assert done.returncode == -signal.SIGKILL
        # The second has cleared what the first has left.
        assert len(temporaries(tmp_path)) == 2
        write_textfile(tmp_path / "run.prom", b"new")
        (left,) = temporaries(tmp_path)
        assert left.startswith(".other.prom.")

    def test_what_a_living_one_writes_is_left_alone(self, tmp_path, monkeypatch):
        path, inner = tmp_path / "run.prom", []
        real = os.fsync

        def meanwhile(descriptor):
            if not inner:
                inner.append(True)
                write_textfile(path, b"meanwhile")
            real(descriptor)

        monkeypatch.setattr(os, "fsync", meanwhile)
        write_textfile(path, b"at last")
        assert path.read_bytes() == b"at last"
        assert list(tmp_path.iterdir()) == [path]

    def test_one_that_is_cleared_before_it_is_locked_is_made_anew(self, tmp_path, monkeypatch):
        lost = []
        real = fcntl.flock

        def lose(descriptor, operation):
            if len(lost) < 2:
                (name,) = temporaries(tmp_path)
                (tmp_path / name).unlink()
                lost.append(name)
                if len(lost) == 2:
                    raise BlockingIOError
            real(descriptor, operation)

        monkeypatch.setattr(fcntl, "flock", lose)
        write_textfile(tmp_path / "run.prom", b"new")
        assert (tmp_path / "run.prom").read_bytes() == b"new"
        assert len(lost) == 2

    def test_without_locks_nothing_is_cleared(self, tmp_path, monkeypatch):
        def refuse(_descriptor, _operation):
            raise OSError(95, "Operation not supported")

        (tmp_path / ".run.prom.abcd1234.tmp").touch()
        monkeypatch.setattr(fcntl, "flock", refuse)
        write_textfile(tmp_path / "run.prom", b"new")
        assert temporaries(tmp_path) == [".run.prom.abcd1234.tmp"]

    def test_only_so_many_at_once(self, tmp_path):
        for number in range(150):
            (tmp_path / f".run.prom.{number:08}.tmp").touch()
        write_textfile(tmp_path / "run.prom", b"new")
        assert len(temporaries(tmp_path)) == 50
        write_textfile(tmp_path / "run.prom", b"new")
        assert temporaries(tmp_path) == []

    def test_other_files_are_left_alone(self, tmp_path):
        others = {".run.prom.tmp", ".run.prom.short.tmp", "run.prom.abcd1234.tmp", ".run.prom.lock"}
        for name in others:
            (tmp_path / name).touch()
        (tmp_path / "linked").touch()
        (tmp_path / ".run.prom.abcd1234.tmp").symlink_to("linked")
        write_textfile(tmp_path / "run.prom", b"new")
        names = {each.name for each in tmp_path.iterdir()}
        assert names == {*others, "run.prom", "linked", ".run.prom.abcd1234.tmp"}

    def test_of_a_file_sd(self, tmp_path):
        path = tmp_path / "workers.json"
        done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
        assert done.returncode == -signal.SIGKILL
        assert len(temporaries(tmp_path)) == 1
        register(path, "a:1")
        assert temporaries(tmp_path) == []
