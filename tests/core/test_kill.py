"""The program is killed, interrupted, or has no disk left in the middle, and runs again.

What is killed is a process of its own; the service, and the run that goes on, are in this one. The
service holds a chosen request until the test has done what it wants to do: nothing here waits for a
time.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from ancestry_core.main import main
from ancestry_core.service import EmbeddedService, FaultRates, ServiceSettings

MATCHES = 60
PAGE = 10
LIST = "GET /discoveryui-matches/parents/list/api/matchList/:test"
DETAILS = "GET /discoveryui-matchesservice/api/samples/:test/matches/:sample/details"
SECONDS = 60


class Gate:
    """Holds the n-th request until it is opened; the service "sleeps" here on every request."""

    def __init__(self):
        self.hold_at = 0
        self.seen = 0
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, _):
        self.seen += 1
        if self.seen == self.hold_at:
            self.reached.set()
            self.opened.wait(SECONDS)


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def service(gate):
    # Every request is a slow one, and what a slow one waits with is the gate.
    settings = ServiceSettings(matches=MATCHES, faults=FaultRates(slow=1.0))
    with EmbeddedService(settings, sleep=gate) as service:
        yield service
        gate.opened.set()


@pytest.fixture
def account(service, monkeypatch, tmp_path):
    """The environment of every run, and what each of them is asked for."""
    for name in [name for name in os.environ if "ANCESTRY" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ANCESTRY_USERNAME", service.settings.username)
    monkeypatch.setenv("ANCESTRY_PASSWORD", service.settings.password)
    monkeypatch.setenv("ANCESTRY_REQUESTS_PER_SECOND", "10000")
    monkeypatch.setenv("ANCESTRY_ACTIONS_PAGE_SIZE", str(PAGE))
    monkeypatch.setenv("ANCESTRY_ACTIONS_MAX_MESSAGES", "1000")
    monkeypatch.chdir(tmp_path)
    return ["run", "--base-url", service.base_url, "--json", "--database", "platform.db"]


@pytest.fixture
def start(account, tmp_path):
    """Start the program; whatever still runs at the end is ended."""
    started = []

    def begin(*arguments, folder=tmp_path, **options):
        process = subprocess.Popen(
            [sys.executable, "-m", "ancestry_core", *account, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def stop_at(start, gate):
    """Start the program, and send it a signal while the service holds its n-th request."""

    def run(number, signal_number, *arguments):
        gate.hold_at = gate.seen + number
        process = start(*arguments)
        assert gate.reached.wait(SECONDS), process.communicate()
        process.send_signal(signal_number)
        if signal_number != signal.SIGKILL:
            gate.opened.set()
        out, err = process.communicate(timeout=SECONDS)
        gate.opened.set()
        return process.returncode, out, err

    return run


@pytest.fixture
def run(account, capsys, monkeypatch):
    """Run the command to its end, in this process."""

    def go(*arguments, folder="."):
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            assert main([*account, *arguments]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)["actions"]

    return go


def query(folder, sql):
    with sqlite3.connect(folder / "platform.db") as database:
        found = database.execute(sql).fetchall()
    database.close()
    return found


def assert_every_match_once(folder, service):
    stored = [row[0] for row in query(folder, "SELECT sample_id FROM dna_match")]
    assert sorted(stored) == sorted(match.sample_id for match in service.population.matches)
    assert query(folder, "SELECT count(*), count(DISTINCT profile_id) FROM people") == [
        (MATCHES, MATCHES)
    ]
    assert query(folder, "PRAGMA integrity_check") == [("ok",)]
    assert query(folder, "PRAGMA foreign_key_check") == []


# In the first page, between two pages, in the middle and on the last page.
@pytest.mark.parametrize("number", [8, 46, 47, 48, 100, 230])
def test_killed_in_the_middle_of_gathering(stop_at, run, service, tmp_path, number):
    code, out, _ = stop_at(number, signal.SIGKILL, "--actions", "6")
    assert (code, out) == (-signal.SIGKILL, "")
    run("--actions", "6")
    assert_every_match_once(tmp_path, service)
    # The page that it was at is looked at again, and no other.
    assert service.record.count(LIST) <= MATCHES // PAGE + 1
    assert service.record.count(DETAILS) <= MATCHES + PAGE
    assert [path.name for path in tmp_path.iterdir()] == ["platform.db"]


def test_killed_again_and_again(stop_at, run, service, gate, tmp_path):
    for number in (40, 60, 80):
        gate.reached.clear()
        gate.opened.clear()
        stop_at(number, signal.SIGKILL, "--actions", "6")
    run("--actions", "6")
    assert_every_match_once(tmp_path, service)


def test_killed_while_a_message_is_on_its_way(stop_at, run, service, tmp_path):
    run("--actions", "6,7")
    # Ids, sign-in and a few letters come before.
    code, _, _ = stop_at(12, signal.SIGKILL, "--actions", "8", "--send")
    assert code == -signal.SIGKILL
    assert service.record.conversation_posts > 0
    run("--actions", "8", "--send")
    run("--actions", "7,8", "--send")
    letters = query(tmp_path, "SELECT people_id, status FROM conversation_log WHERE kind NOT NULL")
    assert len({person for person, _ in letters}) == len(letters)
    # The service went on with the request that it held: what is stored there is nowhere twice.
    assert service.record.messages_stored <= len(letters)
    inbox = service._started()._messages._inbox._by_id.values()
    assert all(len({m.content for m in each.messages}) == len(each.messages) for each in inbox)


def test_interrupted_it_says_what_was_done_and_goes_on(stop_at, run, service, tmp_path):
    code, out, err = stop_at(100, signal.SIGINT, "--actions", "6")
    assert code == 130
    done = json.loads(out)["actions"]["action6_gather"]["success"]
    assert done % PAGE == 0
    assert 0 < done < MATCHES
    assert err.endswith("ancestry: interrupted; run again to go on\n")
    assert "Traceback" not in err
    assert run("--actions", "6")["action6_gather"]["success"] == MATCHES - done
    assert_every_match_once(tmp_path, service)


def test_a_disk_that_is_full(start, run, service, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=250k", "tmpfs", disk]
    mounted = subprocess.run(small, check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        assert_says_that_it_is_full(start("--actions", "6", folder=disk), disk)
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        run("--actions", "6", folder=disk)
        assert_every_match_once(disk, service)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_file_that_may_not_grow(start, run, service, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    assert_says_that_it_is_full(start("--actions", "6", preexec_fn=limit), tmp_path)
    run("--actions", "6")
    assert_every_match_once(tmp_path, service)


def assert_says_that_it_is_full(process, folder):
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    last = err.splitlines()[-1]
    assert re.fullmatch(
        r"ancestry: platform\.db(\.checkpoint\.json)?: .*free (some )?space.*", last
    ), err
    assert "Traceback" not in err
    stored = query(folder, "SELECT count(*) FROM dna_match")[0][0]
    assert stored % PAGE == 0
    assert stored < MATCHES
    assert json.loads(out)["actions"]["action6_gather"]["success"] in {stored, stored - PAGE}
