"""A plan comes in, groups of Prometheus rules go out: what is computed ahead, and what calls whom.

Every rule keeps the label ``job``, so that one set serves several programs. Writing them as a file
is the affair of `rule_file`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ancestry_obs.monitoring.alerts import burn_alerts, exporter_gone, plan_alert
from ancestry_obs.monitoring.catalogue import BUILD_INFO
from ancestry_obs.monitoring.objectives import recorded_error_ratios
from ancestry_obs.monitoring.promql import EVERYWHERE, aggregated, quantile, rate
from ancestry_obs.monitoring.rule_file import Group, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.monitoring.catalogue import Catalogue, Metric
    from ancestry_obs.monitoring.plan import Plan

__all__ = ["build_rules"]

_WINDOW: Final = "5m"
_QUANTILES: Final = (0.5, 0.95, 0.99)


def build_rules(plan: Plan, catalogue: Catalogue, job: str | None) -> tuple[Group, ...]:
    """Write the rules of a map.

    Args:
        plan: Its objectives and alerts.
        catalogue: Its metrics; rates and quantiles of each are computed ahead.
        job: The job under which Prometheus scrapes the program; `None` if that may be any.

    Returns:
        The groups that have rules, in the order of evaluation.
    """
    name, group = catalogue.namespace, catalogue.group
    groups = (
        Group(f"{group}-rates", tuple(_rates(catalogue))),
        Group(
            f"{group}-objectives",
            tuple(rule for each in plan.objectives for rule in recorded_error_ratios(each, name)),
        ),
        Group(
            f"{group}-burn-rates",
            tuple(
                rule
                for each in plan.objectives
                for rule in burn_alerts(each, name, each.docs or plan.docs)
            ),
        ),
        Group(
            f"{group}-alerts",
            (
                *(plan_alert(alert, alert.docs or plan.docs) for alert in plan.alerts),
                exporter_gone(job, plan.docs, group if catalogue.is_pack else ""),
            ),
        ),
    )
    return tuple(group for group in groups if group.rules)


def _rates(catalogue: Catalogue) -> Iterator[Rule]:
    for metric in catalogue.metrics:
        if metric.kind == "counter":
            yield _rate(metric)
        elif metric.kind == "histogram":
            yield from (_quantile(metric, share) for share in _QUANTILES)


def _rate(metric: Metric) -> Rule:
    """Labels without an enumeration are left out: they are what makes a query slow."""
    labels = ("job", *metric.enumerated)
    grown = aggregated("sum", labels, EVERYWHERE.over(rate(_WINDOW), metric))
    # Nothing counted yet is a rate of zero; nothing scraped is no rate.
    zero = f"0 * {aggregated('max', ('job',), EVERYWHERE.series(BUILD_INFO))}"
    # Prometheus documentation, "Recording rules": level:metric:operations, _total goes.
    name = f"{'_'.join(labels)}:{metric.series.removesuffix('_total')}:rate{_WINDOW}"
    return Rule(record=name, expression=f"{grown}\nor on (job) {zero}")


def _quantile(metric: Metric, share: float) -> Rule:
    buckets = EVERYWHERE.over(rate(_WINDOW), metric, "_bucket")
    name = f"job:{metric.series}:p{share * 100:g}_rate{_WINDOW}"
    return Rule(record=name, expression=quantile(metric, share, ("job",), buckets))
