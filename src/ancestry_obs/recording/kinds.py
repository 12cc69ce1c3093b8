"""A metric's declaration comes in, an empty series of its type goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from ancestry_obs.recording.native import NativeHistogramSeries
from ancestry_obs.recording.series import (
    CounterSeries,
    GaugeSeries,
    HistogramSeries,
    InFlightSeries,
    RatioSeries,
)

if TYPE_CHECKING:
    from ancestry_obs.mapfile.specs import MetricSpec

__all__ = ["Series", "new_series"]

Series: TypeAlias = (
    HistogramSeries
    | NativeHistogramSeries
    | CounterSeries
    | GaugeSeries
    | RatioSeries
    | InFlightSeries
)

_PLAIN: Final[dict[str, type[CounterSeries | GaugeSeries | RatioSeries | InFlightSeries]]] = {
    "counter": CounterSeries,
    "gauge": GaugeSeries,
    "ratio": RatioSeries,
    "in_flight": InFlightSeries,
}


def new_series(metric: MetricSpec, *, may_reset: bool = True) -> Series:
    """Make an empty series.

    Args:
        metric: The metric's declaration.
        may_reset: Whether what it counts may begin anew.
    """
    if metric.native is not None:
        return NativeHistogramSeries(metric.native, metric.buckets, may_reset=may_reset)
    return HistogramSeries(metric.buckets) if metric.type == "histogram" else _PLAIN[metric.type]()
