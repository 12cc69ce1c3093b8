"""gevent and eventlet exchange sockets, threads and locks: before the exporter starts, or after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from textwrap import dedent

import pytest

PATCH = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}
# Waits for the end of the standard input without keeping greenlets waiting.
WORK = {
    "gevent": """
        import gevent
        from gevent.os import tp_read
        gevent.joinall([gevent.spawn(app.one) for _ in range(10)])
        print(ancestry_obs.status().url, flush=True)
        tp_read(0, 1)
    """,
    "eventlet": """
        from eventlet import tpool
        pool = eventlet.GreenPool()
        for _ in range(10):
            pool.spawn(app.one)
        pool.waitall()
        print(ancestry_obs.status().url, flush=True)
        tpool.execute(os.read, 0, 1)
    """,
}
INSTALL = """
import ancestry_obs
ancestry_obs.install("map.toml")
"""
MAP = """
version = 1
[metrics.ones_total]
type = "counter"
help = "Ones."
[[instrument]]
target = "app:one"
record = [{ metric = "ones_total" }]
"""
ORDERS = ("patched first", "installed first")
pytestmark = pytest.mark.live


@pytest.fixture(params=[(library, order) for library in PATCH for order in ORDERS], ids=" ".join)
def program(request, tmp_path):
    """Start a program that makes ten calls in greenlets, and then waits for its input's end."""
    library, order = request.param
    pytest.importorskip(library)
    steps = [PATCH[library], INSTALL] if order == "patched first" else [INSTALL, PATCH[library]]
    work = dedent(WORK[library])
    (tmp_path / "program.py").write_text("\n".join([*steps, "import app, os", work]))
    (tmp_path / "app.py").write_text("def one(): return 1\n")
    (tmp_path / "map.toml").write_text(MAP)
    variables = {
        "PROMETHEUS_METRICS_ENABLED": "true",
        "METRICS_EXPORT_PORT": "0",
        "METRICS_TEXTFILE": "end.prom",
    }
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "program.py"],
        cwd=tmp_path,
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.folder = tmp_path
        yield process
        process.kill()


def scrape(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def test_it_is_scraped_again_and_again_and_ends_in_silence(program):
    url = program.stdout.readline().strip()
    pages = [scrape(url) for _ in range(3)]
    assert ["ancestry_ones_total 10.0\n" in page for page in pages] == [True] * 3
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 0
    assert "Traceback" not in errors
    assert "ancestry_ones_total 10.0\n" in (program.folder / "end.prom").read_text()


def test_by_a_signal_it_ends_after_its_textfile_is_written(program):
    url = program.stdout.readline().strip()
    assert "ancestry_ones_total 10.0\n" in scrape(url)
    program.send_signal(signal.SIGTERM)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == -signal.SIGTERM
    assert "Traceback" not in errors
    assert "ancestry_ones_total 10.0\n" in (program.folder / "end.prom").read_text()
