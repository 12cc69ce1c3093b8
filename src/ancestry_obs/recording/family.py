"""A family: all series of one metric, and which label values may become one."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Final, Protocol

from ancestry_obs.recording.buffers import FULL, Buffer, LatestBuffer
from ancestry_obs.recording.kinds import Series, new_series
from ancestry_obs.recording.limits import OTHER, LabelLimit, label_text
from ancestry_obs.recording.native import ImpliedBounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ancestry_obs.mapfile.specs import MetricSpec
    from ancestry_obs.recording.buffers import Overflow, Probe
    from ancestry_obs.recording.exemplars import Exemplar, Exemplars

__all__ = ["Family"]

_MEMO_SIZE: Final = 1024


class FoldingStore(Protocol):
    """What a family needs of the store that it belongs to."""

    grew: Callable[[], object]
    is_added_up: bool

    def probe(self, target: str) -> Probe:
        """Make a probe whose buffers are folded."""

    def relieve(self, *buffers: Buffer) -> None:
        """Fold full buffers; never waits."""

    def count_overflows(self, overflows: Iterable[Overflow]) -> None:
        """Count observations whose label became ``other``."""


class Family:
    """All series of one metric.

    Args:
        spec: The metric's declaration.
        name: The full name, with the namespace.
        store: The store that folds what is recorded here.

    Attributes:
        label_names: The labels' names, in the order that every tuple of values here has.
        implied: The classic bounds that the buckets of a native histogram imply.

    Example:
        >>> family = store.family(spec)
        >>> family.observe(("/matches/:id", "2xx"), 0.3)
    """

    __slots__ = (
        "_exemplars", "_limits", "_probe", "_series", "_store", "implied", "label_names", "name",
        "spec",
    )  # fmt: skip

    def __init__(self, spec: MetricSpec, name: str, store: FoldingStore) -> None:
        self.spec = spec
        self.name = name
        self.label_names = tuple(label.name for label in spec.labels)
        self._store = store
        self._probe = store.probe(f"metrics():{spec.name}")
        self.reset()

    def reset(self) -> None:
        """Forget every series and every label value seen."""
        self._series: dict[tuple[str, ...], Series] = {}
        self._exemplars: dict[tuple[str, ...], Exemplars] = {}
        self._limits = tuple(map(LabelLimit, self.spec.labels))
        self.implied = ImpliedBounds()

    def series(self) -> list[tuple[tuple[str, ...], Series]]:
        """Give a snapshot of the series with their label values, in the order they appeared."""
        return list(self._series.items())

    def __len__(self) -> int:
        return len(self._series)

    def columns(self) -> tuple[list[tuple[str, ...]], list[Series]]:
        """Give the same as two lists of one length, which no pairs are made for.

        Pairs would be so many new objects at once that Python looks through all there are.
        """
        series = self._series
        # Each is one step, in which no call can add a series; between them one may.
        labels = list(series)
        return labels, list(series.values())[: len(labels)]

    def admit(self, values: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Overflow, ...]]:
        """Apply the labels' limits.

        Args:
            values: The labels' text, in the metric's order.

        Returns:
            The values that may become a series, and the labels where one became ``other``.

        Raises:
            ValueError: If the number of labels is wrong.
        """
        limited = zip(self._limits, values, strict=True)
        over = {limit.name for limit, value in limited if not limit.admit(value)}
        if not over:
            return values, ()
        labelled = zip(self.label_names, values, strict=True)
        kept = tuple(OTHER if name in over else value for name, value in labelled)
        return kept, tuple((self.spec.name, name) for name in self.label_names if name in over)

    def at(self, values: tuple[str, ...]) -> Series:
        """Get or create the series of label values that were admitted."""
        found = self._series.get(values)
        if found is None:
            # Two threads may both get here: the first one's series is everybody's.
            found = self._series.setdefault(
                values, new_series(self.spec, may_reset=not self._store.is_added_up)
            )
            self._store.grew()
        return found

    def exemplars_at(self, values: tuple[str, ...]) -> Exemplars:
        """Get or create the exemplars of a series, by label values that were admitted."""
        from ancestry_obs.recording.exemplars import Exemplars  # noqa: PLC0415  few maps have one

        bounds = self.spec.buckets
        kept = Exemplars(bounds if bounds or self.spec.type != "histogram" else None)
        return self._exemplars.setdefault(values, kept)

    def exemplars(self) -> dict[tuple[str, ...], dict[int, Exemplar]]:
        """Read the exemplars of each series that may have any; see `Exemplars.read`."""
        if not self._exemplars:
            return {}
        return {values: each.read() for values, each in self._exemplars.copy().items()}

    def drop_exemplars(self) -> None:
        """Show none any more that was kept so far."""
        self._exemplars = {}

    def resolve(self, values: Sequence[object]) -> Series:
        """Get or create the series of label values, within the limits; an overflow is counted.

        Args:
            values: The labels, in the metric's order; what is no text becomes text.

        Raises:
            ValueError: If the number of labels is wrong.
        """
        kept, overflows = self.admit(tuple(map(label_text, values)))
        self._store.count_overflows(overflows)
        return self.at(kept)

    def observe(self, values: Sequence[object], value: float) -> None:
        """Record a value: a histogram's, a ratio's hit (1 or 0), a step of calls in flight (1, -1).

        Args:
            values: The labels, in the metric's order; what is no text becomes text.
            value: What is recorded. What is no finite number is dropped and counted.

        Raises:
            ValueError: If the number of labels is wrong.
        """
        labels = tuple(map(label_text, values))
        buffer = self._probe.memo.get(labels)
        if buffer is None:
            buffer = self._buffer(labels)
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = nan
        buffer.append(number)
        if len(buffer) >= FULL:
            self._store.relieve(buffer)

    def inc(self, values: Sequence[object], amount: float = 1.0) -> None:
        """Add to a counter; see `observe`. A negative amount is dropped and counted."""
        self.observe(values, amount)

    def set(self, values: Sequence[object], value: float) -> None:
        """Set a gauge, at once: the last value wins; see `observe`."""
        self.observe(values, value)

    def _buffer(self, labels: tuple[str, ...]) -> Buffer:
        kept, overflows = self.admit(labels)
        kind = LatestBuffer if self.spec.type == "gauge" else Buffer
        buffer = self._probe.open(
            (kept, overflows), lambda: kind(self._probe, (self.at(kept),), (), overflows)
        )
        if len(self._probe.memo) >= _MEMO_SIZE:
            self._probe.memo.clear()
        self._probe.memo[labels] = buffer
        return buffer
