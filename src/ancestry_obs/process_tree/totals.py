"""What processes measured, as plain numbers that can be written, read and added up.

`Totals` are of one process or of many. Everything in them is a tuple, dict, text or number.

What becomes of numbers of the same name, of the same labels, in two processes:

    counter, histogram, ratio   they are added, those of processes that have ended as well
    gauge                       the one that was set last, whether or not its process still runs
    in_flight                   the sum over the processes that run
    sample                      the sample's `aggregate`, over the processes that run
    exemplar                    the newest one of each bucket, also of processes that have ended

What is added are whole numbers. A sum of floats depends on the order in the last of its digits, and
the order is another one once a process has ended: a counter that is smaller by that is one that
began anew, to Prometheus, which adds all of it once more.
"""

from __future__ import annotations

from functools import partial
from math import inf
from operator import add, lt
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from ancestry_obs.frozen import define, field, replaced
from ancestry_obs.process_tree.packing import pack, unpack
from ancestry_obs.process_tree.shown import Key, Labels
from ancestry_obs.recording.bucket_counts import Counts
from ancestry_obs.recording.native import Buckets, added

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableMapping

    from ancestry_obs.process_tree.shown import Shown
    from ancestry_obs.recording import Family

__all__ = [
    "AGGREGATES",
    "NATIVE",
    "Key",
    "Labels",
    "Numbers",
    "Rows",
    "Sampled",
    "Target",
    "Totals",
    "buckets_of",
    "combined",
    "exact",
    "key_of",
    "plain_of",
    "rounded",
]

_T = TypeVar("_T")

Numbers: TypeAlias = "tuple[float, ...]"
"""What is kept of one series: of a histogram the counts of its buckets, not cumulative, and the
sum; of a native one those counts as a tuple, what `recording.native.Buckets` has, and the sum; of a
ratio hits and lookups; of a gauge the value and when it became that, in seconds of the system's
monotonic clock; of the others the value. In `Totals` a counter's value and a histogram's sum are
`exact`."""
Rows: TypeAlias = "dict[Labels, Numbers]"
Target: TypeAlias = "tuple[Any, ...]"
"""What is told of a target: its state first; last the patterns of the map that reach it, its calls
and its errors; between them whatever its process tells beside that."""
Sampled: TypeAlias = "tuple[str, dict[Labels, float]]"
"""A sample's `aggregate`, and its numbers."""
Kept: TypeAlias = "dict[Labels, dict[int, tuple[Any, ...]]]"
"""The exemplars of a metric's series by bucket, as `recording.exemplars.Exemplar` has them; of two
processes' the newer one."""

AGGREGATES: Final[Mapping[str, Callable[[float, float], float]]] = {
    "last": lambda _earlier, later: later,
    "sum": add,
    "min": min,
    "max": max,
}
"""What becomes of two instances' numbers."""

NATIVE: Final = "native_histogram"
"""The kind of numbers that are not added one by one."""
_GAUGE: Final = "gauge"
_IN_FLIGHT: Final = "in_flight"
_BITS: Final = 100
_UNIT: Final = 1 << _BITS
_UNIT_FLOAT: Final = float(_UNIT)
_SAFE: Final = 2.0**900
"""Below this, a number of units is still a float."""
_BOUNDLESS: Final = _UNIT << 2000
"""More than any finite number comes to."""
_STATES: Final = ("pending", "installed", "expired", "error")
"""Of two processes with one target, the state that stands further right is the target's."""
_PATTERNS: Final = -3
_COUNTED: Final = 2
"""Numbers at the end of a target that are counts."""


