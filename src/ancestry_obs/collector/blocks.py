"""A metric at the moment of a scrape: series come in, a block of plain numbers goes out.

A block is what both ways of writing read, so that they cannot tell different numbers, and is taken
while the store's lock is held, so that nobody has to hold it while text is written. Under the lock
numbers are copied as they are; rows are made of them where they are written, a few at a time: all
of them at once would be so many new objects that Python looks through every object there is, and
all threads would stand still meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, overload

from ancestry_obs.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ancestry_obs.process_tree.totals import Labels, Numbers
    from ancestry_obs.recording import Family

__all__ = ["SUFFIXES", "Block", "Kind", "Row", "block_of", "copied"]

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


@frozen()
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


def copied(family: Family) -> tuple[list[Labels], list[Numbers]]:
    """Copy a family's numbers as they are; nothing may be folded meanwhile (`Store.read`).

    Args:
        family: The metric.

    Returns:
        The label values of each series, and its numbers (`process_tree.totals.Numbers`); a gauge's
        without the time.
    """
    labels, series = family.columns()
    numbers: list[Numbers]
    match family.spec.type:
        case "histogram":
            # One series holds still while the lock is held, so that its numbers belong together.
            numbers = [(*each.counts, each.sum) for each in series]  # type: ignore[union-attr] # the type is the metric's
        case "ratio":
            numbers = [(each.hits, each.lookups) for each in series]  # type: ignore[union-attr] # as above
        case _:
            numbers = [(each.value,) for each in series]  # type: ignore[union-attr] # as above
    return labels, numbers


def block_of(
    family: Family,
    labels: list[Labels],
    numbers: list[Numbers],
    sampled: Mapping[Labels, float] = MappingProxyType({}),
) -> Block:
    """Make the block of a metric.

    Args:
        family: The metric.
        labels: The label values of each series.
        numbers: The numbers of each.
        sampled: What live instances said, by label values; it hides a recorded series.
    """
    kind, spec = _kind(family), family.spec
    name = family.name.removesuffix("_total") if kind == "counter" else family.name
    if sampled:
        kept = [place for place, each in enumerate(labels) if each not in sampled]
        labels = [labels[place] for place in kept] + list(sampled)
        numbers = [numbers[place] for place in kept] + [(each,) for each in sampled.values()]
    rows = _Rows(labels, numbers, _SHOWN.get(spec.type))
    return Block(name, kind, spec.help, family.label_names, rows, spec.buckets)


class _Rows(Sequence[Row]):
    """The rows of a metric, each made when it is asked for.

    Args:
        labels: The label values of each series.
        numbers: What was copied of each.
        shown: Makes of it what its samples show, where that is something else.
    """

    def __init__(
        self,
        labels: list[Labels],
        numbers: list[Numbers],
        shown: Callable[[Numbers], Numbers] | None,
    ) -> None:
        self._labels = labels
        self._numbers = numbers
        self._shown = shown

    def __len__(self) -> int:
        return len(self._labels)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if not isinstance(place, slice):
            numbers = self._numbers[place]
            return self._labels[place], self._shown(numbers) if self._shown else numbers
        taken = self._numbers[place]
        return list(
            zip(
                self._labels[place],
                map(self._shown, taken) if self._shown else taken,
                strict=True,
            )
        )


def _kind(family: Family) -> Kind:
    match family.spec.type:
        case "counter" | "histogram" as kind:
            return kind
        case _:
            # Ratios and calls in flight go up and down.
            return "gauge"


def _added_up(numbers: Numbers) -> Numbers:
    counts = tuple(accumulate(numbers[:-1]))
    return (*counts, counts[-1], numbers[-1])


def _share(numbers: Numbers) -> Numbers:
    # A sample's is a number by itself.
    if len(numbers) == 1:
        return numbers
    hits, lookups = numbers
    return (hits / lookups if lookups else 0.0,)


def _value(numbers: Numbers) -> Numbers:
    return numbers[:1]


_SHOWN: Mapping[str, Callable[[Numbers], Numbers]] = {
    "histogram": _added_up,
    "ratio": _share,
    "gauge": _value,
}
