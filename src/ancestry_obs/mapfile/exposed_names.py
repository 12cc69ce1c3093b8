"""Metrics go in, each with what it begins with; whether two of them would be exposed by one name.

It imports nothing of the language, since a program that starts with a map from the cache asks, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ancestry_obs.exceptions import Finding, MapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.specs import MetricSpec

__all__ = ["COUNTER_SUFFIX", "OWN", "joined", "refuse_clashes", "refuse_names"]

COUNTER_SUFFIX: Final = "_total"
OWN: Final = "ancestry_obs_"
"""What the toolkit's own names begin with."""

# OpenMetrics 1.0, "Suffixes": the names that a family of each type has besides its own.
_SUFFIXES: Final[dict[str, tuple[str, ...]]] = {
    "counter": ("_total", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
}


def refuse_clashes(metrics: Iterable[MetricSpec | None], report: Report) -> None:
    """Refuse two metrics of a map that would expose, or describe, the same name.

    Args:
        metrics: Those of all its files; `None` for one that is broken.
        report: Takes the mistakes.
    """
    taken: dict[tuple[bool, str], str] = {}
    for metric in filter(None, metrics):
        for name in _exposed_names(metric):
            full = joined(metric.namespace or "", name)
            owner = taken.setdefault((metric.namespace is None, full), metric.name)
            if owner != metric.name:
                message = f"{metric.name!r} and {owner!r} would both expose {name!r}"
                report.findings.append(Finding(message, metric.where, "rename one of them"))
                break


def refuse_names(metrics: Sequence[MetricSpec], namespace: str) -> None:
    """Refuse names that cannot be exposed once the namespace of the program is known.

    Args:
        metrics: Those of a map without mistakes of its own.
        namespace: What the names begin with of metrics whose map does not say.

    Raises:
        MapError: Two metrics would have one name, or one the name of the toolkit's own.
    """
    if f"{namespace}_" != OWN and all(each.namespace is None for each in metrics):
        return
    taken: dict[str, MetricSpec] = {}
    for metric in metrics:
        full = metric.full_name(namespace)
        if full.startswith(OWN):
            message = f"{full!r} begins with {OWN!r}, as the toolkit's own names do"
            raise MapError([Finding(message, metric.where, "set another METRICS_NAMESPACE")])
        begin = full.removesuffix(metric.name)
        for name in _exposed_names(metric):
            owner = taken.setdefault(begin + name, metric)
            if owner is not metric:
                message = (
                    f"{metric.name!r} and {owner.name!r} of {owner.where.file_and_line} would both "
                    f"expose {begin + name!r}, as METRICS_NAMESPACE is {namespace!r}"
                )
                remedy = "rename one of them, or set another METRICS_NAMESPACE"
                raise MapError([Finding(message, metric.where, remedy)])


def joined(namespace: str, name: str) -> str:
    """Put a namespace, which may be empty, in front of a name."""
    return f"{namespace}_{name}" if namespace else name


def _exposed_names(metric: MetricSpec) -> list[str]:
    family = metric.name.removesuffix(COUNTER_SUFFIX) if metric.type == "counter" else metric.name
    return [family, *(family + suffix for suffix in _SUFFIXES.get(metric.type, ()))]
