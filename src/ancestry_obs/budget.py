"""The budget of a process: how often targets were called comes in, which are to be timed goes out.

What measuring costs is estimated: the calls of each target since the last review, times what such a
call costs on this machine, over the processor time that the process has used meanwhile. Where that
is more than the map allows, the dearest targets are timed for one call in a hundred; where there is
room again, they are timed for every call. No code is exchanged for that: code that is woven under a
budget counts down (`compiler.sampling`), and here is said what from.
"""

from __future__ import annotations

import logging
from functools import partial
from time import perf_counter, process_time
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ancestry_obs.compiler import Advice, Aspect, Runtime, weave
from ancestry_obs.compiler.sampling import gaps
from ancestry_obs.exceptions import Where
from ancestry_obs.expressions import parse
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, RecordSpec
from ancestry_obs.recording import Store
from ancestry_obs.recording.failures import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ancestry_obs.compiler import Woven
    from ancestry_obs.process_tree.totals import Sampled

__all__ = ["OVERHEAD", "SAMPLED", "Budget", "Prices", "measured_prices"]

_LOG: Final = logging.getLogger("ancestry_obs")

SAMPLED: Final = "ancestry_obs_sampled"
OVERHEAD: Final = "ancestry_obs_overhead_ratio"

_SHARE: Final = 0.01
"""Of the calls of a target that is sampled."""
_LEAST: Final = 0.25
"""Seconds of processor time that a review has to judge by."""
_ROOM: Final = 0.8
"""A target goes back if no more than this of the budget is used then,"""
_PATIENCE: Final = 3
"""in so many reviews, one after the other."""


class Prices(NamedTuple):
    """What a measured call costs, in seconds.

    Args:
        record: For each stream that it feeds: to find its buffer, to append and to fold.
        label: For each label that is worked out.
        clock: For the seconds that it took.
    """

    record: float
    label: float
    clock: float

    def of(self, woven: Woven) -> float:
        """Give what a call of some woven code costs if it is timed."""
        streams = [each.stream for each in woven.recorders]
        labels = sum(not label.is_constant for each in streams for label in each.labels)
        is_timed = any(each.source == "elapsed" for each in streams)
        return self.record * len(streams) + self.label * labels + self.clock * is_timed


class _Load(NamedTuple):
    """What a target has cost since the last review.

    Args:
        target: Its name.
        woven: Its woven code that can be sampled.
        timed: The share of the processor time that goes to it if every call is timed.
        saving: How much less that is if it is sampled.
    """

    target: str
    woven: list[Woven]
    timed: float
    saving: float


