"""Counts by bucket of a native histogram: runs of neighbouring buckets, as numbers in a row.

What is observed has few gaps, so that a row of numbers takes less memory than a dict does, is
copied at once, and is written at once too (`collector.packed_counts`).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Counts", "Run"]

_MOST_EMPTY: Final = 16
"""So many empty buckets are kept as such; a run more would take as much memory."""
_TYPES: Final = (*"B" * 7, *"H" * 7, *"I" * 14)
_WIDEST: Final = "Q"
"""How a count is kept, by the binary digits of all counts together: one of seven in each byte is
left for the sign of a difference, and one of eight for how a varint is written."""

Run = tuple[int, "array[int]"]
"""The key of the first bucket, and the counts of it and those after it.

The outermost two are above 0.
"""


class Counts:
    """Counts by key that stay as they are; new ones take their place.

    Args:
        runs: In ascending order.
        total: What all counts come to.
        places: How many buckets are kept, with the empty ones between.

    Attributes:
        runs: As given.
        total: As given.
        places: As given.
        written: What somebody has made of them, and need not make again; `None` before that.
    """

    __slots__ = ("places", "runs", "total", "written")

    def __init__(self, runs: tuple[Run, ...] = (), total: int = 0, places: int = 0) -> None:
        self.runs = runs
        self.total = total
        self.places = places
        self.written: bytes | None = None

    @classmethod
    def of(cls, counts: Mapping[int, int]) -> Counts:
        """Take counts by key.

        Args:
            counts: None is below 0, and none above what 64 bits hold.
        """
        total = sum(counts.values())
        count_type = _type_of(total)
        runs: list[Run] = []
        end = 0
        for key in sorted(counts):
            count = counts[key]
            if not count:
                continue
            if runs and key - end <= _MOST_EMPTY:
                run = runs[-1][1]
                run.extend((0,) * (key - end))
                run.append(count)
            else:
                runs.append((key, array(count_type, (count,))))
            end = key + 1
        return cls(tuple(runs), total, sum(len(run) for _, run in runs))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counts) and dict(self.items()) == dict(other.items())

    __hash__ = None  # type: ignore[assignment]  # as of any container

    def __repr__(self) -> str:
        return f"Counts({dict(self.items())})"

    def __bool__(self) -> bool:
        return bool(self.runs)

    def __len__(self) -> int:
        """Count the buckets that have any value."""
        return sum(len(run) - run.count(0) for _, run in self.runs)

    @property
    def first(self) -> int:
        """The least key; there must be one."""
        return self.runs[0][0]

    @property
    def last(self) -> int:
        """The greatest key; there must be one."""
        first, run = self.runs[-1]
        return first + len(run) - 1

    def runs_for(self, total: int) -> tuple[Run, ...]:
        """Give the runs with room for more counts.

        Args:
            total: What all counts are going to come to.
        """
        # As many digits as before have the room that they had.
        if total.bit_length() == self.total.bit_length():
            return self.runs
        count_type = _type_of(total)
        if not self.runs or self.runs[0][1].typecode == count_type:
            return self.runs
        return tuple((first, array(count_type, run)) for first, run in self.runs)

    def items(self) -> Iterator[tuple[int, int]]:
        """Give each bucket that has any value: its key, in ascending order, and its count."""
        for first, run in self.runs:
            for key, count in enumerate(run, first):
                if count:
                    yield key, count

    def plus(self, found: Iterable[tuple[int, int]]) -> Counts:
        """Give these counts and others.

        Args:
            found: Keys and counts.
        """
        counts = dict(self.items())
        for key, more in found:
            counts[key] = counts.get(key, 0) + more
        return Counts.of(counts)

    def merged(self, steps: int) -> dict[int, int]:
        """Give the counts by key in wider buckets: 2 to the power of some steps times as wide."""
        found: dict[int, int] = {}
        for first, run in self.runs:
            begin = 0
            while begin < len(run):
                # Rounded up: a bucket ends where the last one of those that it takes in did.
                wide = -(-(first + begin) >> steps)
                beyond = (wide << steps) - first + 1
                count = sum(run[begin:beyond])
                if count:
                    found[wide] = found.get(wide, 0) + count
                begin = beyond
        return found


def _type_of(total: int) -> str:
    digits = total.bit_length()
    return _TYPES[digits] if digits < len(_TYPES) else _WIDEST
