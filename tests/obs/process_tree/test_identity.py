from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ancestry_obs.process_tree import identity


def test_a_process_keeps_its_start():
    assert identity.start_of(os.getpid()) == identity.start_of(os.getpid()) is not None


def test_who_has_ended_has_none_even_before_its_parent_looks():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert identity.start_of(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert identity.start_of(child.pid) is None
    assert identity.start_of(child.pid) is None


@pytest.mark.parametrize(
    ("error", "start"),
    [(ProcessLookupError, None), (PermissionError, "unknown"), (None, "unknown")],
)
def test_without_proc_a_process_is_only_alive_or_not(monkeypatch, tmp_path, error, start):
    monkeypatch.setattr(identity, "_PROC", str(tmp_path / "none"))

    def kill(_process, _signal):
        if error is not None:
            raise error

    monkeypatch.setattr(os, "kill", kill)
    assert identity.start_of(1) == start
