"""Libraries that start workers of their own, under `ancestry-obs run`: each call counts once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

PROGRAMS = Path(sys.executable).parent
MAP = """\
version = 1
[metrics.works_total]
type = "counter"
help = "Pieces of work."
[[instrument]]
target = "work:work"
record = [{ metric = "works_total" }]
"""
WORK = "def work(number):\n    return number * number\n"
JOBLIB = """\
from joblib import Parallel, delayed
import work
print(sum(Parallel(n_jobs=2)(delayed(work.work)(number) for number in range(40))))
print(sum(Parallel(n_jobs=2, backend="multiprocessing")(
    delayed(work.work)(number) for number in range(40))))
"""
TESTS = """\
import pytest
import work

@pytest.mark.parametrize("number", range(40))
def test_work(number):
    assert work.work(number) == number ** 2
"""

pytestmark = pytest.mark.live


@pytest.fixture
def counted(tmp_path):
    """Run a command to its end; give how often the work was done."""
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "obs.toml").write_text(MAP)

    def run(*command):
        environment = {
            **os.environ,
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.fspath(tmp_path),
            "METRICS_EXPORT_PORT": "0",
            "METRICS_TEXTFILE": "end.prom",
        }
        done = subprocess.run(
            ["ancestry-obs", "run", "--", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "not measured" not in done.stderr
        samples = {
            sample.name: sample.value
            for family in text_string_to_metric_families((tmp_path / "end.prom").read_text())
            for sample in family.samples
        }
        return done.stdout, samples["ancestry_works_total"]

    return run


def test_joblib(counted, tmp_path):
    (tmp_path / "program.py").write_text(JOBLIB)
    squares = sum(number**2 for number in range(40))
    assert counted("python", "program.py") == (f"{squares}\n{squares}\n", 80)


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_pytest(counted, tmp_path, workers):
    (tmp_path / "test_work.py").write_text(TESTS)
    said, calls = counted("pytest", "-q", "-p", "no:cacheprovider", *workers)
    assert "40 passed" in said
    assert calls == 40
