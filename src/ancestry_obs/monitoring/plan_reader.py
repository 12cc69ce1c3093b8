"""Checked tables come in, the parts of a plan go out; each name in them is looked up.

Here are the rules that the keys of a part have among themselves. A mistake goes to the report and
reading goes on, so that one run finds all. What is broken was reported before, and is `None` here;
a part that cannot be built is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from ancestry_obs.mapfile.metrics import ALWAYS_POSSIBLE
from ancestry_obs.mapfile.report import allowed_names
from ancestry_obs.monitoring.arrangement import (
    DEFAULT_DOCS,
    default_view,
    heading,
    telling_labels,
)
from ancestry_obs.monitoring.lookup import Lookup
from ancestry_obs.monitoring.objectives import FASTEST_BURN
from ancestry_obs.monitoring.plan import (
    DEFAULT_QUANTILES,
    VIEWS,
    Alert,
    Annotation,
    Objective,
    Panel,
    Plan,
    Row,
    State,
    Threshold,
    Variable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.toml_lines import KeyPath
    from ancestry_obs.monitoring.catalogue import Catalogue, Kind, Metric

__all__ = ["PlanReader"]

_Part = TypeVar("_Part")

_COUNTERS: Final[tuple[Kind, ...]] = ("counter",)
_COUNTED: Final[tuple[Kind, ...]] = ("counter", "histogram")
_ALERTING: Final[tuple[Kind, ...]] = ("counter", "gauge", "in_flight", "info", "ratio")

# Which keys of a panel mean something in which views.
_ONLY_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "good": ("share", "share_trend"),
    "ignore": ("share", "share_trend", "rate", "events", "total"),
    "quantiles": ("quantiles", "quantile_table"),
    "aggregate": ("now", "trend"),
    "states": ("states",),
}
_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "thresholds": frozenset({"from", "color"}),
    "states": frozenset({"value", "text", "color"}),
}
_NEEDED: Final[Mapping[str, str]] = {"share": "good", "share_trend": "good", "states": "states"}


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
            tables: What the language could use of it.
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


class PanelReader:
    """Reads panels.

    Args:
        lookup: Finds what they name, and takes the mistakes.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._report = lookup.report

    def panel(self, table: Mapping[str, Any], path: KeyPath) -> Panel | None:
        """Read a panel; `None` where its metric is not known."""
        metric = self._lookup.metric(table, path)
        if metric is None:
            return None
        view = table.get("view") or default_view(metric)
        self._check_view(table, view, metric, path)
        by = self._lookup.labels(table, metric, path)
        return Panel(
            metric=metric,
            view=view,
            title=table.get("title") or heading(metric.name),
            description=table.get("description") or metric.help,
            by=telling_labels(metric, view) if by is None else by,
            good=self._lookup.choice(table, "good", metric, path),
            ignore=self._lookup.choice(table, "ignore", metric, path),
            quantiles=tuple(table.get("quantiles") or DEFAULT_QUANTILES),
            aggregate=table.get("aggregate"),
            unit=table.get("unit"),
            thresholds=self._thresholds(table, path),
            states=tuple(State(s["value"], s["text"], s["color"]) for s in _whole(table, "states")),
            colors=self._colors(table, metric, path),
            width=table.get("width"),
            height=table.get("height"),
        )

    def _check_view(
        self, table: Mapping[str, Any], view: str, metric: Metric, path: KeyPath
    ) -> None:
        if view not in VIEWS[metric.kind]:
            message = f"a {metric.kind} cannot be shown as {view!r}"
            self._report.add((*path, "view"), message, allowed_names(view, VIEWS[metric.kind]))
        if view == "mean" and not metric.has_totals:
            message = f"{metric.name!r} has a negative bucket, and therefore no sum"
            self._report.add((*path, "view"), message, "show its quantiles")
        for key, views in _ONLY_IN.items():
            if key in table and view not in views:
                message = f"{key} means nothing to the view {view!r}"
                self._report.add((*path, key), message, f"it is for {', '.join(views)}")
        needed = _NEEDED.get(view)
        if needed and needed not in table:
            self._report.add(path, f"the view {view!r} needs the key {needed!r}", f"add {needed}")

    def _thresholds(self, table: Mapping[str, Any], path: KeyPath) -> tuple[Threshold, ...]:
        steps = tuple(
            Threshold(step["from"], step["color"]) for step in _whole(table, "thresholds")
        )
        if list(steps) != sorted(steps, key=lambda step: step.at):
            self._report.add((*path, "thresholds"), "the thresholds do not ascend", "sort them")
        return steps

    def _colors(
        self, table: Mapping[str, Any], metric: Metric, path: KeyPath
    ) -> tuple[tuple[str, str], ...]:
        colors: Mapping[str, str | None] = table.get("colors") or {}
        enumerations = [dict(metric.labels).get(label, ()) for label in table.get("by") or ()]
        possible = [value for values in enumerations for value in values]
        for value in colors:
            if all(enumerations) and value not in (*possible, *ALWAYS_POSSIBLE):
                message = f"{value!r} is no value of what is told apart"
                self._report.add((*path, "colors", value), message, allowed_names(value, possible))
        return tuple((value, color) for value, color in colors.items() if color)


