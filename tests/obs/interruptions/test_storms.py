"""Interruptions of every kind at places that Hypothesis chooses: results are right, totals too.

`nox -s nightly` has 100,000 of them, the tests a few hundred.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.obs.compiler.conftest import Loom
from tests.obs.interruptions.conftest import AlarmError, Interruption

INTERRUPTIONS = int(os.environ.get("INTERRUPTIONS", "300"))
EACH = 20


class AsyncError(Exception):
    """What another thread sets."""


class Finalized:
    """What the collector finds in a cycle; its end is a measured call."""

    def __init__(self, end):
        self.end = end
        self.cycle = self

    def __del__(self):
        self.end("collected")


def send(url):
    return len(url)


def depth():
    frame, frames = sys._getframe(), 0
    while frame:
        frame, frames = frame.f_back, frames + 1
    return frames


def is_ours_or_here(code):
    name = code.co_filename
    return "/ancestry_obs/" in name or name.startswith("<ancestry-obs") or name == __file__


class Program:
    """A measured function, what interrupts it, and what must be counted."""

    def __init__(self, way):
        self.loom = Loom(way=way)
        self.loom.metric("seconds", "histogram", url=9)
        self.loom.metric("calls_total", url=9)
        self.loom.metric("sizes", "histogram")
        self.loom.metric("flying", "in_flight")
        self.function = self.loom.weave(
            send,
            self.loom.record("seconds", url="lower(url)"),
            self.loom.record("calls_total", url="url"),
            self.loom.record("sizes", value="length(url)"),
            self.loom.record("flying", on="call"),
        ).function
        self.made = 0
        self.affected = 0

    def call(self, url="A"):
        self.made += 1
        return self.function(url)

    def interrupted(self, kind, at, url):
        """Call it with an interruption; whatever comes out of it is what was put in, or its own."""
        interruption = Interruption(at, getattr(self, f"_{kind}"), is_ours_or_here)
        try:
            with interruption:
                assert self.call(url) == len(url)
        except AlarmError:
            assert kind == "alarm"
        else:
            assert not (interruption.has_struck and kind == "alarm"), interruption
        self.affected += interruption.has_struck and kind == "alarm"

    def _alarm(self, *_):
        raise AlarmError

    def _fork(self, *_):
        child = os.fork()
        if child:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            return
        # The child begins with nothing, whatever its parent was in the midst of.
        try:
            self.loom.store.fold()
            before = self.counts()["calls_total"]
            self.function("A")
            os._exit(self.counts()["calls_total"] - before != 1 or before != 0)
        finally:
            os._exit(9)

    def _fold(self, *_):
        self.loom.store.fold()

    def recursing(self, *room):
        """Call it where the stack has only so many frames left."""

        def down(left):
            return down(left - 1) if left else self.call()

        for each in room:
            try:
                assert down(sys.getrecursionlimit() - depth() - each) == 1
            except RecursionError:
                # There was no room for the body either; such a call may not have begun.
                self.affected += 1

    def collected(self):
        """Let the collector run in the midst of calls; what it ends makes one, too."""
        for _ in range(5):
            self.made += 1
            Finalized(self.function)
        gc.collect(0)

    def set_by_another_thread(self):
        """Have another thread set an exception while calls are made."""
        me = ctypes.c_ulong(threading.get_ident())
        thread = threading.Thread(
            target=ctypes.pythonapi.PyThreadState_SetAsyncExc,
            args=(me, ctypes.py_object(AsyncError)),
        )
        try:
            thread.start()
            while True:
                self.call()
        except AsyncError:
            self.affected += 1
        finally:
            thread.join()

    def counts(self):
        self.loom.store.fold()
        series = {
            family.spec.name: [each for _, each in family.series()]
            for family in self.loom.store.families()
        }
        assert sum(each.value for each in series["flying"]) == 0
        # Where there was no room for a call of ours, its value could not be worked out.
        dropped = self.loom.store.expression_errors["m:send", "sizes", "stack"]
        return {
            "seconds": sum(sum(each.counts) for each in series["seconds"]),
            "calls_total": sum(each.value for each in series["calls_total"]),
            "sizes": sum(sum(each.counts) for each in series["sizes"]) + dropped,
        }


AT = st.integers(1, 160)
URLS = st.sampled_from(("A", "b", "Ccc", "new"))
STRIKES = st.lists(
    st.tuples(st.sampled_from((*["alarm"] * 30, *["fold"] * 8, "fork")), AT, URLS),
    min_size=EACH,
    max_size=EACH,
)


@settings(
    max_examples=max(1, INTERRUPTIONS // EACH),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(way=st.sampled_from(("inline", "call")), strikes=STRIKES, room=st.integers(2, 40))
def test_results_and_totals_whatever_interrupts(way, strikes, room):
    program = Program(way)
    for strike in strikes:
        program.interrupted(*strike)
    program.collected()
    program.set_by_another_thread()
    program.recursing(room, room + 1, room + 2)
    found = program.counts()
    assert len({*found.values()}) == 1, found
    assert program.made - program.affected <= found["seconds"] <= program.made
