"""What processes measured, as plain numbers that can be written, read and added up.

`Totals` are of one process or of many. Everything in them is a tuple, dict, text or number, so that
`marshal` writes a thousand series in a fraction of a millisecond, and reads them in any process.

What becomes of numbers of the same name, of the same labels, in two processes:

    counter, histogram, ratio   they are added, those of processes that have ended as well
    gauge                       the one that was set last, whether or not its process still runs
    in_flight                   the sum over the processes that run
    sample                      the sample's `aggregate`, over the processes that run
"""

from __future__ import annotations

import marshal
from dataclasses import dataclass, field, replace
from operator import add
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ancestry_obs.recording.limits import OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from ancestry_obs.recording import Family

__all__ = [
    "AGGREGATES",
    "Key",
    "Labels",
    "Numbers",
    "Rows",
    "Sampled",
    "Target",
    "Totals",
    "combined",
    "key_of",
]

Labels: TypeAlias = "tuple[str, ...]"
Numbers: TypeAlias = "tuple[float, ...]"
"""What is kept of one series: of a histogram the counts of its buckets, not cumulative, and the
sum; of a ratio hits and lookups; of a gauge the value and when it was set, in seconds since 1970;
of the others the value."""
Rows: TypeAlias = "dict[Labels, Numbers]"
Key: TypeAlias = "tuple[str, str, Labels, tuple[float, ...]]"
"""A metric: its full name, type, label names and buckets. Only what is alike in all is one."""
Target: TypeAlias = "tuple[Any, ...]"
"""What is told of a target: its state first; last the patterns of the map that reach it, its calls
and its errors; between them whatever its process tells beside that."""
Sampled: TypeAlias = "tuple[str, dict[Labels, float]]"
"""A sample's `aggregate`, and its numbers."""

AGGREGATES: Final[Mapping[str, Callable[[float, float], float]]] = {
    "last": lambda _earlier, later: later,
    "sum": add,
    "min": min,
    "max": max,
}
"""What becomes of two instances' numbers."""

_GAUGE: Final = "gauge"
_IN_FLIGHT: Final = "in_flight"
_FORM: Final = 1
# The newest form that every supported Python both writes and reads alike.
_MARSHAL: Final = 2
_STATES: Final = ("pending", "installed", "error")
"""Of two processes with one target, the state that stands further right is the target's."""
_PATTERNS: Final = -3
_COUNTED: Final = 2
"""Numbers at the end of a target that are counts."""
_ALWAYS: Final = 2
"""Values of a label that cost no place: `other` and `error`."""


@dataclass(slots=True)
class Totals:
    """What one process, or many, have measured.

    Args:
        metrics: The rows of each metric.
        limits: How many values each label of a metric may have.
        samples: What live instances say, by the metric's full name.
        targets: What is told of each target, by its name.
        failures: Counts of failed expressions.
        overflows: Counts of values that became ``other``.
        counts: Other counts, by name.
    """

    metrics: dict[Key, Rows] = field(default_factory=dict)
    limits: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    samples: dict[str, Sampled] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    failures: dict[tuple[str, str, str], int] = field(default_factory=dict)
    overflows: dict[tuple[str, str], int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def as_bytes(self) -> bytes:
        """Write them."""
        values = tuple(getattr(self, name) for name in self.__slots__)
        return marshal.dumps((_FORM, values), _MARSHAL)

    @classmethod
    def from_bytes(cls, data: bytes) -> Totals:
        """Read what `as_bytes` wrote.

        Raises:
            ValueError: It is something else, or not whole.
        """
        try:
            form, values = marshal.loads(data)  # noqa: S302 - only this user can have written it
            if form != _FORM:
                raise ValueError(f"its form is {form!r}, not {_FORM}")
            return cls(*values)
        except (EOFError, TypeError) as error:
            raise ValueError(f"it is not whole: {error}") from error

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

    def without_living(self) -> Totals:
        """Give what stays of them when their process ends."""
        metrics = {key: rows for key, rows in self.metrics.items() if key[1] != _IN_FLIGHT}
        return replace(self, metrics=metrics, samples={})

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

    def limit(self) -> None:
        """Keep every label to as many values as it may have; those that came first stay.

        Each process keeps its own limits. What many short ones have seen may be more.
        """
        for key, rows in self.metrics.items():
            self.metrics[key] = _limited(key[1], rows, self.limits[key])

    def _add_sampled(self, name: str, sampled: Sampled) -> None:
        aggregate, values = sampled
        _, mine = self.samples.setdefault(name, (aggregate, {}))
        combine = AGGREGATES[aggregate]
        for labels, value in values.items():
            mine[labels] = combine(mine[labels], value) if labels in mine else value


def key_of(family: Family) -> tuple[Key, tuple[int, ...]]:
    """Name a family's metric, and give how many values each of its labels may have."""
    spec = family.spec
    limits = tuple(_ALWAYS + (each.max_values or len(each.values or ())) for each in spec.labels)
    return (family.name, spec.type, family.label_names, spec.buckets), limits


def combined(kind: str, some: Numbers, others: Numbers) -> Numbers:
    """Give what two processes' numbers of one series come to.

    Args:
        kind: The metric's type, as the map writes it.
        some: The one's.
        others: The other's.
    """
    if kind == _GAUGE:
        return max(some, others, key=lambda numbers: numbers[1])
    return tuple(map(add, some, others))


def _with_counts(known: Target | None, target: Target) -> Target:
    if known is None:
        return target
    told = max(target, known, key=lambda each: _STATES.index(each[0]))
    return (*told[:-_COUNTED], *map(add, known[-_COUNTED:], target[-_COUNTED:]))


def _add_counts(mine: MutableMapping[Any, int], theirs: Mapping[Any, int]) -> None:
    for each, count in theirs.items():
        mine[each] = mine.get(each, 0) + count


def _limited(kind: str, rows: Rows, limits: tuple[int, ...]) -> Rows:
    seen: list[set[str]] = [{OTHER} for _ in limits]
    kept: Rows = {}
    for labels, numbers in rows.items():
        within = tuple(map(_within, seen, limits, labels))
        known = kept.get(within)
        kept[within] = numbers if known is None else combined(kind, known, numbers)
    return kept


def _within(seen: set[str], limit: int, value: str) -> str:
    if value not in seen:
        if len(seen) >= limit:
            return OTHER
        seen.add(value)
    return value
