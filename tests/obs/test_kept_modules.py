"""The toolkit's modules from the start before: the same modules, or those of the files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import ancestry_obs

PROGRAM = dedent("""
    import inspect, sys
    from ancestry_obs.kept_modules import kept_modules

    hooks = [*sys.meta_path]
    with kept_modules(sys.argv[1]):
        import ancestry_obs.mapfile.records as records
    assert sys.meta_path == hooks
    names = [each for each in sys.modules if each.startswith("ancestry_obs.mapfile")]
    for each in [sys.modules[name] for name in names]:
        with open(each.__file__) as file:
            assert inspect.getsource(each) == file.read()
        assert each.__spec__.name == each.__name__
        assert (each.__spec__.submodule_search_locations is not None) == hasattr(each, "__path__")
    loaders = {type(sys.modules[name].__loader__).__name__ for name in names}
    print(*sorted(loaders), getattr(records, "CHANGED", ""))
    import ancestry_obs.live as later
    assert type(later.__loader__).__name__ == "SourceFileLoader"
""")


@pytest.fixture
def toolkit(tmp_path):
    folder = tmp_path / "toolkit"
    source = Path(ancestry_obs.__file__).parent
    shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def start(tmp_path, toolkit):
    """Gives whose the loaders are in a new process, and what it has of a change."""

    def start(cache=None):
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(cache or tmp_path / "cache")],
            env={**os.environ, "PYTHONPATH": str(toolkit)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not ended.stderr
        return ended.stdout.split()

    return start


def test_the_second_start_has_them_from_the_first(start):
    assert start() == ["SourceFileLoader"]
    assert start() == ["_Loader"]


def test_a_changed_module_is_that_of_its_file_and_kept_from_then_on(start, toolkit):
    start()
    changed = toolkit / "ancestry_obs" / "mapfile" / "records.py"
    changed.write_text(changed.read_text("utf-8") + "CHANGED = 1\n", "utf-8")
    assert start() == ["SourceFileLoader", "1"]
    assert start() == ["_Loader", "1"]


def test_one_changed_module_is_no_reason_to_read_the_others(start, toolkit, monkeypatch):
    # As in a folder that is not looked through at each start.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    code_cache = toolkit / "ancestry_obs" / "code_cache.py"
    text = code_cache.read_text("utf-8")
    assert ', "/mapfile"' in text
    code_cache.write_text(text.replace(', "/mapfile"', ""), "utf-8")
    start()
    changed = toolkit / "ancestry_obs" / "mapfile" / "records.py"
    changed.write_text(changed.read_text("utf-8") + "CHANGED = 1\n", "utf-8")
    assert start() == ["SourceFileLoader", "_Loader", "1"]
    assert start() == ["_Loader", "1"]


def test_a_broken_entry_is_none(start, tmp_path):
    start()
    (entry,) = (tmp_path / "cache").iterdir()
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 255
    entry.write_bytes(bytes(data))
    assert start() == ["SourceFileLoader"]
    assert start() == ["_Loader"]


def test_where_nothing_is_to_be_kept_nothing_is(start, tmp_path):
    assert start("off") == ["SourceFileLoader"]
    assert start("off") == ["SourceFileLoader"]
    assert not (tmp_path / "cache").exists()


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
def test_a_folder_to_which_others_can_write_is_not_used(start, tmp_path):
    start()
    (tmp_path / "cache").chmod(0o777)
    assert start() == ["SourceFileLoader"]
