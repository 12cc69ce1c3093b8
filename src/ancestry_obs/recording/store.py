"""The store: owns every family and every buffer, and folds the one into the other.

What happens at a scrape, and never in a wrapped call, happens here, one thread at a time. A wrapped
call may run anywhere, also in a finaliser or signal handler that interrupts a fold in the same
thread. Therefore a call never waits for another thread's fold, and a fold that finds itself inside
a fold gives up: what it would have folded stays in the buffers until the next time.

An exception may interrupt a fold between any two steps, from a signal handler for one. Then the
next fold goes on where it was: what comes of a chunk is worked out first, without any effect; the
finished plan is noted; each of its parts can be put in place twice; and the chunk leaves its buffer
in the step in which the plan is forgotten.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import Counter
from itertools import chain
from sys import _getframe as getframe
from time import sleep
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from ancestry_obs.code_facts import CO_OPTIMIZED
from ancestry_obs.recording.buffers import FULL, Buffer, Log, Overflow, Probe
from ancestry_obs.recording.failures import NO_ROOM, has_been_given
from ancestry_obs.recording.family import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from types import FrameType

    from ancestry_obs.mapfile.specs import MetricSpec

_T = TypeVar("_T")

__all__ = ["Failure", "Store"]

# So many buffers are folded within two milliseconds, as long as they may be.

Failure = tuple[str, str, str]
"""Target, metric, and the label whose expression failed, or what else did, such as ``exemplar``."""


class Lost(Protocol):
    """What records calls of which nothing is known but that they were."""

    def unlabelled(self, elapsed: float | None) -> tuple[Buffer, float] | None:
        """Give the buffer and the value of such a call, if it is to be recorded at all."""


_PAUSE: Final = 0.0002
"""Seconds between two looks whether another thread has folded; a full buffer takes it 20 µs."""


class _Plan:
    """What comes of the oldest entries of a log.

    Args:
        log: Where they are.
        entries: How many they are.
        states: What each series will be.
        totals: The counts beside the series, and what some of them will be.
    """

    __slots__ = ("entries", "log", "states", "totals")

    def __init__(
        self,
        log: Log[Any],
        entries: int,
        states: Mapping[Any, Any],
        totals: tuple[tuple[Counter[Any], Mapping[Any, int]], ...],
    ) -> None:
        self.log = log
        self.entries = entries
        self.states = states
        self.totals = totals


class Store:
    """Every series of one installation.

    Args:
        namespace: The prefix of every metric's name; may be empty.
        is_added_up: Whether what is recorded is added to what other processes record, so that
            nothing may begin anew.

    Attributes:
        evaluating: The threads in which expressions of the map are being evaluated, each with the
            very object that the frame that does so has of its number. What those call in the
            program is not recorded: a label that reads a woven property would go on for ever.
        lost: Calls for which there was no room: what records them, and the seconds if known. The
            next fold records them, without the labels that follow from the call.
        grew: Called when there is a new series, in the midst of a wrapped call; never raises.
        expression_errors: Failed expressions and dropped values, as of the last fold.
        overflows: Observations whose label value became ``other``, as of the last fold.
        left_out: By target the items beyond what is recorded of a call, as of the last fold.

    Example:
        >>> store = Store("ancestry")
        >>> store.family(spec).inc(("GET",))
        >>> store.read(lambda: [(family.name, family.series()) for family in store.families()])
    """

    def __init__(self, namespace: str = "ancestry", *, is_added_up: bool = False) -> None:
        self.namespace = namespace
        self.is_added_up = is_added_up
        self._families: dict[str, Family] = {}
        self._probes: list[Probe] = []
        self._leaving: list[Probe] = []
        # Woven code holds this very dict.
        self.evaluating: dict[int, int] = {}
        self.grew: Callable[[], object] = int
        self._reset()
        _STORES.add(self)

    def _reset(self) -> None:
        # The thread that folds, or reads, or 0. No lock: between taking one and noting that it is
        # taken there is room for an exception, and then nobody would ever release it.
        self._folding = 0
        self._plan: _Plan | None = None
        self._lock = threading.RLock()
        self.evaluating.clear()
        self.lost: list[tuple[Lost, float | None]] = []
        self._failures: Log[Failure] = Log()
        self._overflows: Log[Overflow] = Log()
        self.expression_errors: Counter[Failure] = Counter()
        self.overflows: Counter[Overflow] = Counter()
        self._left_out: Log[tuple[str, int]] = Log()
        self.left_out: Counter[str] = Counter()

    def family(self, spec: MetricSpec) -> Family:
        """Get or create a metric's family.

        Args:
            spec: The declaration. A family with an equal one keeps its series; one that differs is
                replaced by a new, empty family.
        """
        known = self._families.get(spec.name)
        # Nearly always it is the very same declaration, which is quicker seen than compared.
        if known is not None and known.spec is spec:
            return known
        with self._lock:
            found = self._families.get(spec.name)
            if found is None or found.spec != spec:
                self._let_go(found)
                name = spec.full_name(self.namespace)
                found = self._families[spec.name] = Family(spec, name, self)
            return found

    def drop(self, name: str) -> None:
        """Forget a metric and its series; unknown names are ignored.

        Args:
            name: The name as the map writes it, without the namespace.
        """
        with self._lock:
            self._let_go(self._families.pop(name, None))

    def tidy(self, dropped: Collection[str]) -> None:
        """Fold, and forget what was counted of metrics that there are no longer.

        Args:
            dropped: Their names, without the namespace.
        """
        with self._lock:
            self.fold()
            for failure in [each for each in self.expression_errors if each[1] in dropped]:
                del self.expression_errors[failure]
            for overflow in [each for each in self.overflows if each[0] in dropped]:
                del self.overflows[overflow]

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
        # A program that nobody scrapes may weave again and again, too.
        if len(self._leaving) >= FULL:
            self.fold()
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

    def _let_go(self, family: Family | None) -> None:
        """Fold what helpers have recorded for a family that leaves once more, and never again."""
        if family is not None:
            self._leaving.append(family._probe)  # noqa: SLF001 - a part of the store

    def is_evaluating(self) -> bool:
        """Tell whether an expression has made a call; to be called from that one's own frame.

        A signal handler, or a tracer, may come in between, and so may another greenlet: what those
        call is the program's.
        """
        mark = self.evaluating.get(threading.get_ident())
        frame = getframe(1)
        while mark is not None and frame.f_back is not None:
            if has_been_given(frame, frame.f_back):
                return False
            frame = frame.f_back
            if _has(frame, mark):
                return True
        return False

    def mark_of(self, thread: int) -> int | None:
        """Give the mark that the calling frame has to put back; see `evaluating`.

        Args:
            thread: The thread's number.
        """
        mark = self.evaluating.get(thread)
        frame: FrameType | None = getframe(1)
        while mark is not None and frame is not None:
            if _has(frame, mark):
                return mark
            frame = frame.f_back
        # Another greenlet's, that does so itself.
        return None

    def fold(self) -> None:
        """Drain every buffer into the series."""
        self.read(lambda: None)

    def read(self, look: Callable[[], _T]) -> _T:
        """Fold, then hold every series still, so that a reader sees totals that belong together.

        No context manager: an exception may come between its beginning and the first line of its
        body, and whoever keeps that exception would keep the series still.

        Args:
            look: Called meanwhile. It runs nothing of the host (no sample, no callback): that could
                wait for a lock of its own that another thread holds while that one waits here.

        Returns:
            What it gives.
        """
        me = threading.get_ident()
        if self._folding == me:
            return look()
        try:
            while True:
                # As in `relieve`.
                if not self._folding:
                    self._folding = me
                    break
                sleep(_PAUSE)
            self._fold_all()
            return look()
        finally:
            if self._folding == me:
                self._folding = 0

    def relieve(self, *buffers: Buffer) -> None:
        """Fold full buffers from within a wrapped call, unless that would have to wait."""
        me = threading.get_ident()
        if self._folding == me:
            return
        try:
            # Nothing comes between this look and the note: no call, no loop. So no thread and no
            # exception does either.
            if self._folding:
                return
            self._folding = me
            self._fold(buffers)
        except NO_ROOM:
            # There is no room now; what was not folded is still where it was.
            return
        finally:
            if self._folding == me:
                self._folding = 0

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

    def leave_out(self, target: str, count: int) -> None:
        """Count items beyond what is recorded of a call. Never blocks.

        Args:
            target: Whose call it is.
            count: How many they are.
        """
        self._left_out.append((target, count))
        if len(self._left_out) >= FULL:
            self.relieve()

    def record_lost(self) -> None:
        """Record the calls for which there was no room, if there are any; see `lost`."""
        if self.lost:
            self.fold()

    def _fold_all(self) -> None:
        leaving, probes = self._leaving[:], self._probes[:]
        # No generator: what interrupts one as it is closed goes nowhere.
        self._fold(chain.from_iterable(map(Probe.snapshot, probes)))
        if leaving:
            gone = set(leaving)
            self._probes[: len(probes)] = [probe for probe in probes if probe not in gone]
            del self._leaving[: len(leaving)]

    def _find_lost(self) -> None:
        lost = self.lost
        while lost:
            recorder, elapsed = lost[0]
            found = recorder.unlabelled(elapsed)
            if found is not None:
                buffer, value = found
                # One step with the next: no call.
                buffer += (value,)
            del lost[0]

    def _fold(self, buffers: Iterable[Buffer]) -> None:
        self._carry_out()
        self._find_lost()
        for buffer in buffers:
            if buffer:
                self._plan = self._drained(buffer)
                self._carry_out()
        for log, totals in (
            (self._failures, self.expression_errors),
            (self._overflows, self.overflows),
        ):
            if log:
                entries = log[:]
                self._plan = _Plan(log, len(entries), {}, ((totals, _more(totals, entries)),))
                self._carry_out()
        if self._left_out:
            left_out, counts = self._left_out[:], Counter[str]()
            for target, count in left_out:
                counts[target] += count
            new = {target: self.left_out[target] + count for target, count in counts.items()}
            self._plan = _Plan(self._left_out, len(left_out), {}, ((self.left_out, new),))
            self._carry_out()

    def _carry_out(self) -> None:
        plan = self._plan
        if plan is None:
            return
        for series, state in plan.states.items():
            series.put(state)
        for totals, new in plan.totals:
            for key, total in new.items():
                totals[key] = total
        log, count = plan.log, plan.entries
        # One step to whatever interrupts, as in a wrapped call's two lines: no call, no loop.
        del log[:count]
        log.folded += count
        self._plan = None

    def _drained(self, buffer: Buffer) -> _Plan:
        """Work out what comes of a buffer."""
        chunk = buffer[:]
        # Taken before the values are looked at: a series may sort them.
        count = len(chunk)
        states: dict[Any, Any] = {}
        failures: list[Failure] = []
        for counter in buffer.counted:
            states[counter] = counter.after_calls(count, states.get(counter))
        for series in buffer.fed:
            states[series], dropped = buffer.after(series, chunk, states.get(series))
            if dropped:
                failure = (buffer.probe.target, self._metric_of(series), "value")
                failures += [failure] * dropped
        totals: list[tuple[Counter[Any], Mapping[Any, int]]] = []
        if buffer.overflows:
            totals.append((self.overflows, _more(self.overflows, buffer.overflows * count)))
        if failures:
            totals.append((self.expression_errors, _more(self.expression_errors, failures)))
        return _Plan(buffer, count, states, tuple(totals))

    def _metric_of(self, series: object) -> str:
        # Only for values that were dropped, which is rare: no series pays for a way back.
        for family in self.families():
            for _, each in family.series():
                if each is series:
                    return family.spec.name
        return ""

    def _begin_child(self) -> None:
        # A forked child has only the thread that forked; a lock that another one held is stuck.
        self._reset()
        for probe in self._probes:
            probe.forget()
        for family in self.families():
            family.reset()


def _has(frame: FrameType, mark: int) -> bool:
    """Whether an object is among the variables of a function's frame.

    The namespace of any other code may be an object of the program's.
    """
    if frame.f_code.co_flags & CO_OPTIMIZED:
        # No generator: what interrupts one as it is closed goes nowhere.
        for value in frame.f_locals.values():
            if value is mark:
                return True
    return False


def _more(totals: Counter[Any], entries: Iterable[Any]) -> dict[Any, int]:
    """Give what some of the totals will be once there are more entries."""
    return {key: totals[key] + count for key, count in Counter(entries).items()}


_STORES: weakref.WeakSet[Store] = weakref.WeakSet()


def _begin_children() -> None:
    for store in tuple(_STORES):
        store._begin_child()  # noqa: SLF001 - a part of the store, outside it for the weak set


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_children)
