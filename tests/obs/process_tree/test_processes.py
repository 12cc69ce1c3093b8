"""Real processes of a run: every call is counted exactly once on one page that never goes back.

What many of them do at length is done by the nightly session: `SHORT_CHILDREN` says how many there
are, `STORM_SECONDS` how long the storm lasts at least.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest
from tests.ports import free_port

pytestmark = pytest.mark.live

CHILDREN = int(os.environ.get("SHORT_CHILDREN", "300"))
STORM_SECONDS = float(os.environ.get("STORM_SECONDS", "2"))
LIMIT = 60

SHOP = """\
def price(book="book"):
    return book
"""
# What a program of a run begins with, until there is a launcher that does it.
JOIN = """\
import os
from ancestry_obs import lifecycle

def join(*_):
    lifecycle.join_run(os.environ["ANCESTRY_OBS_RUN"])
"""
MAP = {
    "version": 1,
    "metrics": {
        "prices_total": {
            "type": "counter",
            "help": "Prices asked for.",
            "labels": {"book": {"max_values": 5}},
        },
        "price_seconds": {"type": "histogram", "help": "How long.", "buckets": [0.001, 1]},
        "open": {"type": "in_flight", "help": "Prices being asked for."},
    },
    "instrument": [
        {
            "target": "shop:price",
            "record": [
                {"metric": "prices_total", "labels": {"book": "book"}},
                {"metric": "price_seconds"},
                {"metric": "open"},
            ],
        }
    ],
}
BEGIN = """\
import json, os, sys
import ancestry_obs
from ancestry_obs import lifecycle
from ancestry_obs.mapfile import load
plan = json.loads(sys.argv[1])
settings = ancestry_obs.ObservabilitySettings(
    enable_prometheus_metrics=True, metrics_export_port=plan["port"], metrics_namespace="shop",
    textfile=plan["textfile"],
)
os.environ["ANCESTRY_OBS_RUN"] = lifecycle.begin_run(settings, load(plan["map"]))
from join import join
join()
"""
PROGRAM = """\
import os, sys
import ancestry_obs
if __name__ == "__main__":
    from begin import plan
from join import join
from shop import price
"""
SERIES = re.compile(r"^(\w+(?:_total|_bucket|_count|_sum)(?:\{.*\})?) (\S+)$", re.MULTILINE)
"""What must never become less."""


class Run:
    """A program of many processes, with what it leaves behind."""

    def __init__(self, folder):
        self.folder = folder
        # In no deep folder: the sockets of multiprocessing have short paths.
        self.runs = Path(tempfile.mkdtemp())
        self.port = free_port()
        for name, source in (("shop", SHOP), ("join", JOIN), ("begin", BEGIN)):
            (folder / f"{name}.py").write_text(source)
        self.seen = {}

    def start(self, program):
        (self.folder / "program.py").write_text(PROGRAM + dedent(program))
        plan = {"port": self.port, "textfile": str(self.folder / "page.prom"), "map": MAP}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "program.py", json.dumps(plan)],
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.runs)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT)
        for each in (self.process.stdin, self.process.stdout, self.process.stderr):
            each.close()
        shutil.rmtree(self.runs, ignore_errors=True)

    def say(self, line="go"):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self):
        return self.process.stdout.readline().strip()

    def read(self):
        """Read the page; nothing on it may be less than it was."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as page:
            text = page.read().decode()
        now = {name: float(value) for name, value in SERIES.findall(text)}
        less = {name: (was, now.get(name)) for name, was in self.seen.items()}
        assert {n: both for n, both in less.items() if (both[1] or 0) < both[0]} == {}
        self.seen = now
        return text

    def prices(self):
        self.read()
        return self.counted(self.seen)

    @staticmethod
    def counted(series):
        return sum(n for name, n in series.items() if name.startswith("shop_prices_total"))

    def end(self, *, code=0, quiet=True):
        """Wait for the end; give what the page was then."""
        output, errors = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == code, errors
        if quiet:
            assert errors == ""
        page = (self.folder / "page.prom").read_text() if code == 0 else ""
        return output, {name: float(value) for name, value in SERIES.findall(page)}


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path)
    yield run
    run.stop()


