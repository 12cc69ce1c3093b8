"""The plans that ship for packs: metrics of a map come in, what is ready for them goes out.

There is one for each kind of library, not for each pack, since packs of one kind have the same
metrics: ``http-server.monitoring.toml`` beside the packs is for all that serve HTTP. Of each plan a
map gets the parts that its metrics fit, by their names, labels, values and buckets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ancestry_obs.mapfile.map_files import PACKS_FOLDER
from ancestry_obs.mapfile.report import Report
from ancestry_obs.monitoring.plan_reader import PlanReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ancestry_obs.monitoring.catalogue import Catalogue, Metric
    from ancestry_obs.monitoring.plan import Plan, Variable

__all__ = ["READY_PLANS", "fitting", "metrics_shown", "united"]

READY_PLANS: Final = tuple(sorted(PACKS_FOLDER.glob("*.monitoring.toml")))
"""Their files."""

_Part = TypeVar("_Part")
_Tables = dict[str, Any]


def fitting(tables: Mapping[str, Any], catalogue: Catalogue) -> _Tables:
    """Give the parts of a plan that a map's metrics fit.

    Args:
        tables: The plan, as the language has checked it.
        catalogue: The map's metrics.
    """

    def fits(**part: Any) -> bool:  # noqa: ANN401 - what a plan has
        report = Report("")
        PlanReader(catalogue, report).plan(part, "")
        return not report.findings

    rows = [
        {**row, "panel": [each for each in row["panel"] if fits(row=[{**row, "panel": [each]}])]}
        for row in tables.get("row", ())
    ]
    variables = [
        {
            **each,
            "metrics": [m for m in each["metrics"] if fits(variable=[{**each, "metrics": [m]}])],
        }
        for each in tables.get("variable", ())
    ]
    return {
        "row": [row for row in rows if row["panel"]],
        "variable": [each for each in variables if each["metrics"]],
        "objective": [each for each in tables.get("objective", ()) if fits(objective=[each])],
        "alert": [each for each in tables.get("alert", ()) if fits(alert=[each])],
    }


def united(first: Plan, second: Plan) -> Plan:
    """Put two plans together; of what both have by one name, the first one's stays.

    Args:
        first: Has title and texts, too.
        second: Adds what the first one does not have. A variable of both is for the metrics of
            both.
    """
    return replace(
        first,
        variables=tuple(_joined((*first.variables, *second.variables))),
        rows=_once((*first.rows, *second.rows), lambda row: row.title),
        objectives=_once((*first.objectives, *second.objectives), lambda each: each.name),
        alerts=_once((*first.alerts, *second.alerts), lambda each: each.name),
    )


def metrics_shown(plan: Plan) -> frozenset[Metric]:
    """Give the metrics that a plan's panels show."""
    return frozenset(panel.metric for row in plan.rows for panel in row.panels)


def _once(parts: Iterable[_Part], name: Callable[[_Part], str]) -> tuple[_Part, ...]:
    by_name: dict[str, _Part] = {}
    for part in parts:
        by_name.setdefault(name(part), part)
    return tuple(by_name.values())


def _joined(variables: Iterable[Variable]) -> Iterator[Variable]:
    by_label: dict[str, list[Variable]] = {}
    for each in variables:
        by_label.setdefault(each.label, []).append(each)
    for same in by_label.values():
        metrics = dict.fromkeys(metric for each in same for metric in each.metrics)
        yield replace(same[0], metrics=tuple(metrics))
