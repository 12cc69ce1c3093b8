"""What a call costs that is measured, and one that is traced: found out here and now, on a stub."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final

from ancestry_obs.lifecycle import build
from ancestry_obs.mapfile import load_text
from ancestry_obs.settings import ObservabilitySettings
from ancestry_obs.suggestion import stub
from ancestry_obs.suggestion.candidates import Candidate
from ancestry_obs.suggestion.proposals import Proposal
from ancestry_obs.suggestion.starter_map import map_of
from ancestry_obs.suggestion.tracer import Tracer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Prices", "prices"]

_CALLS: Final = 5000
_ROUNDS: Final = 7
_PACKAGE: Final = "ancestry_obs.suggestion.stub"
_TARGET: Final = f"{_PACKAGE}:called"


@dataclass(frozen=True)
class Prices:
    """What a call costs, in seconds.

    Args:
        measured: By a starter map without labels of the function's own.
        label: What each such label adds.
        traced: For each second that this command spends on counting what it traces, the seconds
            that Python takes to call it. A share, which does not depend on how fast the machine is
            just then.
    """

    measured: float
    label: float
    traced: float

    def of(self, candidate: Candidate) -> float:
        """Give what a call of a function will cost, in seconds."""
        return self.measured + len(candidate.labels) * self.label


def prices(clock: Callable[[], float] = perf_counter) -> Prices:
    """Measure.

    Args:
        clock: Tells seconds.
    """
    plain = _seconds(clock)
    bare = _woven([], clock) - plain
    labelled = _woven([Proposal("kind", "kind", ("stub",))], clock) - plain
    tracer = Tracer(_PACKAGE)
    tracer.start()
    try:
        traced = _uncounted(clock, tracer, plain)
    finally:
        tracer.stop()
    return Prices(max(bare, 0.0), max(labelled - bare, 0.0), max(traced, 0.0))


def _woven(labels: list[Proposal], clock: Callable[[], float]) -> float:
    spec = load_text(map_of([Candidate(_TARGET, "function", labels=labels)]), "a stub's map")
    settings = ObservabilitySettings(enable_prometheus_metrics=True, code_cache="off")
    instrumentation = build(spec, settings)
    try:
        return _seconds(clock)
    finally:
        instrumentation.close()


def _uncounted(clock: Callable[[], float], tracer: Tracer, plain: float) -> float:
    """Give what tracing costs beside its counting, for each second of that, in the usual round."""
    shares = []
    for _ in range(_ROUNDS):
        before, began = tracer.spent, clock()
        for _ in range(_CALLS):
            stub.called("stub")
        took, spent = clock() - began, tracer.spent - before
        shares.append((took - spent - plain * _CALLS) / spent)
    return median(shares)


def _seconds(clock: Callable[[], float]) -> float:
    """Give the seconds of one call in the quickest of some rounds: what else runs only adds."""
    best = float("inf")
    for _ in range(_ROUNDS):
        began = clock()
        for _ in range(_CALLS):
            stub.called("stub")
        best = min(best, clock() - began)
    return best / _CALLS
