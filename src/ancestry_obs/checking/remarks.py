"""What is right in a map but worth knowing, by the map alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from ancestry_obs.mapfile import series_multiplied, worst_case_series
from ancestry_obs.mapfile.report import nearest_name
from ancestry_obs.recording.items import MOST_ITEMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.mapfile import MapSpec

__all__ = ["ends", "remarks"]

_DAY: Final = 24 * 60 * 60
_SOON: Final = 14
"""Days before its end from which on an instrument has a note."""
_MANY: Final = 10_000
"""Series of a metric from which on people ask what they are made of."""


def remarks(spec: MapSpec) -> Iterator[str]:
    """Yield the notes that are the same at any time.

    Args:
        spec: the map.
    """
    yield from _sampled_for_nothing(spec)
    yield from _without_totals(spec)
    yield from _misspelt(spec)
    yield from _unfed(spec)
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


def _misspelt(spec: MapSpec) -> Iterator[str]:
    """Say which instrument was probably meant to replace one of an included file."""
    own = [each for each in spec.instruments if each.name and each.where.source == spec.source]
    others = {each.name for each in spec.instruments if each.where.source != spec.source}
    for each in own:
        near = nearest_name(each.name, others - {""})
        if near:
            yield (
                f"note: {each.where}: its name {each.name!r} replaces nothing of the included "
                f"files; did you mean {near!r}?"
            )


def _unfed(spec: MapSpec) -> Iterator[str]:
    """Say which metrics have no source, such as those of an instrument that was replaced."""
    for metric in spec.metrics:
        if metric.name not in spec.fed:
            yield (
                f"note: {metric.where}: no instrument and no sample feeds it; give it a record, or "
                f"feed it by ancestry_obs.metrics().{metric.name}"
            )


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
        if counts[largest] > _MANY:
            metric = next(each for each in spec.metrics if each.name == largest)
            yield (
                f"note: {metric.where}: that is {series_multiplied(metric)}; only combinations "
                "that occur are series, and ancestry_obs_series counts them"
            )
