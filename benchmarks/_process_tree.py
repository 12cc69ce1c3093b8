"""What `processes.py` measures, each part in a process of its own: a run, and the peer's mode.

prometheus_client decides when it is imported whether it counts for many processes, by
``PROMETHEUS_MULTIPROC_DIR``; so whoever starts this sets it or not.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from pathlib import Path
from time import process_time, sleep, thread_time
from typing import TYPE_CHECKING, Any, NoReturn

from hot_path import BUCKETS, RESPONSE, SCRIPT, Response, hand_written_same_labels, one_round
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from scrape import stall

from ancestry_obs import ObservabilitySettings, lifecycle
from ancestry_obs.collector import render
from ancestry_obs.mapfile import load
from ancestry_obs.metrics_registry import get_registry
from ancestry_obs.process_tree import member as members

if TYPE_CHECKING:
    from collections.abc import Callable

SERIES = 1_000
SERIES_OF_SHORT = 10
ROUNDS_OF_HANDING = 40
HELPERS = 2
ENDED = 1_000
BOUNDS = (0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
MULTI = "PROMETHEUS_MULTIPROC_DIR"
FOREVER = 1e6
FREE = {"max_values": 2 * SERIES}
MAP = {
    "version": 1,
    "metrics": {
        "api_latency_seconds": {
            "type": "histogram",
            "help": "Latency.",
            "buckets": BUCKETS,
            "labels": {"endpoint": FREE, "status_family": ["1xx", "2xx", "3xx", "4xx", "5xx"]},
        },
        "api_requests_total": {
            "type": "counter",
            "help": "Requests.",
            "labels": {
                "endpoint": FREE,
                "method": ["GET", "POST"],
                "result": ["success", "failure"],
            },
        },
        "work_seconds": {
            "type": "histogram",
            "help": "Work.",
            "buckets": BOUNDS,
            "labels": {"item": FREE, "kind": ["new", "old"]},
        },
    },
    "instrument": [
        {
            "target": "_process_tree:Api.request",
            "record": [
                {
                    "metric": "api_latency_seconds",
                    "labels": {
                        "endpoint": "endpoint(url)",
                        "status_family": "status_family(result)",
                    },
                },
                {
                    "metric": "api_requests_total",
                    "labels": {
                        "endpoint": "endpoint(url)",
                        "method": "upper(method)",
                        "result": "'success' if ok(result) else 'failure'",
                    },
                },
            ],
        },
        {
            "target": "_process_tree:work",
            "record": [{"metric": "work_seconds", "labels": {"item": "item", "kind": "'new'"}}],
        },
    ],
}  # fmt: skip


class Api:
    """What is measured in a call's benchmark; `hot_path` has the same for the peer."""

    def request(self, url: str, method: str = "GET") -> Response:  # noqa: ARG002 - a stand-in
        """Do nothing."""
        return RESPONSE


def work(item: str) -> str:
    """Do nothing."""
    return item


def installed(*, in_run: bool) -> Any:  # noqa: ANN401 - the parts below look inside
    """Install the map, in a run or without one."""
    settings = ObservabilitySettings(enable_prometheus_metrics=True, metrics_export_port=0)
    if not in_run:
        return lifecycle.install(MAP, settings=settings)
    return lifecycle.join_run(lifecycle.begin_run(settings, load(MAP)))


# A call


def without_run() -> tuple[Any, Callable[[], object]]:
    """Ours, in a process on its own."""
    return Api(), installed(in_run=False)._store.fold  # noqa: SLF001 - what a scrape does


def in_run() -> tuple[Any, Callable[[], object]]:
    """The same in a run with children, which are measured too and hand over."""
    installation = installed(in_run=True)
    parent = os.getpid()
    for _ in range(HELPERS):
        if not os.fork():
            while os.getppid() == parent:
                Api().request(SCRIPT[0])
                sleep(0.05)
            os._exit(0)
    return Api(), installation._store.fold  # noqa: SLF001 - as above


