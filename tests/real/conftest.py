"""Real programs: found, started on free ports in folders of their own, asked over HTTP, ended.

Whatever is started here is ended with the test or the session that started it, also when that
fails. Waiting is always for something: a line of output or an answer, with a time limit.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from ancestry_obs.monitoring import dashboard_questions

SECONDS = 60
# The default run takes less than a minute where it has a processor to itself.
RUN_SECONDS = 400
# Often enough to see a breaker open for a second.
OFTEN = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "250ms")
# What would make a run another one than the default.
OURS = ("ANCESTRY_", "METRICS_", "PROMETHEUS_METRICS", "INSTRUMENTATION_MAP", "PYTHONUNBUFFERED")

# The programs are on this machine: no proxy has a part in it.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Running:
    """A program that runs; what it says goes to files, so that it never waits for a reader."""

    def __init__(self, name, command, folder, environment=None):
        self._name = name
        self.folder = folder
        self._files = [folder / f"{name}.out", folder / f"{name}.err"]
        kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        with self._files[0].open("w") as out, self._files[1].open("w") as err:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**kept, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                text=True,
            )

    @property
    def out(self):
        return self._files[0].read_text()

    @property
    def err(self):
        return self._files[1].read_text()

    def say(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def wait_for(self, pattern, seconds=SECONDS):
        """Wait for a line of output; what it matched is returned."""

        def look():
            found = re.search(pattern, self.out + self.err)
            if not found and self.process.poll() is not None:
                pytest.fail(f"{self._name} ended without {pattern!r}:\n{self.out}{self.err}")
            return found

        return wait_until(look, f"{self._name} to say {pattern!r}", seconds)

    def finish(self):
        """Tell it that there is no more to come, and return its exit code."""
        self.process.stdin.close()
        return self.process.wait(SECONDS)

    def end(self):
        """End it, by force if need be; the exit code is returned."""
        self.process.terminate()
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.process.stdin.close()


class Server:
    """Prometheus' HTTP interface, which VictoriaMetrics has too."""

    def __init__(self, url, program):
        self.url = url
        self.program = program

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters, doseq=True)
        try:
            with _opener.open(f"{self.url}/api/v1/{path}?{query}", timeout=SECONDS) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            pytest.fail(f"{path} {parameters}: {error.read().decode()}")

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def number(self, expression):
        """Give the one number that an expression has."""
        found = self.query(expression)
        assert len(found) == 1, f"{expression} has {len(found)} results: {found}"
        return float(found[0]["value"][1])

    def numbers(self, expression, label):
        """Give the numbers of an expression by the values of one label."""
        return {
            each["metric"].get(label): float(each["value"][1]) for each in self.query(expression)
        }

    def ever(self, expression, since):
        """Tell whether an expression had a number at any time since a moment."""
        now = time.time()
        step = max(0.25, (now - since) / 200)
        found = self.ask("query_range", query=expression, start=since, end=now, step=step)
        return any(text != "NaN" for each in found["result"] for _, text in each["values"])

    def unanswered(self, dashboard, since):
        """List what a dashboard of the time since a moment has no data for, marks included."""
        questions = dashboard_questions(dashboard)
        return [each for each in questions if not self.ever(each.expression, since)]

    def failing_rules(self):
        """List the rules that cannot be evaluated, and those that record nothing."""
        rules = [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
        assert rules, "Prometheus has no rules"
        return [
            (rule["name"], rule["health"], rule.get("lastError", ""))
            for rule in rules
            if rule["health"] != "ok"
            or (rule["type"] == "recording" and not self.query(rule["name"]))
        ]

    def scraped_since(self, moment, job):
        """Tell whether every target of the job was scraped after a moment, without an error."""
        moments = self.query(f'timestamp(ancestry_obs_build_info{{job="{job}"}})')
        return bool(moments) and all(float(each["value"][1]) > moment for each in moments)


@dataclass(frozen=True)
class Watched:
    """A program that is held up, and the Prometheus that has watched it from the start."""

    prometheus: Server
    program: Running
    address: str
    began: float
    report: dict


def wait_until(check, what, seconds=SECONDS):
    """Ask again and again until the answer is true, and return it.

    What is waited for is a text, or a function that gives one when it was in vain.
    """
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} seconds for {what() if callable(what) else what}")
        time.sleep(0.05)
    return answer


def _find(name):
    path = shutil.which(name)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return path


def _free_port():
    """Choose a port for a program that cannot tell which one it took."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _answers(url):
    try:
        with _opener.open(url, timeout=SECONDS):
            return True
    except OSError:
        return False


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    """Find, start and wait for programs."""
    with ExitStack() as ends:

        def start(name, command, folder=None, environment=None):
            folder = folder or tmp_path_factory.mktemp(name)
            running = Running(name, command, folder, environment)
            ends.callback(running.end)
            return running

        yield SimpleNamespace(
            find=_find, start=start, wait_until=wait_until, free_port=_free_port, answers=_answers
        )


@pytest.fixture(scope="session")
def repository():
    """The folder with the files that are committed beside the code."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def ask_server():
    """Ask a server that has Prometheus' HTTP interface."""
    return Server


@pytest.fixture(scope="session")
def start_prometheus(real, tmp_path_factory):
    """Start a Prometheus, and wait until it has tried every target once.

    That takes it ten seconds, during which it gathers targets; what a program does before then it
    would not see.
    """

    def start(config, folder=None):
        folder = folder or tmp_path_factory.mktemp("prometheus")
        path = folder / "prometheus.yml"
        if not isinstance(config, str):
            config = json.dumps({"global": OFTEN, **config})
        path.write_text(config)
        running = real.start(
            "prometheus",
            [
                real.find("prometheus"),
                f"--config.file={path}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--web.listen-address=127.0.0.1:0",
                # A scrape that failed is told at this level only.
                "--log.level=debug",
            ],
            folder,
        )
        address = running.wait_for(r'"Listening on" address=([\d.:]+)')[1]
        server = Server(f"http://{address}", running)

        def all_tried():
            active = server.ask("targets")["activeTargets"]
            return active and all(each["health"] != "unknown" for each in active)

        real.wait_until(lambda: real.answers(f"{server.url}/-/ready"), "Prometheus to be ready")
        real.wait_until(all_tried, "Prometheus to try its targets")
        return server

    return start


@pytest.fixture(scope="session")
def default_run(real, start_prometheus, repository):
    """`ancestry run --metrics --hold`, watched from before it starts until after its work."""
    address = f"127.0.0.1:{real.free_port()}"
    prometheus = start_prometheus(
        {
            "rule_files": [str(repository / "grafana/prometheus/rules.yml")],
            "scrape_configs": [
                {"job_name": "ancestry", "static_configs": [{"targets": [address]}]}
            ],
        }
    )
    command = [sys.executable, "-m", "ancestry_core", "run", "--metrics", "--hold", "--json"]
    port = address.rpartition(":")[2]
    began = time.time()
    program = real.start("ancestry", command, environment={"METRICS_EXPORT_PORT": port})
    program.wait_for("Holding on", RUN_SECONDS)
    over = time.time()
    real.wait_until(
        lambda: prometheus.scraped_since(over, "ancestry"), "Prometheus to see the end of the run"
    )
    report = json.loads(program.wait_for(r"(?m)^\{.*\}$")[0])
    return Watched(prometheus, program, address, began, report)
