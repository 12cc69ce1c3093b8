"""What the toolkit tells about itself: states and counts come in, blocks go out.

These names carry no namespace: the dashboards and alerts of every map use the same ones.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Protocol

from ancestry_obs.collector.blocks import Block, Kind, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from ancestry_obs.recording import Store

__all__ = ["SelfMetrics", "TargetState"]

_PREFIX = "ancestry_obs"


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


class SelfMetrics:
    """The ``ancestry_obs_*`` metrics.

    Args:
        store: Its series, failures and overflows are told.
        targets: Gives the targets of this moment.
        version: The toolkit's.

    Attributes:
        scrapes: How many there were.
        scrape_seconds: How long they took together.
        exporter_failures: How often the exporter could not start or make itself known.
    """

    def __init__(
        self, store: Store, targets: Callable[[], Iterable[TargetState]], version: str
    ) -> None:
        self._store = store
        self._targets = targets
        self._version = version
        self.scrapes = 0
        self.scrape_seconds = 0.0
        self.exporter_failures = 0

    def scraped(self, seconds: float) -> None:
        """Count a scrape that is over; the next one tells it."""
        self.scrapes += 1
        self.scrape_seconds += seconds

    def exporter_failed(self) -> None:
        """Count an exporter that was asked for and is not there; a textfile can still tell."""
        self.exporter_failures += 1

    def targets(self) -> Collection[TargetState]:
        """Give the targets of this moment; not to be asked for while the store's lock is held."""
        # A target may be named by several patterns; a series must not occur twice.
        return {each.target: each for each in self._targets()}.values()

    def blocks(self, targets: Collection[TargetState] = ()) -> list[Block]:
        """Give the blocks of this moment.

        Args:
            targets: What `targets` gave.
        """
        return [
            self._build_info(),
            _block(
                "target", "info", "Every target of the map and its state.", ("target", "state"),
                [((each.target, each.state), (1,)) for each in targets],
            ),
            _block(
                "calls", "counter", "Calls of instrumented targets.", ("target",),
                [((each.target,), (each.calls,)) for each in targets],
            ),
            self._expression_errors(),
            self._overflows(),
            self._series(),
            self._exporter_failures(),
            self._scrapes(),
        ]  # fmt: skip

    def _build_info(self) -> Block:
        labels = (self._version, platform.python_version())
        text = "The toolkit's version and the Python that runs it."
        return _block("build", "info", text, ("version", "python"), [(labels, (1,))])

    def _expression_errors(self) -> Block:
        rows: list[Row] = [(key, (n,)) for key, n in self._store.expression_errors.items()]
        text = "Expressions of the map that failed, and values that were no finite number."
        return _block("expression_errors", "counter", text, ("target", "metric", "label"), rows)

    def _overflows(self) -> Block:
        # From zero on, for each label that there is: an alert needs to see the first step.
        counts = {
            (family.spec.name, label): 0
            for family in self._store.families()
            for label in family.label_names
        }
        rows: list[Row] = [(key, (n,)) for key, n in (counts | self._store.overflows).items()]
        text = "Observations with a label value beyond the label's limit, kept as other."
        return _block("label_overflow", "counter", text, ("metric", "label"), rows)

    def _series(self) -> Block:
        rows: list[Row] = [
            ((family.spec.name,), (len(family),)) for family in self._store.families()
        ]
        return _block("series", "gauge", "Recorded series of each metric.", ("metric",), rows)

    def _exporter_failures(self) -> Block:
        text = "Times that the exporter could not be started or be made known."
        return _block("exporter_failures", "counter", text, (), [((), (self.exporter_failures,))])

    def _scrapes(self) -> Block:
        rows: list[Row] = [((), (self.scrapes, self.scrape_seconds))]
        text = "Time that earlier scrapes took to read, fold and write."
        return _block("scrape_seconds", "summary", text, (), rows)


def _block(name: str, kind: Kind, text: str, labels: tuple[str, ...], rows: list[Row]) -> Block:
    return Block(f"{_PREFIX}_{name}", kind, text, labels, rows)
