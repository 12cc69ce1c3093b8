from __future__ import annotations

import pytest

from ancestry_obs.suggestion.candidates import Candidate
from ancestry_obs.suggestion.prices import Prices
from ancestry_obs.suggestion.proposals import Proposal
from ancestry_obs.suggestion.traced_command import Traced, TracedFunction
from ancestry_obs.suggestion.weighing import ranked, run_seconds

PRICES = Prices(measured=1e-6, label=2e-6, traced=1.5)
LABEL = Proposal("kind", "kind", ("a", "b"))


def called(name, calls, seconds=0.0, own=0.0) -> TracedFunction:
    return TracedFunction("shop", name, 1, 2, calls=calls, seconds=seconds, own=own)


def rows(order, *functions, labels=()):
    # Of 10 s, tracing took 10 µs a call, of which 4 went to counting.
    spent = 4e-6 * sum(each.calls for each in functions)
    traced = Traced(0, list(functions), 10.0, spent, 1, [])
    candidates = [
        Candidate(each.target, "function", labels=list(labels), called=each) for each in functions
    ]
    return ranked(candidates, traced, PRICES, order)


def test_the_order():
    functions = called("often", 900, 1.0), called("slow", 2, 5.0, 1.0), called("around", 1, 5.0)
    names = {
        order: [row.candidate.target for row in rows(order, *functions)]
        for order in ("time", "rate")
    }
    assert names == {
        "time": ["shop:slow", "shop:around", "shop:often"],
        "rate": ["shop:often", "shop:slow", "shop:around"],
    }


def test_shares_are_of_the_traced_run_and_the_rest_of_one_without_tracing():
    (row,) = rows("time", called("add", 500_000, 8.0, 4.0))
    assert (row.share, row.own) == (0.8, 0.4)
    assert row.rate == pytest.approx(100_000)
    assert row.overhead == pytest.approx(0.1)


def test_each_label_has_its_price():
    (row,) = rows("time", called("add", 1000), labels=[LABEL, LABEL])
    assert row.overhead == pytest.approx(1000 * 5e-6 / 9.99)


@pytest.mark.parametrize(("calls", "is_worth_it"), [(90_000, True), (100_000, False)])
def test_what_is_too_hot(calls, is_worth_it):
    (row,) = rows("time", called("add", calls))
    assert row.is_worth_it == is_worth_it


def test_some_time_is_always_the_program_s():
    assert run_seconds(Traced(0, [], 10.0, 8.0, 1, []), 0.5) == 0.2


def test_what_tracing_took_is_not_the_program_s():
    assert run_seconds(Traced(0, [], 10.0, 2.0, 1, []), 0.5) == 7.0


def test_why_something_is_left_out():
    (row,) = rows("time", called("add", 500_000, 8.0))
    assert row.refusal.startswith("100,000 calls/s would add 10.0% to the run's time; ")
    assert row.remark == "80.0% of the time, 100,000.0 calls/s, 10.000% overhead"
