"""Packs against real libraries and real peers: servers on loopback, and a program with a pack.

A peer has a free port and a folder of its own, and ends with the session that started it. What a
pack has counted is read off the file that `ancestry-obs run` leaves behind.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.ports import free_port, refusing_port

SECONDS = 60
RUN = (sys.executable, "-m", "ancestry_obs", "run")


def until(look, what):
    """Look again until there is something to see."""
    deadline = time.monotonic() + SECONDS
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.05)


def is_open(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def find(program):
    """Give the path of a program, Debian's own folders of PostgreSQL included."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = shutil.which(program, path=os.pathsep.join([os.environ["PATH"], *map(str, folders)]))
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")
    return path


class Page:
    """What a run has measured.

    Args:
        text: the exposition.
    """

    def __init__(self, text):
        self.samples = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def count(self, name, *by, **where):
        """Add up a metric's samples by some of its labels; those of value 0 are left out."""
        found = Counter()
        for sample, labels, value in self.samples:
            if sample == name and where.items() <= labels.items():
                key = tuple(labels[label] for label in by)
                found[key if len(by) != 1 else key[0]] += value
        return {key: value for key, value in found.items() if value}

    @property
    def failures(self):
        """What was not measured as the pack has it: states, and expressions that failed.

        A module that a program does not import stays pending, as it should.
        """
        fine = {"installed", "pending"}
        states = {
            labels["target"]: labels["state"]
            for name, labels, _ in self.samples
            if name == "ancestry_obs_target_info" and labels["state"] not in fine
        }
        errors = {
            (labels["target"], labels["label"]): value
            for name, labels, value in self.samples
            if name == "ancestry_obs_expression_errors_total" and value
        }
        return {**states, **errors}


@pytest.fixture
def run_with(tmp_path):
    """Runs a program with a pack; gives what it wrote, as JSON, and the page at its end."""

    def run(pack, source, *words, files=(), environment=()):
        (tmp_path / "app.py").write_text(dedent(source), "utf-8")
        for name, text in dict(files).items():
            (tmp_path / name).write_text(dedent(text), "utf-8")
        textfile = tmp_path / "out.prom"
        options = ("--pack", pack, "--port", "0", "--textfile", textfile)
        done = subprocess.run(
            [*RUN, *options, "--", sys.executable, "app.py", *words],
            cwd=tmp_path,
            env={**os.environ, **dict(environment)},
            capture_output=True,
            text=True,
            timeout=3 * SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        page = Page(textfile.read_text("utf-8"))
        assert page.failures == {}, done.stderr
        return json.loads(done.stdout.splitlines()[-1]), page

    return run


@pytest.fixture(scope="session")
def folder_of_peers():
    """A folder with a short path that servers of another user can reach, gone with the session."""
    path = Path(tempfile.mkdtemp(prefix="ancestry-obs-peers-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def start_peer(folder_of_peers):
    """Starts a server that listens on a port, and ends it with the session."""
    running = []

    def start(name, port, *command, user=None):
        log = folder_of_peers / f"{name}.log"
        with log.open("wb") as output:
            running.append(
                subprocess.Popen(
                    [*map(str, command)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    user=user,
                    group=user and pwd.getpwnam(user).pw_gid,
                    extra_groups=user and [],
                )
            )
        process = running[-1]
        until(lambda: process.poll() is not None or is_open(port), f"{name} on port {port}")
        assert process.poll() is None, log.read_text("utf-8", "replace")
        return log

    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait(SECONDS)


class Postgres:
    """A PostgreSQL server that writes every statement into its log."""

    def __init__(self, port, log):
        self.address = f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres"
        self._log = log

    def statements(self):
        """Count the statements that clients had executed, by their first word."""
        text = self._log.read_text("utf-8")
        return Counter(
            map(str.upper, re.findall(r"LOG:  (?:statement|execute \S+):\s+(\w+)", text))
        )


@pytest.fixture(scope="session")
def postgres(folder_of_peers, start_peer):
    """A PostgreSQL server; it does not run as root, so another user does it where root tests."""
    user = "nobody" if os.getuid() == 0 else None
    folder, port = folder_of_peers / "postgres", free_port()
    folder.mkdir(mode=0o700)
    who = {}
    if user:
        shutil.chown(folder, user)
        who = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    make = (find("initdb"), "--username", "tester", "--auth", "trust", "--no-sync")
    options = ("--encoding", "UTF8", "--locale", "C", "--pgdata", folder)
    subprocess.run([*map(str, (*make, *options))], check=True, capture_output=True, **who)
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "fsync": "off",
        "log_statement": "all",
    }
    given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    log = start_peer("postgres", port, find("postgres"), "-D", folder, *given, user=user)
    return Postgres(port, log)


@pytest.fixture(scope="session")
def start_redis(folder_of_peers, start_peer):
    """Starts a Redis server, which keeps nothing; gives its port."""

    def start(name, *more):
        port = free_port()
        folder = folder_of_peers / name
        folder.mkdir()
        options = ("--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder)
        start_peer(name, port, find("redis-server"), *options, *more)
        return port

    return start


@pytest.fixture(scope="session")
def redis_port(start_redis):
    """The port of a Redis server."""
    return start_redis("redis")


@pytest.fixture(scope="session")
def redis_cluster_port(start_redis):
    """The port of a Redis server that is a cluster of one, which nobody has given a slot yet."""
    return start_redis("cluster", "--cluster-enabled", "yes", "--cluster-port", free_port())


@pytest.fixture
def closed_port():
    """A port on which nobody listens."""
    with refusing_port() as port:
        yield port
