"""SIGTERM and SIGHUP: first the handlers, then programs that end by a signal."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import threading

import pytest

import ancestry_obs
from ancestry_obs.metrics_exporter.push import LAST_SUCCESS
from ancestry_obs.termination import Termination

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _handlers():
    """Begin with no handler, and put back what the tests' own process had."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def termination():
    made = Termination(lambda: None)
    yield made
    made.disarm()


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def handlers():
    return [signal.getsignal(number) for number in SIGNALS]


class TestHandlers:
    def test_they_come_and_go(self, termination):
        termination.arm()
        assert handlers() == [termination._handle] * 2
        assert termination.is_armed
        termination.disarm()
        assert handlers() == [signal.SIG_DFL] * 2
        assert not termination.is_armed

    @pytest.mark.parametrize("own", [signal.SIG_IGN, lambda *_: None])
    def test_what_the_program_has_is_left_alone(self, termination, own):
        signal.signal(signal.SIGHUP, own)
        termination.arm()
        assert handlers() == [termination._handle, own]
        termination.disarm()
        assert handlers() == [signal.SIG_DFL, own]

    @pytest.mark.parametrize("own", [signal.SIG_IGN, signal.SIG_DFL, lambda *_: None])
    def test_what_the_program_puts_there_later_is_left_alone(self, termination, own):
        termination.arm()
        signal.signal(signal.SIGTERM, own)
        termination.disarm()
        assert handlers() == [own, signal.SIG_DFL]

    def test_what_only_the_system_knows_of_is_left_alone(self, termination):
        # As gevent's loop does it: Python is told of no handler.
        faulthandler.register(signal.SIGTERM)
        try:
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
            termination.arm()
            assert handlers() == [signal.SIG_DFL, termination._handle]
        finally:
            faulthandler.unregister(signal.SIGTERM)

    def test_what_only_the_system_knows_of_later_is_left_alone(self, termination):
        termination.arm()
        faulthandler.register(signal.SIGTERM)
        try:
            termination.disarm()
            assert handlers() == [termination._handle, signal.SIG_DFL]
        finally:
            faulthandler.unregister(signal.SIGTERM)

    def test_outside_the_main_thread_there_are_none_and_that_is_said(self, termination, caplog):
        with caplog.at_level(logging.WARNING, "ancestry_obs"):
            in_a_thread(termination.arm)
        assert handlers() == [signal.SIG_DFL] * 2
        assert caplog.messages == [termination.error]
        assert termination.error == (
            "SIGTERM and SIGHUP will end the program before its metrics are written, pushed or "
            "withdrawn: the main thread alone can give them a handler; call install() there"
        )

    def test_where_the_program_has_its_own_nothing_is_said(self, termination, caplog):
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        in_a_thread(termination.arm)
        assert (termination.error, caplog.messages) == ("", [])

    def test_those_that_cannot_be_taken_out_make_room_for_the_next(self, termination, caplog):
        termination.arm()
        in_a_thread(termination.disarm)
        assert [message.split()[0] for message in caplog.messages] == ["SIGTERM", "SIGHUP"]
        assert handlers() == [termination._handle] * 2
        other = Termination(lambda: None)
        other.arm()
        assert handlers() == [other._handle] * 2
        other.disarm()
        assert handlers() == [signal.SIG_DFL] * 2

    def test_only_a_program_that_asks_for_a_way_out_gets_one(self, enabled, tmp_path):
        metrics = {"version": 1}
        ancestry_obs.install(metrics, settings=enabled)
        assert handlers() == [signal.SIG_DFL] * 2
        ancestry_obs.uninstall()
        from dataclasses import replace

        for way in ("textfile", "file_sd", "push_url"):
            value = {"textfile": "x.prom", "file_sd": "x.json", "push_url": "http://127.0.0.1:1"}
            path = value[way] if way == "push_url" else str(tmp_path / value[way])
            ancestry_obs.install(metrics, settings=replace(enabled, **{way: path}))
            assert signal.SIG_DFL not in handlers()
            ancestry_obs.uninstall()
            assert handlers() == [signal.SIG_DFL] * 2

    def test_the_status_tells_of_it(self, enabled, tmp_path):
        from dataclasses import replace

        settings = replace(enabled, textfile=str(tmp_path / "x.prom"))
        in_a_thread(lambda: ancestry_obs.install({"version": 1}, settings=settings))
        assert ancestry_obs.status().end_error.startswith("SIGTERM and SIGHUP will end")