CALLS: dict[str, Callable[[], tuple[Any, Callable[[], object]]]] = {
    "bare": lambda: (Api(), int),
    "ours": without_run,
    "ours in a run": in_run,
    "theirs": hand_written_same_labels,
    "theirs for many processes": hand_written_same_labels,
}
"""Builders of what is called; the last one with `MULTI` set."""


def call(name: str) -> None:
    """Do a round of calls for each line that comes in, and give the seconds of a call."""
    api, finish = CALLS[name]()
    is_multi = bool(os.environ.get(MULTI))
    rounds = 0
    for _ in sys.stdin:
        print(one_round(api, finish, SCRIPT), flush=True)
        rounds += 1
    # It is what it says that was measured.
    counted = [each.calls for each in lifecycle.status().targets if each.target.endswith("request")]
    if name == "ours":
        assert counted == [rounds * len(SCRIPT)], counted
    elif name == "ours in a run":
        assert counted[0] > rounds * len(SCRIPT), counted
        page = render(get_registry())[0]
        assert b"ancestry_obs_processes %d" % (1 + HELPERS) in page, page
    else:
        assert not counted
    assert is_multi == bool([*Path(os.environ.get(MULTI, "/nowhere")).glob("*.db")])


# Handing over


def timed(step: Callable[[], object]) -> float:
    """Give the processor's seconds that this thread takes."""
    began = thread_time()
    step()
    return thread_time() - began


def handing() -> dict[str, list[float]]:
    """Hand over once for each round; garbage collection is on, as in the program."""
    members.SECONDS = FOREVER  # type: ignore[misc]  # only when this says so
    installation = installed(in_run=True)
    step, fold = installation._member._step, installation._store.fold  # noqa: SLF001 - what is measured
    items = [f"item-{number}" for number in range(SERIES)]

    def calls(each: int) -> None:
        for _ in range(each):
            for item in items:
                work(item)

    calls(1)
    step()
    assert installation._store.series_count() == SERIES  # noqa: SLF001 - as above
    gc.collect()
    taken: dict[str, list[float]] = {
        "nothing new": [],
        "a call of each, folded before": [],
        "a call of each": [],
        "ten calls of each": [],
        "fold of ten calls of each": [],
    }
    for _ in range(ROUNDS_OF_HANDING):
        taken["nothing new"].append(timed(step))
        calls(1)
        fold()
        taken["a call of each, folded before"].append(timed(step))
        calls(1)
        taken["a call of each"].append(timed(step))
        calls(10)
        taken["ten calls of each"].append(timed(step))
        calls(10)
        taken["fold of ten calls of each"].append(timed(fold))
    return taken


# Scrapes and disk


class Both:
    """One histogram, measured by us in a run and by the peer for many processes."""

    def __init__(self) -> None:
        members.SECONDS = FOREVER  # type: ignore[misc]  # only when this says so
        self.installation = installed(in_run=True)
        self.member = self.installation._member  # noqa: SLF001 - it hands over when this says so
        self.folder = self.member._folder.path  # noqa: SLF001 - what is measured
        families = self.installation._store.families()  # noqa: SLF001 - as above
        (self.ours,) = (each for each in families if each.spec.name == "work_seconds")
        self.theirs = Histogram(
            "ancestry_work_seconds", "Work.", ("item", "kind"), buckets=BOUNDS,
            registry=CollectorRegistry(),
        )  # fmt: skip
        self.registry = CollectorRegistry()
        MultiProcessCollector(self.registry)

    def record(self, process: int, series: int) -> None:
        """Observe the same on both sides; sums of these are exact in any order."""
        for number in range(series):
            labels = (f"item-{number}", "new")
            for value in (0.125, 0.75 + number / 1024, 3.25 + process, 20_000.0):
                self.ours.observe(labels, value)
                self.theirs.labels(*labels).observe(value)

    def change_files(self) -> None:
        """Let the files be others than at the last scrape, as they are where all processes work."""
        for file in Path(self.folder).glob("*.totals"):
            os.utime(file)

    def our_page(self) -> bytes:
        """Write our page."""
        return render(self.installation.registry)[0]

    def their_page(self) -> bytes:
        """Write theirs."""
        return generate_latest(self.registry)

    def disk(self) -> dict[str, int]:
        """Give the bytes on the disk of both."""
        return {"ours": size(self.folder), "theirs": size(os.environ[MULTI])}

    def assert_same(self) -> None:
        """See to it that both pages tell the same numbers."""
        ours, theirs = lines(self.our_page()), lines(self.their_page())
        assert ours, "nothing is measured"
        assert ours == theirs, sorted(set(ours) ^ set(theirs))[:4]


