import threading

import pytest

from ancestry_core.fair_lock import FairLock


def wait_until(condition):
    """Yield to the other threads until they have got somewhere; they only wait for us."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.001)


def test_waiting_threads_get_their_turn_in_the_order_of_asking():
    turn, order, threads = FairLock(), [], []

    def take(number):
        with turn:
            order.append(number)

    with turn:
        for number in range(8):
            threads.append(threading.Thread(target=take, args=(number,)))
            threads[-1].start()
            wait_until(lambda number=number: turn.waiting == number + 1)
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_only_one_thread_is_inside():
    turn, inside, seen = FairLock(), [], []

    def work():
        for _ in range(200):
            with turn:
                inside.append(1)
                seen.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {1}
    assert len(seen) == 800


def test_an_error_inside_passes_the_turn_on():
    turn = FairLock()
    with pytest.raises(KeyError), turn:
        raise KeyError
    with turn:
        assert turn.waiting == 0


class Interrupted:
    """A gate at which Ctrl-C arrives, before or after it was given the turn."""

    def __init__(self, turn, *, given):
        self.turn, self.given, self.calls = turn, given, 0

    def acquire(self):
        self.calls += 1
        if self.calls == 2:
            if self.given:
                self.turn.__exit__(None, None, None)
            raise KeyboardInterrupt

    def release(self):
        pass


@pytest.mark.parametrize("given", [False, True])
def test_ctrl_c_while_waiting_leaves_no_turn_that_nobody_takes(monkeypatch, given):
    turn = FairLock()
    turn.__enter__()
    monkeypatch.setattr(threading, "Lock", lambda: Interrupted(turn, given=given))
    with pytest.raises(KeyboardInterrupt):
        turn.__enter__()
    monkeypatch.undo()
    assert turn.waiting == 0
    if not given:
        turn.__exit__(None, None, None)
    with turn:
        pass
    assert turn._held is False