def until(look):
    """Look again until there is something to see."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        try:
            if seen := look():
                return seen
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError("never came")


def none_left(run):
    return not any(run.runs.glob("ancestry-obs-*"))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("kind", ["Pool", "ProcessPoolExecutor"])
def test_pools_count_each_call_once(run, kind, method):
    work = {
        "Pool": (
            "with context.Pool(2, begin) as pool: pool.map(price, books); pool.close(); pool.join()"
        ),
        "ProcessPoolExecutor": (
            "with futures.ProcessPoolExecutor(2, context, begin) as pool: [*pool.map(price, books)]"
        ),
    }
    program = f"""
        import multiprocessing
        from concurrent import futures
        if __name__ == "__main__":
            context, books = multiprocessing.get_context({method!r}), ["a", "b"] * 50
            begin = None if {method!r} == "fork" else join
            {work[kind]}
            price()
    """
    run.start(program)
    _, page = run.end()
    assert run.counted(page) == 101
    assert page["shop_price_seconds_count"] == 101
    assert page['ancestry_obs_calls_total{target="shop:price"}'] == 101
    assert none_left(run)


def test_children_of_every_kind_and_one_that_is_killed(run):
    run.start("""
        import signal, subprocess, threading, time
        def child(work):
            if not (number := os.fork()):
                work()
                sys.exit()
            return number
        def killed():
            price("killed")
            os.write(handed[1], b".")
            signal.pause()
        def terminated():
            price("terminated")
            os.write(handed[1], b".")
            while True:
                signal.pause()
        def exits():
            price("exits")
            os._exit(0)
        def exits_in_thread():
            price("thread")
            thread = threading.Thread(target=os._exit, args=(0,))
            thread.start()
            thread.join()
        def other_program():
            price("other")
            try:
                os.execv("/nowhere/at/all", ["x"])
            except OSError:
                price("other")
            source = "from join import join; join(); from shop import price; price('other')"
            os.execv(sys.executable, [sys.executable, "-c", source])
        def ends():
            price("ends")
        handed = os.pipe()
        all = [child(each) for each in (exits, exits_in_thread, other_program, ends)]
        for each in all:
            assert os.waitpid(each, 0)[1] == 0, each
        waiting = [child(killed), child(terminated)]
        os.read(handed[0], 1), os.read(handed[0], 1)
        print(*waiting, flush=True)
        input()
        os.kill(waiting[0], signal.SIGKILL)
        os.kill(waiting[1], signal.SIGTERM)
        print([os.waitpid(each, 0)[1] for each in waiting], flush=True)
        input()
    """)
    run.hear()
    # The one that will be killed has handed over within a second.
    until(lambda: run.prices() >= 8)
    run.say()
    assert run.hear() == "[9, 15]"
    text = run.read()
    assert not re.search("^shop_open [1-9]", text, re.MULTILINE)
    books = dict(re.findall(r'shop_prices_total\{book="(\w+)"\} (\S+)', text))
    assert sum(map(float, books.values())) == 8
    assert "ancestry_obs_processes 1.0" in text
    run.say()
    _, page = run.end()
    assert run.counted(page) == 8
    assert none_left(run)


def test_the_next_one_takes_over_and_no_series_goes_back(run):
    """The one that serves is killed, again and again, in a storm of labels."""
    run.start("""
        import itertools, signal, threading
        def work(first):
            def go_on():
                for number in itertools.count(first):
                    price(f"book{number % 7}")
                    if number % 50 == 0:
                        pause.wait(0.001)
            pause = threading.Event()
            threading.Thread(target=go_on, daemon=True).start()
            while True:
                signal.pause()
        children = []
        for first in (0, 2, 4):
            if not (number := os.fork()):
                work(first)
            children.append(number)
        print(*children, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    children = [int(each) for each in run.hear().split()]
    assert run.process.wait(LIMIT) == -signal.SIGKILL
    served = []
    try:
        while children:
            assert until(run.prices)
            for _ in range(10):
                run.read()
            served.append(run.counted(run.seen))
            # Whoever serves is the one with the port.
            leader = until(lambda: _serving(run.port, children))
            os.kill(leader, signal.SIGKILL)
            children.remove(leader)
    finally:
        for each in children:
            os.kill(each, signal.SIGKILL)
    assert served == sorted(served)
    assert len({name for name in run.seen if name.startswith("shop_prices")}) <= 6
    # The next run takes away what nobody was left to take away.
    again = run.folder / "again"
    again.mkdir()
    next_one = Run(again)
    next_one.runs.rmdir()
    next_one.runs = run.runs
    next_one.start("")
    next_one.end()
    assert until(lambda: none_left(run))
    next_one.stop()


def _serving(port, processes):
    """Give the process that listens on a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    inodes = {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
    for each in processes:
        for number in Path(f"/proc/{each}/fd").iterdir():
            if str(number.readlink())[8:-1] in inodes:
                return each
    return None


def test_forks_in_a_storm_of_threads(run):
    run.start(f"""
        import random, signal, threading, time
        done, over = [], threading.Event()
        def storm(seed):
            choice, mine = random.Random(seed), 0
            while not over.is_set():
                calls = choice.randrange(4)
                if not (number := os.fork()):
                    for each in range(calls):
                        price(str(choice.randrange(20)))
                    os._exit(0)
                price()
                assert os.waitpid(number, 0)[1] == 0
                mine += calls + 1
            done.append(mine)
        threads = [threading.Thread(target=storm, args=(each,)) for each in range(4)]
        for each in threads:
            each.start()
        over.wait({STORM_SECONDS})
        input()
        over.set()
        for each in threads:
            each.join()
        print(sum(done), flush=True)
    """)
    until(run.prices)
    last = time.monotonic() + STORM_SECONDS
    reads = 0
    while time.monotonic() < last or reads < 20:
        run.read()
        reads += 1
    run.say()
    output, page = run.end()
    calls = int(output)
    assert run.counted(page) == calls
    assert page["shop_price_seconds_count"] == calls
    assert len([name for name in page if name.startswith("shop_prices")]) == 6
    assert none_left(run)


def test_many_short_children_leave_a_small_folder(run):
    """Each has a label of its own; the folder and the page stay as small as with a few."""
    run.start(f"""
        most = 0
        for number in range({CHILDREN}):
            if not (child := os.fork()):
                price(f"book {{number}}")
                os._exit(0)
            os.waitpid(child, 0)
            most = max(most, len(os.listdir(os.environ["ANCESTRY_OBS_RUN"])))
        folder = os.environ["ANCESTRY_OBS_RUN"]
        ended = os.path.getsize(f"{{folder}}/ended")
        print(most, ended, flush=True)
    """)
    output, errors = run.process.communicate(timeout=LIMIT + CHILDREN / 20)
    assert errors == ""
    most, ended = map(int, output.split())
    page = (run.folder / "page.prom").read_text()
    series = {name: float(value) for name, value in SERIES.findall(page)}
    assert run.counted(series) == CHILDREN
    # Those not merged yet, and a handful of others.
    assert most <= 64 + 10
    assert ended < 10_000
    assert len([name for name in series if name.startswith("shop_prices")]) == 6
    assert none_left(run)
    sys.stdout.write(
        f"\n{CHILDREN} children: at most {most} files, {ended} bytes of those that ended\n"
    )


def test_a_full_disk_is_a_line_and_the_program_goes_on(run):
    run.start("""
        import resource
        price()
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
        price()
        if not (child := os.fork()):
            price()
            os._exit(3)
        assert os.waitpid(child, 0)[1] == 3 << 8
        print(price("result"), flush=True)
        input()
        os._exit(0)
    """)
    assert run.hear() == "result"
    assert run.prices() == 3
    # What failed at that is on the next page.
    run.read()
    assert run.seen["ancestry_obs_handover_failures_total"] >= 1
    run.say()
    _, errors = run.process.communicate(timeout=LIMIT)
    lines = errors.splitlines()
    assert {line.partition(":")[0] for line in lines} == {
        "the page of the run lacks what one of its processes measured",
        "metrics are not written",
    }
    # Of the program, its child, and its textfile at the end.
    assert len(lines) <= 3


def test_a_folder_that_is_taken_away_does_no_harm(run):
    run.start("""
        import shutil
        price()
        if not (child := os.fork()):
            price()
            os._exit(0)
        os.waitpid(child, 0)
        print(flush=True)
        input()
        shutil.rmtree(os.environ["ANCESTRY_OBS_RUN"])
        price()
        if not (child := os.fork()):
            os._exit(price(7))
        assert os.waitpid(child, 0)[1] == 7 << 8
        print(price("result"), flush=True)
        input()
    """)
    run.hear()
    assert run.prices() == 2
    run.say()
    assert run.hear() == "result"
    assert run.prices() == 4
    run.say()
    _, page = run.end(quiet=False)
    assert run.counted(page) == 4


def test_a_daemon_that_forks_twice_and_closes_everything(run):
    run.start("""
        import signal, time
        first = os.getpid()
        price()
        if os.fork():
            os._exit(0)
        os.setsid()
        parent = os.getpid()
        if os.fork():
            os._exit(0)
        told = os.open("told", os.O_WRONLY | os.O_CREAT)
        # Before that the end of the others would be the end of the run (docs/processes.md).
        while any(os.path.exists(f"/proc/{each}") for each in (first, parent)):
            time.sleep(0.01)
        os.closerange(3, told)
        os.closerange(told + 1, 200)
        price(), price()
        os.write(told, str(os.getpid()).encode())
        while True:
            signal.pause()
    """)
    assert run.process.wait(LIMIT) == 0
    told = run.folder / "told"
    daemon = int(until(lambda: told.exists() and told.read_text()))
    try:
        assert until(lambda: run.prices() == 3)
    finally:
        os.kill(daemon, signal.SIGTERM)
    until(lambda: none_left(run))


def test_another_map_in_one_process_lets_no_series_go_back(run):
    run.start("""
        from copy import deepcopy
        import time
        without, changed = deepcopy(plan["map"]), deepcopy(plan["map"])
        del without["metrics"]["prices_total"], without["instrument"][0]["record"][0]
        changed["metrics"]["prices_total"]["labels"]["book"]["max_values"] = 4
        ready, go = os.pipe(), os.pipe()
        if not os.fork():
            for each in (without, plan["map"], changed, plan["map"]):
                price(); price()
                os.write(ready[1], b".")
                os.read(go[0], 1)
                ancestry_obs.reload(each)
            price()
            ancestry_obs.uninstall()
            price()
            os.write(ready[1], b".")
            os.read(go[0], 1)
            os._exit(0)
        for _ in range(5):
            os.read(ready[0], 1)
            print(flush=True)
            input()
            os.write(go[1], b".")
        os.wait()
    """)
    counts = []
    # The first two, none under the map without, and so on; what is not handed over yet comes.
    for expected in (2, 2, 4, 6, 7):
        run.hear()
        until(lambda expected=expected: run.prices() >= expected)
        counts.append(run.prices())
        run.say()
    _, page = run.end()
    assert counts == [2, 2, 4, 6, 7]
    assert run.counted(page) == 7
    assert page['ancestry_obs_calls_total{target="shop:price"}'] == 9


OVERFLOW = 'ancestry_obs_label_overflow_total{label="book",metric="prices_total"}'


def test_what_has_no_room_on_the_page_is_counted_as_overflow(run):
    """Each child keeps the limit of five by itself; all of them together do not."""
    run.start("""
        for number in range(80):
            if not os.fork():
                price(f"book {number}"); price(f"book {number}")
                os._exit(0)
            os.wait()
        for number in range(9):
            price(f"book {number}")
        from copy import deepcopy
        without = deepcopy(plan["map"])
        del without["metrics"]["prices_total"], without["instrument"][0]["record"][0]
        for each in (None, without, plan["map"]):
            if each:
                ancestry_obs.reload(each)
            print(flush=True)
            input()
    """)
    run.hear()
    assert run.prices() == 169
    other = run.seen['shop_prices_total{book="other"}']
    assert (other, run.seen[OVERFLOW]) == (154, 154)
    until(lambda: any(run.runs.glob("ancestry-obs-run-*/ended")))
    assert run.prices() == 169
    for _ in range(2):
        run.say()
        run.hear()
        # Under a map without the metric, and under one with it again.
        run.seen = {name: n for name, n in run.seen.items() if "shop_" not in name}
        run.read()
        assert run.seen[OVERFLOW] == 154
    run.say()
    _, page = run.end()
    assert (page['shop_prices_total{book="other"}'], page[OVERFLOW]) == (154, 154)


def test_what_a_reload_takes_out_is_over_and_stays_counted(run):
    run.start("""
        from copy import deepcopy
        def told():
            seen = {each.target: (each.state, each.calls) for each in ancestry_obs.status().targets}
            print(json.dumps(seen), flush=True)
            input()
        import json
        other = deepcopy(plan["map"])
        other["instrument"][0]["target"] = "shop:cost"
        price()
        if not os.fork():
            price()
            os._exit(0)
        os.wait()
        for each in (other, plan["map"]):
            told()
            ancestry_obs.reload(each)
        price()
        told()
    """)
    info = 'ancestry_obs_target_info{state="%s",target="shop:price"} 1.0'
    for state, calls, more in (
        ("installed", 2, {}),
        ("expired", 2, {"shop:cost": ["error", 0]}),
        ("installed", 3, {}),
    ):
        assert json.loads(run.hear()) == {"shop:price": [state, calls], **more}
        page = run.read()
        assert info % state in page
        assert page.count("ancestry_obs_target_info{") == 1 + len(more)
        assert run.seen['ancestry_obs_calls_total{target="shop:price"}'] == calls
        run.say()
    _, page = run.end(quiet=False)
    assert page['ancestry_obs_calls_total{target="shop:price"}'] == 3


def test_a_child_of_a_process_whose_map_has_changed_begins_with_nothing(run):
    run.start("""
        from copy import deepcopy
        from datetime import date
        def call():
            price()
            if not os.fork():
                price()
                os._exit(0)
            os.wait()
        without, changed = deepcopy(plan["map"]), deepcopy(plan["map"])
        without["instrument"][0]["target"] = "shop:cost"
        changed["instrument"][0]["record"][0]["labels"]["book"] = "upper(book)"
        over = deepcopy(plan["map"])
        over["instrument"][0]["until"] = date(2020, 1, 1)
        call()
        for each in (changed, plan["map"], without, plan["map"], over, plan["map"]):
            ancestry_obs.reload(each)
            call()
            print(flush=True)
            input()
    """)
    for calls in (4, 6, 6, 8, 8, 10):
        run.hear()
        run.read()
        assert run.seen['ancestry_obs_calls_total{target="shop:price"}'] == calls
        run.say()
    _, page = run.end(quiet=False)
    assert page['ancestry_obs_calls_total{target="shop:price"}'] == 10


def test_a_target_whose_end_comes_keeps_its_calls(run):
    run.start("""
        from copy import deepcopy
        from datetime import date
        import ancestry_obs.instrumentation, time
        now = [time.time()]
        ancestry_obs.instrumentation.time = lambda: now[0]
        ending = deepcopy(plan["map"])
        ending["instrument"][0]["until"] = date(2100, 1, 1)
        ancestry_obs.reload(ending)
        price(); price()
        if not os.fork():
            price()
            os._exit(0)
        os.wait()
        for ahead in (0, 100, 0):
            now[0] = time.time() + ahead * 365 * 86400
            print(flush=True)
            input()
        price()
        print(flush=True)
        input()
    """)
    for state, calls in (("installed", 3), ("expired", 3), ("installed", 3), ("installed", 4)):
        run.hear()
        page = run.read()
        assert f'ancestry_obs_target_info{{state="{state}",target="shop:price"}} 1.0' in page
        assert run.seen['ancestry_obs_calls_total{target="shop:price"}'] == calls
        run.say()
    run.end()


def test_counts_of_the_toolkit_are_no_childs_twice(run):
    """A forked child begins its own counts, such as of failures, from nothing."""
    with socket.create_server(("127.0.0.1", run.port)):
        run.start("""
            for _ in range(3):
                if not (child := os.fork()):
                    price()
                    os._exit(0)
                os.waitpid(child, 0)
        """)
        _, page = run.end(quiet=False)
    assert page["ancestry_obs_exporter_failures_total"] == 1
    assert run.counted(page) == 3


@pytest.mark.skipif(find_spec("gevent") is None, reason="gevent is not installed")
def test_a_program_of_greenlets(run):
    run.start("""
        import gevent.monkey
        gevent.monkey.patch_all()
        import gevent
        def child():
            if not (number := os.fork()):
                price()
                os._exit(0)
            os.waitpid(number, 0)
        gevent.joinall([gevent.spawn(child) for _ in range(5)])
        price()
    """)
    _, page = run.end(quiet=False)
    assert run.counted(page) == 6
    assert none_left(run)
