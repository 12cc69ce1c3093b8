"""Nothing is lost and nothing counted twice: threads, scrapes at any moment, forks."""

from __future__ import annotations

import gc
import threading

import pytest

THREADS = 8
EACH = 125_000
# How many calls a thread makes before it looks around.
BLOCK = 500


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


def run(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_million_calls_from_eight_threads_while_somebody_scrapes_are_a_million(loom, counted):
    function = counted.function
    done, scraped = threading.Event(), threading.Event()
    scrapes = []
    made = [0] * THREADS

    def work(number):
        # However fast it is, it goes on until there were scrapes meanwhile.
        while made[number] < EACH or not scraped.is_set():
            for _ in range(BLOCK):
                function(str(number % 3))
            made[number] += BLOCK

    def scrape():
        try:
            while not done.is_set():
                scrapes.append(loom.read("calls_total"))
                if len(scrapes) > 2:
                    scraped.set()
        finally:
            scraped.set()

    scraper = threading.Thread(target=scrape)
    scraper.start()
    run([threading.Thread(target=work, args=(n,)) for n in range(THREADS)])
    done.set()
    scraper.join()

    assert min(made) >= EACH
    assert loom.total("calls_total") == sum(made)
    assert sum(count for count, _ in loom.read("seconds").values()) == sum(made)
    assert counted.calls() == sum(made)
    assert len(scrapes) > 2
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
