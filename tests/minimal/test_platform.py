"""The platform with its own dependencies alone: its disabled path needs nothing of metrics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
# The run spends nearly all of its time in these pauses.
NO_PAUSES = {
    "ANCESTRY_REQUESTS_PER_SECOND": "10000",
    "ANCESTRY_HTTP_BACKOFF_SECONDS": "0.01",
    "ANCESTRY_BREAKER_RECOVERY_SECONDS": "0.01",
}


@pytest.mark.parametrize("package", ["wrapt", "prometheus_client", "selenium"])
def test_this_environment_has_nothing_of_metrics(package):
    assert find_spec(package) is None


def test_the_workflow_runs_to_its_end(tmp_path):
    done = subprocess.run(
        [str(BIN / "ancestry"), "run", "--matches", "30", "--json", "--database", "small.db"],
        cwd=tmp_path,
        env={**os.environ, **NO_PAUSES},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["requests"] > 0


def test_metrics_on_names_the_extra(tmp_path):
    done = subprocess.run(
        [str(BIN / "ancestry"), "run", "--metrics"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "ancestry-obs[prometheus]" in done.stderr
    assert "Traceback" not in done.stderr
