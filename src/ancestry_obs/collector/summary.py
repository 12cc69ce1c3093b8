"""An exposition comes in, a few lines that a person reads go out.

It is read back with prometheus_client's own parser, from the text that Prometheus would scrape:
what is shown is what was exposed, not what was meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    from prometheus_client import Metric
    from prometheus_client.samples import Sample

    _Key: TypeAlias = tuple[tuple[str, str], ...]

__all__ = ["Row", "summarize"]

_MOST_ROWS = 12
_BOUND = "le"
"""Nobody reads a line for each endpoint: labels are summed over until so few rows are left."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line.

    Args:
        metric: the metric's name as the map has it, without the namespace.
        labels: the values of the labels that are told apart, such as `GET, success`.
        value: the number, or of a histogram how many observations and their mean.
    """

    metric: str
    labels: str
    value: str


def summarize(text: str, names: Mapping[str, str]) -> list[Row]:
    """Summarize an exposition.

    Args:
        text: in the Prometheus text format.
        names: of the metrics to show: the full name, and the name to show it under.
    """
    families = text_string_to_metric_families(text)
    # The parser names a counter's family without the ending of its samples.
    shown = {full.removesuffix("_total"): name for full, name in names.items()}
    return [
        row for each in families if each.name in shown for row in _family(each, shown[each.name])
    ]


def _family(family: Metric, name: str) -> Iterator[Row]:
    main = _counts(family) if family.type == "histogram" else family.samples
    for key, samples in sorted(_groups(main).items()):
        yield Row(name, ", ".join(value for _, value in key), _value(family, key, samples))


def _counts(histogram: Metric) -> list[Sample]:
    """Give the last bucket of each series, which is its count; not each has one besides."""
    return [
        each._replace(labels={name: each.labels[name] for name in each.labels if name != _BOUND})
        for each in histogram.samples
        if each.labels.get(_BOUND) == "+Inf"
    ]


def _groups(samples: Sequence[Sample]) -> dict[_Key, list[Sample]]:
    """Group samples by their labels, leaving out those with the most values while too many."""
    names = list(samples[0].labels) if samples else []
    while True:
        groups: dict[_Key, list[Sample]] = {}
        for sample in samples:
            key = tuple((name, sample.labels[name]) for name in names)
            groups.setdefault(key, []).append(sample)
        if len(groups) <= _MOST_ROWS:
            return groups
        names.remove(max(names, key=lambda name: len({each.labels[name] for each in samples})))


def _value(family: Metric, key: _Key, samples: Sequence[Sample]) -> str:
    numbers = [each.value for each in samples]
    if family.type == "histogram":
        return _observations(sum(numbers), _sum_of(family, dict(key)))
    if family.type == "counter" or len(numbers) == 1:
        return f"{sum(numbers):.4g}" if sum(numbers) % 1 else f"{sum(numbers):.0f}"
    return f"{min(numbers):.3g} to {max(numbers):.3g} in {len(numbers)} series"


def _sum_of(family: Metric, labels: Mapping[str, str]) -> float | None:
    sums = [
        each.value
        for each in family.samples
        if each.name.endswith("_sum") and labels.items() <= each.labels.items()
    ]
    return sum(sums) if sums else None


def _observations(count: float, total: float | None) -> str:
    mean = f", mean {total / count:.2g}" if count and total is not None else ""
    return f"{count:.0f}{mean}"
