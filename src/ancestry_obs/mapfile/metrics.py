"""The ``[metrics]`` part of a map: checked tables go in, `MetricSpec` come out.

Here are the rules that one metric's keys have among themselves, and the names that metrics take
from each other in an exposition. Values of the wrong type were reported before, and are `None`.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.exceptions import Finding
from ancestry_obs.mapfile.buckets import bounds_of
from ancestry_obs.mapfile.language import LABEL_BOUNDS
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.taken import Defaults
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = [
    "ALWAYS_POSSIBLE",
    "bounds_in",
    "build_metrics",
    "label_of",
    "possible_values",
    "refuse_clashes",
    "worst_case_series",
]

# What a label can be beside its own values: past its bound, and after a failing expression.
ALWAYS_POSSIBLE: Final = ("other", "error")

_COUNTER_SUFFIX: Final = "_total"
_OWN: Final = "ancestry_obs_"
# OpenMetrics 1.0, "Suffixes": the names that a family of each type has besides its own.
_SUFFIXES: Final[dict[str, tuple[str, ...]]] = {
    "counter": ("_total", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
}


def worst_case_series(metric: MetricSpec) -> int:
    """Count the time series that Prometheus stores of a metric if every label takes all its values.

    Args:
        metric: The metric; its labels' bounds include ``other`` and ``error``.

    Returns:
        The number of label combinations; a histogram has its buckets, ``+Inf``, sum and count each.
    """
    combinations = prod(map(possible_values, metric.labels))
    return combinations * (len(metric.buckets) + 3 if metric.type == "histogram" else 1)


def possible_values(label: LabelSpec) -> int:
    """Count the values that a label can have, those that any label has included."""
    if label.values is not None:
        return len({*label.values, *ALWAYS_POSSIBLE})
    return (label.max_values or 0) + len(ALWAYS_POSSIBLE)


def build_metrics(
    tables: Mapping[str, Any], report: Report, defaults: Defaults | None = None
) -> dict[str, MetricSpec | None]:
    """Build the metrics of one file.

    Args:
        tables: The file's checked tables.
        report: Takes the file's mistakes.
        defaults: What they take where they do not say it.

    Returns:
        The metrics by name; `None` for one that is broken, so that its name still counts as known.
    """
    namespace = tables.get("namespace")
    return {
        name: None if table is None else _metric(name, table, report, namespace, defaults)
        for name, table in (tables.get("metrics") or {}).items()
    }


def _metric(
    name: str,
    table: Mapping[str, Any],
    report: Report,
    namespace: str | None,
    defaults: Defaults | None,
) -> MetricSpec | None:
    kind, path = table.get("type"), ("metrics", name)
    if namespace == "" and name.startswith(_OWN):
        message = f"the names that begin with {_OWN!r} are the toolkit's own"
        report.add(path, message, "rename it, or write a namespace")
    _check_suffix(name, kind, path, report)
    labels = table.get("labels") or {}
    most = defaults.max_values if defaults else None
    specs = [
        label_of(label, {"max_values": most} if most and bound == {} else bound, at, report)
        for label, bound in labels.items()
        for at in [(*path, "labels", label)]
    ]
    if defaults:
        specs += [each for each in defaults.labels_of(name) if each.name not in labels]
    buckets = _buckets(kind, table, path, report, defaults.buckets if defaults else ())
    if kind is None:
        return None
    text, where = table.get("help") or "", report.where(path)
    return MetricSpec(name, kind, text, tuple(specs), buckets, where, namespace)


def _check_suffix(name: str, kind: str | None, path: KeyPath, report: Report) -> None:
    """Prometheus documentation, "Metric and label naming": an accumulating count ends in _total."""
    has_suffix = name.endswith(_COUNTER_SUFFIX)
    if kind == "counter" and (not has_suffix or name == _COUNTER_SUFFIX):
        report.add(
            path,
            f"the counter's name {name!r} does not end in '_total'",
            f"write {f'{name}_total'!r}",
        )
    elif kind is not None and kind != "counter" and has_suffix:
        message = f"the name {name!r} of a {kind} ends in '_total', as only a counter's does"
        report.add(path, message, f"write {name.removesuffix(_COUNTER_SUFFIX)!r}")


def label_of(name: str, bound: Any, path: KeyPath, report: Report) -> LabelSpec:  # noqa: ANN401 - list or dict
    """Build a label.

    Args:
        name: What it is called.
        bound: Its values, or a table with ``values`` or ``max_values``.
        path: Where it is.
        report: Takes the mistakes.
    """
    if bound is None:
        return LabelSpec(name, None, None, report.where(path))
    keys: dict[str, Any] = {"values": bound} if isinstance(bound, list) else bound
    if len(keys) != 1:
        found = "both values and max_values" if keys else "no bound"
        report.add(path, f"the label has {found}", LABEL_BOUNDS)
    values = keys.get("values")
    enumeration = None if values is None else tuple(value for value in values if value is not None)
    return LabelSpec(name, enumeration, keys.get("max_values"), report.where(path))


def _buckets(
    kind: str | None,
    table: Mapping[str, Any],
    path: KeyPath,
    report: Report,
    default: tuple[float, ...],
) -> tuple[float, ...]:
    if kind == "histogram" and "buckets" not in table:
        if not default:
            report.add(
                path,
                "a histogram has no buckets",
                'write buckets = "latency", or [0.1, 1, 10], for example',
            )
        return default
    if kind not in {"histogram", None} and "buckets" in table:
        report.add(
            (*path, "buckets"), f"a {kind} has buckets", "take them out, or make it a histogram"
        )
    return bounds_in(table, path, report)


def bounds_in(table: Mapping[str, Any], path: KeyPath, report: Report) -> tuple[float, ...]:
    """Give the bounds that a table's ``buckets`` are.

    Args:
        table: The table, perhaps without any.
        path: Where it is.
        report: Takes the mistakes.
    """
    bounds = bounds_of(table.get("buckets") or [], (*path, "buckets"), report)
    for lower, upper in pairwise(bounds):
        if lower >= upper:
            message = f"the bucket {upper} comes after {lower}"
            report.add((*path, "buckets"), message, "write each bound once, in ascending order")
    return tuple(map(float, bounds))


def refuse_clashes(metrics: Iterable[MetricSpec | None], report: Report) -> None:
    """Refuse two metrics of a map that would expose, or describe, the same name.

    Args:
        metrics: Those of all its files; `None` for one that is broken.
        report: Takes the mistakes.
    """
    taken: dict[tuple[bool, str], str] = {}
    for metric in filter(None, metrics):
        for name in _exposed_names(metric):
            full = f"{metric.namespace}_{name}" if metric.namespace else name
            owner = taken.setdefault((metric.namespace is None, full), metric.name)
            if owner != metric.name:
                message = f"{metric.name!r} and {owner!r} would both expose {name!r}"
                report.findings.append(Finding(message, metric.where, "rename one of them"))
                break


def _exposed_names(metric: MetricSpec) -> list[str]:
    family = metric.name.removesuffix(_COUNTER_SUFFIX) if metric.type == "counter" else metric.name
    return [family, *(family + suffix for suffix in _SUFFIXES.get(metric.type, ()))]
