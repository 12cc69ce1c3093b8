"""What a name's rate was lately; bounded in names and in length."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["History"]

_KEPT: Final = 60
_MOST_NAMES: Final = 10_000


class History:
    """The last rates of each name."""

    def __init__(self) -> None:
        self._rates: dict[str, deque[float | None]] = {}

    def add(self, rates: Iterable[tuple[str, float | None]]) -> None:
        """Add a moment; names that are not in it are forgotten, and so are too many."""
        kept: dict[str, deque[float | None]] = {}
        for name, rate in rates:
            if len(kept) == _MOST_NAMES:
                break
            kept[name] = self._rates.get(name) or deque(maxlen=_KEPT)
            kept[name].append(rate)
        self._rates = kept

    def of(self, name: str) -> Sequence[float | None]:
        """Give the rates of a name, the oldest first."""
        return self._rates.get(name, ())
