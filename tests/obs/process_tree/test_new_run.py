"""The folder of a run, or of what a command leaves, goes although somebody may write there."""

from __future__ import annotations

import threading
from pathlib import Path

from ancestry_obs.costing.conventions import PRICES, leave
from ancestry_obs.process_tree import new_run


def test_a_folder_goes_while_somebody_writes_into_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for _ in range(50):
        folder = new_run.make()
        writes, ends = threading.Event(), threading.Event()

        def write(folder=folder, writes=writes, ends=ends):
            number = 0
            while not ends.is_set():
                leave(f"{folder}/{number}{PRICES}", "{}")
                number += 1
                writes.set()

        thread = threading.Thread(target=write)
        thread.start()
        writes.wait()
        new_run.take_away(folder)
        ends.set()
        thread.join()
        assert not [*tmp_path.iterdir()]


def test_a_folder_in_a_folder_goes_as_well(tmp_path):
    Path(tmp_path, "own", "start").mkdir(parents=True)
    Path(tmp_path, "own", "start", "file").touch()
    new_run.take_away(str(tmp_path / "own"))
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_is_gone_stays_so(tmp_path):
    new_run.take_away(str(tmp_path / "never"))
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_gets_no_other_name_is_emptied_where_it_is(tmp_path, monkeypatch):
    def refused(_, __):
        raise PermissionError(13, "no")

    Path(tmp_path, "own").mkdir()
    Path(tmp_path, "own", "file").touch()
    monkeypatch.setattr("os.rename", refused)
    new_run.take_away(str(tmp_path / "own"))
    assert not [*tmp_path.iterdir()]
