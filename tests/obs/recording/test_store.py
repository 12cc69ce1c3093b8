from __future__ import annotations

import contextlib
import signal
import sys
import threading

import pytest

from ancestry_obs.recording import FULL, Buffer, CounterSeries, Store

# Python 3.12 warns of a fork while other threads run, which is what that test is about.
WARNING = (
    pytest.warns(DeprecationWarning, match="multi-threaded")
    if sys.version_info >= (3, 12)
    else contextlib.nullcontext()
)


def total(store):
    store.fold()
    return sum(series.value for family in store.families() for _, series in family.series())


def test_an_unchanged_metric_keeps_its_family_and_a_changed_one_starts_anew(store, metric):
    family = store.family(metric(a=5))
    assert store.family(metric(a=5)) is family
    assert store.family(metric(a=6)) is not family
    assert len(store.families()) == 1


def test_a_dropped_metric_is_gone(store, metric):
    store.family(metric(name="a_total")).inc(())
    store.family(metric(name="b_total")).inc(())
    store.drop("a_total")
    store.drop("never_there_total")
    assert [family.name for family in store.families()] == ["ns_b_total"]
    assert store.series_count() == 1


def test_without_a_namespace_a_name_stays_as_it_is(metric):
    assert Store("").family(metric(name="a_total")).name == "a_total"


def test_values_that_the_fold_drops_are_counted_for_target_and_metric(store, metric):
    family = store.family(metric("histogram"))
    probe = store.probe("m:f")
    probe.open(0, lambda: Buffer(probe, (family.at(()),))).extend([1.0, float("nan")])
    store.fold()
    assert store.expression_errors == {("m:f", "a_histogram", "value"): 1}


def test_a_dropped_value_of_a_metric_that_is_gone_is_counted_without_its_name(store, metric):
    family = store.family(metric())
    probe = store.probe("m:f")
    probe.open(0, lambda: Buffer(probe, (family.at(()),))).append(-1.0)
    store.drop("a_counter")
    store.fold()
    assert store.expression_errors == {("m:f", "", "value"): 1}


def test_failures_are_counted_at_the_fold_and_do_not_pile_up(store):
    for _ in range(3 * FULL):
        store.count_failure("m:f", "a", "label")
        store.count_overflows([("a", "label")])
    assert len(store._failures) < FULL
    store.fold()
    assert store.expression_errors == {("m:f", "a", "label"): 3 * FULL}
    assert store.overflows == {("a", "label"): 3 * FULL}


def test_while_somebody_reads_nothing_moves(store, metric):
    family = store.family(metric())
    family.inc((), 5)
    with store.reading():
        for _ in range(2 * FULL):
            family.inc(())
        store.fold()
        with store.reading():
            assert family.series()[0][1].value == 5
    assert total(store) == 5 + 2 * FULL


def test_a_reader_lets_go_of_the_lock_between_portions(store, metric):
    """What is buffered is folded in portions first; only what comes meanwhile is folded at once."""
    family = store.family(metric(a=1000))
    for number in range(600):
        family.inc((str(number),))
    fold, sizes = store._fold, []

    def watched(buffers):
        buffers = list(buffers)
        sizes.append(sum(map(bool, buffers)))
        fold(buffers)
        if len(sizes) == 1:
            family.inc(("0",))

    store._fold = watched
    with store.reading():
        assert sum(series.value for _, series in family.series()) == 601
    assert sizes == [256, 256, 88, 1]


def test_a_wrapped_call_in_another_thread_does_not_wait_for_a_reader(store, metric):
    family = store.family(metric())
    with store.reading():
        thread = threading.Thread(target=lambda: [family.inc(()) for _ in range(2 * FULL)])
        thread.start()
        thread.join(timeout=30)
        assert not thread.is_alive()
    assert total(store) == 2 * FULL


def test_a_finaliser_that_records_during_a_fold_neither_waits_nor_loses_anything(store, metric):
    family = store.family(metric())

    class Records:
        def __del__(self):
            for _ in range(FULL):
                family.inc(())
            store.fold()

    class Series(CounterSeries):
        left = 2

        def take(self, chunk):
            if self.left:
                self.left -= 1
                Records()  # dies at once, in the middle of the fold
            return super().take(chunk)

    family._series[()] = series = Series()
    family.inc(())
    store.fold()
    assert series.value == 1
    store.fold()
    store.fold()
    assert series.value == 1 + 2 * FULL


def test_a_signal_handler_that_records_and_folds_during_a_fold_does_not_block(store, metric):
    family = store.family(metric())

    class Series(CounterSeries):
        def take(self, chunk):
            signal.raise_signal(signal.SIGUSR1)
            return super().take(chunk)

    def handler(*_):
        family.inc((), 100)
        with store.reading():
            pass

    family._series[()] = series = Series()
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        family.inc(())
        store.fold()
        assert series.value == 1
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        store.fold()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert series.value == 101


@pytest.mark.parametrize("threads", [8])
def test_threads_and_a_reader_lose_nothing_and_count_nothing_twice(store, metric, workers, threads):
    family = store.family(metric(worker=20))

    def work(number):
        for _ in range(100):
            family.inc((number % 4,))

    def read(_):
        with store.reading():
            pass

    with (
        workers(read, threads=1) as reader,
        workers(work, threads=threads, at_least=100) as callers,
    ):
        while reader.pieces < 10 or callers.at_their_share:
            callers.let_them_work()
    assert total(store) == callers.pieces * 100 >= threads * 10_000


def test_a_forked_child_starts_empty_and_counts_for_itself(store, metric, in_child):
    family = store.family(metric(a=1))
    for _ in range(3):
        family.inc(("x",))
    store.count_failure("m:f", "a", "b")
    store.count_overflows([("a", "b")])

    def child():
        before = (total(store), store.series_count(), dict(store.expression_errors))
        family.inc(("y",))
        return (
            before,
            total(store),
            dict(store.overflows),
            [labels for labels, _ in family.series()],
        )

    assert in_child(child) == ((0, 0, {}), 1, {}, [("y",)])
    assert total(store) == 3


def test_a_fork_while_another_thread_folds_leaves_the_child_a_free_lock(store, metric, in_child):
    family = store.family(metric())
    store._lock = threading.RLock()
    taken, release = threading.Event(), threading.Event()

    def hold():
        with store.reading():
            taken.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    try:
        with WARNING:
            answer = in_child(lambda: (family.inc(()), total(store))[1])
    finally:
        release.set()
        holder.join()
    assert answer == 1


def test_a_retired_probe_is_folded_until_its_user_is_gone(store, metric):
    family = store.family(metric())
    probe = store.probe("m:f")
    buffer = probe.open(0, lambda: Buffer(probe, (family.at(()),)))

    def user():
        buffer.append(1.0)

    store.retire(probe, user)
    user()
    assert total(store) == 1
    user()
    del user
    assert total(store) == 2
    buffer.append(1.0)
    assert total(store) == 2
