"""Libraries that start workers of their own, under `ancestry-obs run`: each call counts once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ancestry_obs.metrics_exporter.file_sd import WORKER_LABEL

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
APP = """\
import os

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""
APP_MAP = MAP.replace("work:work", "site_app:app")


pytestmark = pytest.mark.live


def until(look):
    """Look again until it is so."""
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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


def test_entries_of_uvicorns_workers_go_with_them(tmp_path):
    (tmp_path / "site_app.py").write_text(APP)
    (tmp_path / "obs.toml").write_text(APP_MAP)
    path = tmp_path / "workers.json"
    command = ["ancestry-obs", "run", "--", "uvicorn", "--workers", "2", "--port", "0"]

    def entries():
        found = json.loads(path.read_text()) if path.exists() else []
        workers = [each["labels"][WORKER_LABEL].split("/")[1] for each in found]
        return {int(worker) for worker in workers}

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "site_app:app"],
            cwd=tmp_path,
            env={
                **os.environ,
                "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": os.fspath(tmp_path),
                "METRICS_EXPORT_PORT": "0",
                "METRICS_FILE_SD": os.fspath(path),
            },
            stdout=log,
            stderr=log,
        )
    try:
        # The parent and its workers.
        until(lambda: len(entries()) == 3)
        victim = max(entries() - {process.pid})
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in entries())
        until(lambda: len(entries()) == 3)
        process.terminate()
        process.wait(60)
        assert entries() == set(), (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()
