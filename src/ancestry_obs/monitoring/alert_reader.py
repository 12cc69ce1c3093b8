"""The tables of objectives and alerts come in, an `Objective` or an `Alert` goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.monitoring.objectives import FASTEST_BURN
from ancestry_obs.monitoring.plan import Alert, Objective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_obs.mapfile.toml_lines import KeyPath
    from ancestry_obs.monitoring.catalogue import Kind, Metric
    from ancestry_obs.monitoring.lookup import Lookup

__all__ = ["AlertReader"]

_COUNTERS: Final[tuple[Kind, ...]] = ("counter",)
_COUNTED: Final[tuple[Kind, ...]] = ("counter", "histogram")
_ALERTING: Final[tuple[Kind, ...]] = ("counter", "gauge", "in_flight", "info", "ratio")


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
        needed, other = ("within", "good") if metric.kind == "histogram" else ("good", "within")
        if needed not in table:
            message = f"an objective on a {metric.kind} needs the key {needed!r}"
            self._lookup.report.add(path, message, f"add {needed}")
        if other in table:
            message = f"{other} means nothing for a {metric.kind}"
            self._lookup.report.add((*path, other), message, f"write {needed}")
        bound = table.get("within")
        if needed == "within" and bound is not None and bound not in metric.buckets:
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
