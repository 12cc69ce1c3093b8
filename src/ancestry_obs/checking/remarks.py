"""What is right in a map but worth knowing, by the map alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from ancestry_obs.mapfile import worst_case_series
from ancestry_obs.recording.items import MOST_ITEMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.mapfile import MapSpec

__all__ = ["ends", "remarks"]

_DAY: Final = 24 * 60 * 60
_SOON: Final = 14
"""Days before its end from which on an instrument has a note."""


def remarks(spec: MapSpec) -> Iterator[str]:
    """Yield the notes that are the same at any time.

    Args:
        spec: the map.
    """
    yield from _sampled_for_nothing(spec)
    yield from _without_totals(spec)
    yield from _bounded(spec)
    yield from _series(spec)


def ends(spec: MapSpec, now: float) -> Iterator[str]:
    """Yield a note for each instrument of a map that is over, or soon will be.

    Args:
        spec: the map.
        now: seconds since the epoch.
    """
    for each in spec.instruments:
        if each.is_over(now):
            yield f"note: {each.where}: over since {each.end}; remove it, or move its date"
        elif each.is_over(now + _SOON * _DAY):
            days = math.ceil(((each.until or now) - now) / _DAY)
            yield (
                f"note: {each.where}: over in {days} day{'s' * (days > 1)}, on {each.end}; if "
                "it is to go on, move its date"
            )


def _without_totals(spec: MapSpec) -> Iterator[str]:
    """Say which histograms have no sum."""
    for metric in spec.metrics:
        if metric.buckets and metric.buckets[0] < 0:
            yield (
                f"note: {metric.where}: with a negative bucket there are no {metric.name}_sum and "
                f'{metric.name}_count; count by {metric.name}_bucket{{le="+Inf"}}'
            )


def _sampled_for_nothing(spec: MapSpec) -> Iterator[str]:
    histograms = {metric.name for metric in spec.metrics if metric.type == "histogram"}
    for each in spec.instruments:
        timed = [r for r in each.records if r.metric in histograms and r.value is None]
        if each.sample < 1 and not timed:
            yield f"note: {each.where}: sample does nothing here: no record of it takes a time"


def _bounded(spec: MapSpec) -> Iterator[str]:
    """Say what is not recorded of calls with very many items."""
    for instrument in spec.instruments:
        for each in instrument.records:
            if each.each is not None:
                yield (
                    f"note: {each.where}: each: at most {MOST_ITEMS:,} items of a call are "
                    "recorded; ancestry_obs_items_left_out_total counts the others"
                )


def _series(spec: MapSpec) -> Iterator[str]:
    """Say how many series there can be."""
    counts = {metric.name: worst_case_series(metric) for metric in spec.metrics}
    if counts:
        total, largest = sum(counts.values()), max(counts, key=counts.__getitem__)
        yield f"note: at most {total:,} series, of which {counts[largest]:,} of {largest}"
