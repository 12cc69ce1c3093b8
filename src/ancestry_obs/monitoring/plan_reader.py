"""Checked tables come in, the parts of a plan go out; each name in them is looked up.

A mistake goes to the report and reading goes on, so that one run finds all. What is broken was
reported before, and is `None` here; a part that cannot be built is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from ancestry_obs.monitoring.alert_reader import AlertReader
from ancestry_obs.monitoring.arrangement import DEFAULT_DOCS, heading
from ancestry_obs.monitoring.lookup import Lookup
from ancestry_obs.monitoring.panel_reader import PanelReader
from ancestry_obs.monitoring.plan import Annotation, Plan, Row, Variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.toml_lines import KeyPath
    from ancestry_obs.monitoring.catalogue import Catalogue, Kind

__all__ = ["PlanReader"]

_Part = TypeVar("_Part")

_COUNTERS: Final[tuple[Kind, ...]] = ("counter",)


class PlanReader:
    """Reads one plan.

    Args:
        catalogue: The metrics that it may name.
        report: Takes the mistakes.
    """

    def __init__(self, catalogue: Catalogue, report: Report) -> None:
        self._lookup = Lookup(catalogue, report)
        self._panels = PanelReader(self._lookup)
        self._alerts = AlertReader(self._lookup)

    def plan(self, tables: Mapping[str, Any], name: str) -> Plan:
        """Read the whole file.

        Args:
            tables: What the grammar could use of it.
            name: The map's name, for a title where the plan has none.
        """
        return Plan(
            title=tables.get("title") or f"{heading(name)} overview",
            description=tables.get("description") or f"What {name} measures.",
            docs=tables.get("docs") or DEFAULT_DOCS,
            variables=tuple(self._each(tables, "variable", self._variable)),
            annotations=tuple(self._each(tables, "annotation", self._annotation)),
            rows=tuple(self._each(tables, "row", self._row)),
            objectives=tuple(self._each(tables, "objective", self._alerts.objective)),
            alerts=tuple(self._each(tables, "alert", self._alerts.alert)),
        )

    def _each(
        self,
        tables: Mapping[str, Any],
        part: str,
        build: Callable[[Mapping[str, Any], KeyPath], _Part | None],
        path: KeyPath = (),
    ) -> Iterator[_Part]:
        for index, table in enumerate(tables.get(part) or ()):
            if table is not None and (built := build(table, (*path, part, index))) is not None:
                yield built

    def _row(self, table: Mapping[str, Any], path: KeyPath) -> Row:
        return Row(
            table.get("title") or "", tuple(self._each(table, "panel", self._panels.panel, path))
        )

    def _variable(self, table: Mapping[str, Any], path: KeyPath) -> Variable | None:
        label, names = table.get("label"), table.get("metrics") or ()
        if label is None:
            return None
        metrics = []
        for index, name in enumerate(names):
            place = (*path, "metrics", index)
            metric = self._lookup.find(name, place)
            if metric is not None:
                self._lookup.check_label(label, metric, place)
                metrics.append(metric)
        return Variable(label, table.get("title") or "", tuple(metrics)) if metrics else None

    def _annotation(self, table: Mapping[str, Any], path: KeyPath) -> Annotation | None:
        metric = self._lookup.metric(table, path, _COUNTERS)
        if metric is None:
            return None
        return Annotation(table.get("title") or "", metric, table.get("color") or "")
