"""Which process it is that a number once meant."""

from __future__ import annotations

import os

import pytest

from ancestry_obs.process_tree import identity as module
from ancestry_obs.process_tree.identity import identity, is_running, start_of


@pytest.fixture
def ended():
    """Give the name of a process that has ended and that nobody has waited for."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, identity().encode())
        os._exit(0)
    name = os.read(reader, 100).decode()
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    yield name
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)


def test_this_process_runs_whatever_follows_its_name():
    assert is_running(identity())
    assert is_running(f"{identity()}-1a2b")


def test_a_zombie_runs_no_more(ended):
    assert not is_running(ended)


def test_another_process_of_the_same_number_is_another_one():
    assert not is_running(f"{os.getpid()}-1")


def test_no_process_at_all():
    assert start_of(2**22 + 1) is None


def test_for_want_of_a_file_descriptor_nobody_is_taken_for_dead(monkeypatch):
    def no_file(*_arguments, **_named):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("builtins.open", no_file)
    with pytest.raises(OSError, match="Too many"):
        is_running(f"{os.getpid()}-1")


def test_where_there_is_no_proc(monkeypatch):
    monkeypatch.setattr(module, "_PROC", "/nowhere")
    assert module._start_without_proc(os.getpid()) == "unknown"
    assert module._start_without_proc(2**22 + 1) is None
