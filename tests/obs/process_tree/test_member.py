"""One process of a run, its thread's steps done by hand."""

from __future__ import annotations

import errno
import logging
import os
import signal
import threading
from pathlib import Path

import pytest

from ancestry_obs.process_tree import member as module
from ancestry_obs.process_tree.member import Member
from ancestry_obs.process_tree.run_folder import RunFolder
from ancestry_obs.process_tree.turns import Turns

# CPython warns of a fork beside threads, which is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


class Process:
    """A member with what it measured, and without a thread: a step is done when a test says so."""

    def __init__(self, folder, counted, patch):
        self.counted = counted
        self.calls = {"a": 0}
        self.failed = 0
        self.asked = 0
        self.serves = True
        self.threads = []
        patch.setattr(module, "start_new_thread", self.start)
        self.member = Member(folder, self.take, self.lead, self.fail)

    def start(self, work, arguments):
        self.threads.append((work, arguments))

    def take(self):
        return self.counted(**self.calls)

    def lead(self):
        self.asked += 1
        return self.serves

    def fail(self):
        self.failed += 1


@pytest.fixture
def process(folder, counted, monkeypatch):
    process = Process(folder, counted, monkeypatch)
    yield process
    process.member.end()
    process.member.leave()


@pytest.fixture
def seen(folder, calls):
    """Give what everybody in the run sees."""

    def see():
        return calls(RunFolder(folder).others()[0])

    return see


@pytest.fixture
def other(folder):
    """Another process, as far as the page is concerned: it has the lock."""
    # The system's lock is a process's: another one is needed.
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        RunFolder(folder).lead()
        os.write(ready[1], b".")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)

    def end():
        os.write(go[1], b".")
        os.waitpid(child, 0)

    yield end
    os.write(go[1], b".")


def test_who_measures_nothing_hands_nothing_over(process, seen, other):
    process.member.join()
    assert process.threads == []
    process.member.end()
    assert seen() == {}


def test_it_hands_over_what_has_changed(process, seen, monkeypatch):
    process.member.join()
    process.member.begin()
    process.member.begin()
    assert len(process.threads) == 1
    process.calls["a"] = 1
    process.member._step()
    assert seen() == {"a": 1}
    written = []
    real = process.member._folder.hand_over
    monkeypatch.setattr(process.member._folder, "hand_over", lambda d: (written.append(d), real(d)))
    process.member._step()
    assert written == []
    process.calls["a"] = 2
    process.member._step()
    assert len(written) == 1
    assert seen() == {"a": 2}


def test_its_thread_looks_until_the_end(process, seen, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.001)
    process.member.begin()
    ((work, arguments),) = process.threads
    turns = []

    def step():
        turns.append(1)
        if len(turns) == 3:
            process.calls["a"] = 7
            process.member.end()

    monkeypatch.setattr(process.member, "_step", step)
    work(*arguments)
    assert len(turns) == 3
    assert seen() == {"a": 7}


def test_after_the_end_nothing_is_handed_over_any_more(process, seen):
    process.member.join()
    process.member.begin()
    process.calls["a"] = 1
    process.member.end()
    process.calls["a"] = 2
    process.member._step()
    process.member.hand_over()
    process.member.end()
    assert seen() == {"a": 1}
    assert process.failed == 0


def test_the_first_serves_the_page_and_nobody_asks_it_to(process):
    process.member.join()
    process.member._step()
    assert process.member.is_leading
    assert process.asked == 0


def test_it_takes_over_and_asks_until_it_serves(process, other):
    process.member.join()
    process.member.begin()
    process.member._step()
    assert (process.member.is_leading, process.asked) == (False, 0)
    process.serves = False
    other()
    process.member._step()
    process.member._step()
    assert (process.member.is_leading, process.asked) == (True, 2)
    process.serves = True
    process.member._step()
    process.member._step()
    assert process.asked == 3


def test_what_serving_raises_is_told_and_tried_again(process, other, caplog, monkeypatch):
    def lead():
        raise LookupError("no port")

    monkeypatch.setattr(process.member, "_lead", lead)
    other()
    process.member._step()
    process.member._step()
    assert process.failed == 2
    assert [each.message for each in caplog.records] == [
        "the page of the run lacks what one of its processes measured: no port"
    ]


def test_who_has_ended_takes_over_nothing(process, other):
    process.member.join()
    process.member.begin()
    process.member.end()
    other()
    process.member._step()
    assert not process.member.is_leading


