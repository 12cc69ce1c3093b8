"""The store: owns every family and every buffer, and folds the one into the other.

What happens at a scrape, and never in a wrapped call, happens here under one lock. A wrapped call
may run anywhere, also in a finaliser or signal handler that interrupts a fold in the same thread.
Therefore calls only ever *try* to take the lock, and a fold that finds itself inside a fold gives
up: what it would have folded stays in the buffers until the next time.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import Counter
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from ancestry_obs.recording.buffers import FULL, Buffer, Overflow, Probe
from ancestry_obs.recording.family import Family

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ancestry_obs.mapfile.specs import MetricSpec

_T = TypeVar("_T")

__all__ = ["Failure", "Store"]

# So many buffers are folded within two milliseconds, as long as they may be.
_PORTION = 256

Failure = tuple[str, str, str]
"""Target, metric, and the label whose expression failed (or ``value``, ``hit``, ``when``)."""


class Store:
    """Every series of one installation.

    Args:
        namespace: The prefix of every metric's name; may be empty.

    Attributes:
        evaluating: Threads in which expressions of the map are being evaluated. What those call in
            the program is not recorded: a label that reads a woven property would go on for ever.
        expression_errors: Failed expressions and dropped values, as of the last fold.
        overflows: Observations whose label value became ``other``, as of the last fold.

    Example:
        >>> store = Store("ancestry")
        >>> store.family(spec).inc(("GET",))
        >>> with store.reading():
        ...     for family in store.families():
        ...         print(family.name, family.series())
    """

    def __init__(self, namespace: str = "ancestry") -> None:
        self.namespace = namespace
        self._families: dict[str, Family] = {}
        self._probes: list[Probe] = []
        self._leaving: list[Probe] = []
        # Wrappers hold this very set.
        self.evaluating: set[int] = set()
        self._reset()
        _STORES.add(self)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._folding = False
        self.evaluating.clear()
        self._failures: list[Failure] = []
        self._overflows: list[Overflow] = []
        self.expression_errors: Counter[Failure] = Counter()
        self.overflows: Counter[Overflow] = Counter()

    def family(self, spec: MetricSpec) -> Family:
        """Get or create a metric's family.

        Args:
            spec: The declaration. A family with an equal one keeps its series; one that differs is
                replaced by a new, empty family.
        """
        with self._lock:
            found = self._families.get(spec.name)
            # Nearly always it is the very same declaration, which is quicker seen than compared.
            if found is None or (found.spec is not spec and found.spec != spec):
                name = f"{self.namespace}_{spec.name}" if self.namespace else spec.name
                found = self._families[spec.name] = Family(spec, name, self)
            return found

    def drop(self, name: str) -> None:
        """Forget a metric and its series; unknown names are ignored.

        Args:
            name: The name as the map writes it, without the namespace.
        """
        with self._lock:
            self._families.pop(name, None)

    def families(self) -> tuple[Family, ...]:
        """Give the families in the order they were declared."""
        return tuple(self._families.values())

    def series_count(self) -> int:
        """Count the series of all families."""
        return sum(map(len, self.families()))

    def probe(self, target: str) -> Probe:
        """Make a probe, whose buffers this store folds.

        Args:
            target: ``module:qualname``, as failures name it.
        """
        probe = Probe(target)
        self._probes.append(probe)
        return probe

    def retire(self, probe: Probe, user: object) -> None:
        """Let go of a probe once its last user is gone; until then it is folded as before.

        Args:
            probe: What `probe` gave.
            user: The recorder that records there. Calls that are still running keep it alive.
        """
        weakref.finalize(user, self._leaving.append, probe).atexit = False

    def is_evaluating(self) -> bool:
        """Whether this thread evaluates expressions; see `evaluating`."""
        return threading.get_ident() in self.evaluating

    def fold(self) -> None:
        """Drain every buffer into the series."""
        with self._lock:
            if self._folding:
                return
            leaving = _taken(self._leaving)
            self._fold(buffer for probe in tuple(self._probes) for buffer in probe.snapshot())
            for probe in leaving:
                self._probes.remove(probe)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Fold, then hold every series still, so that a reader sees totals that belong together.

        Run nothing of the host inside (no sample, no callback): it could wait for a lock of its own
        that another thread holds while that one waits here.
        """
        self._fold_ahead()
        with self._lock:
            self.fold()
            outer, self._folding = self._folding, True
            try:
                yield
            finally:
                self._folding = outer

    def _fold_ahead(self) -> None:
        """Fold what there is by now in portions, so that nobody waits for all of it."""
        buffers = (each for probe in tuple(self._probes) for each in probe.snapshot() if each)
        while portion := list(islice(buffers, _PORTION)):
            with self._lock:
                self._fold(portion)

    def relieve(self, *buffers: Buffer) -> None:
        """Fold full buffers from within a wrapped call, unless that would have to wait."""
        if self._lock.acquire(False):
            try:
                self._fold(buffers)
            finally:
                self._lock.release()

    def count_failure(self, target: str, metric: str, label: str) -> None:
        """Count a failed expression; see `Failure`. Never blocks."""
        self._failures.append((target, metric, label))
        if len(self._failures) >= FULL:
            self.relieve()

    def count_overflows(self, overflows: Iterable[Overflow]) -> None:
        """Count observations whose label became ``other``. Never blocks."""
        self._overflows.extend(overflows)
        if len(self._overflows) >= FULL:
            self.relieve()

    def _fold(self, buffers: Iterable[Buffer]) -> None:
        if self._folding:
            return
        self._folding = True
        try:
            for buffer in buffers:
                if buffer:
                    self._drain(buffer)
            # Most folds are of one buffer, and to update a counter with nothing is not for free.
            if self._failures:
                self.expression_errors.update(_taken(self._failures))
            if self._overflows:
                self.overflows.update(_taken(self._overflows))
        finally:
            self._folding = False

    def _drain(self, buffer: Buffer) -> None:
        chunk = buffer.take()
        for counter in buffer.counted:
            counter.value += len(chunk)
        for overflow in buffer.overflows:
            self.overflows[overflow] += len(chunk)
        for series in buffer.fed:
            dropped = buffer.feed(series, chunk)
            if dropped:
                metric = self._metric_of(series)
                self.expression_errors[buffer.probe.target, metric, "value"] += dropped

    def _metric_of(self, series: object) -> str:
        # Only for values that were dropped, which is rare: no series pays for a way back.
        for family in self.families():
            if any(each is series for _, each in family.series()):
                return family.spec.name
        return ""

    def _begin_child(self) -> None:
        # A forked child has only the thread that forked; a lock that another one held is stuck.
        self._reset()
        for probe in self._probes:
            probe.forget()
        for family in self.families():
            family.reset()


def _taken(log: list[_T]) -> list[_T]:
    # As a buffer does it: a thread may append at any moment.
    taken = log[: len(log)]
    del log[: len(taken)]
    return taken


_STORES: weakref.WeakSet[Store] = weakref.WeakSet()


def _begin_children() -> None:
    for store in tuple(_STORES):
        store._begin_child()  # noqa: SLF001 - a part of the store, outside it for the weak set


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_children)
