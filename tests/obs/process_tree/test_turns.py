"""One thread at a time, whatever interrupts it."""

from __future__ import annotations

import sys
import threading

import pytest

from ancestry_obs.process_tree.turns import InTheMidstError, Turns


def test_it_gives_what_the_step_gives_and_raises_what_it_raises():
    turns = Turns(0)
    assert turns.do(lambda: 5) == 5
    with pytest.raises(KeyError):
        turns.do(lambda: {}[1])
    assert turns.do(lambda: 6) == 6


def test_within_itself_it_refuses_and_goes_on():
    turns = Turns(60)
    with pytest.raises(InTheMidstError):
        turns.do(lambda: turns.do(int))
    assert turns.do(lambda: 7) == 7

    def step():
        with pytest.raises(InTheMidstError):
            turns.do(int)
        # It is still this thread's.
        seen = []
        thread = threading.Thread(target=lambda: seen.append(_refused(Turns.do, turns, int)))
        turns._patience = 0
        thread.start()
        thread.join()
        return seen

    assert turns.do(step) == [TimeoutError]


def _refused(call, *arguments):
    try:
        call(*arguments)
    except (TimeoutError, InTheMidstError) as error:
        return type(error)
    return None


def test_threads_come_one_after_the_other():
    turns, inside, most = Turns(60), [], []

    def step():
        inside.append(1)
        most.append(len(inside))
        sum(range(100))
        inside.pop()

    def work():
        for _ in range(200):
            turns.do(step)

    threads = [threading.Thread(target=work) for _ in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    finally:
        sys.setswitchinterval(interval)
    assert set(most) == {1}
    assert len(most) == 800


class Interrupted(BaseException):
    pass


def test_no_interruption_keeps_the_turn():
    """Python looks for what comes from outside where functions are called and return."""
    places = 0
    while _interrupted_at(places):
        places += 1
    # The function, `get_ident`, the clock, the step.
    assert places >= 6


def _interrupted_at(place):
    turns, seen = Turns(0), []

    def step():
        return len(seen)

    def interrupt(frame, event, _argument):
        within = frame.f_back if event in {"call", "return"} else frame
        if turns.do.__code__ in {frame.f_code, within.f_code}:
            seen.append(event)
            if len(seen) == place + 1:
                raise Interrupted

    sys.setprofile(interrupt)
    try:
        turns.do(step)
        was_interrupted = False
    except Interrupted:
        was_interrupted = True
    finally:
        sys.setprofile(None)
    assert turns.do(lambda: 1) == 1, f"kept by an interruption at {place}"
    return was_interrupted