class Budget:
    """Keeps what measuring costs within a share of the processor time, as far as sampling can.

    Args:
        share: The share.
        prices: Gives what a call costs, asked once, at the first review; measured if None.
        processor: Gives the seconds of processor time that the process has used; the system's if
            None.

    Attributes:
        share: The share.
        overhead: The share that is used, by the last review.
    """

    def __init__(
        self,
        share: float,
        prices: Callable[[], Prices] | None = None,
        processor: Callable[[], float] | None = None,
    ) -> None:
        self.share = share
        self.overhead = 0.0
        self._ask_prices = prices or measured_prices
        self._prices: Prices | None = None
        self._processor = processor or process_time
        self._at = self._processor()
        self._calls: dict[str, int] = {}
        # How many reviews in a row each of those that are sampled could have gone back.
        self._sampled: dict[str, int] = {}
        self._has_warned = False

    @property
    def sampled(self) -> frozenset[str]:
        """The names of the targets that are sampled now."""
        return frozenset(self._sampled)

    def gauges(self) -> Mapping[str, Sampled]:
        """Give what the metrics page tells of it, in the form that a run's processes share."""
        return {
            SAMPLED: ("sum", {(each,): 1.0 for each in self._sampled}),
            OVERHEAD: ("max", {(): self.overhead}),
        }

    def review(self, targets: Iterable[tuple[str, Sequence[Woven]]]) -> None:
        """Estimate what measuring has cost since the last time, and sample more or less.

        Args:
            targets: Those that are installed, with what is woven there.
        """
        now = self._processor()
        used = now - self._at
        if 0 <= used < _LEAST:
            return
        loads, calls = self._loads(targets, used)
        # A forked child begins with no processor time used.
        is_first, self._at, self._calls = used < 0 or not self._calls, now, calls
        if not is_first:
            self._decide(loads)
        for load in loads:
            _sample(load.woven, is_wanted=load.target in self._sampled)

    def _loads(
        self, targets: Iterable[tuple[str, Sequence[Woven]]], used: float
    ) -> tuple[list[_Load], dict[str, int]]:
        if self._prices is None:
            self._prices = self._ask_prices()
        prices, calls, loads = self._prices, {}, []
        for name, all_woven in targets:
            calls[name] = sum(each.calls() for each in all_woven)
            new = calls[name] - self._calls.get(name, 0)
            price = max((prices.of(each) for each in all_woven), default=0.0)
            can = [each for each in all_woven if _is_free(each, name in self._sampled)]
            saving = prices.clock * (1 - _SHARE) if can else 0.0
            if new > 0 and used > 0:
                loads.append(_Load(name, can, new * price / used, new * saving / used))
            elif can:
                loads.append(_Load(name, can, 0.0, 0.0))
        return loads, calls

    def _decide(self, loads: list[_Load]) -> None:
        known = {each.target for each in loads}
        self._sampled = {name: n for name, n in self._sampled.items() if name in known}
        overhead = sum(each.timed - each.saving * (each.target in self._sampled) for each in loads)
        for each in sorted(loads, key=lambda load: -load.saving):
            if overhead > self.share and each.saving and each.target not in self._sampled:
                self._sampled[each.target] = 0
                overhead -= each.saving
        for each in sorted(loads, key=lambda load: load.saving):
            if each.target in self._sampled:
                has_room = overhead + each.saving <= _ROOM * self.share
                self._sampled[each.target] = self._sampled[each.target] + 1 if has_room else 0
                if self._sampled[each.target] >= _PATIENCE:
                    del self._sampled[each.target]
                    overhead += each.saving
        self.overhead = overhead
        self._tell(loads)

    def _tell(self, loads: list[_Load]) -> None:
        if self.overhead <= self.share:
            self._has_warned = False
        elif not self._has_warned:
            self._has_warned = True
            hottest = max(loads, key=lambda load: load.timed)
            warn(
                _LOG,
                "measuring takes about %.2g%% of the processor time, which is more than the map's "
                "budget of %.2g%%, with every target sampled that can be; most of it goes to %s",
                self.overhead * 100,
                self.share * 100,
                hottest.target,
            )


def _is_free(woven: Woven, is_ours: bool) -> bool:  # noqa: FBT001 - of one caller
    """Whether it can be sampled, and the map has not said how much."""
    countdown = woven.countdown
    return countdown is not None and (is_ours or countdown.gaps is None)


def _sample(all_woven: Iterable[Woven], *, is_wanted: bool) -> None:
    for woven in all_woven:
        countdown = woven.countdown
        if countdown is None or is_wanted is (countdown.gaps is not None):
            continue
        if is_wanted:
            countdown.gaps = gaps(_SHARE)
        else:
            # In this order: what looks in between is timed.
            countdown.gaps, countdown.left = None, 0


def _stub(text: object) -> object:
    return text


def measured_prices() -> Prices:
    """Measure what a call costs here and now: a function that does nothing, woven and bare."""
    bare = _fastest(_stub)
    timed, labelled, sampled = map(_fastest, _woven_stubs())
    return Prices(max(sampled - bare, 0.0), max(labelled - timed, 0.0), max(timed - sampled, 0.0))


_CALLS: Final = 500
_ROUNDS: Final = 7


def _fastest(function: Callable[[object], object]) -> float:
    def round_of_calls() -> float:
        started = perf_counter()
        for _ in calls:
            function("a")
        return (perf_counter() - started) / _CALLS

    calls = range(_CALLS)
    return min(round_of_calls() for _ in range(_ROUNDS))


def _woven_stubs() -> Iterator[FunctionType]:
    """Make stubs that are timed; that have a label, too; that are counted."""
    here = Where("budget", None, "")
    label = LabelSpec("text", None, 1, here)
    metric = partial(MetricSpec, "seconds", "histogram", "Seconds.", where=here)
    record: Any = partial(RecordSpec, "seconds", value=None, hit=None, on="exit", when=None)
    without = Advice((record(labels=(), where=here),), (metric(labels=(), buckets=(1.0,)),))
    text = (("text", parse("text")),)
    with_label = Advice(
        (record(labels=text, where=here),), (metric(labels=(label,), buckets=(1.0,)),)
    )
    counted = Advice(without.records, without.metrics, sample=0.001)
    for advice in (without, with_label, counted):
        aspect = Aspect(
            "budget:stub", _stub.__code__, (advice,), Runtime(Store("")), function=_stub
        )
        (woven,) = weave([aspect])
        if isinstance(woven, Exception):
            raise woven
        yield FunctionType(woven.code, _stub.__globals__)
