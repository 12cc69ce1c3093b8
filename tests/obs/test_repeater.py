from __future__ import annotations

import threading

from ancestry_obs.repeater import Repeater


def test_a_step_is_repeated_until_it_is_stopped():
    done, stopped = [], threading.Event()

    def step():
        done.append(threading.get_ident())
        if len(done) == 3:
            repeater.stop()
            stopped.set()

    repeater = Repeater(step, 0)
    repeater.start()
    assert stopped.wait(60)
    assert len(done) == 3
    assert {*done}.isdisjoint({threading.get_ident()})


def test_to_begin_twice_is_to_begin_once():
    threads, enough = set(), threading.Event()

    def step():
        threads.add(threading.get_ident())
        enough.set()

    repeater = Repeater(step, 0)
    repeater.start()
    repeater.start()
    assert enough.wait(60)
    repeater.stop()
    assert len(threads) == 1


def test_it_begins_again_after_a_stop():
    begun = threading.Event()
    repeater = Repeater(begun.set, 0)
    repeater.stop()
    for _ in range(2):
        repeater.start()
        assert begun.wait(60)
        begun.clear()
        repeater.stop()