@define()
class Totals:
    """What one process, or many, have measured.

    Args:
        metrics: The rows of each metric.
        limits: How many values each label of a metric may have beside `other` and `error`.
        samples: What live instances say, by the metric's full name.
        targets: What is told of each target, by its name.
        failures: Counts of failed expressions.
        overflows: Counts of values that became ``other``.
        counts: Other counts, by name.
        exemplars: Those of each metric.
        folded: Counts of observations whose label became ``other`` as processes were added up, by
            the metric's full name and the label.
    """

    metrics: dict[Key, Rows] = field(default_factory=dict)
    limits: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    samples: dict[str, Sampled] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    failures: dict[tuple[str, str, str], int] = field(default_factory=dict)
    overflows: dict[tuple[str, str], int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    exemplars: dict[Key, Kept] = field(default_factory=dict)
    folded: dict[tuple[str, str], int] = field(default_factory=dict)

    def as_bytes(self) -> bytes:
        """Write them."""
        return pack(tuple(getattr(self, name) for name in self.__match_args__))

    @classmethod
    def from_bytes(cls, data: bytes) -> Totals:
        """Read what `as_bytes` wrote.

        Raises:
            ValueError: It is something else, or not whole.
        """
        return cls(*unpack(data))

    def add(self, other: Totals, *, is_living: bool) -> None:
        """Take in what another process has measured.

        Args:
            other: Its totals; they are left as they are.
            is_living: Whether it still runs.
        """
        for key, rows in other.metrics.items():
            if is_living or key[1] != _IN_FLIGHT:
                mine = self.metrics.setdefault(key, {})
                self.limits.setdefault(key, other.limits[key])
                for labels, numbers in rows.items():
                    known = mine.get(labels)
                    mine[labels] = numbers if known is None else combined(key[1], known, numbers)
        if is_living:
            for name, sampled in other.samples.items():
                self._add_sampled(name, sampled)
        for name, target in other.targets.items():
            self.targets[name] = _with_counts(self.targets.get(name), target)
        _add_counts(self.failures, other.failures)
        _add_counts(self.overflows, other.overflows)
        _add_counts(self.counts, other.counts)
        _add_counts(self.folded, other.folded)
        for key, kept in other.exemplars.items():
            self._add_exemplars(key, kept)

    def without_living(self) -> Totals:
        """Give what stays of them when their process ends."""
        metrics = {key: rows for key, rows in self.metrics.items() if key[1] != _IN_FLIGHT}
        return replaced(self, metrics=metrics, samples={})

    def reached(self) -> dict[str, Target]:
        """Give the targets, without the patterns that have reached one in another process."""
        found = {
            pattern
            for name, target in self.targets.items()
            for pattern in target[_PATTERNS]
            if pattern != name
        }
        return {
            name: target
            for name, target in self.targets.items()
            if name not in found or target[0] != _STATES[0]
        }

    def without(self, other: Totals) -> Totals:
        """Give what was counted in these and is not in the others, which came after them.

        It is what a process has forgotten meanwhile, with another map.
        """
        left = Totals(limits=self.limits)
        for key, rows in self.metrics.items():
            if key[1] not in {_GAUGE, _IN_FLIGHT}:
                now = other.metrics.get(key, {})
                counted = partial(_counted, key[1])
                left.metrics[key] = {
                    labels: numbers
                    for labels, numbers in rows.items()
                    if _is_less(counted(now.get(labels)), counted(numbers))
                }
        for name, target in self.targets.items():
            after, counts = other.targets.get(name), target[-_COUNTED:]
            if any(counts) and _is_less(after and after[-_COUNTED:], counts):
                left.targets[name] = target
        left.failures = _fewer(self.failures, other.failures)
        left.overflows = _fewer(self.overflows, other.overflows)
        return left

    def put(self, other: Totals) -> None:
        """Have what is in the others in the place of what is in these.

        Args:
            other: What was counted; nothing of it is of living instances.
        """
        for key, rows in other.metrics.items():
            self.metrics.setdefault(key, {}).update(rows)
            self.limits[key] = other.limits[key]
        self.targets |= other.targets
        self.failures |= other.failures
        self.overflows |= other.overflows

    def limited(self, shown: Shown) -> Totals:
        """Give them with every label kept to as many values as it may have.

        Each process keeps its own limits. What many short ones have seen may be more.

        Args:
            shown: What has a place.
        """
        folded = dict(self.folded)

        def rows_of(key: Key, rows: Rows) -> Rows:
            name, kind, labels, _ = key

            def fold(number: int, numbers: Numbers) -> None:
                place = name, labels[number]
                folded[place] = folded.get(place, 0) + _observations(kind, numbers)

            return shown.keep(key, self.limits[key], rows, partial(combined, kind), fold)

        metrics = {key: rows_of(key, rows) for key, rows in self.metrics.items()}
        # Each series has got its place by now.
        exemplars = {
            key: shown.keep(key, self.limits[key], kept, _newest)
            for key, kept in self.exemplars.items()
            if key in self.limits
        }
        return replaced(self, metrics=metrics, exemplars=exemplars, folded=folded)

    def _add_exemplars(self, key: Key, kept: Kept) -> None:
        mine = self.exemplars.setdefault(key, {})
        for labels, buckets in kept.items():
            mine[labels] = _newest(mine.get(labels, {}), buckets)

    def _add_sampled(self, name: str, sampled: Sampled) -> None:
        aggregate, values = sampled
        _, mine = self.samples.setdefault(name, (aggregate, {}))
        combine = AGGREGATES[aggregate]
        for labels, value in values.items():
            mine[labels] = combine(mine[labels], value) if labels in mine else value


def _newest(
    some: Mapping[int, tuple[Any, ...]], others: Mapping[int, tuple[Any, ...]]
) -> dict[int, tuple[Any, ...]]:
    """Give of each bucket's exemplars the newest."""
    found = {**some}
    for bucket, exemplar in others.items():
        # The time is last.
        known = found.get(bucket, exemplar)
        found[bucket] = max(known, exemplar, key=lambda each: each[::-1])
    return found


def key_of(family: Family) -> tuple[Key, tuple[int, ...]]:
    """Name a family's metric, and give how many values each of its labels may have."""
    spec = family.spec
    limits = tuple(each.max_values or len(each.values or ()) for each in spec.labels)
    kind = spec.type if spec.native is None else NATIVE
    return (family.name, kind, family.label_names, spec.buckets), limits


def exact(number: float) -> int:
    """Give a number in whole units that are smaller than anybody measures: 2 to the power of -100.

    A number that grows never becomes less by it.

    Example:
        >>> rounded(exact(0.5) + exact(0.25))
        0.75
    """
    # A float times a power of two is exact. A count may have more digits than a float.
    if type(number) is float and -_SAFE < number < _SAFE:
        return int(number * _UNIT_FLOAT)
    if number in {inf, -inf}:
        return _BOUNDLESS if number > 0 else -_BOUNDLESS
    # An infinite sum less another one.
    if number != number:  # noqa: PLR0124 - this is what tells it
        return 0
    over, under = number.as_integer_ratio()
    return (over << _BITS) // under


def rounded(units: int) -> float:
    """Give the number that is next to what `exact` numbers come to."""
    try:
        return units / _UNIT
    except OverflowError:
        return inf if units > 0 else -inf


def combined(kind: str, some: Numbers, others: Numbers) -> Numbers:
    """Give what two processes' numbers of one series come to.

    Args:
        kind: The metric's type, as the map writes it.
        some: The one's.
        others: The other's.
    """
    if kind == _GAUGE:
        return max(some, others, key=lambda numbers: numbers[::-1])
    if kind == NATIVE:
        native: Numbers = _native_combined(some, others)
        return native
    return tuple(map(add, some, others))


def _native_combined(some: Any, others: Any) -> Any:  # noqa: ANN401 - see `Numbers`
    classic = tuple(map(add, some[0], others[0]))
    both = added(buckets_of(some), buckets_of(others))
    return plain_of((classic, *both, some[-1] + others[-1]))


def _observations(kind: str, numbers: Any) -> int:  # noqa: ANN401 - see `Numbers`
    """Tell how often a series was fed, as far as its numbers do; never less than before.

    A counter may go up by other steps than one: what it has come to, in whole ones. Of a gauge
    there is only the last value. What is in flight is over when its process is, and is no count.
    """
    match kind:
        case "counter":
            return -(-int(numbers[0]) // _UNIT)
        case "histogram":
            return int(sum(numbers[:-1]))
        case "ratio":
            return int(numbers[1])
        case "native_histogram":
            return buckets_of(numbers).observations
        case "gauge":
            return 1
        case _:
            return 0


def _counted(kind: str, numbers: Numbers | None) -> Numbers | None:
    """Give what of some numbers tells whether something was forgotten."""
    if kind != NATIVE or numbers is None:
        return numbers
    # Buckets that have become wider hold as much as before.
    return (buckets_of(numbers).observations,)


def buckets_of(numbers: Any) -> Buckets:  # noqa: ANN401 - see `Numbers`
    """Give what a native histogram has counted.

    Args:
        numbers: As they are in `Totals`, whose counts are plain dicts, or as a series has them.
    """
    _, schema, threshold, zero, *sides, _ = numbers
    counts = (each if isinstance(each, Counts) else Counts.of(each) for each in sides)
    return Buckets(schema, threshold, zero, *counts)


def plain_of(numbers: Any) -> Numbers:  # noqa: ANN401 - see `Numbers`
    """Give a native histogram's numbers in the form that can be written; `buckets_of` reads it.

    Args:
        numbers: As a series has them.
    """
    *others, positive, negative, total = numbers
    return (*others, dict(positive.items()), dict(negative.items()), total)


def _is_less(now: Iterable[float] | None, before: Iterable[float] | None) -> bool:
    return now is None or before is None or any(map(lt, now, before))


def _fewer(before: Mapping[_T, int], now: Mapping[_T, int]) -> dict[_T, int]:
    return {each: count for each, count in before.items() if now.get(each, 0) < count}


def _with_counts(known: Target | None, target: Target) -> Target:
    if known is None:
        return target
    told = max(target, known, key=lambda each: _STATES.index(each[0]))
    return (*told[:-_COUNTED], *map(add, known[-_COUNTED:], target[-_COUNTED:]))


def _add_counts(mine: MutableMapping[_T, int], theirs: Mapping[_T, int]) -> None:
    for each, count in theirs.items():
        mine[each] = mine.get(each, 0) + count
