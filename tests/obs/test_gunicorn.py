"""A prefork server with the configuration that the documentation shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from tests.ports import free_port

CONFIGURATION = Path(__file__).parents[2] / "docs" / "examples" / "gunicorn_conf.py"
MAP = """\
version = 1
[metrics.requests_total]
type = "counter"
help = "Requests."
labels.path = { max_values = 10 }
[[instrument]]
target = "pages:page"
record = [{ metric = "requests_total", labels = { path = "path" } }]
"""
SITE = """\
import os
def page(path):
    return f"{os.getpid()}".encode()
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [page(environ["PATH_INFO"])]
"""
WORKERS = 2

pytestmark = pytest.mark.live


def until(look, what):
    """Look again until there is something to see."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            seen = look()
        except OSError:
            seen = None
        if seen:
            return seen
        time.sleep(0.02)
    raise AssertionError(f"never came: {what}")


class Site:
    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "workers.json"
        self.port = free_port()

    def start(self):
        settings = {
            "PROMETHEUS_METRICS_ENABLED": "true",
            "INSTRUMENTATION_MAP": "pages.toml",
            "METRICS_EXPORT_PORT": "0",
            "METRICS_FILE_SD": str(self.file),
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn_conf.py"]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "-w", str(WORKERS), "-b", f"127.0.0.1:{self.port}", "pages:app"],
                cwd=self.folder,
                # gunicorn keeps a control socket at home.
                env={**os.environ, **settings, "HOME": str(self.folder)},
                stdout=log,
                stderr=log,
            )

    def entries(self, unlike=()):
        """Give the workers' addresses by process, once there are as many as workers."""
        entries = json.loads(self.file.read_text())
        found = {
            int(each["labels"]["__ancestry_obs_worker"].split("/")[1]): each["targets"][0]
            for each in entries
        }
        full = len(found) == len(entries) == WORKERS and not set(unlike) & set(found)
        return found if full else None

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as page:
            return int(page.read())

    def requests(self, address):
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
            found = re.findall(r'requests_total\{path="/x"\} (.*)', page.read().decode())
        return float(found[0]) if found else 0


@pytest.fixture
def site(tmp_path):
    (tmp_path / "pages.toml").write_text(MAP)
    (tmp_path / "pages.py").write_text(SITE)
    shutil.copy(CONFIGURATION, tmp_path)
    site = Site(tmp_path)
    site.start()
    yield site
    if site.process.poll() is None:
        site.process.terminate()
        site.process.wait(60)


def test_workers_come_serve_die_and_are_found(site):
    first = until(site.entries, "an entry of each worker")
    answered = [site.ask("/x") for _ in range(20)]
    assert set(answered) <= set(first)
    for process, address in first.items():
        assert site.requests(address) == answered.count(process)

    victim = next(iter(first))
    os.kill(victim, signal.SIGKILL)
    second = until(lambda: site.entries(unlike=[victim]), "an entry in the killed one's place")
    assert len(set(second) & set(first)) == WORKERS - 1
    (fresh,) = set(second) - set(first)
    assert site.requests(second[fresh]) == 0

    site.process.terminate()
    assert site.process.wait(60) == 0
    assert json.loads(site.file.read_text()) == []
