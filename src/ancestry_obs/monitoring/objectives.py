"""An objective comes in, the shares of bad events over several windows go out as recording rules.

The windows and burn rates are those of "The Site Reliability Workbook", chapter 5, table 5-8, for a
budget of 30 days: a long window says that it matters, a short one that it still goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ancestry_obs.monitoring.promql import (
    EVERYWHERE,
    aggregated,
    bound_text,
    good_and_all,
    rate,
    share,
)
from ancestry_obs.monitoring.rule_file import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.monitoring.plan import Objective

__all__ = ["FAST", "FASTEST_BURN", "SLOW", "Burn", "error_ratio", "recorded_error_ratios"]

_BY: Final = ("job",)


@dataclass(frozen=True, slots=True)
class Burn:
    """A speed at which the error budget is used up.

    Args:
        rate: In budgets per 30 days.
        long: The window that must show it.
        short: The window that must still show it.
    """

    rate: float
    long: str
    short: str


FAST: Final = (Burn(14.4, "1h", "5m"), Burn(6, "6h", "30m"))
SLOW: Final = (Burn(3, "1d", "2h"), Burn(1, "3d", "6h"))
FASTEST_BURN: Final = max(burn.rate for burn in (*FAST, *SLOW))
_WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def recorded_error_ratios(objective: Objective, namespace: str) -> Iterator[Rule]:
    """Record the share of bad events over every window that an alert looks at."""
    for window in _WINDOWS:
        good, everything = _counts(objective, window)
        yield Rule(
            record=error_ratio(objective, namespace, window),
            expression=f"1 - {share(good, everything, _BY)}",
        )


def error_ratio(objective: Objective, namespace: str, window: str) -> str:
    """Give the name of the recorded series.

    Example:
        ``job:ancestry_latency_errors:ratio_rate5m``
    """
    said = objective.metric.namespace
    begin = namespace if said is None else said
    return f"job:{f'{begin}_' if begin else ''}{objective.name}_errors:ratio_rate{window}"


def _counts(objective: Objective, window: str) -> tuple[str, str]:
    """Give the rates of good events and of all."""

    def counted(suffix: str, *matchers: str) -> str:
        counts = EVERYWHERE.over(rate(window), objective.metric, suffix, *matchers)
        return aggregated("sum", _BY, counts)

    good, everything = good_and_all(objective.good, objective.ignore)
    if objective.metric.kind == "counter":
        return counted("", *good), counted("", *everything)
    if objective.within is None:
        return counted("_count", *good), counted("_count", *everything)
    if objective.metric.is_native:
        fraction = f"histogram_fraction(-Inf, {objective.within:g}, {counted('_bucket', *good)})"
        return f"{fraction} * {counted('_count', *good)}", counted("_count", *everything)
    bound = f'le="{bound_text(objective.within)}"'
    return counted("_bucket", bound, *good), counted("_count", *everything)
