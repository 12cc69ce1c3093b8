"""The table of a panel comes in, a `Panel` goes out.

Here are the rules that a panel's keys have among themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.mapfile.metrics import ALWAYS_POSSIBLE
from ancestry_obs.mapfile.report import allowed_names
from ancestry_obs.monitoring.arrangement import default_view, heading, telling_labels
from ancestry_obs.monitoring.plan import DEFAULT_QUANTILES, VIEWS, Panel, State, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_obs.mapfile.toml_lines import KeyPath
    from ancestry_obs.monitoring.catalogue import Metric
    from ancestry_obs.monitoring.lookup import Lookup

__all__ = ["PanelReader"]

# Which keys of a panel mean something in which views.
_ONLY_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "good": ("share", "share_trend"),
    "ignore": ("share", "share_trend"),
    "quantiles": ("quantiles", "quantile_table"),
    "aggregate": ("now", "trend"),
    "states": ("states",),
}
_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "thresholds": frozenset({"from", "color"}),
    "states": frozenset({"value", "text", "color"}),
}
_NEEDED: Final[Mapping[str, str]] = {"share": "good", "share_trend": "good", "states": "states"}


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


def _whole(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Give the tables of an array that no mistake was found in."""
    tables: list[Mapping[str, Any] | None] = table.get(key) or []
    return [each for each in tables if each and not _KEYS[key] - _known(each)]


def _known(table: Mapping[str, Any]) -> set[str]:
    return {key for key, value in table.items() if value is not None}
