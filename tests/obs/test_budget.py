"""A budget for what measuring costs: the dearest targets are sampled, and go back."""

from __future__ import annotations

import importlib
import logging

import pytest
from prometheus_client import CollectorRegistry
from tests.obs.compiler.conftest import Loom

import ancestry_obs
from ancestry_obs import budget as budgets
from ancestry_obs.budget import Budget, Prices, measured_exemplar, measured_prices
from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import load
from ancestry_obs.settings import ObservabilitySettings

MICRO = 1e-6
# Timed a call costs 3 µs with its one label, sampled 1.02 µs.
PRICES = Prices(record=0.5 * MICRO, label=0.5 * MICRO, clock=2 * MICRO)


class Processor:
    used = 0.0

    def __call__(self):
        return self.used


class Program:
    """Some woven functions, and the budget that looks at them."""

    def __init__(self, share=0.01, **advices):
        self.processor = Processor()
        self.budget = Budget(share, lambda: PRICES, self.processor)
        self.loom = Loom()
        self.loom.metric("seconds", "histogram", n=9)
        self.loom.metric("slow_total")
        self.woven = {}
        for name, wishes in advices.items():
            exemplar = wishes.pop("exemplar", {})
            records = [self.loom.record("seconds", n="n", exemplar=exemplar)]
            if wishes.pop("reads", False):
                records.append(self.loom.record("slow_total", when="elapsed > 1"))
            self.woven[name] = self.loom.weave(_work, *records, target=f"m:{name}", **wishes)
        self.review()

    def review(self, seconds=1.0, **calls):
        for name, count in calls.items():
            for _ in range(count):
                self.woven[name].function("a")
        self.processor.used += seconds
        self.budget.review([(name, [each.woven]) for name, each in self.woven.items()])
        return {name.removeprefix("m:") for name in self.budget.sampled}

    def timed(self, name):
        """Give how many of 1,000 calls look at the clock."""
        before = self.loom.clock.now
        for _ in range(1000):
            self.woven[name].function("a")
        return (self.loom.clock.now - before) / 2


def _work(n):
    return n


FREE = {"is_budgeted": True}


def test_as_long_as_it_is_kept_every_call_is_timed():
    program = Program(a=dict(FREE))
    # 3 µs each: 0.99 %.
    assert program.review(a=3300) == set()
    assert program.budget.overhead == pytest.approx(0.0099)
    assert program.timed("a") == 1000


def test_an_exemplar_has_its_price(monkeypatch):
    monkeypatch.setattr(budgets, "measured_exemplar", lambda: 7 * MICRO)
    program = Program(a=dict(FREE), b=dict(FREE, exemplar={"n": "n"}))
    program.review(a=1, b=1)
    assert program.budget.costs == pytest.approx({"a": 3 * MICRO, "b": 10 * MICRO})


def test_nobody_asks_for_the_price_of_exemplars_without_one(monkeypatch):
    monkeypatch.setattr(budgets, "measured_exemplar", pytest.fail)
    program = Program(a=dict(FREE))
    program.review(a=1)
    assert program.budget.costs == pytest.approx({"a": 3 * MICRO})


def test_the_price_of_an_exemplar_is_measured():
    assert 0 <= measured_exemplar() < 0.001


def test_the_hottest_target_is_sampled_first_and_no_more_than_needed():
    program = Program(a=dict(FREE), b=dict(FREE))
    assert program.review(a=3000, b=1000) == {"a"}
    assert program.budget.overhead == pytest.approx(0.012 - 3000 * 2 * MICRO * 0.99)
    assert program.timed("a") < 50
    assert program.timed("b") == 1000
    assert program.review(a=10_000, b=2000) == {"a", "b"}


def test_it_counts_all_calls_and_stays_within_the_histogram():
    program = Program(a=dict(FREE))
    program.review(a=5000)
    program.review(a=5000)
    assert program.loom.read("seconds")[("a",)][0] == 10_000
    assert program.woven["a"].calls() == 10_000


