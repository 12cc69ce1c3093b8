"""The exemplars: for each bucket of a series one call by its labels, such as its trace.

They are kept beside the series, and none waits to be folded: an exemplar is one entry of a dict,
which is put there in one step. A bucket takes one between two readings, and a call with a value
above all since the last reading is taken, too: the slowest call is always among them. An exemplar
stays until another one takes its place.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from math import frexp, inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ancestry_obs.recording.buffers import Buffer

__all__ = ["Exemplar", "Exemplars", "with_exemplars"]

_MOST_POWER: Final = 64


class Exemplar(NamedTuple):
    """One call of a bucket.

    Args:
        labels: Names and values.
        value: What was recorded of it.
        time: When, in seconds since the epoch.
    """

    labels: tuple[tuple[str, str], ...]
    value: float
    time: float


class Exemplars:
    """Those of one series.

    Args:
        bounds: The upper bounds of its buckets, as a histogram has them; none for a counter, which
            is one bucket. `None` where there are no buckets that stay what they are: then powers of
            two stand for them.

    Attributes:
        kept: The newest of each bucket that has had any, by its number.
    """

    __slots__ = ("_bounds", "_greatest", "_taken", "kept")

    def __init__(self, bounds: Sequence[float] | None = ()) -> None:
        self._bounds = bounds
        self.kept: dict[int, Exemplar] = {}
        self._taken: set[int] = set()
        self._greatest = -inf

    def wanted(self, value: float) -> int | None:
        """Tell whether a call is to be kept.

        Args:
            value: What was recorded of it.

        Returns:
            The number of its bucket, or `None` if not.
        """
        bounds = self._bounds
        bucket = _power(value) if bounds is None else bisect_left(bounds, value)
        return None if value <= self._greatest and bucket in self._taken else bucket

    def keep(self, bucket: int, exemplar: Exemplar) -> None:
        """Put a call in its bucket.

        Args:
            bucket: What `wanted` gave.
            exemplar: The call.
        """
        self.kept[bucket] = exemplar
        self._taken.add(bucket)
        if exemplar.value > self._greatest:  # noqa: PLR1730 - `max` would be a call more
            self._greatest = exemplar.value

    def read(self) -> dict[int, Exemplar]:
        """Give those that are kept, by bucket; each bucket takes another one from now on."""
        self._taken.clear()
        self._greatest = -inf
        return self.kept.copy()


def _power(value: float) -> int:
    """Give a number for the power of two that ends a value's bucket, by size and sign.

    Within what anybody measures, as text has the buckets of a native histogram: the power itself is
    in the bucket that ends with it.
    """
    fraction, exponent = frexp(value)
    power = exponent - (fraction in {-0.5, 0.5})
    # From 1 to twice as many and one more.
    size = min(max(power, -_MOST_POWER), _MOST_POWER) + _MOST_POWER + 1
    return size if value > 0 else -size if value < 0 else 0


@lru_cache(maxsize=8)
def with_exemplars(kind: type[Buffer]) -> Any:  # noqa: ANN401 - a class that is made here
    """Give a kind of buffer that knows the exemplars of what it feeds, as ``exemplars``.

    Others would have no use for the room that it takes.
    """
    return type(kind.__name__, (kind,), {"__slots__": ("exemplars",), "__module__": __name__})
