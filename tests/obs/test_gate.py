"""The plan's gate: a run of pytest with each setting of the variables, on the gate itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GATE = Path(__file__).parents[1] / "conftest.py"
TESTS = """
import pytest

@pytest.mark.live
def test_opens_the_port():
    pass

def test_opens_none():
    pass
"""
REASON = (
    "opens the exporter's port: set SKIP_LIVE_API_TESTS=false or PROMETHEUS_METRICS_ENABLED=true"
)


def run(folder: Path, **variables: str) -> str:
    shutil.copy(GATE, folder)
    (folder / "test_gated.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = live: opens a port\n")
    kept = {k: v for k, v in os.environ.items() if k not in {"PYTEST_ADDOPTS", *NAMES}}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


NAMES = ("SKIP_LIVE_API_TESTS", "PROMETHEUS_METRICS_ENABLED")


@pytest.mark.parametrize(
    "variables", [{}, {NAMES[0]: "true"}, {NAMES[1]: "false"}, {NAMES[0]: "", NAMES[1]: ""}]
)
def test_closed_it_says_why(tmp_path, variables):
    said = run(tmp_path, **variables)
    assert "1 passed, 1 skipped" in said
    assert REASON in said


@pytest.mark.parametrize(
    "variables",
    [{NAMES[0]: "false"}, {NAMES[0]: "False"}, {NAMES[0]: "true", NAMES[1]: "true"}],
)
def test_either_variable_opens_it(tmp_path, variables):
    said = run(tmp_path, **variables)
    assert "2 passed" in said
    assert "skipped" not in said
