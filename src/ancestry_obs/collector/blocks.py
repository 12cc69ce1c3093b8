"""A metric at the moment of a scrape: series come in, a block of plain numbers goes out.

A block is what both ways of writing read, so that they cannot tell different numbers, and is taken
while the store's lock is held, so that nobody has to hold it while text is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from prometheus_client.utils import floatToGoString

from ancestry_obs.recording import HistogramSeries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ancestry_obs.recording import Family, Series

__all__ = ["SUFFIXES", "Block", "Kind", "Row", "block_of", "go_number"]

Kind = Literal["counter", "gauge", "histogram", "info", "summary"]

Row = tuple[tuple[str, ...], tuple[float, ...]]
"""The label values of a series and its numbers, one for each of its samples.

A histogram's are its buckets' counts, cumulative and with ``+Inf`` last, then the count and the
sum; those of the others are as `SUFFIXES` has them.
"""

SUFFIXES: Mapping[Kind, tuple[str, ...]] = {
    "counter": ("_total",),
    "gauge": ("",),
    "info": ("_info",),
    "summary": ("_count", "_sum"),
}
"""What the samples of each kind but the histogram add to the metric's name."""

go_number: Callable[[float], str] = floatToGoString
"""Write a number as Go does, which switches to exponents sooner than Python."""


@dataclass(frozen=True, slots=True)
class Block:
    """A metric with the numbers that it has now.

    Args:
        name: The full name, without the suffix of its samples.
        kind: Prometheus' type.
        help: The line beside it.
        label_names: In the order of the rows' label values.
        rows: One for each series, no label values twice.
        bounds: A histogram's upper bounds without ``+Inf``.
    """

    name: str
    kind: Kind
    help: str
    label_names: tuple[str, ...]
    rows: Sequence[Row]
    bounds: tuple[float, ...] = ()

    def bound_texts(self) -> list[str]:
        """Write a histogram's bounds as values of the label ``le``, the last one included."""
        return [*map(go_number, self.bounds), "+Inf"]


def block_of(family: Family, sampled: Mapping[tuple[str, ...], float]) -> Block:
    """Take a family's numbers; the store's lock must be held (`Store.reading`).

    Args:
        family: The metric.
        sampled: What live instances said, by label values; it hides a recorded series.
    """
    rows: list[Row] = [
        (labels, _numbers(series)) for labels, series in family.series() if labels not in sampled
    ]
    rows += [(labels, (value,)) for labels, value in sampled.items()]
    kind, spec = _kind(family), family.spec
    name = family.name.removesuffix("_total") if kind == "counter" else family.name
    return Block(name, kind, spec.help, family.label_names, rows, spec.buckets)


def _kind(family: Family) -> Kind:
    match family.spec.type:
        case "counter" | "histogram" as kind:
            return kind
        case _:
            # Ratios and calls in flight go up and down.
            return "gauge"


def _numbers(series: Series) -> tuple[float, ...]:
    if not isinstance(series, HistogramSeries):
        return (series.value,)
    counts = tuple(accumulate(series.counts))
    return (*counts, counts[-1], series.sum)