@pytest.mark.parametrize("method", ["fork"])
def test_a_forked_child_begins_with_nothing(process, seen, in_child, method):
    process.member.join()
    process.member.begin()
    process.calls["a"] = 5
    process.member.hand_over()

    def child():
        leads, looks = process.member.is_leading, process.member._looking
        process.calls["a"] = 2
        process.member.begin()
        process.member.end()
        process.member.leave()
        return leads, looks

    assert in_child(child) == (False, None)
    assert seen() == {"a": 7}


def test_a_child_forked_in_the_midst_of_everything_does_not_wait(process, in_child, monkeypatch):
    process.member.join()
    process.member.begin()

    def child():
        process.member.hand_over()
        process.member.others()
        return process.failed

    def fork():
        found = []
        # A thread that is not there in the child has the turn.
        thread = threading.Thread(target=lambda: found.append(in_child(child)))
        thread.start()
        thread.join()
        return found

    found = []
    process.member._rest.do(lambda: process.member._own.do(lambda: found.extend(fork())))
    assert found == [0]


def test_a_thread_that_cannot_start_is_told_and_tried_again(process, monkeypatch, caplog):
    def too_many(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(module, "start_new_thread", too_many)
        process.member.begin()
    assert process.failed == 1
    assert "can't start new thread" in caplog.text
    process.member.begin()
    assert len(process.threads) == 1


def test_an_interrupted_beginning_is_tried_again(process, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "start_new_thread", interrupted)
        with pytest.raises(KeyboardInterrupt):
            process.member.begin()
    process.member.begin()
    assert len(process.threads) == 1


def test_an_interrupted_end_can_be_done_again(process, seen, monkeypatch):
    process.member.join()
    process.member.begin()
    process.calls["a"] = 1

    def interrupted(_data):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(process.member._folder, "hand_over", interrupted)
        with pytest.raises(KeyboardInterrupt):
            process.member.end()
    process.member.end()
    assert seen() == {"a": 1}


def test_ctrl_c_reaches_the_program_and_nobody_waits_after_it(process, monkeypatch):
    process.member.join()

    def interrupted():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(process.member._folder, "others", interrupted)
        with pytest.raises(KeyboardInterrupt):
            process.member.others()
    monkeypatch.setattr(process.member, "_rest", _hasty(process.member._rest))
    assert process.member.others()[1] == 0
    assert process.failed == 0


def _hasty(turns):
    turns._patience = 0
    return turns


def test_what_a_signal_handler_raises_is_the_programs(process, monkeypatch):
    class TimeIsUpError(OSError):
        pass

    def handler(_number, _frame):
        raise TimeIsUpError("of the program's")

    def others():
        os.kill(os.getpid(), signal.SIGUSR1)
        return real()

    real = process.member._folder.others
    monkeypatch.setattr(process.member._folder, "others", others)
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(TimeIsUpError):
            process.member.others()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_an_end_within_a_hand_over_hands_over(process, seen, monkeypatch):
    """As a signal handler that calls `os._exit` does."""
    process.member.join()
    process.member.begin()
    process.calls["a"] = 3
    real, within = process.member._folder.hand_over, []

    def hand_over(data):
        if not within:
            within.append(1)
            process.calls["a"] = 4
            process.member.end()
            within.append(seen())
        real(data)

    monkeypatch.setattr(process.member._folder, "hand_over", hand_over)
    process.member.hand_over()
    assert within == [1, {"a": 4}]


def test_the_page_within_a_page_is_as_of_the_last_time(process, calls, leave_one, monkeypatch):
    leave_one(b=1)
    assert calls(process.member.others()[0]) == {"b": 1}
    real, within = process.member._folder.others, []

    def others():
        within.append(calls(process.member.others()[0]))
        return real()

    monkeypatch.setattr(process.member._folder, "others", others)
    leave_one(b=1)
    assert calls(process.member.others()[0]) == {"b": 2}
    assert within == [{"b": 1}]


@pytest.fixture
def leave_one(folder, counted, in_child):
    def leave(**measured):
        in_child(lambda: RunFolder(folder).hand_over(counted(**measured).as_bytes()))

    return leave


def test_a_full_disk_is_told_once_and_counted_and_over_some_day(process, seen, caplog, monkeypatch):
    process.member.join()
    process.calls["a"] = 1
    process.member._step()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", f"file {process.calls}")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        for _ in range(3):
            process.calls["a"] += 1
            process.member._step()
    assert process.failed == 3
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING
    assert "No space left on device" in caplog.text
    assert seen() == {"a": 1}
    process.member._step()
    assert seen() == {"a": 4}


def test_a_folder_that_is_taken_away_leaves_the_page_what_it_had(
    process, folder, calls, leave_one, caplog
):
    process.member.join()
    process.member.begin()
    leave_one(b=2)
    assert calls(process.member.others()[0]) == {"b": 2}
    Path(folder).rename(f"{folder}-away")
    assert calls(process.member.others()[0]) == {"b": 2}
    process.member._step()
    process.member.end()
    process.member.leave()
    assert process.failed >= 3
    assert len(caplog.records) == 1


def test_a_log_that_fails_and_a_log_that_asks_for_the_page_do_no_harm(process, monkeypatch):
    class Handler(logging.Handler):
        def handle(self, _record):
            # Nobody is in the midst of it while the program's code is called.
            asked.append(process.member.others())
            raise ValueError("a log of the program's")

    asked = []
    handler = Handler()
    logging.getLogger("ancestry_obs").addHandler(handler)
    monkeypatch.setattr(process.member, "_take", lambda: {}["nothing"])
    try:
        process.member.hand_over()
    finally:
        logging.getLogger("ancestry_obs").removeHandler(handler)
    assert process.failed == 1
    assert len(asked) == 1


def test_whatever_taking_raises_the_thread_goes_on(process, seen, monkeypatch):
    process.member.begin()

    def broken():
        raise RuntimeError("dictionary changed size during iteration")

    with monkeypatch.context() as patch:
        patch.setattr(process.member, "_take", broken)
        process.member._step()
    process.calls["a"] = 1
    process.member._step()
    assert (process.failed, seen()) == (1, {"a": 1})


def test_a_thread_that_hangs_is_waited_for_as_long_as_there_is_patience(process, caplog):
    process.member._own = Turns(0)
    process.member._own._thread = -1
    process.calls["a"] = 1
    process.member.hand_over()
    assert process.failed == 1
    assert "another thread is at it" in caplog.text


def test_who_reads_later_hands_over_later(process, seen):
    """Two threads: what the second one reads is never replaced by what the first one has read."""
    process.member._own._patience = 0
    process.calls["a"] = 1

    def take():
        totals = process.take()
        process.calls["a"] = 2
        thread = threading.Thread(target=process.member.hand_over)
        thread.start()
        thread.join()
        return totals

    process.member.hand_over(take)
    # The other one had to wait, and has given up.
    assert (seen(), process.failed) == ({"a": 1}, 1)
    process.member.hand_over()
    assert seen() == {"a": 2}


def test_to_give_way_and_go_on_all_the_same_counts_once(process, seen):
    process.member.join()
    process.member.begin()
    process.calls["a"] = 1
    process.member.give_way()
    assert seen() == {"a": 1}
    process.calls["a"] = 2
    process.member._step()
    assert seen() == {"a": 2}


def test_a_change_is_made_while_nothing_is_handed_over(process):
    process.member._own._patience = 0
    seen = []

    def change():
        thread = threading.Thread(target=process.member.hand_over)
        thread.start()
        thread.join()
        seen.append(process.failed)

    process.member.still(change)
    assert seen == [1]
    # A sample that hangs keeps no map from being changed; what the change raises is its own.
    process.member._own._thread = -1
    process.member.still(lambda: seen.append("changed"))
    assert seen == [1, "changed"]
    process.member._own._thread = 0
    with pytest.raises(KeyError):
        process.member.still(lambda: {}[1])


def test_the_labels_of_a_page_are_limited_whatever_happens(process, counted, monkeypatch):
    def keep(shown):
        return set(counted(1, b=1, a=1).limited(shown).metrics.popitem()[1])

    monkeypatch.setattr(os, "replace", lambda *_: _raise(OSError(errno.ENOSPC, "No space")))
    assert process.member.limited(keep) == {("b",), ("other",)}
    within = []
    process.member._rest.do(lambda: within.append(process.member.limited(keep)))
    assert within == [{("b",), ("other",)}]


def _raise(error):
    raise error


def test_the_last_one_leaves_no_folder(process, folder):
    process.member.join()
    process.member.begin()
    process.member.end()
    assert Path(folder).exists()
    process.member.leave()
    assert not Path(folder).exists()
    process.member.leave()
    assert process.failed == 0


def test_a_damaged_file_is_told(process, folder, leave_one, caplog):
    leave_one(a=1)
    (file,) = Path(folder).glob("*.totals")
    file.write_bytes(b"nothing of the kind")
    for _ in range(3):
        process.member.others()
    assert process.failed == 1
    assert "damaged, or of another version" in caplog.text


def test_it_tells_who_lives_or_of_itself_if_the_folder_is_gone(process, monkeypatch):
    process.member.join()
    assert process.member.living() == [os.getpid()]

    def gone():
        raise FileNotFoundError("the run is over")

    monkeypatch.setattr(process.member._folder, "living", gone)
    assert process.member.living() == [os.getpid()]
    assert process.failed == 1
