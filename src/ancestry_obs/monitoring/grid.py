"""Panels come in, their places on Grafana's grid of 24 columns go out.

Panels stand in shelves from left to right. A shelf is as high as its highest panel and is filled to
its end, so that no dashboard has ragged edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ancestry_obs.monitoring.plan import Panel, View

__all__ = ["COLUMNS", "Place", "places"]

COLUMNS: Final = 24
_SIZES: Final[Mapping[View, tuple[int, int]]] = {
    "count": (6, 4), "now": (4, 4), "share": (4, 4), "total": (4, 4), "mean": (8, 7),
    "states": (12, 6), "events": (8, 7), "rate": (12, 8), "trend": (12, 8),
    "share_trend": (12, 8), "quantiles": (12, 8), "heatmap": (12, 8),
    "quantile_table": (12, 9), "inventory": (12, 9),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands, in columns and rows of the grid."""

    x: int
    y: int
    width: int
    height: int


def places(panels: Sequence[Panel], top: int) -> list[Place]:
    """Place panels below each other in shelves.

    Args:
        panels: In the order of reading.
        top: The first free row.

    Returns:
        A place for each panel; none overlaps another.
    """
    found: list[Place] = []
    for shelf in _shelves([_size(panel) for panel in panels]):
        height = max(height for _, height in shelf)
        x = 0
        for width in _stretched([width for width, _ in shelf]):
            found.append(Place(x, top, width, height))
            x += width
        top += height
    return found


def _size(panel: Panel) -> tuple[int, int]:
    width, height = _SIZES[panel.view]
    return panel.width or width, panel.height or height


def _shelves(sizes: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    shelf: list[tuple[int, int]] = []
    for size in sizes:
        if shelf and sum(width for width, _ in shelf) + size[0] > COLUMNS:
            yield shelf
            shelf = []
        shelf.append(size)
    if shelf:
        yield shelf


def _stretched(widths: Sequence[int]) -> list[int]:
    """Share out what is left of the 24 columns; the first ones get what does not divide."""
    each, first = divmod(COLUMNS - sum(widths), len(widths))
    return [width + each + (index < first) for index, width in enumerate(widths)]
