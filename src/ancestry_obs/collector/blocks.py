"""A metric at the moment of a scrape: series come in, a block of plain numbers goes out.

A block is what both ways of writing read, so that they cannot tell different numbers, and is taken
while the store's lock is held, so that nobody has to hold it while text is written. Under the lock
numbers are copied as they are; rows are made of them where they are written, a few at a time: all
of them at once would be so many new objects that Python looks through every object there is, and
all threads would stand still meanwhile.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import sub
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, overload

from ancestry_obs.frozen import frozen
from ancestry_obs.process_tree.totals import buckets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ancestry_obs.process_tree.totals import Labels, Numbers
    from ancestry_obs.recording import Family
    from ancestry_obs.recording.exemplars import Exemplar

__all__ = ["SUFFIXES", "Block", "Kind", "Row", "apart", "block_of", "copied", "placed"]

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
        bounds_now: Gives a histogram's upper bounds without ``+Inf``.
        natives: The rows of a native histogram as they were counted: `process_tree.totals.Numbers`.
        exemplars: By a series' label values those that it has, each by the number under which it is
            kept; `placed` gives the line where it is shown.
    """

    name: str
    kind: Kind
    help: str
    label_names: tuple[str, ...]
    rows: Sequence[Row]
    bounds_now: Callable[[], tuple[float, ...]] = tuple
    natives: Sequence[Row] | None = None
    exemplars: Mapping[Labels, Mapping[int, Exemplar]] = MappingProxyType({})

    @property
    def bounds(self) -> tuple[float, ...]:
        """A histogram's upper bounds without ``+Inf``."""
        return self.bounds_now()


def placed(block: Block, labels: Labels) -> dict[int, Exemplar]:
    """Give a series' exemplars by the number of the bucket where they are shown; a counter's is 0.

    Args:
        block: The metric.
        labels: The label values of the series.
    """
    found = block.exemplars.get(labels)
    if not found:
        return {}
    # By the value: a native histogram's bounds may be others at each scrape.
    newest_last = sorted(found.values(), key=lambda each: each.time)
    return {bisect_left(block.bounds, each.value): each for each in newest_last}


def copied(family: Family) -> tuple[list[Labels], list[Numbers]]:
    """Copy a family's numbers as they are; nothing may be folded meanwhile (`Store.read`).

    Args:
        family: The metric.

    Returns:
        The label values of each series, and its numbers (`process_tree.totals.Numbers`); a gauge's
        without the time.
    """
    labels, series = family.columns()
    if family.spec.native is not None:
        return labels, [_native(each) for each in series]
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
    exemplars: Mapping[Labels, Mapping[int, Exemplar]] = MappingProxyType({}),
) -> Block:
    """Make the block of a metric.

    Args:
        family: The metric.
        labels: The label values of each series.
        numbers: The numbers of each.
        sampled: What live instances said, by label values; it hides a recorded series.
        exemplars: As `Block` has them.
    """
    kind, spec = _kind(family), family.spec
    name = family.name.removesuffix("_total") if kind == "counter" else family.name
    if sampled:
        kept = [place for place, each in enumerate(labels) if each not in sampled]
        labels = [labels[place] for place in kept] + list(sampled)
        numbers = [numbers[place] for place in kept] + [(each,) for each in sampled.values()]
    if spec.native is not None:
        shown = _Implied(family, numbers)
        natives = _Rows(labels, numbers, None)
        rows = _Rows(labels, numbers, shown.numbers)
        return Block(
            name, kind, spec.help, family.label_names, rows, shown.bounds, natives, exemplars
        )
    rows = _Rows(labels, numbers, _SHOWN.get(spec.type))
    return Block(
        name, kind, spec.help, family.label_names, rows, lambda: spec.buckets, None, exemplars
    )


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


def _native(series: Any) -> Numbers:  # noqa: ANN401 - a native histogram's
    classic = tuple(series.classic.counts) if series.classic is not None else ()
    return (classic, *series.buckets, series.sum)


class _Implied:
    """A native histogram as a classic one; nothing is worked out for who does not ask for that.

    Args:
        family: The metric.
        numbers: The numbers of each series.
    """

    def __init__(self, family: Family, numbers: list[Numbers]) -> None:
        self._family = family
        self._numbers = numbers
        self._bounds: tuple[float, ...] | None = family.spec.buckets or None

    def bounds(self) -> tuple[float, ...]:
        if self._bounds is None:
            self._bounds = self._family.implied.after(map(buckets_of, self._numbers))
        return self._bounds

    def numbers(self, numbers: Any) -> Numbers:  # noqa: ANN401 - see `Numbers`
        classic, *_, total = numbers
        if classic:
            return _added_up((*classic, total))
        self.bounds()
        counts = self._family.implied.cumulative(buckets_of(numbers))
        return (*counts, counts[-1], total)


def apart(cumulative: Sequence[float]) -> Numbers:
    """Give the counts of buckets from what is not above each of their bounds.

    Args:
        cumulative: In the order of the bounds.
    """
    return tuple(map(sub, cumulative, (0, *cumulative)))


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
