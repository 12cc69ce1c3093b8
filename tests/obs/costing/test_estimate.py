from __future__ import annotations

import pytest

from ancestry_obs.costing.estimate import estimate, slowdown
from ancestry_obs.costing.measured_run import MeasuredRun


def told(calls: int, state: str = "installed", reason: str = "") -> tuple[object, ...]:
    """What a run tells of a target."""
    return (state, reason, (), (), "inline", (), calls, 0)


def pairs_of(*differences: float, **calls: int) -> list[tuple[MeasuredRun, MeasuredRun]]:
    """Pairs of runs, of which the one without the map takes 10 seconds."""
    targets = {name: told(count) for name, count in calls.items()}
    return [
        (MeasuredRun(10.0, 20.0), MeasuredRun(10.0 + more, 20.0 + more, targets, 0.01, 2))
        for more in differences
    ]


def row(price: float | None, calls: int = 1, seconds: float = 1.0, reason: str = ""):
    return {"price": price, "calls": calls, "seconds": seconds, "reason": reason}


@pytest.mark.parametrize(
    ("count", "left_out"),
    # By the binomial distribution: the median is outside all of 5 in 1 of 16 cases, and outside all
    # but the outermost of 8 in 9 of 128.
    [(1, 0), (4, 0), (5, 0), (7, 0), (8, 1), (11, 2), (20, 5)],
)
def test_the_noise_has_the_true_median_nine_times_in_ten(count, left_out):
    found = slowdown([(1.0, 1.0 + number) for number in range(count)])
    assert (found.low, found.high) == (left_out, count - 1 - left_out)
    assert found.more == (count - 1) / 2


def test_the_share_is_of_the_run_without_the_map():
    cost = estimate(pairs_of(1, 1, 1, hot=1_000_000), [[{"hot": row(500.0)}]], 0.0)
    (target,) = cost.targets
    assert (target.calls, target.price, target.share) == (1_000_000, 500.0, pytest.approx(0.05))
    # A run with the map takes 21 seconds.
    assert target.per_second == pytest.approx(1_000_000 / 21)


def test_the_sum_has_the_start_of_each_python_in_it():
    cost = estimate(pairs_of(1, 1, 1, hot=1_000_000), [[{"hot": row(500.0)}]], 0.2)
    assert cost.startup == pytest.approx(0.01 + 2 * 0.2)
    assert cost.total == pytest.approx(0.41 + 0.5)


def test_the_price_is_that_of_the_middle_run_and_of_all_its_processes():
    prices = [
        [{"hot": row(100.0, 3)}, {"hot": row(500.0, 1)}, {}],
        [{"hot": row(900.0)}],
        [{"hot": row(10.0)}, {"hot": row(None, 99, reason="gone")}],
    ]
    (target,) = estimate(pairs_of(1, 1, 1, hot=5), prices, 0.0).targets
    assert target.price == 200.0


@pytest.mark.parametrize(
    ("differences", "agreement"),
    [
        ((0.4, 0.5, 0.6), "agrees"),
        ((0.51, 0.6, 0.7), "differs"),
        ((0.2, 0.3, 0.49), "differs"),
        # As if there were no slowdown at all.
        ((-0.1, 0.5, 0.6), "unknown"),
        ((-0.3, -0.2, 0.49), "differs"),
        # Nobody knows what another pair would be like.
        ((0.5, 0.5), "unknown"),
    ],
)
def test_agreement_is_claimed_only_where_it_was_measured(differences, agreement):
    runs = pairs_of(*differences, hot=1_000_000)
    cost = estimate(runs, [[{"hot": row(490.0)}]], 0.0)
    assert cost.total == pytest.approx(0.5)
    assert cost.agreement == agreement


@pytest.mark.parametrize(
    ("price", "seconds", "why_not"),
    [
        (1000.0, 1.0, "it takes 1.0% of the run"),
        (999.0, 9.989e-6, "its call takes 9,989 ns, and to measure it 999 ns"),
        (999.0, 9.991e-6, ""),
        # So little of the run that nobody cares.
        (99.0, 1e-9, ""),
    ],
)
def test_what_is_not_worth_it(price, seconds, why_not):
    runs = pairs_of(1, 1, 1, hot=100_000)
    (target,) = estimate(runs, [[{"hot": row(price, seconds=seconds)}]], 0.0).targets
    assert target.why_not == why_not


def test_the_dearest_comes_first_and_what_has_no_price_last():
    runs = pairs_of(1, a=10, b=1000, c=10, never=0)
    prices = [[{"a": row(5.0), "b": row(1.0), "c": row(None, reason="TypeError: no")}]]
    cost = estimate(runs, prices, 0.0)
    assert [(each.target, each.reason) for each in cost.targets] == [
        ("b", ""),
        ("a", ""),
        ("c", "TypeError: no"),
    ]
    assert cost.unmeasured == {}


def test_what_is_not_installed_is_told():
    runs = pairs_of(1)
    runs[0][1].targets["a:b"] = told(0, "error", "no such name")
    assert estimate(runs, [], 0.0).unmeasured == {"a:b": "error: no such name"}


def test_no_price_is_below_nothing():
    (target,) = estimate(pairs_of(1, hot=1), [[{"hot": row(-100.0)}]], 0.0).targets
    assert (target.price, target.share) == (0.0, 0.0)


def test_a_target_of_which_nothing_was_captured():
    (target,) = estimate(pairs_of(1, hot=1), [[{}]], 0.0).targets
    assert (target.price, target.share) == (None, 0.0)
    assert (
        target.reason == "a hook or a sample alone, or no call of it ended where that can be told"
    )
