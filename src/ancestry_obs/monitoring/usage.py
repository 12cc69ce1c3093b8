"""What asks Prometheus for metrics: a map's panels, variables, marks, alerts and rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ancestry_obs.monitoring.promql import Scope
from ancestry_obs.monitoring.queries import queries
from ancestry_obs.monitoring.rule_groups import build_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.monitoring.catalogue import Catalogue, Metric
    from ancestry_obs.monitoring.plan import Plan

__all__ = ["Usage", "all_usages", "usages"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Something that asks Prometheus.

    Args:
        kind: What it is.
        name: A panel with its row, as ``row / panel``; its own name otherwise.
        queries: The PromQL, without the dashboard's variables.
    """

    kind: Literal["panel", "variable", "mark", "alert", "record"]
    name: str
    queries: tuple[str, ...]


def all_usages(plan: Plan, catalogue: Catalogue) -> Iterator[Usage]:
    """Give what a map's dashboard and rules ask.

    Args:
        plan: What both are made of.
        catalogue: The map's metrics.

    Yields:
        Panels in the order of the dashboard, its variables and marks, then rules in the order of
        evaluation.
    """
    for row in plan.rows:
        for panel in row.panels:
            asked = tuple(each.expression for each in queries(panel, Scope()))
            yield Usage("panel", f"{row.title} / {panel.title}", asked)
    for variable in plan.variables:
        series = f"count by ({variable.label}) ({variable.metrics[0].any_series})"
        yield Usage("variable", variable.title, (series,))
    for mark in plan.annotations:
        yield Usage("mark", mark.title, (mark.metric.series,))
    for group in build_rules(plan, catalogue, catalogue.namespace):
        for rule in group.rules:
            kind: Literal["alert", "record"] = "alert" if rule.alert else "record"
            yield Usage(kind, rule.alert or rule.record, (rule.expression,))


def usages(plan: Plan, catalogue: Catalogue, metric: Metric) -> Iterator[Usage]:
    """Find what a map's dashboard and rules make of a metric, with the queries that name it.

    Args:
        plan: What both are made of.
        catalogue: The map's metrics.
        metric: The metric that is looked for.

    Yields:
        As `all_usages`. A rule that reads what another one computes of the metric counts too.
    """
    names = {f"{metric.series}{suffix}" for suffix in ("", "_bucket", "_sum", "_count")}
    for usage in all_usages(plan, catalogue):
        if named := tuple(each for each in usage.queries if _names(each, names)):
            if usage.kind == "record":
                names.add(usage.name)
            yield replace(usage, queries=named)


def _names(expression: str, names: set[str]) -> bool:
    # A name in a text is none, as in metric="..." of the toolkit's own series.
    bare = re.sub(r'"(?:\\.|[^"\\])*"', "", expression)
    return not names.isdisjoint(re.findall(r"[a-zA-Z_:][\w:]*", bare))
