"""Pairs of runs and prices come in; what the map costs, and whether the two agree, goes out.

Arithmetic alone: nothing is run or timed here.
"""

from __future__ import annotations

from math import comb
from statistics import fmean, median
from typing import TYPE_CHECKING, Final, Literal

from ancestry_obs.costing.conventions import DEAR_SHARE, LEAST_PAIRS, SEEN_SHARE, SHORT_CALL
from ancestry_obs.frozen import define

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from ancestry_obs.costing.measured_run import MeasuredRun

__all__ = ["Agreement", "Cost", "Slowdown", "TargetCost", "estimate", "slowdown"]

_CONFIDENCE: Final = 0.9
_NANO: Final = 1e9
_NOT_CAPTURED: Final = "a hook or a sample alone, or no call of it ended where that can be told"

Agreement = Literal["agrees", "differs", "unknown"]


@define()
class Slowdown:
    """What the runs with the map took more than those without it.

    Args:
        without: the median of the runs without, in seconds.
        more: the median of the pairs' differences, in seconds.
        low: the lower end of the noise: the true median is above it, with at least 90 % probability
            between both ends where there are five pairs or more.
        high: the upper end.
    """

    without: float
    more: float
    low: float
    high: float

    def share(self, seconds: float) -> float:
        """Give a time as a share of the run without the map."""
        return seconds / self.without if self.without else 0.0


@define()
class TargetCost:
    """What one target costs.

    Args:
        target: its name.
        calls: in one run.
        per_second: calls in a second of the run.
        price: what measuring one call takes, in nanoseconds; None where that is not known.
        call: how long a call takes, in nanoseconds; None where that is not known.
        share: what all calls together take, of the run without the map.
        why_not: why it is not worth it; empty where it is.
        reason: why there is no price.
    """

    target: str
    calls: float
    per_second: float
    price: float | None
    call: float | None
    share: float
    why_not: str = ""
    reason: str = ""


@define()
class Cost:
    """What a map costs.

    Args:
        processor: the slowdown in processor time.
        wall: the slowdown in time that passes.
        pairs: how many pairs of runs were compared.
        targets: the targets, the dearest first.
        startup: what starting, weaving and ending take, in seconds.
        total: that, and the calls of all targets, in seconds.
        unmeasured: targets in another state than `installed`, with the reason.
    """

    processor: Slowdown
    wall: Slowdown
    pairs: int
    targets: list[TargetCost]
    startup: float
    total: float
    unmeasured: dict[str, str]

    @property
    def agreement(self) -> Agreement:
        """Whether the sum is what was measured: unknown where the noise is as large as that."""
        measured = self.processor
        if self.pairs < LEAST_PAIRS:
            return "unknown"
        if measured.low <= 0:
            return "unknown" if self.total <= measured.high else "differs"
        return "agrees" if measured.low <= self.total <= measured.high else "differs"


def estimate(
    pairs: Sequence[tuple[MeasuredRun, MeasuredRun]],
    prices: Iterable[Iterable[Mapping[str, Any]]],
    unseen: float,
) -> Cost:
    """Give what a map costs.

    Args:
        pairs: a run without the map and one with it, each.
        prices: what `pricing` has left in each process of each run that captured calls.
        unseen: what starting and ending a Python takes beyond what is timed in it, in seconds.
    """
    processor = slowdown([(plain.processor, woven.processor) for plain, woven in pairs])
    wall = slowdown([(plain.wall, woven.wall) for plain, woven in pairs])
    runs = [woven for _, woven in pairs]
    startup = median(each.seen + each.started * unseen for each in runs)
    priced = [*map(_by_target, prices)]
    seconds = median(each.wall for each in runs)
    names = dict.fromkeys(name for each in runs for name in each.targets)
    targets: list[TargetCost] = []
    unmeasured: dict[str, str] = {}
    for name in names:
        told = [each.targets[name] for each in runs if name in each.targets]
        calls = median(each[_CALLS] for each in told)
        if calls:
            targets.append(_target(name, calls, seconds, processor, priced))
        elif told[-1][0] != "installed":
            unmeasured[name] = f"{told[-1][0]}: {told[-1][1]}"
    targets.sort(key=lambda each: (-each.share, -each.calls, each.target))
    total = startup + sum(each.share for each in targets) * processor.without
    return Cost(processor, wall, len(pairs), targets, startup, total, unmeasured)


# Where a target's row has its calls; see `process_tree.totals.Target`.
_CALLS: Final = -2


def slowdown(pairs: Sequence[tuple[float, float]]) -> Slowdown:
    """Compare runs that were made in pairs.

    The noise is told without a guess at how it is distributed: so many of the differences are left
    out at both ends that the median of all that could be measured is between the rest, nine times
    in ten.

    Args:
        pairs: seconds without the map and with it.

    Example:
        >>> slowdown([(1.0, 1.5), (1.0, 1.25), (1.0, 2.0)])
        Slowdown(without=1.0, more=0.5, low=0.25, high=1.0)
    """
    differences = sorted(woven - plain for plain, woven in pairs)
    count = len(differences)
    left_out, missed = 0, 2 * 0.5**count
    while missed + 2 * comb(count, left_out + 1) * 0.5**count <= 1 - _CONFIDENCE:
        left_out += 1
        missed += 2 * comb(count, left_out) * 0.5**count
    return Slowdown(
        median(plain for plain, _ in pairs),
        median(differences),
        differences[left_out],
        differences[-1 - left_out],
    )


def _by_target(prices: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for process in prices:
        for name, row in process.items():
            rows.setdefault(name, []).append(row)
    return rows


def _target(
    name: str,
    calls: float,
    seconds: float,
    run: Slowdown,
    priced: Sequence[Mapping[str, Sequence[Mapping[str, Any]]]],
) -> TargetCost:
    rows = [each.get(name, []) for each in priced]
    known = [[row for row in each if row["price"] is not None] for each in rows]
    if not any(known):
        reason = next((row["reason"] for each in rows for row in each), _NOT_CAPTURED)
        return TargetCost(name, calls, calls / seconds, None, None, 0.0, reason=reason)
    # A few calls more or less are lost in the noise, and nothing is cheaper for being measured.
    price = max(0.0, median(_mean(each, "price") for each in known if each))
    call = median(_mean(each, "seconds") for each in known if each) * _NANO
    share = run.share(calls * price / _NANO)
    why_not = _why_not(share, price, call)
    return TargetCost(name, calls, calls / seconds, price, call, share, why_not)


def _mean(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    """Give the mean over the processes of a run, by their calls."""
    weights = [row["calls"] for row in rows]
    return fmean([row[key] for row in rows], weights)


def _why_not(share: float, price: float, call: float) -> str:
    if share >= DEAR_SHARE:
        return f"it takes {share:.1%} of the run"
    if share >= SEEN_SHARE and call < SHORT_CALL * price:
        return f"its call takes {call:,.0f} ns, and to measure it {price:,.0f} ns"
    return ""
