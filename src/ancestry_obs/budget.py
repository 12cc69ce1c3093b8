"""The budget of a process: how often targets were called comes in, which are to be timed goes out.

What measuring costs is estimated: the calls of each target since the last review, times what such a
call costs on this machine, over the processor time that the process has used meanwhile. Where that
is more than the map allows, the dearest targets are timed for one call in a hundred; where there is
room again, they are timed for every call. No code is exchanged for that: code that is woven under a
budget counts down (`compiler.sampling`), and here is said what from.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter, process_time, thread_time
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ancestry_obs.collector.self_metrics import OVERHEAD, SAMPLED
from ancestry_obs.compiler import Advice, Aspect, Runtime, weave
from ancestry_obs.exceptions import Where
from ancestry_obs.expressions import parse
from ancestry_obs.frozen import replaced
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, RecordSpec
from ancestry_obs.notices import Notices
from ancestry_obs.recording import Store
from ancestry_obs.recording.failures import came_from_outside, shown, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ancestry_obs.compiler import Woven
    from ancestry_obs.process_tree.totals import Sampled

__all__ = ["Budget", "Prices", "measured_exemplar", "measured_prices"]

_LOG: Final = Notices()

_SHARE: Final = 0.01
"""Of the calls of a target that is sampled."""
_LEAST: Final = 0.25
"""Seconds of processor time that a review has to judge by;"""
_TIMES: Final = 100
"""and so many times what a review itself takes."""
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
        exemplar: For each metric that has exemplars: to tell that this call is none. `None` where
            nobody has looked.
    """

    record: float
    label: float
    clock: float
    exemplar: float | None = None

    def of(self, woven: Woven) -> float:
        """Give what a call of some woven code costs if a budget has nothing done about it."""
        streams = [each.stream for each in woven.recorders]
        labels = sum(not label.is_constant for each in streams for label in each.labels)
        timed = float(any(each.source == "elapsed" for each in streams))
        if woven.countdown is not None:
            timed *= woven.countdown.share
        exemplars = (self.exemplar or 0.0) * _exemplary(woven)
        return self.record * len(streams) + self.label * labels + self.clock * timed + exemplars


class _Load(NamedTuple):
    """What a target has cost since the last review.

    Args:
        target: Its name.
        is_free: Whether it can be sampled.
        timed: The share of the processor time that goes to it if every call is timed.
        saving: How much less that is if it is sampled.
    """

    target: str
    is_free: bool
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
        share: The share; another map may change it.
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
        self._least = _LEAST
        self._calls: dict[str, int] | None = None
        # How many reviews in a row each of those that are sampled could have gone back. Never
        # changed but put anew: a page may be read meanwhile.
        self._sampled: Mapping[str, int] = {}
        self._per_call: Mapping[str, tuple[float, float]] = {}
        self._said: set[str] = set()

    @property
    def sampled(self) -> frozenset[str]:
        """The names of the targets that are sampled now."""
        return frozenset(self._sampled)

    @property
    def costs(self) -> dict[str, float]:
        """The seconds that measuring a call of each target takes, by the last review."""
        sampled = self._sampled
        return {
            name: price - saving * (name in sampled)
            for name, (price, saving) in self._per_call.items()
        }

    def gauges(self) -> Mapping[str, Sampled]:
        """Give what the metrics page tells of it, in the form that a run's processes share."""
        return {
            SAMPLED: ("sum", {(each,): 1.0 for each in self._sampled}),
            OVERHEAD: ("max", {(): self.overhead}),
        }

    def review(self, targets: Iterable[tuple[str, Sequence[Woven]]]) -> None:
        """Estimate what measuring has cost since the last time, and sample more or less.

        Whatever goes wrong is said once, and leaves everything as it is.

        Args:
            targets: Those that are installed, with what is woven there; a name may come again.
        """
        woven: dict[str, list[Woven]] = {}
        for name, some in targets:
            woven.setdefault(name, []).extend(some)
        try:
            self._review(woven)
        except Exception as error:
            if came_from_outside(error):
                raise
            self._say("the map's budget is not kept: %s", shown(error))
        self._sampled = {name: n for name, n in self._sampled.items() if name in woven}
        for name, some in woven.items():
            _sample(some, is_wanted=name in self._sampled)

    def _review(self, woven: Mapping[str, list[Woven]]) -> None:
        began, before = self._processor(), self._calls
        used = began - self._at
        # A forked child begins with no processor time used.
        if 0 <= used < self._least:
            return
        self._at = began
        self._calls = {name: sum(each.calls() for each in some) for name, some in woven.items()}
        if before is not None and used > 0:
            self._decide([*self._loads(woven, before, self._calls, used)])
        self._least = max(_LEAST, _TIMES * (self._processor() - began))

    def _loads(
        self,
        woven: Mapping[str, list[Woven]],
        before: Mapping[str, int],
        calls: Mapping[str, int],
        used: float,
    ) -> Iterator[_Load]:
        prices = self._prices = self._priced(woven.values())
        per_call: dict[str, tuple[float, float]] = {}
        for name, some in woven.items():
            is_free = any(each.countdown and each.countdown.is_free for each in some)
            new = max(calls[name] - before.get(name, 0), 0)
            price = max(map(prices.of, some), default=0.0)
            saving = prices.clock * (1 - _SHARE) if is_free else 0.0
            per_call[name] = price, saving
            yield _Load(name, is_free, new * price / used, new * saving / used)
        self._per_call = per_call

    def _priced(self, woven: Iterable[list[Woven]]) -> Prices:
        prices = self._prices or self._ask_prices()
        # Few maps have exemplars.
        if prices.exemplar is None and any(_exemplary(each) for some in woven for each in some):
            return prices._replace(exemplar=measured_exemplar())
        return prices

    def _decide(self, loads: list[_Load]) -> None:
        free = {each.target for each in loads if each.is_free}
        kept = {name: n for name, n in self._sampled.items() if name in free}
        overhead = sum(each.timed - each.saving * (each.target in kept) for each in loads)
        for each in sorted(loads, key=lambda load: -load.saving):
            if overhead > self.share and each.saving and each.target not in kept:
                kept[each.target] = 0
                overhead -= each.saving
        for each in sorted(loads, key=lambda load: load.saving):
            if each.target in kept:
                has_room = overhead + each.saving <= _ROOM * self.share
                kept[each.target] = kept[each.target] + 1 if has_room else 0
                if kept[each.target] >= _PATIENCE:
                    del kept[each.target]
                    overhead += each.saving
        self._sampled, self.overhead = kept, overhead
        if overhead > self.share:
            self._say(
                "measuring takes about %.2g%% of the processor time, which is more than the map's "
                "budget of %.2g%%, with every target sampled that can be; most of it goes to %s",
                overhead * 100,
                self.share * 100,
                max(loads, key=lambda load: load.timed).target,
            )

    def _say(self, text: str, *more: object) -> None:
        """Say it once in a process: metrics tell how it goes on."""
        if text not in self._said:
            self._said.add(text)
            warn(_LOG, text, *more)


