"""A panel comes in, the queries behind it go out: what each view asks Prometheus.

Windows are Grafana's: ``$__rate_interval`` for a moment, ``$__interval`` for bars that must not
overlap, ``$__range`` for all that is on the screen. How it is drawn is the affair of `drawing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ancestry_obs.monitoring.promql import (
    aggregated,
    bucket_labels,
    good_and_all,
    increase,
    none_of,
    or_zero,
    quantile,
    rate,
    share,
    steps,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ancestry_obs.monitoring.catalogue import Kind
    from ancestry_obs.monitoring.plan import Aggregation, Panel, View
    from ancestry_obs.monitoring.promql import Scope

__all__ = ["Query", "percent", "queries"]

_MOMENT: Final = "$__rate_interval"
_BAR: Final = "$__interval"
_ALL: Final = "$__range"

# What several series of a kind are together: threads add up, ratios do not.
_TOGETHER: Final[Mapping[Kind, Aggregation]] = {"gauge": "max", "in_flight": "sum", "ratio": "avg"}


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Args:
        expression: PromQL with Grafana's variables.
        legend: What a series is called, with ``{{label}}`` for its labels.
        instant: Whether it is asked once, for the end of the time range.
    """

    expression: str
    legend: str
    instant: bool = False


def queries(panel: Panel, scope: Scope) -> tuple[Query, ...]:
    """Write the queries of a panel.

    Args:
        panel: The panel; its labels are its metric's.
        scope: The series that are meant.
    """
    return tuple(_QUERIES[panel.view](panel, scope))


def _rate(panel: Panel, scope: Scope) -> Iterable[Query]:
    expression = aggregated("sum", panel.by, _counted(panel, scope, rate(_MOMENT)))
    yield Query(or_zero(expression, scope, _first(panel.by)), _legend(panel))


def _events(panel: Panel, scope: Scope) -> Iterable[Query]:
    expression = aggregated("sum", panel.by, _counted(panel, scope, steps(panel.metric, _BAR)))
    yield Query(or_zero(expression, scope, _first(panel.by)), _legend(panel))


def _total(panel: Panel, scope: Scope) -> Iterable[Query]:
    expression = aggregated("sum", panel.by, _counted(panel, scope, steps(panel.metric, _ALL)))
    yield Query(or_zero(expression, scope, _first(panel.by)), _legend(panel), instant=True)


def _share(panel: Panel, scope: Scope) -> Iterable[Query]:
    good, everything = _good_and_all(panel, scope, steps(panel.metric, _ALL))
    yield Query(share(good, everything, panel.by), _legend(panel), instant=True)


def _share_trend(panel: Panel, scope: Scope) -> Iterable[Query]:
    good, everything = _good_and_all(panel, scope, rate(_MOMENT))
    yield Query(share(good, everything, panel.by), _legend(panel))


def _level(panel: Panel, scope: Scope) -> Iterable[Query]:
    how = panel.aggregate or _TOGETHER.get(panel.metric.kind, "max")
    yield Query(aggregated(how, panel.by, scope.series(panel.metric)), _legend(panel))


def _quantiles(panel: Panel, scope: Scope) -> Iterable[Query]:
    buckets = scope.over(rate(_MOMENT), panel.metric, "_bucket")
    for each in panel.quantiles:
        legend = " ".join([percent(each), *_fields(panel.by)])
        # One quantile of several series is what the title says already.
        single = len(panel.quantiles) == 1 and panel.by
        expression = quantile(panel.metric, each, panel.by, buckets)
        yield Query(expression, _legend(panel) if single else legend)


def _quantile_table(panel: Panel, scope: Scope) -> Iterable[Query]:
    buckets = scope.over(steps(panel.metric, _ALL), panel.metric, "_bucket")
    count = scope.over(steps(panel.metric, _ALL), panel.metric, "_count")
    yield Query(aggregated("sum", panel.by, count), "count", instant=True)
    for each in panel.quantiles:
        expression = quantile(panel.metric, each, panel.by, buckets)
        yield Query(expression, percent(each), instant=True)


def _heatmap(panel: Panel, scope: Scope) -> Iterable[Query]:
    buckets = scope.over(increase(_MOMENT), panel.metric, "_bucket")
    labels = bucket_labels(panel.metric)
    yield Query(aggregated("sum", labels, buckets), "".join(_fields(labels)) or panel.title)


def _mean(panel: Panel, scope: Scope) -> Iterable[Query]:
    total, count = (
        aggregated("sum", panel.by, scope.over(rate(_MOMENT), panel.metric, suffix))
        for suffix in ("_sum", "_count")
    )
    yield Query(f"{total} / {count}", _legend(panel))


def _states(panel: Panel, scope: Scope) -> Iterable[Query]:
    yield Query(aggregated("max", panel.by, scope.series(panel.metric)), _legend(panel))


def _how_many(panel: Panel, scope: Scope) -> Iterable[Query]:
    labels = ", ".join(panel.by)
    yield Query(f"count by ({labels}) ({scope.series(panel.metric)})", _legend(panel), instant=True)


def _inventory(panel: Panel, scope: Scope) -> Iterable[Query]:
    expression = aggregated("max", panel.by, scope.series(panel.metric))
    yield Query(expression, panel.title, instant=True)


def _counted(panel: Panel, scope: Scope, make: Callable[[str], str]) -> str:
    return scope.over(make, panel.metric, _count(panel), *none_of(panel.ignore))


def _good_and_all(panel: Panel, scope: Scope, make: Callable[[str], str]) -> tuple[str, str]:
    good, everything = (
        aggregated("sum", panel.by, scope.over(make, panel.metric, _count(panel), *matchers))
        for matchers in good_and_all(panel.good, panel.ignore)
    )
    return good, everything


def _count(panel: Panel) -> str:
    return "_count" if panel.metric.kind in {"histogram", "summary"} else ""


def _first(labels: tuple[str, ...]) -> str:
    return labels[0] if labels else ""


def _fields(labels: Iterable[str]) -> list[str]:
    return [f"{{{{{label}}}}}" for label in labels]


def _legend(panel: Panel) -> str:
    return " · ".join(_fields(panel.by)) or panel.title


def percent(quantile_: float) -> str:
    """Name a quantile: 0.95 is ``p95``."""
    return f"p{quantile_ * 100:g}"


_QUERIES: Final[Mapping[View, Callable[[Panel, Scope], Iterable[Query]]]] = {
    "count": _how_many,
    "events": _events,
    "heatmap": _heatmap,
    "inventory": _inventory,
    "mean": _mean,
    "now": _level,
    "quantile_table": _quantile_table,
    "quantiles": _quantiles,
    "rate": _rate,
    "share": _share,
    "share_trend": _share_trend,
    "states": _states,
    "total": _total,
    "trend": _level,
}
