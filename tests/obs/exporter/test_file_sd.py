from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter import file_sd
from ancestry_obs.metrics_exporter.file_sd import WORKER_LABEL, register
from ancestry_obs.process_tree.identity import start_of


@pytest.fixture
def path(tmp_path):
    return tmp_path / "workers.json"


def targets(path):
    return [target for group in json.loads(path.read_bytes()) for target in group["targets"]]


def worker(host=None, process=None, start=None):
    host, process = host or socket.gethostname(), process or os.getpid()
    return f"{host}/{process}/{start or start_of(process)}"


def write(path, *workers):
    groups = [
        {"targets": [f"{n}:1"], "labels": {WORKER_LABEL: each}} for n, each in enumerate(workers)
    ]
    path.write_text(json.dumps(groups))


def test_an_entry_with_its_labels(path):
    register(path, "127.0.0.1:9000", {"service": "ancestry"})
    assert json.loads(path.read_bytes()) == [
        {
            "targets": ["127.0.0.1:9000"],
            "labels": {"service": "ancestry", WORKER_LABEL: worker()},
        }
    ]


def test_removed_again_and_others_stay(path):
    first, second = register(path, "a:1"), register(path, "b:2")
    first.remove()
    assert targets(path) == ["b:2"]
    second.remove()
    assert json.loads(path.read_bytes()) == []


def test_removing_twice_is_removing_once(path):
    registration = register(path, "a:1")
    registration.remove()
    registration.remove()
    assert targets(path) == []


def test_a_forked_child_does_not_take_its_parent_out(path, monkeypatch):
    registration = register(path, "a:1")
    monkeypatch.setattr(os, "getpid", lambda: registration.process + 1)
    registration.remove()
    assert targets(path) == ["a:1"]


def test_dead_workers_of_this_host_are_taken_out(path):
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    dead = int(ended.stdout)
    write(path, worker(process=dead, start="1"), worker(start="1"), worker())
    register(path, "new:1")
    # The first is gone, the second is another process by now, the third is this one.
    assert targets(path) == ["2:1", "new:1"]


def test_a_killed_worker_is_dead_before_its_parent_looks(path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        identity = worker(process=child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        write(path, identity)
        register(path, "new:1")
    assert targets(path) == ["new:1"]


def test_what_others_wrote_stays(path):
    foreign = worker(host="other-host", process=1, start="1")
    by_hand = [{"targets": ["hand:1"]}, {"targets": ["odd:1"], "labels": {WORKER_LABEL: 7}}]
    write(path, foreign)
    path.write_text(json.dumps(by_hand + json.loads(path.read_bytes())))
    register(path, "new:1").remove()
    assert targets(path) == ["hand:1", "odd:1", "0:1"]


def test_an_empty_file_is_an_empty_list(path):
    path.touch()
    register(path, "a:1")
    assert targets(path) == ["a:1"]


@pytest.mark.parametrize("content", ["{", '{"targets": []}', "[1]"])
def test_something_else_is_refused_and_left_as_it_is(path, content):
    path.write_text(content)
    with pytest.raises(ExporterError) as caught:
        register(path, "a:1")
    assert str(caught.value).startswith(f"cannot register in {path}: ")
    assert str(caught.value).endswith("; remove the file or set METRICS_FILE_SD to another")
    assert path.read_text() == content


def test_a_missing_folder(tmp_path):
    path = tmp_path / "missing" / "workers.json"
    with pytest.raises(ExporterError) as caught:
        register(path, "a:1")
    assert str(caught.value) == (
        f"cannot register in {path}: {path}.lock cannot be opened: No such file or directory; its "
        "folder must exist and be writable"
    )


def test_a_lock_that_is_never_released_is_given_up(path):
    now = [0.0]
    with Path(f"{path}.lock").open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        lock = file_sd._locked(
            path, lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds)
        )
        with pytest.raises(ExporterError) as caught, lock:
            pass
    assert str(caught.value) == (
        f"cannot register in {path}: another process has held {path}.lock for 5 seconds; find it "
        f"with 'fuser {path}.lock'"
    )
    assert 5 <= now[0] < 6


def test_a_lock_that_is_released_in_time_is_taken(path):
    with Path(f"{path}.lock").open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with file_sd._locked(path, lambda: 0.0, lambda _: fcntl.flock(holder, fcntl.LOCK_UN)):
            assert not file_sd._try_lock(holder.fileno())


def test_a_killed_worker_is_cleared_by_the_others(path, start_worker):
    worker = start_worker("killed")
    assert worker.stdout.readline() == b"in\n"
    mine = file_sd.register(path, "mine:1")
    worker.kill()
    worker.wait()
    file_sd.clear(path)
    assert [each["targets"] for each in json.loads(path.read_text())] == [["mine:1"]]
    mine.remove()


def test_where_nobody_was_killed_nothing_is_written(path):
    mine = file_sd.register(path, "mine:1")
    before = path.stat()
    file_sd.clear(path)
    assert path.stat() == before
    mine.remove()


WORKER = """
import atexit, sys
from ancestry_obs.process_tree.identity import start_of
from ancestry_obs.metrics_exporter.file_sd import register

registration = register(sys.argv[1], sys.argv[2], {"service": "test"})
atexit.register(registration.remove)
print("in", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start_worker(path):
    """Start workers as processes of their own; none outlives the test."""
    processes = []

    def start(name):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path), f"{name}:1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        with process:
            process.kill()


def test_twenty_workers_come_and_go(path, start_worker, workers):
    seen = set()

    def read(_):
        with suppress(FileNotFoundError):
            seen.update(targets(path))

    with workers(read, threads=1) as reader:
        processes = [start_worker(f"w{n}") for n in range(20)]
        for each in processes:
            assert each.stdout.readline() == b"in\n"
        everybody = {f"w{n}:1" for n in range(20)}
        assert set(targets(path)) == everybody
        reader.let_them_work()
        for each in processes[:7]:
            each.send_signal(signal.SIGKILL)
        for each in processes[7:14]:
            each.stdin.close()
        for each in processes[:14]:
            each.wait(30)
        late = start_worker("late")
        assert late.stdout.readline() == b"in\n"
        reader.let_them_work()
    assert seen == everybody | {"late:1"}
    assert set(targets(path)) == {*(f"w{n}:1" for n in range(14, 20)), "late:1"}
    assert [each.returncode for each in processes[7:14]] == [0] * 7


@pytest.mark.real
def test_prometheus_discovers_the_workers(program, path, tmp_path):
    promtool = program("promtool")
    register(path, "127.0.0.1:9000", {"service": "ancestry"})
    register(path, "[::1]:9001")
    config = tmp_path / "prometheus.yml"
    config.write_text(
        f"scrape_configs: [{{job_name: workers, file_sd_configs: [{{files: ['{path}']}}]}}]"
    )
    found = subprocess.run(
        [promtool, "check", "service-discovery", "--timeout=2s", str(config), "workers"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    labels = [each["labels"] for each in json.loads(found.stdout)]
    assert {each["instance"] for each in labels} == {"127.0.0.1:9000", "[::1]:9001"}
    assert {each.get("service") for each in labels} == {"ancestry", None}
    kept = {name for each in labels for name in each if not name.startswith("__")}
    assert kept == {"instance", "job", "service"}