def _exemplary(woven: Woven) -> int:
    """Count the metrics with exemplars that a call feeds."""
    return sum(len(each.stream.exemplary) for each in woven.recorders)


def _sample(some: Iterable[Woven], *, is_wanted: bool) -> None:
    for woven in some:
        countdown = woven.countdown
        if countdown is None or not countdown.is_free:
            continue
        if is_wanted is (countdown.gaps is None):
            countdown.time(_SHARE if is_wanted else 1)


def _stub(text: object) -> object:
    return text


_CALLS: Final = 250
_ROUNDS: Final = 20


def measured_prices() -> Prices:
    """Measure what a call costs here and now: a function that does nothing, woven and bare.

    In processor time, the fastest of some rounds in turn: what else runs only adds to it.
    """
    stubs = _woven_stubs(*_advices())
    bare, timed, labelled, sampled, looks = _fastest([_stub, *stubs, _looks_at_the_clock])
    # Whatever the differences come to, two looks at the clock cost what they cost.
    clock = max(timed - sampled, looks - bare)
    return Prices(max(sampled - bare, 0.0), max(labelled - timed, 0.0), max(clock, 0.0))


def measured_exemplar() -> float:
    """Measure in the same way what it takes longer to feed a metric that has exemplars."""
    without, *_ = _advices()
    text = (("text", parse("text")),)
    records = tuple(replaced(each, exemplar=text) for each in without.records)
    plain, exemplary = _fastest([*_woven_stubs(without, replaced(without, records=records))])
    return max(exemplary - plain, 0.0)


def _fastest(functions: Sequence[Callable[[object], object]]) -> list[float]:
    fastest = [float("inf")] * len(functions)
    for _ in range(_ROUNDS):
        for place, function in enumerate(functions):
            fastest[place] = min(fastest[place], _seconds(function))
    return fastest


def _looks_at_the_clock(_: object) -> object:
    return perf_counter() - perf_counter()


def _seconds(function: Callable[[object], object]) -> float:
    calls = range(_CALLS)
    started = thread_time()
    for _ in calls:
        function("a")
    return (thread_time() - started) / _CALLS


def _advices() -> tuple[Advice, Advice, Advice]:
    """Give what stubs are to be woven for: that are timed; that have a label, too; are counted."""
    here = Where("budget", None, "")
    label = LabelSpec("text", None, 1, here)
    metric = partial(MetricSpec, "seconds", "histogram", "Seconds.", where=here)
    record: Any = partial(RecordSpec, "seconds", value=None, hit=None, on="exit", when=None)
    without = Advice((record(labels=(), where=here),), (metric(labels=(), buckets=(1.0,)),))
    text = (("text", parse("text")),)
    with_label = Advice(
        (record(labels=text, where=here),), (metric(labels=(label,), buckets=(1.0,)),)
    )
    return without, with_label, Advice(without.records, without.metrics, sample=0.001)


def _woven_stubs(*advices: Advice) -> Iterator[FunctionType]:
    for advice in advices:
        aspect = Aspect(
            "budget:stub", _stub.__code__, (advice,), Runtime(Store("")), function=_stub
        )
        (woven,) = weave([aspect])
        if isinstance(woven, Exception):
            raise woven
        yield FunctionType(woven.code, _stub.__globals__)