def test_it_goes_back_where_there_has_been_room_for_some_time():
    program = Program(a=dict(FREE))
    assert program.review(a=5000) == {"a"}
    # 0.6 % if it were timed.
    assert program.review(a=2000) == {"a"}
    assert program.review(a=2000) == {"a"}
    # Too much: it begins to wait anew. 0.9 % is not room enough.
    assert program.review(a=3000) == {"a"}
    assert program.review(a=2000) == {"a"}
    assert program.review(a=2000) == {"a"}
    assert program.review(a=2000) == set()
    assert program.timed("a") == 1000


def test_one_that_is_never_called_any_more_goes_back_too():
    program = Program(a=dict(FREE))
    program.review(a=5000)
    assert [program.review() for _ in range(3)] == [{"a"}, {"a"}, set()]


def test_what_cannot_be_sampled_is_left_and_told_once(caplog):
    caplog.set_level(logging.WARNING, "ancestry_obs")
    program = Program(reader=FREE | {"reads": True}, never={}, fixed=FREE | {"sample": 0.5})
    for _ in range(2):
        assert program.review(reader=9000, never=100, fixed=100) == set()
    assert program.timed("reader") == 1000
    assert 400 < program.timed("fixed") < 600
    (told,) = caplog.messages
    assert told.startswith("measuring takes about 3.2% of the processor time, which is more than")
    assert told.endswith("most of it goes to reader")
    # The metrics tell how it goes on.
    program.review()
    program.review(reader=9000)
    assert len(caplog.messages) == 1


def test_a_review_waits_for_something_to_judge_by():
    program = Program(a=dict(FREE))
    assert program.review(0.1, a=5000) == set()
    assert program.review(0.9) == {"a"}


def test_a_forked_child_begins_anew():
    program = Program(a=dict(FREE))
    program.processor.used = 0.0
    assert program.review(0.0, a=9000) == set()
    assert program.review(1.0, a=9000) == {"a"}


def test_code_that_is_woven_anew_is_sampled_too():
    program = Program(a=dict(FREE))
    program.review(a=5000)
    again = Program(a=dict(FREE))
    program.woven["a"] = again.woven["a"]
    program.review(a=5000)
    assert program.woven["a"].woven.countdown.gaps is not None


def test_two_of_one_name_are_one_target():
    program = Program(a=dict(FREE), b=dict(FREE))
    pair = [("m:a", [each.woven]) for each in program.woven.values()]
    budget = Budget(0.01, lambda: PRICES, program.processor)
    program.processor.used += 1.0
    budget.review(pair)
    for name in ("a", "b"):
        for _ in range(1000):
            program.woven[name].function("x")
    program.processor.used += 1.0
    budget.review(pair)
    assert budget.overhead == pytest.approx(0.006)
    program.processor.used += 1.0
    budget.review(pair)
    assert budget.overhead == 0


def test_what_the_map_samples_costs_what_it_costs():
    program = Program(a=FREE | {"sample": 0.25})
    program.review(a=1000)
    assert program.budget.overhead == pytest.approx(1000 * 1.5 * MICRO)


def test_a_review_that_fails_is_said_once_and_changes_nothing(caplog):
    program = Program(a=dict(FREE))
    program.review(a=5000)

    def fail():
        raise RuntimeError("no prices")

    program.budget._prices, program.budget._ask_prices = None, fail
    for _ in range(2):
        assert program.review(a=5000) == {"a"}
    assert caplog.messages == ["the map's budget is not kept: RuntimeError: no prices"]
    assert program.timed("a") < 50


def test_a_review_takes_no_more_than_its_part(monkeypatch):
    program = Program(a=dict(FREE))
    prices = program.budget._ask_prices

    def slow():
        program.processor.used += 0.02
        return prices()

    program.budget._ask_prices = slow
    program.review(a=100)
    # It took 20 ms, so that the next one comes after 2 s.
    assert program.review(1.9, a=9000) == set()
    assert program.review(0.2) == {"a"}