class AlertReader:
    """Reads what is promised and when to call somebody.

    Args:
        lookup: Finds what they name, and takes the mistakes.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def objective(self, table: Mapping[str, Any], path: KeyPath) -> Objective | None:
        """Read an objective; `None` where its metric cannot have one."""
        metric = self._lookup.metric(table, path, _COUNTED)
        if metric is None:
            return None
        self._check_target(table.get("target"), path)
        self._check_good(table, metric, path)
        return Objective(
            name=table.get("name") or "",
            title=table.get("title") or "",
            metric=metric,
            target=table.get("target") or 0.0,
            good=self._lookup.choice(table, "good", metric, path),
            ignore=self._lookup.choice(table, "ignore", metric, path),
            within=table.get("within"),
        )

    def _check_target(self, target: float | None, path: KeyPath) -> None:
        least = 1 - 1 / FASTEST_BURN
        if target is not None and target <= least:
            message = f"a target of {target:g} can never be missed {FASTEST_BURN:g} times over"
            self._lookup.report.add((*path, "target"), message, f"choose one above {least:.3f}")

    def _check_good(self, table: Mapping[str, Any], metric: Metric, path: KeyPath) -> None:
        needed = ("within", "good") if metric.kind == "histogram" else ("good",)
        if not table.keys() & set(needed):
            keys = " or ".join(map(repr, needed))
            message = f"an objective on a {metric.kind} needs the key {keys}"
            self._lookup.report.add(path, message, f"add {' or '.join(needed)}")
        if "within" in table and metric.kind == "counter":
            message = "within means nothing for a counter"
            self._lookup.report.add((*path, "within"), message, "write good")
        bound = table.get("within")
        is_free = metric.kind != "histogram" or metric.is_native or bound is None
        if not is_free and bound not in metric.buckets:
            message = f"{bound:g} is no bucket bound of {metric.name!r}"
            bounds = ", ".join(f"{each:g}" for each in metric.buckets)
            self._lookup.report.add((*path, "within"), message, f"allowed: {bounds}")

    def alert(self, table: Mapping[str, Any], path: KeyPath) -> Alert | None:
        """Read an alert; `None` where its metric cannot have one."""
        metric = self._lookup.metric(table, path, _ALERTING)
        if metric is None:
            return None
        if "within" in table and metric.kind != "counter":
            message = f"within means nothing for a {metric.kind}"
            self._lookup.report.add((*path, "within"), message, "it is for counters")
        return Alert(
            name=table.get("name") or "",
            metric=metric,
            above=table.get("above") or 0,
            severity=table.get("severity") or "warning",
            summary=table.get("summary") or "",
            description=table.get("description") or "",
            by=self._lookup.labels(table, metric, path) or (),
            ignore=self._lookup.choice(table, "ignore", metric, path),
            hold=table.get("for") or "0s",
            window=table.get("within") or "15m",
            busy=self._lookup.find(table.get("while"), (*path, "while"), _COUNTERS),
        )


def _whole(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Give the tables of an array that no mistake was found in."""
    tables: list[Mapping[str, Any] | None] = table.get(key) or []
    return [each for each in tables if each and not _KEYS[key] - _known(each)]


def _known(table: Mapping[str, Any]) -> set[str]:
    return {key for key, value in table.items() if value is not None}