END = "os.kill(os.getpid(), {})\n"
TEXTFILE = {"METRICS_TEXTFILE": "shop.prom"}


def counted(program, name="shop.prom"):
    """Give how many calls the textfile has; nothing half-written is beside it."""
    files = {each.name for each in program.folder.iterdir() if "shop." in each.name}
    assert files <= {"shop.py", "shop.toml", name}
    return program.folder.joinpath(name).read_text().count("ancestry_prices_total 1.0")


@pytest.mark.parametrize("number", SIGNALS)
class TestAProgramThatEndsByASignal:
    def test_its_textfile_is_written_and_it_ends_by_that_signal(self, program, number):
        done = program("import signal\n" + END.format(number) + "print('went on')", **TEXTFILE)
        assert (done.returncode, done.stdout, done.stderr) == (-number, "", "")
        assert counted(program) == 1

    def test_its_push_tells_of_no_success(self, program, gateway, number):
        done = program(END.format(number), METRICS_PUSH_URL=gateway.url)
        assert (done.returncode, done.stderr) == (-number, "")
        ((_, body),) = gateway.received
        assert "ancestry_prices_total 1.0" in body
        assert LAST_SUCCESS not in body

    @pytest.mark.live
    def test_its_file_sd_entry_is_withdrawn(self, program, number):
        file = program.folder / "workers.json"
        look = "print(open('workers.json').read(), flush=True)\n"
        done = program(look + END.format(number), hook=False, METRICS_FILE_SD=file.name)
        assert (done.returncode, done.stderr) == (-number, "")
        assert len(json.loads(done.stdout)) == 1
        assert json.loads(file.read_text()) == []


OWN = """
import signal, threading
went_on = threading.Event()
def own(*_):
    print("own")
    went_on.set()
{}
os.kill(os.getpid(), signal.SIGTERM)
went_on.wait(0)
"""


class TestWhatBelongsToTheProgram:
    @pytest.mark.parametrize(
        ("setting", "output"),
        [
            ("signal.signal(signal.SIGTERM, own)", "own\n"),
            ("signal.signal(15, signal.SIG_IGN)", ""),
        ],
    )
    def test_its_own_handler_is_called_alone(self, program, setting, output):
        done = program(OWN.format(setting), **TEXTFILE)
        assert (done.returncode, done.stdout, done.stderr) == (0, output, "")

    def test_the_default_that_it_sets_is_the_default(self, program):
        done = program(OWN.format("signal.signal(15, signal.SIG_DFL)"), **TEXTFILE)
        assert done.returncode == -signal.SIGTERM
        assert not (program.folder / "shop.prom").exists()

    def test_nohup(self, program):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            done = program("os.kill(os.getpid(), 1)\nprint('went on')", **TEXTFILE)
        finally:
            signal.signal(signal.SIGHUP, before)
        assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")

    def test_a_handler_that_calls_the_one_before_it(self, program):
        setting = "before = signal.signal(15, lambda *arguments: before(*arguments))"
        done = program(OWN.format(setting), **TEXTFILE)
        assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
        assert counted(program) == 1

    def test_after_uninstall_it_ends_at_once(self, program):
        done = program("ancestry_obs.uninstall()\n" + END.format(15), **TEXTFILE)
        assert done.returncode == -signal.SIGTERM
        assert not (program.folder / "shop.prom").exists()

    def test_exit_by_the_system_alone_writes_nothing(self, program):
        assert program("os._exit(3)", **TEXTFILE).returncode == 3
        assert not (program.folder / "shop.prom").exists()


def test_a_relative_path_means_the_folder_at_the_start(program):
    (program.folder / "elsewhere").mkdir()
    for ending in ("os.chdir('elsewhere')\n", "os.chdir('elsewhere')\n" + END.format(15)):
        done = program(ending, **TEXTFILE)
        assert done.stderr == ""
        assert counted(program) == 1
        assert list((program.folder / "elsewhere").iterdir()) == []
        (program.folder / "shop.prom").unlink()


