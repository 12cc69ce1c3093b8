"""What this process measured, at one moment; and the same with what other processes measured."""

from __future__ import annotations

from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from ancestry_obs.collector.blocks import copied
from ancestry_obs.process_tree.totals import Totals, combined, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from ancestry_obs.collector.samples import Samples
    from ancestry_obs.process_tree.totals import Key, Labels, Numbers, Rows, Sampled, Target
    from ancestry_obs.recording import Family, Store

_GAUGE: Final = "gauge"

__all__ = ["Columns", "Reading", "Run", "TargetState", "read"]


class TargetState(Protocol):
    """What is known of a target; the patcher's report and the count of its calls together."""

    @property
    def target(self) -> str:
        """``module:qualname``."""

    @property
    def state(self) -> str:
        """Such as ``pending``, ``installed`` or ``error``."""

    @property
    def calls(self) -> int:
        """How often it was called."""

    def as_row(self) -> Target:
        """Give the rest of it in a form that can be written."""


class _TargetOfAll(NamedTuple):
    """A target as all processes of the run know it."""

    target: str
    state: str
    calls: int
    row: Target

    def as_row(self) -> Target:
        return self.row


class Columns(NamedTuple):
    """The series of a metric, as two lists of one length.

    Args:
        family: The metric.
        labels: The label values of each series.
        numbers: The numbers of each, as `process_tree.totals` has them; a gauge's may be without
            the time.
    """

    family: Family
    labels: list[Labels]
    numbers: list[Numbers]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured.

    Args:
        columns: The series of each metric.
        sampled: What live instances said, by the metric's full name.
        targets: Each target once.
        failures: Counts of failed expressions.
        overflows: Counts of values that became ``other``.
        counts: Other counts, by name.
        processes: How many processes' it is.
    """

    columns: list[Columns]
    sampled: Mapping[str, Sampled]
    targets: Collection[TargetState]
    failures: Mapping[tuple[str, str, str], int]
    overflows: Mapping[tuple[str, str], int]
    counts: Mapping[str, int]
    processes: int = 1


def read(
    store: Store, samples: Samples, targets: Iterable[TargetState], counts: Mapping[str, int]
) -> Reading:
    """Read live instances, fold, and copy every number.

    Args:
        store: The recorded series.
        samples: What is read from live instances. First and without the store's lock: they run code
            of the program. Whoever holds a lock of that may wait for the store.
        targets: The targets of this moment, whose states are under the patcher's lock: as above.
        counts: Other counts, by name.
    """
    families = store.families()
    sampled = samples.read(families)
    columns, failures, overflows = store.read(
        lambda: (
            [Columns(family, *copied(family)) for family in families],
            dict(store.expression_errors),
            dict(store.overflows),
        )
    )
    # A target may be named by several patterns; a series must not occur twice.
    once = {each.target: each for each in targets}.values()
    return Reading(columns, sampled, once, failures, overflows, counts)


class Run:
    """What the processes of a run have measured together.

    Args:
        others: Gives the totals of the other processes, and how many of them run.
        clock: Seconds since 1970.
    """

    def __init__(
        self, others: Callable[[], tuple[Totals, int]], clock: Callable[[], float] = time
    ) -> None:
        self._others = others
        self._clock = clock
        self._set: dict[tuple[Key, Labels], tuple[float, float]] = {}

    def totals(self, reading: Reading) -> Totals:
        """Give a reading in the form in which it is handed to other processes."""
        totals = Totals(
            samples=dict(reading.sampled),
            targets={each.target: each.as_row() for each in reading.targets},
            failures=dict(reading.failures),
            overflows=dict(reading.overflows),
            counts=dict(reading.counts),
        )
        for columns in reading.columns:
            key, totals.limits[key] = key_of(columns.family)
            totals.metrics[key] = dict(zip(columns.labels, self._dated(key, columns), strict=True))
        return totals

    def whole(self, reading: Reading) -> Reading:
        """Add what the other processes have measured.

        The labels of all are kept within the limits that this process keeps. What another process
        measures under the same name in another way (its map was reloaded) is left out.

        Args:
            reading: What this process has measured.
        """
        others, living = self._others()
        keys = [key_of(each.family)[0] for each in reading.columns]
        whole = Totals(
            samples=_admitted_samples(reading.columns, others.samples),
            targets=dict(others.targets),
            failures=dict(others.failures),
            overflows=dict(others.overflows),
            counts=dict(others.counts),
        )
        for key, each in zip(keys, reading.columns, strict=True):
            whole.metrics[key] = _admitted(each.family, others.metrics.get(key, {}))
        whole.add(self.totals(reading), is_living=True)
        return Reading(
            columns=[
                Columns(each.family, list(whole.metrics[key]), list(whole.metrics[key].values()))
                for key, each in zip(keys, reading.columns, strict=True)
            ],
            sampled=whole.samples,
            targets=[
                _TargetOfAll(target, row[0], row[-2], row)
                for target, row in whole.reached().items()
            ],
            failures=whole.failures,
            overflows=whole.overflows,
            counts=whole.counts,
            processes=1 + living,
        )

    def _dated(self, key: Key, columns: Columns) -> Iterable[Numbers]:
        """Give the numbers of a metric; those of a gauge with the time when they were first seen.

        A gauge that is set costs no look at a clock.
        """
        if key[1] != _GAUGE:
            return columns.numbers
        now, known = self._clock(), self._set
        dated: list[Numbers] = []
        for labels, (value,) in zip(columns.labels, columns.numbers, strict=True):
            seen = known.get((key, labels))
            if seen is None or seen[0] != value:
                seen = known[key, labels] = (value, now)
            dated.append(seen)
        return dated


def _admitted(family: Family, rows: Rows) -> Rows:
    kept: Rows = {}
    for labels, numbers in rows.items():
        within, _ = family.admit(labels)
        known = kept.get(within)
        kept[within] = numbers if known is None else combined(family.spec.type, known, numbers)
    return kept


def _admitted_samples(
    columns: Iterable[Columns], samples: Mapping[str, Sampled]
) -> dict[str, Sampled]:
    admitted = Totals()
    for each in columns:
        aggregate, values = samples.get(each.family.name, ("last", {}))
        for labels, value in values.items():
            within, _ = each.family.admit(labels)
            one = Totals(samples={each.family.name: (aggregate, {within: value})})
            admitted.add(one, is_living=True)
    return admitted.samples
