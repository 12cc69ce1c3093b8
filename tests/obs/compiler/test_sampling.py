"""Counted exactly, timed for some: which calls are, what that costs, and what comes of it."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from bisect import bisect_left
from itertools import accumulate, cycle, islice
from math import sqrt
from random import Random
from statistics import fmean, pstdev

import pytest
from tests.obs.compiler.conftest import Loom

from ancestry_obs.compiler.sampling import Countdown, gaps

CALLS = 60_000
SHARE = 0.02


def function(n):
    return n


def refuse(n):
    raise ValueError(n)


def generator(n):
    yield n


async def coroutine(n):
    return n


async def async_generator(n):
    yield n


async def drain(stream):
    return [each async for each in stream]


def refused(made):
    with pytest.raises(ValueError, match="1"):
        made(1)


CALLED = {
    function: lambda made: made(1),
    refuse: refused,
    generator: lambda made: list(made(1)),
    coroutine: lambda made: asyncio.run(made(1)),
    async_generator: lambda made: asyncio.run(drain(made(1))),
}


@pytest.mark.parametrize("original", CALLED, ids=lambda each: each.__name__)
def test_the_others_are_counted_and_do_not_look_at_the_clock(loom, original):
    loom.gaps = lambda _: cycle([2])
    woven = loom.counting(original, sample=0.3)
    for _ in range(7):
        CALLED[original](woven.function)
    # The third and the sixth, twice each.
    assert loom.clock.now + 1 == 4
    assert woven.calls() == 7
    assert loom.read("calls_total") == {(): 7}
    assert loom.read("seconds") == {(): (7, 7.0)}


def test_the_share_is_what_the_gaps_are_asked_for(loom):
    asked = []
    loom.gaps = lambda share: asked.append(share) or cycle([0])
    loom.counting(function, sample=0.25)
    assert asked == [0.25]


def test_without_a_share_nothing_counts_down(loom):
    assert "countdown" not in loom.counting(function).source


def test_a_condition_and_labels_are_worked_out_for_every_call(loom):
    loom.gaps = lambda _: cycle([1])
    loom.metric("seconds", "histogram", n=9)
    loom.metric("odd_total")
    woven = loom.weave(
        function,
        loom.record("seconds", n="n"),
        loom.record("odd_total", when="n % 2 == 1"),
        sample=0.5,
    )
    for n in (0, 0, 1, 1, 1, 1):
        woven.function(n)
    assert loom.read("odd_total") == {(): 4}
    assert loom.read("seconds") == {("0",): (2, 2.0), ("1",): (4, 4.0)}


def test_a_call_that_is_timed_for_one_instrument_is_timed_for_all(loom):
    loom.metric("seconds", "histogram")
    loom.metric("calls_total")
    some = loom.advice(loom.record("seconds"), sample=0.1)
    counts = loom.advice(loom.record("calls_total"))
    every = loom.advice(loom.record("seconds", when="n > 0"))
    assert "countdown" in loom.weave(function, advices=(some, counts)).source
    assert "countdown" not in loom.weave(function, advices=(some, every)).source
    # It times nothing.
    assert "clock" not in loom.weave(function, advices=(counts,), sample=0.1).source


def test_what_has_to_know_each_call_s_seconds_has_them(loom):
    loom.metric("seconds", "histogram")
    loom.metric("slow_total")
    records = loom.record("seconds"), loom.record("slow_total", when="elapsed > 0")
    woven = loom.weave(function, *records, sample=0.01)
    for _ in range(5):
        woven.function(1)
    assert loom.read("slow_total") == {(): 5}


def test_a_countdown_that_threads_have_brought_below_0_ends(loom):
    loom.gaps = lambda _: cycle([-1, 0])
    woven = loom.counting(function, sample=0.5)
    for _ in range(3):
        woven.function(1)
    assert loom.clock.now + 1 == 6


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_gaps_have_the_share_that_is_asked_for(share):
    drawn = [*islice(gaps(share, Random(7).random), 1024)]
    expected, spread = (1 - share) / share, sqrt(1 - share) / share
    assert abs(fmean(drawn) - expected) < 3 * spread / sqrt(1024)
    # No memory: as likely to go on as to begin.
    longer = [gap for gap in drawn if gap >= expected]
    assert abs(fmean(longer) - expected - expected) < 4 * spread / sqrt(len(longer)) + 1


def test_gaps_take_no_random_number_of_the_program_s(monkeypatch):
    # Another module of that name may stand in its place.
    monkeypatch.setitem(sys.modules, "random", None)
    state = random.getstate()
    assert len({*islice(gaps(0.01), 100)}) > 1
    assert random.getstate() == state


def test_the_least_and_the_largest_number_give_a_gap():
    assert next(gaps(0.001, lambda: 0.0)) == 0
    assert next(gaps(0.001, lambda: 1 - 2**-53)) == 36_718


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_each_forked_child_draws_anew():
    countdown = Countdown(share=0.0001)
    seen = set()
    for _ in range(4):
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.write(write, str(countdown.left).encode())
            os._exit(0)
        os.close(write)
        seen.add(os.read(read, 100))
        os.close(read)
        os.waitpid(child, 0)
    # Once in a hundred million runs all are alike.
    assert len(seen) > 1


def _mixed(draw):
    return draw.gauss(0.02, 0.002) if draw.random() < 0.9 else draw.gauss(0.5, 0.05)


DISTRIBUTIONS = {
    "exponential": lambda draw: draw.expovariate(20),
    "lognormal": lambda draw: draw.lognormvariate(-3, 1),
    "uniform": lambda draw: draw.uniform(0.01, 0.2),
    "two humps": lambda draw: abs(_mixed(draw)),
}


class Scripted:
    """A clock by which each call that looks twice takes the next seconds."""

    def __init__(self):
        self.seconds = 0.0
        self.now = 0.0
        self.has_begun = False

    def __call__(self):
        if self.has_begun:
            self.now += self.seconds
        self.has_begun = not self.has_begun
        return self.now


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
def test_quantiles_and_means_are_those_of_all_calls(kind):
    draw = Random(kind)
    bounds = tuple(0.002 * 1.1**n for n in range(80))
    loom = Loom(clock=Scripted(), gaps=lambda share: gaps(share, Random(1).random))
    loom.metric("seconds", "histogram", buckets=bounds)
    woven = loom.weave(function, loom.record("seconds"), sample=SHARE)
    true = []
    for number in range(CALLS):
        loom.clock.seconds = DISTRIBUTIONS[kind](draw)
        true.append(loom.clock.seconds)
        woven.function(number)
    loom.store.fold()
    ((_, series),) = loom.store.families()[0].series()
    assert sum(series.counts) == CALLS
    true.sort()
    # What is timed does not stand for quite as many calls each, which costs half as much again.
    known = CALLS * SHARE / 1.5
    assert abs(series.sum / CALLS - fmean(true)) < 4 * pstdev(true) / sqrt(known)
    cumulative = [*accumulate(series.counts)]
    for quantile in (0.5, 0.9, 0.95, 0.99):
        bucket = bisect_left(bounds, true[int(CALLS * quantile)])
        share = bisect_left(true, bounds[bucket]) / CALLS
        # As far as a sample of so many calls may be off: 4 times the standard deviation.
        most = 4 * sqrt(share * (1 - share) / known)
        assert abs(cumulative[bucket] / CALLS - share) <= most, quantile
