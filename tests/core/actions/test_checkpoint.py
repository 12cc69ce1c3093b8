from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.actions.checkpoint import Checkpoint, Position
from ancestry_core.exceptions import CheckpointError

POSITION = Position("TEST-1", next_page=4, page_size=30, stored=90)


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "platform.db.checkpoint.json")


def files(checkpoint):
    return sorted(path.name for path in checkpoint.path.parent.iterdir())


def test_it_lies_beside_its_database(tmp_path):
    found = Checkpoint.beside(tmp_path / "platform.db")
    assert found.path == tmp_path / "platform.db.checkpoint.json"


@given(st.builds(Position, st.text(), st.integers(1), st.integers(1), st.integers(0)))
def test_what_is_saved_is_loaded(position):
    with TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder, "c.json"))
        checkpoint.save(position)
        assert checkpoint.load() == position


def test_nothing_is_there_at_first_and_after_clearing(checkpoint):
    assert checkpoint.load() is None
    checkpoint.save(POSITION)
    checkpoint.clear()
    checkpoint.clear()
    assert checkpoint.load() is None
    assert files(checkpoint) == []


def test_saving_leaves_one_file(checkpoint):
    for page in (2, 3, 4):
        checkpoint.save(Position("TEST-1", page, 30, 0))
    assert files(checkpoint) == [checkpoint.path.name]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe\x00", "codec can't decode"),
        (b"[1, 2]", "has not the keys test_id, next_page, page_size, stored"),
        (b'{"test_id": "A", "next_page": 3}', "has not the keys"),
        (json.dumps({"test_id": 1, "next_page": 1, "page_size": 1, "stored": 0}).encode(), "kind"),
        (
            json.dumps({"test_id": "A", "next_page": 0, "page_size": 1, "stored": 0}).encode(),
            "kind",
        ),
        (
            json.dumps({"test_id": "A", "next_page": 1.5, "page_size": 1, "stored": 0}).encode(),
            "kind",
        ),
    ],
)
def test_a_corrupt_file_is_said_and_set_aside(checkpoint, caplog, content, reason):
    checkpoint.path.write_bytes(content)
    assert checkpoint.load() is None
    assert reason in caplog.text
    assert f"set aside as {checkpoint.path.name}.corrupt, gathering starts afresh" in caplog.text
    assert files(checkpoint) == [f"{checkpoint.path.name}.corrupt"]
    assert (checkpoint.path.parent / f"{checkpoint.path.name}.corrupt").read_bytes() == content


@given(st.binary())
def test_no_content_makes_it_raise(content):
    with TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder, "c.json"))
        checkpoint.path.write_bytes(content)
        assert checkpoint.load() is None


def test_a_folder_in_its_place_is_an_error(checkpoint):
    checkpoint.path.mkdir()
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load()
    assert str(caught.value) == (
        f"{checkpoint.path}: the checkpoint cannot be read (Is a directory); "
        "check the folder's rights and free space, then run again"
    )


def test_a_failing_disk_leaves_the_old_file_and_no_other(checkpoint, monkeypatch):
    checkpoint.save(POSITION)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"cannot be written \(No space left on device\)"):
        checkpoint.save(Position("TEST-1", 5, 30, 120))
    monkeypatch.undo()
    assert checkpoint.load() == POSITION
    assert files(checkpoint) == [checkpoint.path.name]
