"""A family: all series of one metric, and which label values may become one."""

from __future__ import annotations

from math import isfinite, nan
from typing import TYPE_CHECKING

from ancestry_obs.recording.channel import FULL
from ancestry_obs.recording.limits import OTHER, LabelLimit
from ancestry_obs.recording.series import Series, new_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ancestry_obs.recording.channel import Channel, Overflow
    from ancestry_obs.recording.store import Store
    from ancestry_obs.spec.model import MetricSpec

__all__ = ["Family"]

_MEMO_SIZE = 1024


class Family:
    """All series of one metric.

    Args:
        spec: The metric's declaration.
        name: The full name, with the namespace.
        store: The store that folds what is recorded here.

    Example:
        >>> family = store.family(spec)
        >>> family.observe(("/matches/:id", "2xx"), 0.3)
    """

    __slots__ = ("_limits", "_memo", "_series", "_site", "_store", "label_names", "name", "spec")

    def __init__(self, spec: MetricSpec, name: str, store: Store) -> None:
        self.spec = spec
        self.name = name
        self.label_names = tuple(label.name for label in spec.labels)
        self._store = store
        self._site = store.site(f"metrics():{spec.name}")
        self._memo: dict[tuple[str, ...], Channel] = {}
        self._site.memos.append(self._memo)
        self.reset()

    def reset(self) -> None:
        """Forget every series and every label value seen."""
        self._series: dict[tuple[str, ...], Series] = {}
        self._limits = tuple(map(LabelLimit, self.spec.labels))

    def series(self) -> list[tuple[tuple[str, ...], Series]]:
        """Give a snapshot of the series with their label values, in the order they appeared."""
        return list(self._series.items())

    def admit(self, values: Sequence[str]) -> tuple[tuple[str, ...], tuple[Overflow, ...]]:
        """Apply the labels' limits.

        Args:
            values: The labels' text, in the metric's order.

        Returns:
            The values that may become a series, and the labels where one became ``other``.
        """
        over = [
            limit.name
            for limit, value in zip(self._limits, values, strict=True)
            if not limit.admit(value)
        ]
        if not over:
            return tuple(values), ()
        kept = (
            OTHER if name in over else value
            for name, value in zip(self.label_names, values, strict=True)
        )
        return tuple(kept), tuple((self.spec.name, name) for name in over)

    def at(self, values: tuple[str, ...]) -> Series:
        """Get or create the series of label values that were admitted."""
        found = self._series.get(values)
        if found is None:
            # Two threads may both get here: the first one's series is everybody's.
            found = self._series.setdefault(values, new_series(self.spec.type, self.spec.buckets))
        return found

    def resolve(self, values: Sequence[str]) -> Series:
        """Get or create the series of label values, within the limits; an overflow is counted.

        Args:
            values: The labels' text, in the metric's order.
        """
        kept, overflows = self.admit(values)
        self._store.count_overflows(overflows)
        return self.at(kept)

    def observe(self, values: Sequence[object], value: float) -> None:
        """Record an observation: a histogram's value, a ratio's hit (1 or 0), a step up or down.

        Args:
            values: The labels, in the metric's order; what is no text becomes text.
            value: What is recorded. A value that is no finite number is dropped and counted.

        Raises:
            ValueError: If the number of labels is wrong.
        """
        number = self._number(value)
        if number is not None:
            labels = tuple(map(str, values))
            channel = self._memo.get(labels)
            if channel is None:
                channel = self._channel(labels)
            channel.append(number)
            if len(channel) >= FULL:
                self._store.relieve(channel)

    def inc(self, values: Sequence[object], amount: float = 1.0) -> None:
        """Add to a counter; see `observe`. A negative amount is dropped and counted."""
        self.observe(values, amount)

    def set(self, values: Sequence[object], value: float) -> None:
        """Set a gauge, at once: the last value wins; see `observe`."""
        number = self._number(value)
        if number is not None:
            self.resolve(tuple(map(str, values))).take([number])

    def _number(self, value: float) -> float | None:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = nan
        if isfinite(number):
            return number
        self._store.count_failure(self._site.target, self.spec.name, "value")
        return None

    def _channel(self, labels: tuple[str, ...]) -> Channel:
        kept, overflows = self.admit(labels)
        if len(self._memo) >= _MEMO_SIZE:
            self._memo.clear()
        return self._memo.setdefault(labels, self._site.open((self.at(kept),), (), overflows))
