"""The packs' benchmark runs, and both sides of it count the requests that were made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks/packs.py"


def run(*words):
    command = [sys.executable, SCRIPT, "--rounds", "1", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_one_library():
    pytest.importorskip("opentelemetry.instrumentation.jinja2", reason="the peer is not installed")
    done = run("jinja2")
    assert done.returncode == 0, done.stderr
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("jinja2 "))
    assert "left out" not in row
    assert row.endswith(" unsampled")
    assert done.stdout.endswith("counts: each has exactly the requests that were made\n")


def test_a_library_that_it_does_not_know():
    done = run("jinja3")
    assert done.returncode == 2
    assert "invalid choice: 'jinja3'" in done.stderr
