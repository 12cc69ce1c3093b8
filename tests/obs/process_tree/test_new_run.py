"""The folder of a run, or of what a command leaves, goes although somebody may write there."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from ancestry_obs.costing.conventions import PRICES, leave
from ancestry_obs.process_tree import new_run


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Give the first two places for a run's folder; nothing has room for a file but the second."""
    full, free = tmp_path / "full", tmp_path / "free"
    for place in (full, free):
        place.mkdir()
    monkeypatch.setenv("TMPDIR", str(full))
    monkeypatch.setenv("TEMP", str(free))
    monkeypatch.setattr(new_run, "_PLACES", ())
    monkeypatch.chdir(full)
    return full, free


def refuse(folder):
    Path(folder, "begun").touch()
    raise OSError(errno.ENOSPC, "No space left on device")


class TestWhatIsToBeInIt:
    def test_a_disk_without_room_for_it_is_passed_over(self, places):
        full, free = places

        def fill(folder):
            if Path(folder).parent == full:
                refuse(folder)
            Path(folder, "note").touch()

        folder = Path(new_run.make(fill))
        assert (folder.parent, [each.name for each in folder.iterdir()]) == (free, ["note"])
        assert not [*full.iterdir()]

    def test_where_no_place_has_room_the_first_one_is_named(self, places):
        with pytest.raises(OSError, match="No space left on device") as caught:
            new_run.make(refuse)
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(places[0]))
        assert not [each for place in places for each in place.iterdir()]

    @pytest.mark.parametrize("kind", [TypeError, KeyboardInterrupt])
    def test_the_folder_goes_whatever_prevents_that(self, places, kind):
        def fill(folder):
            Path(folder, "begun").touch()
            raise kind

        with pytest.raises(kind):
            new_run.make(fill)
        assert not [each for place in places for each in place.iterdir()]


def test_a_place_that_cannot_be_named_any_more_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    (tmp_path / "free").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setenv("TMPDIR", "relative")
    monkeypatch.setenv("TEMP", str(tmp_path / "free"))
    assert Path(new_run.make()).parent == tmp_path / "free"
    monkeypatch.chdir(tmp_path)


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
