"""Processes made from an instrumented one: `os.fork` and multiprocessing."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import urllib.request
from dataclasses import replace

import pytest
from prometheus_client import generate_latest

import ancestry_obs
from ancestry_obs import lifecycle
from ancestry_obs.metrics_registry import namespace

# CPython warns of a fork beside threads, which is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

MAP = {
    "version": 1,
    "metrics": {
        "calls_total": {"type": "counter", "help": "C.", "labels": {"x": {"max_values": 9}}},
        "running": {"type": "in_flight", "help": "R."},
    },
    "instrument": [
        {
            "target": "forked:call",
            "record": [
                {"metric": "calls_total", "labels": {"x": "x"}},
                {"metric": "running"},
            ],
        }
    ],
    # No port is opened unless a test asks for it.
    "hook": [{"target": "forked:serve", "after": "exporter.start"}],
}
MODULE = """
    def call(x, then=None):
        return then() if then else x
    def serve(): ...
"""


def counted() -> dict[str, float]:
    text = generate_latest(ancestry_obs.get_registry()).decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith("shop_"))
    return {name.removeprefix("shop_"): float(value) for name, _, value in lines}


def in_child(work):
    """Do something in a forked child; gives what it gives, by way of JSON."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        # Whoever hangs is ended, and then gives nothing.
        signal.alarm(20)
        try:
            os.write(writer, json.dumps(work()).encode())
        except BaseException as error:
            os.write(writer, json.dumps(repr(error)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = json.load(pipe)
    os.waitpid(child, 0)
    return answer


@pytest.fixture
def forked(make_module, enabled):
    make_module("forked", MODULE)
    module = importlib.import_module("forked")
    ancestry_obs.install(MAP, settings=enabled)
    return module


def test_a_child_begins_with_nothing_and_its_parent_goes_on(forked):
    for _ in range(3):
        forked.call("parent")

    def work():
        before = counted()
        forked.call("child")
        return before, counted()

    before, after = in_child(work)
    assert sum(before.values()) == 0
    assert after['calls_total{x="child"}'] == 1
    assert after.get('calls_total{x="parent"}', 0) == 0
    forked.call("parent")
    assert counted() == {'calls_total{x="parent"}': 4, "running": 0}


def test_what_runs_while_it_forks_is_its_parents(forked):
    inside = forked.call("x", lambda: in_child(lambda: counted().get("running", 0)))
    assert inside == 0
    assert counted()["running"] == 0
    assert forked.call("x", lambda: counted()["running"]) == 1


def test_locks_that_other_threads_held_are_fresh(forked):
    """A thread that held a lock does not exist in the child; whoever waited for it would hang."""
    instrumentation = lifecycle._current.instrumentation
    locks = [
        lifecycle._current.lock,
        instrumentation._store._lock,
        instrumentation._patcher._lock,
        instrumentation._outlets._lock,
        namespace._metrics._lock,
    ]
    held, release = threading.Event(), threading.Event()

    def hold():
        for lock in locks:
            lock.acquire()
        held.set()
        release.wait()
        for lock in locks:
            lock.release()

    def work():
        forked.call("child")
        ancestry_obs.metrics().calls.inc("helped")
        seen = counted()
        states = [each.state for each in ancestry_obs.status().targets]
        ancestry_obs.stop_exporter()
        ancestry_obs.reload(MAP)
        ancestry_obs.uninstall()
        return [seen['calls_total{x="child"}'], seen['calls_total{x="helped"}'], *states]

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        answer = in_child(work)
    finally:
        release.set()
        thread.join()
    assert answer == [1, 1, "installed", "installed"]


def test_calls_of_other_threads_at_the_fork_are_nobodys_twice(forked, workers):
    with workers(lambda _: forked.call("x"), threads=2) as callers:
        for _ in range(10):
            callers.let_them_work()
            assert in_child(lambda: sum(counted().values())) == 0
    assert counted()['calls_total{x="x"}'] == callers.pieces


@pytest.mark.live
class TestServing:
    def test_a_child_serves_when_it_is_asked_to_and_leaves_its_parents_alone(
        self, make_module, enabled, tmp_path
    ):
        make_module("forked", MODULE)
        forked = importlib.import_module("forked")
        file = tmp_path / "workers.json"
        ancestry_obs.install(MAP, settings=replace(enabled, file_sd=str(file)))
        forked.serve()
        forked.call("parent")
        own = ancestry_obs.status().url

        def work():
            assert ancestry_obs.status().url == ""
            forked.call("child")
            exporter = ancestry_obs.start_exporter()
            with urllib.request.urlopen(exporter.url, timeout=10) as page:
                text = page.read().decode()
            entries = json.loads(file.read_text())
            ancestry_obs.stop_exporter()
            return exporter.url, text, entries

        url, text, entries = in_child(work)
        assert url != own
        assert 'shop_calls_total{x="child"} 1.0' in text
        assert [f"http://{each['targets'][0]}/metrics" for each in entries] == [own, url]
        (entry,) = json.loads(file.read_text())
        assert f"http://{entry['targets'][0]}/metrics" == own
        with urllib.request.urlopen(own, timeout=10) as page:
            assert 'shop_calls_total{x="parent"} 1.0' in page.read().decode()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_woven_functions_go_into_a_pool_by_name(method, make_module, enabled, monkeypatch):
    make_module("forked", MODULE)
    forked = importlib.import_module("forked")
    ancestry_obs.install(MAP, settings=enabled)
    # What starts anew imports by name; this run's own main module is of no use to it.
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(forked.call, range(20)) == list(range(20))
        pool.close()
        pool.join()
    assert counted().get("running", 0) == 0
    assert sum(counted().values()) == 0  # the workers' calls are the workers'


def test_a_child_keeps_what_it_has_counted_when_its_map_changes(forked):
    record = {"metric": "calls_total", "labels": {"x": "text(x)"}}
    changed = {**MAP, "instrument": [{"target": "forked:call", "record": [record]}]}
    for spec in (changed, MAP):
        forked.call("a")
        ancestry_obs.reload(spec)

    def calls():
        (found,) = (each for each in ancestry_obs.status().targets if each.target == "forked:call")
        return found.calls

    def work():
        # Nobody asks for its calls before the end.
        for spec in (changed, MAP, changed, MAP):
            forked.call("b")
            ancestry_obs.reload(spec)
        return calls()

    assert in_child(work) == 4
    assert calls() == 2