def test_prices_are_measured():
    prices = measured_prices()
    assert prices.exemplar is None
    assert all(0 <= each < 1e-3 for each in prices[:3])
    assert prices.record > 0
    assert prices.clock > 0


@pytest.mark.parametrize(
    "text",
    ["0%", "0.0%", "51%", "50.1%", "1%\n", "1", "1 %", "-1%", "1%%", "", "1e1%", "٣%", 1, 0.01],
)
def test_what_is_no_budget_is_refused(text):
    with pytest.raises(MapError, match=r"budget: found .*allowed is a percentage above 0 and up"):
        load({**SPEC, "budget": text})


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.5%", 0.005), ("50%", 0.5)])
def test_budgets(text, share):
    assert load({**SPEC, "budget": text}).budget == pytest.approx(share)


SPEC = {
    "version": 1,
    "metrics": {"work_seconds": {"type": "histogram", "help": "S.", "buckets": [1]}},
    "instrument": [{"target": "budget_shop:*", "record": [{"metric": "work_seconds"}]}],
}


def test_a_program_whose_measuring_is_too_dear(make_module, monkeypatch):
    make_module("budget_shop", "def work(): return 1\ndef rest(): return 2\n")
    shop = importlib.import_module("budget_shop")
    processor, registry = Processor(), CollectorRegistry()
    monkeypatch.setattr(budgets, "process_time", processor)
    monkeypatch.setattr(budgets, "measured_prices", lambda: PRICES)
    settings = ObservabilitySettings(enable_prometheus_metrics=True, metrics_export_port=0)
    ancestry_obs.install({**SPEC, "budget": "1%"}, settings=settings, registry=registry)
    try:

        def value(name, **labels):
            return registry.get_sample_value(name, labels)

        def review(calls):
            for _ in range(calls):
                shop.work()
            processor.used += 1.0
            return {each.target: each.reason for each in ancestry_obs.status().targets}

        review(0)
        assert review(4500)["budget_shop:work"] == (
            "a hundredth of its calls is timed, for the map's budget"
        )
        assert "budget" not in review(0)["budget_shop:rest"]
        assert value("ancestry_obs_sampled", target="budget_shop:work") == 1
        assert value("ancestry_obs_sampled", target="budget_shop:rest") is None
        assert value("ancestry_obs_overhead_ratio") == 0
        assert value("ancestry_work_seconds_count") == 4500
        # What was woven before is still asked how often it was called.
        record = {"metric": "work_seconds", "on": "return"}
        other = {"target": "budget_shop:work", "record": [record]}
        ancestry_obs.reload({**SPEC, "instrument": [other], "budget": "1%"})
        review(0)
        assert "budget" in review(4500)["budget_shop:work"]
        # Another budget is the same one with another limit.
        ancestry_obs.reload({**SPEC, "instrument": [other], "budget": "50%"})
        assert value("ancestry_obs_sampled", target="budget_shop:work") == 1
        assert ["budget" in each for each in (review(0) and review(0) and review(0)).values()] == [
            False
        ]
        assert value("ancestry_obs_sampled", target="budget_shop:work") is None
        ancestry_obs.reload(SPEC)
        assert review(10_000)["budget_shop:work"] == ""
        assert value("ancestry_obs_overhead_ratio") is None
        assert value("ancestry_work_seconds_count") == 19_000
    finally:
        ancestry_obs.uninstall()


def test_what_a_call_costs_is_told_for_each_target():
    program = Program(a=dict(FREE), b={})
    assert program.budget.costs == {}
    program.review(a=10, b=10)
    assert program.budget.costs == {
        "a": pytest.approx(3 * MICRO),
        "b": pytest.approx(3 * MICRO),
    }
    # Sampled, one call in a hundred looks at the clock.
    assert program.review(a=10_000, b=10) == {"a"}
    assert program.budget.costs["a"] == pytest.approx(1.02 * MICRO)
    assert program.budget.costs["b"] == pytest.approx(3 * MICRO)
