"""A map that is known from the last start: the same map or none, whatever became of its files."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest

from ancestry_obs import map_cache, mapfile
from ancestry_obs.exceptions import MapError
from ancestry_obs.map_cache import load_map
from ancestry_obs.mapfile import resolve_map

MAP = """\
version = 1

[metrics.jobs_total]
type = "counter"
help = "Jobs."

[metrics.jobs_total.labels.kind]
max_values = 9

[[instrument]]
target = "shop:run"
record = [{ metric = "jobs_total", labels = { kind = "'big' if len(jobs) > 9 else 'small'" } }]
"""


KEY = "instrument[0].record[0]"


class Loading:
    """Loads a map as programs do, and knows how often it was read."""

    def __init__(self, folder, monkeypatch):
        self.file = folder / "map.toml"
        self.cache = folder / "cache"
        self.read = 0
        self.offset = 10.0
        load = mapfile.load

        def counted(source):
            self.read += 1
            return load(source)

        monkeypatch.setattr(mapfile, "load", counted, raising=False)
        monkeypatch.setattr(map_cache, "time", lambda: self.file.stat().st_ctime + self.offset)

    def __call__(self, **setting):
        return load_map(**{"source": self.file, "code_cache": str(self.cache), **setting})

    @property
    def entry(self):
        (entry,) = self.cache.glob("map-*")
        return entry


@pytest.fixture
def loading(tmp_path, monkeypatch):
    made = Loading(tmp_path, monkeypatch)
    made.file.write_text(MAP)
    return made


def whole(spec):
    """Give what a comparison leaves out, too: places and trees."""
    records = spec.instruments[0].records
    trees = [ast.dump(each.tree) for each in records[0].expressions]
    return spec, repr(spec), str(records[0].where), trees


def test_it_is_read_once_and_is_the_same(loading):
    first = loading()
    assert loading.read == 1
    second = loading()
    assert loading.read == 1
    assert whole(second) == whole(first)
    assert str(second.instruments[0].records[0].where) == f"{loading.file}:12: {KEY}"


def test_what_has_changed_is_read_anew(loading):
    loading()
    loading.file.write_text(MAP.replace("Jobs.", "Work."))
    assert loading().metrics[0].help == "Work."
    assert loading().metrics[0].help == "Work."
    assert loading.read == 2


def test_what_is_being_written_is_not_kept(loading):
    loading.offset = 1.0
    loading()
    loading()
    assert loading.read == 2
    assert not list(loading.cache.iterdir())


def test_every_file_of_a_map_counts(loading, tmp_path, monkeypatch):
    inner = tmp_path / "inner.toml"
    inner.write_text("a")
    monkeypatch.setattr(map_cache, "_files_of", lambda spec, path: (path, str(inner)))
    loading()
    loading()
    assert loading.read == 1
    inner.write_text("b")
    loading()
    inner.unlink()
    with pytest.raises(FileNotFoundError):
        loading()
    assert loading.read == 3


def shorten(data):
    return data[:-9]


def of_something_else(data):
    return b"\0" * len(data)


@pytest.mark.parametrize("spoil", [shorten, of_something_else, lambda data: b""])
def test_an_entry_that_is_damaged_is_as_none(loading, spoil):
    first = loading()
    loading.entry.write_bytes(spoil(loading.entry.read_bytes()))
    assert loading() == first
    assert loading.read == 2
    loading()
    assert loading.read == 2


def test_what_cannot_be_made_of_an_entry_is_as_none(loading):
    first = loading()
    cache = map_cache.open_code_cache(str(loading.cache), map_cache.__version__)
    files, _ = cache.read(loading.entry.name)
    for value in ((files, b"no pickle"), (files,), None, [], (files, None), 5):
        cache.write(loading.entry.name, value)
        assert loading() == first
    assert loading.read == 7


def test_a_mistake_is_told_each_time(loading):
    loading.file.write_text(MAP.replace("counter", "cuonter"))
    for _ in range(2):
        with pytest.raises(MapError, match=r"map\.toml:4: .*cuonter"):
            loading()
    assert not list(loading.cache.glob("map-*"))


@pytest.mark.parametrize("setting", ["off", ""])
def test_it_can_be_switched_off(loading, setting):
    loading(code_cache=setting)
    loading(code_cache=setting)
    assert loading.read == 2


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
def test_from_a_folder_that_others_can_write_to_nothing_is_read(loading, caplog):
    loading()
    loading.cache.chmod(0o777)
    loading()
    assert loading.read == 2
    # Who weaves says it, once.
    assert caplog.messages == []


def test_the_same_file_by_another_name_keeps_its_own_places(loading, monkeypatch):
    loading()
    monkeypatch.chdir(loading.file.parent)
    again = loading(source="map.toml")
    assert (again.source, loading().source) == ("map.toml", str(loading.file))
    assert loading.read == 2


def test_a_shipped_map_is_read_each_time(loading):
    # Which file is meant depends on the folder that the program starts in.
    loading(source="ancestry")
    loading(source="ancestry")
    assert loading.read == 2


PROGRAM = """
import sys
print("ancestry_obs.mapfile.loader" in sys.modules, "tomllib" in sys.modules)
"""


def test_a_program_reads_its_map_at_its_first_start_alone(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    known = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    known |= {"XDG_CACHE_HOME": str(tmp_path / "home"), "METRICS_EXPORT_PORT": "0"}
    # What is being written is not kept; this has been there for longer.
    old = resolve_map("ancestry")

    def start():
        words = ["-m", "ancestry_obs", "run", "--map", str(old), "--", "program.py"]
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=known,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert start() == "True True\n"
    assert start() == "False False\n"
