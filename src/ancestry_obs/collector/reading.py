"""What this process measured, at one moment; and the same with what other processes measured."""

from __future__ import annotations

import os
from collections import Counter
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakSet

from ancestry_obs.collector.blocks import copied
from ancestry_obs.frozen import frozen
from ancestry_obs.process_tree.totals import (
    AGGREGATES,
    NATIVE,
    Totals,
    buckets_of,
    exact,
    key_of,
    plain_of,
    rounded,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from ancestry_obs.collector.samples import Samples
    from ancestry_obs.process_tree.member import Member
    from ancestry_obs.process_tree.shown import Shown
    from ancestry_obs.process_tree.totals import Kept, Key, Labels, Numbers, Sampled, Target
    from ancestry_obs.recording import Family, Store
    from ancestry_obs.recording.exemplars import Exemplar

_GAUGE: Final = "gauge"
_EXACT: Final = {"counter", "histogram", NATIVE}
_UNNAMED: Final = "the map does not name it any more"

__all__ = ["Columns", "Reading", "Run", "TargetState", "read"]


class TargetState(Protocol):
    """What is known of a target; the patcher's report and the count of its calls together."""

    @property
    def target(self) -> str:
        """``module:qualname``."""

    @property
    def state(self) -> str:
        """``pending``, ``installed`` or ``error``."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """The map's patterns that reach it."""

    @property
    def calls(self) -> int:
        """How often it was called."""

    def as_row(self) -> Target:
        """Give the rest of it in a form that can be written."""


@frozen()
class _TargetOfAll:
    """A target as all processes of the run know it."""

    target: str
    state: str
    calls: int
    patterns: tuple[str, ...]
    row: Target

    def as_row(self) -> Target:
        return self.row


@frozen()
class Columns:
    """The series of a metric, as two lists of one length.

    Args:
        family: The metric.
        labels: The label values of each series.
        numbers: The numbers of each, as `process_tree.totals` has them but for what is exact there;
            a gauge's may be without the time.
        exemplars: As `Block` has them.
    """

    family: Family
    labels: list[Labels]
    numbers: list[Numbers]
    exemplars: Mapping[Labels, Mapping[int, Exemplar]] = MappingProxyType({})


@frozen()
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
    store: Store,
    samples: Samples,
    targets: Iterable[TargetState],
    counts: Mapping[str, int],
    gauges: Callable[[], Mapping[str, Sampled]] = dict,
) -> Reading:
    """Read live instances, fold, and copy every number.

    Args:
        store: The recorded series.
        samples: What is read from live instances. First and without the store's lock: they run code
            of the program. Whoever holds a lock of that may wait for the store.
        targets: The targets of this moment, whose states are under the patcher's lock: as above.
        counts: Other counts, by name.
        gauges: Gives other numbers of this moment, by full name; asked last.
    """
    families = store.families()
    sampled = samples.read(families)
    columns, failures, overflows = store.read(
        lambda: (
            [Columns(family, *copied(family), family.exemplars()) for family in families],
            dict(store.expression_errors),
            dict(store.overflows),
        )
    )
    # A target may be named by several patterns; a series must not occur twice.
    once = {each.target: each for each in targets}.values()
    return Reading(columns, {**sampled, **gauges()}, once, failures, overflows, counts)


