"""The ``[metrics]`` part of a map: checked tables go in, `MetricSpec` come out.

Here are the rules that one metric's keys have among themselves, and the names that metrics take
from each other in an exposition. Values of the wrong type were reported before, and are `None`.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.mapfile.buckets import NATIVE, bounds_of
from ancestry_obs.mapfile.exposed_names import COUNTER_SUFFIX, OWN, joined
from ancestry_obs.mapfile.language import LABEL_BOUNDS
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, NativeSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.taken import Defaults
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = [
    "ALWAYS_POSSIBLE",
    "NO_BUCKETS",
    "buckets_in",
    "build_metrics",
    "label_of",
    "possible_values",
    "series_multiplied",
    "series_of_each",
    "worst_case_series",
]

# What a label can be beside its own values: past its bound, and after a failing expression.
ALWAYS_POSSIBLE: Final = ("other", "error")

Chosen = tuple[tuple[float, ...], NativeSpec | None]
NO_BUCKETS: Final[Chosen] = ((), None)


def worst_case_series(metric: MetricSpec) -> int:
    """Count the time series that Prometheus stores of a metric if every label takes all its values.

    Args:
        metric: The metric; its labels' bounds include ``other`` and ``error``.

    Returns:
        The number of label combinations; a histogram has its buckets, ``+Inf``, sum and count each,
        and a native one is a single series, beside which there may be those.
    """
    return prod(number for number, _ in _factors(metric))


def series_multiplied(metric: MetricSpec) -> str:
    """Write what `worst_case_series` multiplies, as ``5 of a histogram * 22 status``.

    Args:
        metric: The metric.

    Returns:
        The text; an empty one where nothing is multiplied.
    """
    factors = [f"{number:,} {what}" for number, what in _factors(metric)]
    return " * ".join(factors) if len(factors) > 1 else ""


def _factors(metric: MetricSpec) -> list[tuple[int, str]]:
    each = series_of_each(metric)
    own = [(each, "of a histogram")] if each > 1 else []
    return [*own, *((possible_values(label), label.name) for label in metric.labels)]


def series_of_each(metric: MetricSpec) -> int:
    """Count the time series that Prometheus stores for one combination of labels."""
    if metric.type != "histogram":
        return 1
    classic = len(metric.buckets) + 3
    return classic if metric.native is None else 1 + (classic if metric.buckets else 0)


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
    if namespace is not None and joined(namespace, name).startswith(OWN):
        message = f"the names that begin with {OWN!r} are the toolkit's own"
        report.add(path, message, "rename it, or write another namespace")
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
    default = defaults.buckets if defaults else NO_BUCKETS
    buckets, native = _buckets(kind, table, path, report, default)
    if kind is None:
        return None
    text, where = table.get("help") or "", report.where(path)
    return MetricSpec(name, kind, text, tuple(specs), buckets, where, namespace, native)


def _check_suffix(name: str, kind: str | None, path: KeyPath, report: Report) -> None:
    """Prometheus documentation, "Metric and label naming": an accumulating count ends in _total."""
    has_suffix = name.endswith(COUNTER_SUFFIX)
    if kind == "counter" and (not has_suffix or name == COUNTER_SUFFIX):
        report.add(
            path,
            f"the counter's name {name!r} does not end in '_total'",
            f"write {f'{name}_total'!r}",
        )
    elif kind is not None and kind != "counter" and has_suffix:
        message = f"the name {name!r} of a {kind} ends in '_total', as only a counter's does"
        report.add(path, message, f"write {name.removesuffix(COUNTER_SUFFIX)!r}")


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
    default: Chosen,
) -> Chosen:
    given = [key for key in ("buckets", "native") if key in table]
    if kind == "histogram" and not given:
        if default == NO_BUCKETS:
            report.add(
                path,
                "a histogram has no buckets",
                'write buckets = "latency", "native" or [0.1, 1, 10], for example',
            )
        return default
    if kind not in {"histogram", None} and given:
        what = "buckets" if given == ["buckets"] else "native buckets"
        remedy = "take them out, or make it a histogram"
        report.add((*path, given[-1]), f"a {kind} has {what}", remedy)
    return buckets_in(table, path, report)


def buckets_in(table: Mapping[str, Any], path: KeyPath, report: Report) -> Chosen:
    """Give what a table says of buckets.

    Args:
        table: The table, perhaps without any.
        path: Where it is.
        report: Takes the mistakes.
    """
    given, native = table.get("buckets"), table.get("native")
    bounds = bounds_of(given or [], (*path, "buckets"), report)
    for lower, upper in pairwise(bounds):
        if lower >= upper:
            message = f"the bucket {upper} comes after {lower}"
            report.add((*path, "buckets"), message, "write each bound once, in ascending order")
    if given == NATIVE and native is None:
        native = {}
    return tuple(map(float, bounds)), _native(native, (*path, "native"), report)


def _native(table: Mapping[str, Any] | None, path: KeyPath, report: Report) -> NativeSpec | None:
    if table is None:
        return None
    given = {key: value for key, value in table.items() if value is not None}
    if given.get("max_zero_threshold"):
        least = given.get("zero_threshold", NativeSpec().zero_threshold)
        if given["max_zero_threshold"] < least:
            message = f"max_zero_threshold is below zero_threshold, which is {least:g}"
            report.add((*path, "max_zero_threshold"), message, "write a larger one, or none")
    return NativeSpec(**given)
