"""Nothing is lost and nothing counted twice: threads, scrapes at any moment, forks."""

from __future__ import annotations

import gc

import pytest

THREADS = 8
PIECES = 125
CALLS = 1_000


@pytest.fixture
def counted(loom):
    """Weaves a function that does nothing; the clock stands still, for the sake of speed."""
    loom.clock = lambda: 0.0
    loom.metric("seconds", "histogram", name=5)
    loom.metric("calls_total", name=5, ok=("yes", "no"))

    def f(name):
        return name

    return loom.weave(
        f,
        loom.record("seconds", name="name"),
        loom.record("calls_total", name="name", ok="'yes' if ok(result) else 'no'"),
    )


def test_a_million_calls_from_eight_threads_while_somebody_scrapes_are_a_million(
    loom, counted, workers
):
    function = counted.function
    scrapes = []

    def call(number):
        name = str(number % 3)
        for _ in range(CALLS):
            function(name)

    def scrape(_):
        scrapes.append(loom.read("calls_total"))

    with (
        workers(scrape, threads=1) as scraper,
        workers(call, threads=THREADS, at_least=PIECES) as callers,
    ):
        # However fast the calls are, they go on until there were scrapes meanwhile.
        while scraper.pieces < 4 or callers.at_their_share:
            callers.let_them_work()

    made = callers.pieces * CALLS
    assert made >= 1_000_000
    assert loom.total("calls_total") == made
    assert sum(count for count, _ in loom.read("seconds").values()) == made
    assert counted.calls() == made
    totals = [sum(scrape.values()) for scrape in scrapes]
    assert totals == sorted(totals)


def test_a_child_counts_its_own_calls_and_the_parent_its_own(loom, counted, in_child):
    function = counted.function
    for _ in range(1000):
        function("parent")

    def child():
        before = loom.read("calls_total")
        for _ in range(700):
            function("child")
        return before, loom.read("calls_total"), counted.calls()

    assert in_child(child) == ({}, {("child", "yes"): 700}, 700)
    function("parent")
    assert loom.read("calls_total") == {("parent", "yes"): 1001}


def test_a_call_that_forks_is_recorded_in_both_processes(loom, in_child):
    loom.metric("calls_total")

    def forks():
        return in_child(lambda: loom.read("calls_total"))

    woven = loom.weave(forks, loom.record("calls_total"))
    assert woven.function() == {}
    assert loom.read("calls_total") == {(): 1}


def test_wrapped_finalisers_that_run_during_folds_are_counted_exactly(loom, counted):
    function = counted.function

    class Dies:
        def __del__(self):
            function("finaliser")

    count = 3000
    for _ in range(count):
        cycle = [Dies()]
        cycle.append(cycle)
        function("call")
        del cycle
        loom.store.fold()
    gc.collect()
    calls = loom.read("calls_total")
    assert calls == {("call", "yes"): count, ("finaliser", "yes"): count}


def test_a_clock_that_jumps_costs_no_call(loom):
    jumps = iter((0.0, -3600.0, 0.0, 86_400.0, 5.0, 5.0, 7.0, 7.25))
    loom.clock = lambda: next(jumps)
    woven = loom.counting(lambda: None)
    for _ in range(4):
        woven.function()
    assert loom.total("calls_total") == 4
    ((counts, total),) = loom.read("seconds").values()
    assert (counts, total) == (4, -3600.0 + 86_400.0 + 0.25)
    assert not loom.failures