def lines(page: bytes) -> list[bytes]:
    """Give the samples of the histogram."""
    return sorted(each for each in page.splitlines() if each.startswith(b"ancestry_work_seconds"))


def size(folder: str) -> int:
    """Give the bytes that a folder's files have on the disk, holes left out."""
    return sum(each.stat().st_blocks * 512 for each in Path(folder).iterdir())


def living(processes: int, rounds: int) -> dict[str, Any]:
    """Scrape the numbers of so many processes that run."""
    both = Both()
    ready, tell_ready = os.pipe()
    children: list[int] = []
    try:
        for number in range(processes):
            child = os.fork()
            if not child:
                wait(both, number, tell_ready)
            children.append(child)
            assert os.read(ready, 1) == b"1"
        both.assert_same()
        taken: dict[str, list[float]] = {"ours": [], "ours, nothing new": [], "theirs": []}
        for _ in range(rounds):
            both.change_files()
            taken["ours"].append(processor(both.our_page))
            taken["ours, nothing new"].append(processor(both.our_page))
            taken["theirs"].append(processor(both.their_page))
        both.change_files()
        stalls = {"ours": stall(both.our_page)[0], "theirs": stall(both.their_page)[0]}
        return {"seconds": taken, "stall": stalls, "disk": both.disk()}
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def wait(both: Both, number: int, tell_ready: int) -> NoReturn:
    """Measure, hand over and wait to be killed."""
    try:
        both.record(number, SERIES)
        both.member.hand_over()
        os.write(tell_ready, b"1")
        signal.pause()
    finally:
        # What has failed here must not do what the parent does at its end.
        os.write(tell_ready, b"0")
        os._exit(1)


def ended() -> dict[str, Any]:
    """Scrape the numbers of processes that have ended."""
    both = Both()
    for number in range(ENDED):
        child = os.fork()
        if not child:
            end_short(both, number)
        assert not os.waitpid(child, 0)[1]
        # Short ones: a thread would look about as often.
        if not number % 100:
            both.member._step()  # noqa: SLF001 - what is measured
    both.member._step()  # noqa: SLF001 - as above
    both.assert_same()
    both.change_files()
    seconds = {"ours": [processor(both.our_page)], "theirs": [processor(both.their_page)]}
    return {"seconds": seconds, "disk": both.disk()}


def end_short(both: Both, number: int) -> NoReturn:
    """Measure a little and end."""
    status = 1
    try:
        both.record(number, SERIES_OF_SHORT)
        status = 0
    finally:
        os._exit(status)


def processor(work: Callable[[], object]) -> float:
    """Give the processor's seconds that a scrape takes."""
    gc.collect()
    began = process_time()
    work()
    return process_time() - began


def main() -> None:
    """Do one part, and give what it measured."""
    part, *words = sys.argv[1:]
    if part == "call":
        call(*words)
    elif part == "handing":
        print(json.dumps(handing()))
    else:
        print(json.dumps(living(*map(int, words)) if part == "living" else ended()))


if __name__ == "__main__":
    # The map names what is here as a module.
    import _process_tree

    _process_tree.main()
