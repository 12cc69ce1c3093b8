from __future__ import annotations

from ancestry_obs.costing import between, pricing
from ancestry_obs.costing.stand_ins import StandIns


class Clock:
    """Processor time that passes by what is called."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def call(self, nanoseconds: int):
        def run(times: int) -> None:
            self.now += nanoseconds * times

        return run


def test_the_price_is_what_the_woven_one_takes_more(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pricing, "thread_time_ns", clock)
    pair = StandIns(clock.call(700), clock.call(1000), lambda: None)
    assert pricing.price_of(pair, 0.0, 100_000) == 300


def test_labels_that_are_new_cost_more_in_proportion(monkeypatch):
    clock, known = Clock(), [True]
    monkeypatch.setattr(pricing, "thread_time_ns", clock)

    def woven(times: int) -> None:
        clock.now += 1000 * times if known[0] else 5000
        known[0] = True

    pair = StandIns(clock.call(700), woven, lambda: known.__setitem__(0, False))
    # Known ones 300, new ones 4,300.
    assert pricing.price_of(pair, 0.25, 100_000) == 300 + 0.25 * 4000


def test_work_is_bounded_and_in_proportion(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(between, "work", clock.call(500))
    steps = [between.steps_for(each, clock) for each in (0, 200, 1000, 2400, 1e9)]
    assert steps == [0, 0, 2, 5, 12]


def test_work_goes_on_where_it_ended(monkeypatch):
    done = []
    monkeypatch.setattr(between, "_ENDLESS", iter([lambda n=n: done.append(n) for n in range(5)]))
    between.work(2)
    between.work(3)
    assert done == [0, 1, 2, 3, 4]
