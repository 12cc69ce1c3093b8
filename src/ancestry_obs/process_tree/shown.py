"""Which label values have a series of their own on the page of a run.

Each process keeps its labels within their limits by itself; all together may have seen more. What
the page has once shown under its own name stays there, also when another process serves the page,
and what it had no room for is `other` for good: a value that moved would let a counter go back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar

from ancestry_obs.process_tree.packing import pack, unpack
from ancestry_obs.recording.limits import ERROR, OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Key", "Labels", "Shown"]

_T = TypeVar("_T")

Labels: TypeAlias = "tuple[str, ...]"
"""The values of a metric's labels, in its order."""
Key: TypeAlias = "tuple[str, str, Labels, tuple[float, ...]]"
"""A metric: its full name, type, label names and buckets. Only what is alike in all is one."""


class Shown:
    """The values of each label of each metric.

    Args:
        values: By the metric, for each of its labels in order.

    Attributes:
        has_grown: Whether there are more than nobody but this process knows of.
    """

    def __init__(self, values: Mapping[Key, Iterable[Iterable[str]]] | None = None) -> None:
        self._values = {
            key: [dict.fromkeys(each) for each in labels] for key, labels in (values or {}).items()
        }
        self.has_grown = False

    def copy(self) -> Shown:
        """Give one that knows the same and learns by itself."""
        return Shown(self._values)

    def as_bytes(self) -> bytes:
        """Write them."""
        return pack({key: [list(each) for each in every] for key, every in self._values.items()})

    @classmethod
    def from_bytes(cls, data: bytes) -> Shown:
        """Read what `as_bytes` wrote.

        Raises:
            ValueError: It is something else, or not whole.
        """
        return cls(unpack(data))

    def keep(
        self,
        key: Key,
        limits: tuple[int, ...],
        rows: Mapping[Labels, _T],
        combine: Callable[[_T, _T], _T],
        fold: Callable[[int, _T], object] = lambda _label, _numbers: None,
    ) -> dict[Labels, _T]:
        """Keep the labels of a metric within their limits.

        Args:
            key: The metric.
            limits: How many values each label may have beside `other` and `error`.
            rows: What there is by label values; those that come first get the places.
            combine: Makes one of two rows whose labels become the same.
            fold: Called for each label, by its number, that becomes `other`, with the row.
        """
        admitted = self._values.setdefault(key, [{} for _ in limits])
        kept: dict[Labels, _T] = {}
        for labels, numbers in rows.items():
            within = tuple(map(self._within, admitted, limits, labels))
            if within != labels:
                for number, (value, kept_as) in enumerate(zip(labels, within, strict=True)):
                    if value != kept_as:
                        fold(number, numbers)
            kept[within] = combine(kept[within], numbers) if within in kept else numbers
        return kept

    def _within(self, admitted: dict[str, None], limit: int, value: str) -> str:
        if value in admitted or value in {OTHER, ERROR}:
            return value
        if len(admitted) >= limit:
            return OTHER
        admitted[value] = None
        self.has_grown = True
        return value
