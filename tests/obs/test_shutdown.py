"""The interpreter ends while daemon threads call woven functions, and others call them after it."""

from __future__ import annotations

import re

import pytest

LATE = """
import atexit, threading

class Late:
    def __init__(self, call):
        self.call = call
    def __del__(self):
        # When modules are taken apart: whatever of them is left.
        self.call("late")

# Registered before install() would be later than its own turn: the last comes first.
ancestry_obs.uninstall()
atexit.register(shop.price, "after our turn")
ancestry_obs.install()
late = Late(shop.price)
shop.late = Late(shop.price)
atexit.register(shop.price, "before our turn")
"""
DAEMONS = """
import itertools, threading
at_work = threading.Barrier(9)

def work(number):
    at_work.wait()
    for each in itertools.count():
        # A name that is known, one that is new, and a wrong number of arguments.
        shop.price("book")
        shop.price(f"{number} {each}")
        try:
            shop.price()
        except TypeError:
            pass

for number in range(8):
    threading.Thread(target=work, args=(number,), daemon=True).start()
at_work.wait()
"""
ENDS = {"": 0, "sys.exit(3)": 3, "raise SystemExit": 0, "os.kill(os.getpid(), 15)": -15}


def prices(file):
    return float(re.search(r"^ancestry_prices_total (.*)$", file.read_text(), re.MULTILINE)[1])


@pytest.mark.live
@pytest.mark.parametrize("end", ENDS)
def test_daemon_threads_at_work(program, gateway, end):
    variables = {
        "METRICS_TEXTFILE": "shop.prom",
        "METRICS_FILE_SD": "workers.json",
        "METRICS_PUSH_URL": gateway.url,
    }
    done = program(DAEMONS + end, hook=False, **variables)
    assert (done.returncode, done.stdout, done.stderr) == (ENDS[end], "", "")
    assert prices(program.folder / "shop.prom") >= 1
    assert len(gateway.received) == 1
    assert (program.folder / "workers.json").read_text() == "[]\n"


def test_calls_before_and_after_our_turn(program):
    done = program(LATE, METRICS_TEXTFILE="shop.prom")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert prices(program.folder / "shop.prom") == 1


def test_calls_before_and_after_with_daemon_threads_at_work(program):
    done = program(LATE + DAEMONS, METRICS_TEXTFILE="shop.prom")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_exception_that_ends_it_is_shown_as_it_was(program):
    done = program(DAEMONS + "raise ValueError('end')", METRICS_TEXTFILE="shop.prom")
    assert done.returncode == 1
    assert done.stderr.endswith("    raise ValueError('end')\nValueError: end\n")
    assert done.stderr.count("Traceback") == 1