class Run:
    """What the processes of a run have measured together.

    Args:
        member: This process, as one of them.
        clock: Seconds, the same in all processes; the time of day may be set back.
    """

    def __init__(self, member: Member, clock: Callable[[], float] = monotonic) -> None:
        self._member = member
        self._clock = clock
        self.begin_child()
        _RUNS.add(self)

    def begin_child(self) -> None:
        """Begin with nothing, as a forked child does."""
        self._set: dict[tuple[Key, Labels], tuple[float, float]] = {}
        self._left = Totals()
        self._names: dict[str, str] = {}

    def totals(self, reading: Reading) -> Totals:
        """Give a reading in the form in which it is handed to other processes.

        What another map of this process had measured stays in it.
        """
        totals = Totals(
            samples=dict(reading.sampled),
            targets={each.target: each.as_row() for each in reading.targets},
            failures=dict(reading.failures),
            overflows=dict(reading.overflows),
            counts=dict(reading.counts),
        )
        for columns in reading.columns:
            key, totals.limits[key] = key_of(columns.family)
            numbers = self._handed(key, columns)
            totals.metrics[key] = dict(zip(columns.labels, numbers, strict=True))
            if columns.exemplars:
                # Plain tuples, as what is handed over is.
                totals.exemplars[key] = {
                    labels: {bucket: tuple(each) for bucket, each in buckets.items()}
                    for labels, buckets in columns.exemplars.items()
                }
        totals.add(self._left, is_living=False)
        return totals

    def change(self, read: Callable[[], Reading], change: Callable[[], None]) -> None:
        """Change what is measured here; what was measured by then stays on the page.

        Args:
            read: Gives what this process has measured.
            change: Puts another map in the old one's place.
        """

        def exchange() -> None:
            reading = read()
            before = self.totals(reading)
            change()
            now = read()
            self._left.put(before.without(self.totals(now)))
            self._forget_returned(reading.targets, now.targets)

        self._member.still(exchange)

    def expire(self, before: Iterable[TargetState], now: Collection[TargetState]) -> None:
        """Keep the calls of targets whose end has come.

        Args:
            before: The targets as they were.
            now: As they are.
        """
        calls = {each.target: each.calls for each in now}
        over = {
            each.target: ("expired", *each.as_row()[1:])
            for each in before
            if each.calls > calls.get(each.target, 0)
        }
        self._left.add(Totals(targets=over), is_living=False)
        self._forget_returned(before, now)

    def _forget_returned(self, before: Iterable[TargetState], now: Iterable[TargetState]) -> None:
        """Forget the calls that were left of targets that are back: they go on where they were."""
        known = {each.target for each in before if each.calls}
        for each in now:
            left = self._left.targets.get(each.target)
            if left is not None and each.target not in known and each.calls >= left[-2]:
                del self._left.targets[each.target]

    def whole(self, read: Callable[[], Reading]) -> Reading:
        """Give what all processes have measured, this one included.

        This one hands over first, so that nothing is ever shown that goes with it if it is killed.
        The labels of all are kept within their limits. What another process measures under the same
        name in another way (its map was reloaded) is left out.

        Args:
            read: Gives what this process has measured.
        """
        taken: list[tuple[Reading, Totals]] = []

        def take() -> Totals:
            reading = read()
            taken[:] = [(reading, self.totals(reading))]
            return taken[0][1]

        self._member.hand_over(take)
        if not taken:
            take()
        reading, own = taken[0]
        others, living = self._member.others()
        whole = Totals()
        whole.add(others, is_living=True)
        whole.add(own, is_living=True)
        columns, sampled, folded = self._member.limited(
            lambda shown: _within(shown, reading, whole)
        )
        # Also of a metric that another map had.
        self._names |= {each.family.name: each.family.spec.name for each in reading.columns}
        became_other = {
            (self._names[name], label): count
            for (name, label), count in folded.items()
            if name in self._names
        }
        return Reading(
            columns=columns,
            sampled=sampled,
            targets=[
                _TargetOfAll(target, row[0], row[-2], row[-3], row)
                for target, row in _known(whole, reading.targets).items()
            ],
            failures=whole.failures,
            overflows=Counter(whole.overflows) + Counter(became_other),
            counts=whole.counts,
            processes=1 + living,
        )

    def targets(self, own: Collection[TargetState]) -> dict[str, Target]:
        """Give the targets as all processes know them.

        Args:
            own: As this process knows those of its map.
        """
        whole = Totals(targets={each.target: each.as_row() for each in own})
        whole.add(Totals(targets=self._left.targets), is_living=False)
        whole.add(self._member.others()[0], is_living=True)
        return _known(whole, own)

    def _handed(self, key: Key, columns: Columns) -> Iterable[Numbers]:
        """Give the numbers of a metric as they are added; a gauge's with the time of its value.

        A gauge that is set costs no look at a clock.
        """
        if key[1] in _EXACT:
            added = [(*numbers[:-1], exact(numbers[-1])) for numbers in columns.numbers]
            return map(plain_of, added) if key[1] == NATIVE else added
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


def _known(whole: Totals, own: Collection[TargetState]) -> dict[str, Target]:
    """Give every target; what the map names no more is over, though its calls still count."""
    named = {name for each in own for name in (each.target, *each.patterns)}
    return {
        name: row if not named.isdisjoint((name, *row[-3])) else ("expired", _UNNAMED, *row[2:])
        for name, row in whole.reached().items()
    }


def _within(
    shown: Shown, reading: Reading, whole: Totals
) -> tuple[list[Columns], dict[str, Sampled], dict[tuple[str, str], int]]:
    """Give the metrics of a reading as all processes have them, within the labels' limits.

    Returns:
        The metrics, what live instances say, and what became `other` by that.
    """
    limited = whole.limited(shown)
    metrics, exemplars = limited.metrics, limited.exemplars
    columns: list[Columns] = []
    # What is of no family has no limits.
    sampled = dict(whole.samples)
    for each in reading.columns:
        family = each.family
        key, limits = key_of(family)
        rows = metrics[key]
        numbers = [_shown(key, row) for row in rows.values()]
        columns.append(Columns(family, list(rows), numbers, _exemplars(exemplars.get(key))))
        if family.name in whole.samples:
            aggregate, values = whole.samples[family.name]
            kept = shown.keep(key, limits, values, AGGREGATES[aggregate])
            sampled[family.name] = aggregate, kept
    return columns, sampled, limited.folded


def _exemplars(kept: Kept | None) -> Mapping[Labels, Mapping[int, Exemplar]]:
    if not kept:
        return {}
    from ancestry_obs.recording.exemplars import Exemplar  # noqa: PLC0415  few maps have one

    return {
        labels: {bucket: Exemplar(*each) for bucket, each in buckets.items()}
        for labels, buckets in kept.items()
    }


def _shown(key: Key, numbers: Numbers) -> Numbers:
    if key[1] not in _EXACT:
        return numbers
    total = rounded(int(numbers[-1]))
    if key[1] == NATIVE:
        native: Any = (numbers[0], *buckets_of(numbers), total)
        return native  # type: ignore[no-any-return]  # see `Numbers`
    return (*numbers[:-1], total)


_RUNS: WeakSet[Run] = WeakSet()


def _begin_children() -> None:
    for run in tuple(_RUNS):
        run.begin_child()


os.register_at_fork(after_in_child=_begin_children)
