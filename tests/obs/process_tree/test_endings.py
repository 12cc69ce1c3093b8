"""Ends of a process that Python tells nobody of."""

from __future__ import annotations

import os

import pytest

from ancestry_obs.process_tree.endings import Endings


@pytest.fixture
def done(monkeypatch):
    """Note what is done in the place of an end."""
    done = []
    for name in ("_exit", "execv", "execve"):
        monkeypatch.setattr(os, name, lambda *given, name=name: done.append((name, *given)))
    return done


@pytest.fixture
def endings(done):
    endings = Endings(lambda: done.append("exits"), lambda: done.append("gives way"))
    yield endings
    endings.stop()


def test_first_the_step_then_the_end(endings, done):
    endings.watch()
    endings.watch()
    os._exit(3)
    os.execv("/a", ["a"])
    os.execve("/a", ["a"], {})
    os.execl("/a", "b")
    os.execvp("/c", ["d"])
    assert done == [
        *("exits", ("_exit", 3)),
        *("gives way", ("execv", "/a", ["a"])),
        *("gives way", ("execve", "/a", ["a"], {})),
        *("gives way", ("execv", "/a", ("b",))),
        *("gives way", ("execv", "/c", ["d"])),
    ]


def test_after_stop_there_is_what_was_there(endings, done):
    originals = os._exit, os.execv, os.execve
    endings.watch()
    assert os._exit is not originals[0]
    endings.stop()
    assert (os._exit, os.execv, os.execve) == originals
    os._exit(0)
    assert done == [("_exit", 0)]


def test_what_others_have_put_there_stays(endings, monkeypatch):
    endings.watch()

    def others(_code): ...

    monkeypatch.setattr(os, "_exit", others)
    endings.stop()
    assert os._exit is others


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_exits_whatever_is_raised(done, error):
    def exits():
        raise error

    endings = Endings(exits, int)
    endings.watch()
    with pytest.raises(error):
        os._exit(4)
    endings.stop()
    assert done == [("_exit", 4)]
