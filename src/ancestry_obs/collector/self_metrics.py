"""What the toolkit tells about itself: states and counts come in, blocks go out.

These names carry no namespace: the dashboards and alerts of every map use the same ones.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from weakref import WeakSet

from ancestry_obs.collector.blocks import Block, Kind, Row
from ancestry_obs.collector.idle_targets import Expectation
from ancestry_obs.collector.reading import Reading, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ancestry_obs.collector.reading import TargetState
    from ancestry_obs.collector.samples import Samples
    from ancestry_obs.process_tree.totals import Sampled
    from ancestry_obs.recording import Store

__all__ = ["OVERHEAD", "SAMPLED", "SelfMetrics"]

_PREFIX = "ancestry_obs"
_NANO = 1_000_000_000
SAMPLED = f"{_PREFIX}_sampled"
"""The gauge of targets that are sampled; its full name, which no metric of a map can have."""
OVERHEAD = f"{_PREFIX}_overhead_ratio"
"""The gauge of what measuring takes."""
_GAUGES = (
    (
        SAMPLED, ("target",),
        "Processes that time a hundredth of a target's calls, to keep the map's budget.",
    ),
    (
        OVERHEAD, (),
        "Estimated share of the processor time that measuring takes, where it is largest.",
    ),
)  # fmt: skip
_LEFT_OUT = "items_left_out "
"""How the names of those counts begin that are of a target, which stands behind it."""
_NOTHING = Reading([], {}, (), {}, {}, {})


class SelfMetrics:
    """The ``ancestry_obs_*`` metrics.

    Args:
        store: Its series, failures and overflows are told.
        targets: Gives the targets of this moment.
        version: The toolkit's.
        expectation: Gives which targets are called where their module is in use.
        gauges: Gives what a budget tells, by `SAMPLED` and `OVERHEAD`.

    Attributes:
        scrapes: How many there were.
        scrape_seconds: How long they took together.
        exporter_failures: How often the exporter could not start or make itself known.
        handover_failures: How often this process could not hand its numbers over, or read others'.
    """

    def __init__(
        self,
        store: Store,
        targets: Callable[[], Iterable[TargetState]],
        version: str,
        expectation: Callable[[], Expectation] = Expectation,
        gauges: Callable[[], Mapping[str, Sampled]] = dict,
    ) -> None:
        self._store = store
        self._targets = targets
        self._version = version
        self._expectation = expectation
        self._gauges = gauges
        self.begin_child()
        _ALL.add(self)

    def begin_child(self) -> None:
        """Begin with nothing, as a forked child does: what was counted before is its parent's."""
        self.scrapes = 0
        self.scrape_seconds = 0.0
        self.exporter_failures = 0
        self.handover_failures = 0

    def scraped(self, seconds: float) -> None:
        """Count a scrape that is over; the next one tells it."""
        self.scrapes += 1
        self.scrape_seconds += seconds

    def exporter_failed(self) -> None:
        """Count an exporter that was asked for and is not there; a textfile can still tell."""
        self.exporter_failures += 1

    def handover_failed(self) -> None:
        """Count numbers that could not be handed over or read."""
        self.handover_failures += 1

    def read(self, samples: Samples) -> Reading:
        """Read everything that was measured in this process; see `collector.reading.read`."""
        return read(self._store, samples, self._targets(), self._counts(), self._gauges)

    def blocks(self, reading: Reading = _NOTHING) -> list[Block]:
        """Give the blocks of this moment.

        Args:
            reading: What was measured; nothing where only the names are asked for.
        """
        counts = self._counts() | dict(reading.counts)
        idle = self._expectation().idle(reading.targets)
        return [
            self._build_info(),
            _block(
                "target", "info", "Every target of the map and its state.", ("target", "state"),
                [
                    ((each.target, "idle" if each.target in idle else each.state), (1,))
                    for each in reading.targets
                ],
            ),
            _block(
                "calls", "counter", "Calls of instrumented targets.", ("target",),
                # What is over counts nothing any more, and a counter does not go back.
                [
                    ((each.target,), (each.calls,))
                    for each in reading.targets
                    if each.calls or each.state != "expired"
                ],
            ),
            self._expression_errors(reading),
            self._overflows(reading),
            self._left_out(counts),
            self._series(reading),
            _block(
                "exporter_failures", "counter",
                "Times that the exporter could not be started or be made known.", (),
                [((), (counts["exporter_failures"],))],
            ),
            _block(
                "handover_failures", "counter",
                "Times that a process could not hand its numbers over to the run's page, or read "
                "the others'.", (),
                [((), (counts["handover_failures"],))],
            ),
            _block(
                "processes", "gauge", "Processes whose numbers are on this page.", (),
                [((), (reading.processes,))],
            ),
            self._scrapes(counts),
            *(
                Block(name, "gauge", text, labels, [(k, (n,)) for k, n in sampled[1].items()])
                for name, labels, text in _GAUGES
                for sampled in [reading.sampled.get(name, ("", {}))]
            ),
        ]  # fmt: skip

    def _counts(self) -> dict[str, int]:
        return {
            "exporter_failures": self.exporter_failures,
            "handover_failures": self.handover_failures,
            "scrapes": self.scrapes,
            "scrape_nanoseconds": int(self.scrape_seconds * _NANO),
            **{f"{_LEFT_OUT}{target}": n for target, n in self._store.left_out.items()},
        }

    def _build_info(self) -> Block:
        labels = (self._version, ".".join(map(str, sys.version_info[:3])))
        text = "The toolkit's version and the Python that runs it."
        return _block("build", "info", text, ("version", "python"), [(labels, (1,))])

    def _expression_errors(self, reading: Reading) -> Block:
        rows: list[Row] = [(key, (n,)) for key, n in reading.failures.items()]
        text = "Expressions of the map that failed, and values that were no finite number."
        return _block("expression_errors", "counter", text, ("target", "metric", "label"), rows)

    def _overflows(self, reading: Reading) -> Block:
        # From zero on, for each label that there is: an alert needs to see the first step.
        counts = {
            (family.spec.name, label): 0
            for family in self._store.families()
            for label in family.label_names
        }
        rows: list[Row] = [(key, (n,)) for key, n in (counts | dict(reading.overflows)).items()]
        text = "Observations with a label value beyond the label's limit, kept as other."
        return _block("label_overflow", "counter", text, ("metric", "label"), rows)

    def _left_out(self, counts: Mapping[str, int]) -> Block:
        rows: list[Row] = [
            ((name.removeprefix(_LEFT_OUT),), (n,))
            for name, n in counts.items()
            if name.startswith(_LEFT_OUT)
        ]
        text = "Items of calls beyond the most that are recorded of one call."
        return _block("items_left_out", "counter", text, ("target",), rows)

    def _series(self, reading: Reading) -> Block:
        rows: list[Row] = [
            ((each.family.spec.name,), (len(each.labels),)) for each in reading.columns
        ]
        return _block("series", "gauge", "Recorded series of each metric.", ("metric",), rows)

    def _scrapes(self, counts: Mapping[str, int]) -> Block:
        rows: list[Row] = [((), (counts["scrapes"], counts["scrape_nanoseconds"] / _NANO))]
        text = "Time that earlier scrapes took to read, fold and write."
        return _block("scrape_seconds", "summary", text, (), rows)


def _block(name: str, kind: Kind, text: str, labels: tuple[str, ...], rows: list[Row]) -> Block:
    return Block(f"{_PREFIX}_{name}", kind, text, labels, rows)


_ALL: WeakSet[SelfMetrics] = WeakSet()


def _begin_children() -> None:
    for each in tuple(_ALL):
        each.begin_child()


os.register_at_fork(after_in_child=_begin_children)