FORK = """
import signal, warnings
warnings.simplefilter("ignore")  # the exporter is a thread, which a fork leaves behind
child = os.fork()
if not child:
    {}
    os._exit(0)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), os.path.exists("shop.prom"))
"""
MULTIPROCESSING = """
import multiprocessing, signal
child = multiprocessing.get_context("fork").Process(target=signal.pause)
child.start()
child.terminate()
child.join()
print(child.exitcode, os.path.exists("shop.prom"))
"""


class TestForkedChildren:
    def test_they_end_at_once(self, program):
        done = program(FORK.format("os.kill(os.getpid(), 15)"), **TEXTFILE)
        assert (done.returncode, done.stdout, done.stderr) == (0, "-15 False\n", "")
        assert counted(program) == 1

    def test_those_of_multiprocessing(self, program):
        done = program(MULTIPROCESSING, **TEXTFILE)
        assert (done.returncode, done.stdout, done.stderr) == (0, "-15 False\n", "")
        assert counted(program) == 1

    def test_they_have_the_default_again(self, program):
        done = program(FORK.format("print(signal.getsignal(15), flush=True)"), **TEXTFILE)
        assert done.stdout.splitlines()[0].endswith(str(signal.SIG_DFL))

    def test_they_import_nothing_for_that(self, program):
        body = "print(sorted(set(sys.modules) - before), signal.getsignal(15), flush=True)"
        first = FORK.format("pass").rpartition("print(")[0]
        second = f"before = set(sys.modules)\n{FORK.format(body)}"
        done = program(f"import sys\n{first}{second}", **TEXTFILE)
        assert done.stdout.splitlines() == [f"[] {signal.SIG_DFL!s}", "0 False"]

    def test_what_only_the_system_knows_of_stays_theirs(self, program):
        body = "os.kill(os.getpid(), 15); print(faulthandler.is_enabled(), flush=True)"
        handler = "import faulthandler\nfaulthandler.register(15, file=open(os.devnull, 'w'))\n"
        done = program(f"{handler}{FORK.format(body)}", **TEXTFILE)
        assert done.stdout.splitlines() == ["False", "0 False"]

    @pytest.mark.live
    def test_one_that_serves_withdraws_its_own_entry_and_writes_nothing(self, program):
        serve = "ancestry_obs.start_exporter(port=0); os.kill(os.getpid(), 15)"
        more = {"METRICS_FILE_SD": "workers.json", **TEXTFILE}
        look = "print(len(open('workers.json').read().split('targets')) - 1)"
        done = program(FORK.format(serve) + look, hook=False, **more)
        assert (done.returncode, done.stdout, done.stderr) == (0, "-15 False\n1\n", "")


COLLECTOR = """
import signal, threading, time
class Collector:
    def __init__(self, collect):
        self.collect = collect
    def describe(self):
        return []
"""
# What the main thread holds when the signal comes, and somebody needs who renders the page.
HELD = {
    "a lock of the program": """
lock = threading.Lock()
def collect():
    with lock:
        return []
ancestry_obs.get_registry().register(Collector(collect))
held = lock
""",
    "the store, in a scrape": """
class Held:
    def __enter__(self):
        installed._store._folding = threading.get_ident()
    def __exit__(self, *_):
        installed._store._folding = 0
held = Held()
""",
    "the registry's": "held = ancestry_obs.get_registry()._lock",
    "an exporter's that starts": "held = installed._outlets._lock",
}
PATIENT = """
from functools import partial
import ancestry_obs.outlets
ancestry_obs.outlets.Termination = partial(
    ancestry_obs.outlets.Termination, patience={}, limit={}
)
ancestry_obs.uninstall()
installed = ancestry_obs.install()
shop.price("book")
"""


# A collector that fails is told by logging, whose lock the main thread holds.
LOG = """
def collect():
    raise ValueError("broken")
ancestry_obs.get_registry().register(Collector(collect))
held = logging.getLogger().handlers[0].lock
"""


