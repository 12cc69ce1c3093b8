"""Names in a plan come in; what the catalogue has under them goes out, or a finding.

A mistake goes to the report and reading goes on. What is broken was reported before by the loader,
and is `None` here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from ancestry_obs.mapfile.metrics import ALWAYS_POSSIBLE
from ancestry_obs.mapfile.report import allowed_names
from ancestry_obs.monitoring.catalogue import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.toml_lines import KeyPath
    from ancestry_obs.monitoring.catalogue import Catalogue, Metric
    from ancestry_obs.monitoring.plan import Choice

__all__ = ["Lookup"]

_ALL_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Lookup:
    """Finds metrics and their labels.

    Args:
        catalogue: The metrics that there are.
        report: Takes the mistakes.

    Attributes:
        report: The same.
    """

    def __init__(self, catalogue: Catalogue, report: Report) -> None:
        self._catalogue = catalogue
        self.report = report

    def metric(
        self, table: Mapping[str, Any], path: KeyPath, kinds: Collection[Kind] = _ALL_KINDS
    ) -> Metric | None:
        """Find the metric that a table names."""
        return self.find(table.get("metric"), (*path, "metric"), kinds)

    def find(
        self, name: str | None, place: KeyPath, kinds: Collection[Kind] = _ALL_KINDS
    ) -> Metric | None:
        """Find a metric by its name.

        Args:
            name: The name; `None` where there is none, or one that was reported before.
            place: Where it stands.
            kinds: What the metric may be.
        """
        if name is None:
            return None
        metric = self._catalogue.get(name)
        if metric is None:
            remedy = allowed_names(name, self._catalogue.names)
            self.report.add(place, f"unknown metric {name!r}", remedy)
        elif metric.kind not in kinds:
            message = f"{name!r} is of the kind {metric.kind}"
            self.report.add(place, message, f"allowed: {', '.join(kinds)}")
            return None
        return metric

    def labels(
        self, table: Mapping[str, Any], metric: Metric, path: KeyPath
    ) -> tuple[str, ...] | None:
        """Read ``by``; `None` where the table does not have it."""
        labels = table.get("by")
        if labels is None:
            return None
        for index, label in enumerate(labels):
            if label is not None:
                self.check_label(label, metric, (*path, "by", index))
        return tuple(labels)

    def check_label(self, label: str, metric: Metric, place: KeyPath) -> bool:
        """Tell whether a metric has a label, and report it if not."""
        known = label in metric.label_names
        if not known:
            message = f"{metric.name!r} has no label {label!r}"
            self.report.add(place, message, allowed_names(label, metric.label_names))
        return known

    def choice(self, table: Mapping[str, Any], key: str, metric: Metric, path: KeyPath) -> Choice:
        """Read a table of labels and values, such as ``good``."""
        enumerations = dict(metric.labels)
        choice: Mapping[str, Any] = table.get(key) or {}
        for label, values in choice.items():
            place = (*path, key, label)
            if self.check_label(label, metric, place) and enumerations[label]:
                possible = (*enumerations[label], *ALWAYS_POSSIBLE)
                for value in values or ():
                    if value is not None and value not in possible:
                        message = f"{value!r} is no value of the label {label!r}"
                        self.report.add(place, message, allowed_names(value, possible))
        return tuple((label, tuple(values or ())) for label, values in choice.items())
