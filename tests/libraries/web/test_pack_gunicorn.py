"""The pack of gunicorn beside its access log, in workers of several kinds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

PROGRAMS = Path(sys.executable).parent
APP = """
def app(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        raise LookupError("not there")
    start_response({"/lost": "404 Not Found", "/busy": "503 Busy"}.get(
        environ["PATH_INFO"], "200 OK"), [("Content-Length", "3")])
    return [b"tea"]
"""

pytestmark = pytest.mark.live


@pytest.fixture(params=["sync", "gthread", "gevent"])
def server(request, tmp_path):
    """Two workers of a kind; gives their port, and ends them for what they have counted."""
    (tmp_path / "shop.py").write_text(APP)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        listening.set_inheritable(True)
        run = ("run", "--map", "pack:gunicorn", "--port", "0", "--textfile", "end.prom", "--")
        bound = f"fd://{listening.fileno()}"
        gunicorn = ("gunicorn", "--bind", bound, "--worker-class", request.param)
        workers = ("--workers", "2", "--graceful-timeout", "1")
        logged = ("--access-logfile", "access.log", "--access-logformat", "%(m)s %(s)s")
        path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
        process = subprocess.Popen(
            [sys.executable, "-m", "ancestry_obs", *run, *gunicorn, *workers, *logged, "shop:app"],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "HOME": tmp_path},
            pass_fds=[listening.fileno()],
        )
    yield port, process
    process.kill()
    process.wait()


def test_each_request_that_the_access_log_has(server, ask, tmp_path):
    port, process = server
    for path in ("/tea", "/tea", "/lost", "/busy", "/broken"):
        ask(port, "GET", path)
    ask(port, "POST", "/tea")
    ask(port, "BREW", "/tea")
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: tea\r\nX Y: 1\r\n\r\n")
        assert b" 400 " in client.recv(1000)
    process.terminate()
    assert process.wait(60) == 0
    log = [tuple(line.split()) for line in (tmp_path / "access.log").read_text().splitlines()]
    assert Counter(log) == {
        ("GET", "200"): 2,
        ("GET", "404"): 1,
        ("GET", "503"): 1,
        ("GET", "500"): 1,
        ("POST", "200"): 1,
        ("BREW", "200"): 1,
        # Of what could not be read, older releases have a line.
        **({("GET", "400"): 1} if ("GET", "400") in log else {}),
    }
    found = Counter()
    for family in text_string_to_metric_families((tmp_path / "end.prom").read_text()):
        for sample in family.samples:
            assert sample.name != "ancestry_obs_expression_errors_total" or not sample.value
            if sample.name == "gunicorn_request_duration_seconds_count" and sample.value:
                labels = sample.labels
                key = labels["http_request_method"], labels["http_response_status_code"]
                assert labels["error_type"] == (key[1] if key[1] in {"500", "503"} else "")
                found[key] += sample.value
    assert found == Counter(("_OTHER" if method == "BREW" else method, at) for method, at in log)