class TestLocksThatTheInterruptedCodeHolds:
    @pytest.mark.parametrize("held", HELD)
    def test_the_main_thread_goes_on_to_give_them_back(self, program, held):
        ending = PATIENT.format(0.05, 60) + COLLECTOR + HELD[held]
        ending += "\nwith held:\n    os.kill(os.getpid(), 15)\nthreading.Event().wait()\n"
        done = program(ending, **TEXTFILE)
        assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
        assert counted(program) == 1

    def test_logging_s_lock(self, program):
        ending = PATIENT.format(0.05, 60) + COLLECTOR + LOG
        ending += "\nwith held:\n    os.kill(os.getpid(), 15)\nthreading.Event().wait()\n"
        done = program(ending, **TEXTFILE)
        assert done.returncode == -signal.SIGTERM
        assert done.stderr == "metrics are not written: ValueError: broken\n"

    def test_one_that_is_never_given_back_delays_the_end_by_the_limit(self, program):
        ending = PATIENT.format(0.05, 0.1) + COLLECTOR + HELD["a lock of the program"]
        ending += "\nwith held:\n    os.kill(os.getpid(), 15)\n    threading.Event().wait()\n"
        done = program(ending, **TEXTFILE)
        assert done.returncode == -signal.SIGTERM
        assert done.stderr == "ancestry-obs: metrics are not let out within 0.1 seconds\n"
        assert not (program.folder / "shop.prom").exists()

    def test_a_fold_that_is_interrupted_is_done_before(self, program):
        # Every call folds: the signal comes in the midst of one of many.
        ending = (
            PATIENT.format(60, 60)
            + """
threading = __import__("threading")
threading.Timer(0, os.kill, (os.getpid(), 15)).start()
while True:
    shop.price("book")
    installed._store.fold()
"""
        )
        done = program(ending, **TEXTFILE)
        assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
        assert "ancestry_prices_total" in (program.folder / "shop.prom").read_text()


# Again and again: Python runs no handler if the signal comes just before the main thread waits.
KILL_ON = """
import atexit
def kill_on():
    while True:
        os.kill(os.getpid(), 15)
        time.sleep(0.01)
"""
ENDS = {
    "while it waits for other threads": """
threading.Thread(target=lambda: (threading.main_thread().join(), kill_on())).start()
""",
    "before our turn": "atexit.register(lambda: (os.kill(os.getpid(), 15), time.sleep(60)))",
    "in our turn": """
def collect():
    os.kill(os.getpid(), 15)
    return []
ancestry_obs.get_registry().register(Collector(collect))
""",
    "after our turn": """
def kill(): os.kill(os.getpid(), 15); time.sleep(60)
ancestry_obs.uninstall(); atexit.register(kill); ancestry_obs.install(); shop.price("book")
""",
    "twice": "os.kill(os.getpid(), 15); os.kill(os.getpid(), 1)",
    "in a thread": """
threading.Thread(target=kill_on).start(); threading.Event().wait()
""",
    "in a join": """
thread = threading.Thread(target=kill_on); thread.start(); thread.join()
""",
}


@pytest.mark.parametrize("when", ENDS)
def test_whenever_the_signal_comes(program, when):
    done = program(COLLECTOR + KILL_ON + ENDS[when], **TEXTFILE)
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
    assert counted(program) == 1


def test_a_forked_child_ends_as_it_would_until_it_has_ways_out_of_its_own(in_child):
    def child():
        before = termination.is_armed, signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        termination.arm()
        return before, signal.getsignal(signal.SIGTERM) == termination._handle

    termination = Termination(int)
    termination.arm()
    try:
        assert in_child(child) == ((False, True), True)
    finally:
        termination.disarm()


def test_a_child_does_its_own_ways_out_whatever_its_parent_is_at():
    reader, writer = os.pipe()
    termination = Termination(lambda: os.write(writer, b"%d" % os.getpid()))
    termination.arm()
    try:
        # As while the parent ends by a signal.
        termination._ending, termination._is_at_end = object(), True
        child = os.fork()
        if not child:
            termination.arm()
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == signal.SIGTERM
        assert os.read(reader, 20) == b"%d" % child
    finally:
        termination._ending, termination._is_at_end = None, False
        termination.disarm()
        os.close(reader)
        os.close(writer)
