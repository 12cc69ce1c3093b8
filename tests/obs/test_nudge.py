from __future__ import annotations

import os
import signal
import threading

import pytest

from ancestry_obs import nudge as module
from ancestry_obs.nudge import Nudge

NUMBER = signal.SIGUSR1


@pytest.fixture
def woken(monkeypatch):
    """How often the main thread was woken; the test goes on by then."""
    times = []
    monkeypatch.setattr(module, "_do_nothing", lambda *_: times.append(threading.get_ident()))
    return times


def tell(nudge, number=NUMBER):
    """Do what Python's handler in C does."""
    os.write(nudge._ends[1], bytes([number]))


def test_who_has_not_looked_is_woken_until_it_has(woken):
    nudge = Nudge([NUMBER], lambda: len(woken) < 3)
    nudge.start()
    try:
        tell(nudge)
        while len(woken) < 3:
            signal.pause()
    finally:
        nudge.stop()
    assert woken == [threading.main_thread().ident] * 3


def test_other_signals_and_those_that_are_handled_wake_nobody(woken):
    looked = threading.Semaphore(0)

    def is_waiting():
        looked.release()
        return False

    nudge = Nudge([NUMBER], is_waiting)
    nudge.start()
    try:
        tell(nudge, signal.SIGUSR2)
        tell(nudge)
        assert looked.acquire(timeout=60)
    finally:
        nudge.stop()
    assert woken == []


def test_what_the_program_uses_for_itself_is_left_to_it():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    nudge = Nudge([NUMBER], lambda: True)
    try:
        nudge.start()
        assert nudge._ends is None
        nudge.stop()
        assert signal.set_wakeup_fd(-1) == writer
        signal.signal(signal.SIGURG, signal.SIG_IGN)
        nudge.start()
        assert nudge._ends is None
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.signal(signal.SIGURG, signal.SIG_DFL)
        os.close(reader)
        os.close(writer)


def test_afterwards_all_is_as_before_and_in_a_forked_child_too(in_child):
    def state():
        former = signal.set_wakeup_fd(-1)
        return former, signal.getsignal(signal.SIGURG) == signal.SIG_DFL

    nudge = Nudge([NUMBER], lambda: True)
    nudge.start()
    nudge.start()
    number = nudge._ends[0]

    def child():
        nudge.stop()
        return state(), nudge._ends

    try:
        assert in_child(child) == ((-1, True), None)
    finally:
        nudge.stop()
        nudge.stop()
    assert state() == (-1, True)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(number)
