"""Two scrapes come in; what happened between them goes out: increases, rates and quantiles.

Pure reckoning, by Prometheus' own rules: a counter that fell has begun anew, and all that it has
came since; a quantile lies on the straight line through its bucket
(https://prometheus.io/docs/prometheus/latest/querying/functions/, `rate`, `histogram_quantile`).
A number that is not known is `None`, never zero and never negative.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ancestry_obs.live.scrape import Labels, Metric, Scrape

__all__ = ["QUANTILES", "Interval", "Quantile", "increase", "quantile"]

QUANTILES: Final = (0.5, 0.95, 0.99)
_SCRAPES: Final = "ancestry_obs_scrape_seconds"


class Quantile(NamedTuple):
    """A quantile of a histogram.

    Args:
        value: What so many observations do not exceed.
        is_least: Whether it lies beyond the last bound, which `value` is then.
        below: The first bound if it lies below that: then nothing more is known of it, and `value`
            is a guess. None where it does not.
    """

    value: float
    is_least: bool = False
    below: float | None = None


def increase(before: float | None, after: float) -> float | None:
    """Tell by how much a counter went up.

    Args:
        before: Its value at the first scrape; `None` if it was not there.
        after: Its value at the second.

    Returns:
        The difference, never negative; `None` where a value is no finite number.

    Example:
        >>> increase(5, 8), increase(None, 8), increase(8, 3)
        (3, 8, 3)
    """
    if not math.isfinite(after) or after < 0:
        return None
    if before is None or after < before:
        return after
    return after - before if math.isfinite(before) else None


def quantile(share: float, buckets: Mapping[float, float]) -> Quantile | None:
    """Estimate a quantile.

    Args:
        share: Which one, between 0 and 1.
        buckets: Cumulative counts by upper bound, infinity included, in any order.

    Returns:
        The estimate; `None` if there is no observation.

    Example:
        >>> quantile(0.5, {1.0: 10, 2.0: 10, math.inf: 10})
        Quantile(value=0.5, is_least=False, below=1.0)
    """
    total = buckets.get(math.inf, 0.0)
    if not total or not math.isfinite(total):
        return None
    rank = share * total
    low, below = None, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= rank and math.isinf(bound):
            return Quantile(low, is_least=True) if low is not None else None
        if count >= rank:
            # As Prometheus has it: the first bucket begins at zero, unless it ends below.
            start = low if low is not None else min(0.0, bound)
            inside = (rank - below) / (count - below) if count > below else 1.0
            is_first = low is None and bound > 0
            value = start + (bound - start) * inside
            return Quantile(value, below=bound if is_first else None)
        low, below = bound, max(below, count)
    return None


class Interval:
    """The time between two scrapes.

    Args:
        before: The first; `None` for the program's start, so that all is a total.
        after: The second.

    Attributes:
        seconds: How long it is; `None` since the start.
        has_restarted: Whether another process answers than before.
    """

    def __init__(self, before: Scrape | None, after: Scrape) -> None:
        self.after = after
        self.seconds = None if before is None else after.at - before.at
        self.has_restarted = before is not None and _looks(after) < _looks(before)
        # A new process may have come further than the old one had: nothing of it is compared.
        self._before = {} if before is None or self.has_restarted else before.metrics

    def amount(self, metric: Metric, series: Iterable[Labels]) -> float | None:
        """Give how much some series went up, for each second; since the start, in all.

        Returns:
            `None` where none of them has a finite number, or no time has passed.
        """
        before = self._before.get(metric.name)
        known = before.values if before else {}
        steps = [
            increase(known.get(each), metric.values[each])
            for each in series
            if each in metric.values
        ]
        finite = [each for each in steps if each is not None]
        if not finite and steps:
            return None
        return self._over_time(math.fsum(finite))

    def quantiles(self, metric: Metric, series: Iterable[Labels]) -> tuple[Quantile | None, ...]:
        """Give the quantiles of what some series of a histogram observed, all taken together."""
        before = self._before.get(metric.name)
        known = before.buckets if before else {}
        together: dict[float, float] = {}
        for each in series:
            for bound, count in _gained(known.get(each, {}), metric.buckets.get(each, {})):
                together[bound] = together.get(bound, 0.0) + count
        return tuple(quantile(share, together) for share in QUANTILES)

    def _over_time(self, amount: float) -> float | None:
        if self.seconds is None:
            return amount
        return amount / self.seconds if self.seconds > 0 else None


def _gained(
    before: Mapping[float, float], after: Mapping[float, float]
) -> Iterable[tuple[float, float]]:
    # Buckets are one histogram: where one fell, all began anew.
    fell = any(count < before.get(bound, 0.0) for bound, count in after.items())
    for bound, count in after.items():
        gained = increase(None if fell else before.get(bound), count)
        yield bound, 0.0 if gained is None else gained


def _looks(scrape: Scrape) -> float:
    """Give how often the process was scraped before; what is not there has never been."""
    metric = scrape.metrics.get(_SCRAPES)
    return sum(metric.values.values()) if metric else 0.0
