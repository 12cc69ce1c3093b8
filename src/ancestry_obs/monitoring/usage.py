"""A metric comes in; the panels, alerts and recording rules that name it go out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ancestry_obs.monitoring.promql import Scope
from ancestry_obs.monitoring.queries import queries
from ancestry_obs.monitoring.rule_groups import build_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.monitoring.catalogue import Catalogue, Metric
    from ancestry_obs.monitoring.plan import Plan

__all__ = ["Usage", "usages"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Something that asks Prometheus for a metric.

    Args:
        kind: What it is.
        name: A panel with its row, as ``row / panel``; the rule's name otherwise.
        queries: The PromQL that names the metric, a panel's without the dashboard's variables.
    """

    kind: Literal["panel", "alert", "record"]
    name: str
    queries: tuple[str, ...]


def usages(plan: Plan, catalogue: Catalogue, metric: Metric) -> Iterator[Usage]:
    """Find what a map's dashboard and rules make of a metric.

    Args:
        plan: What both are made of.
        catalogue: The map's metrics.
        metric: The metric that is looked for.

    Yields:
        Panels in the order of the dashboard, then rules in the order of evaluation. A rule that
        reads what another one computes of the metric counts too.
    """
    names = {f"{metric.series}{suffix}" for suffix in ("", "_bucket", "_sum", "_count")}
    for row in plan.rows:
        for panel in row.panels:
            asked = [each.expression for each in queries(panel, Scope())]
            if named := tuple(each for each in asked if _names(each, names)):
                yield Usage("panel", f"{row.title} / {panel.title}", named)
    for group in build_rules(plan, catalogue, catalogue.namespace):
        for rule in group.rules:
            if _names(rule.expression, names):
                names.add(rule.record)
                kind: Literal["alert", "record"] = "alert" if rule.alert else "record"
                yield Usage(kind, rule.alert or rule.record, (rule.expression,))


def _names(expression: str, names: set[str]) -> bool:
    # A name in a text is none, as in metric="..." of the toolkit's own series.
    bare = re.sub(r'"(?:\\.|[^"\\])*"', "", expression)
    return not names.isdisjoint(re.findall(r"[a-zA-Z_:][\w:]*", bare))
