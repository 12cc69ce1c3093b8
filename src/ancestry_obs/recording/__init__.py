"""Recording: observations come in from woven code and typed helpers, folded series go out.

    woven code -> Buffer -> Store.fold() -> Series of a Family -> collector

A call appends one float to the `Buffer` of its label combination; everything else (buckets, sums,
counts, each metric that the same call feeds) is done when a scrape folds the buffers, or when one
is full. Label values are bounded here (`Family.admit`). Nothing here knows woven code, text formats
or prometheus_client, and nothing here raises into an instrumented program.
"""

from __future__ import annotations

from ancestry_obs.recording.buffers import FULL, Buffer, LatestBuffer, Probe
from ancestry_obs.recording.family import Family
from ancestry_obs.recording.kinds import Series
from ancestry_obs.recording.native import NativeHistogramSeries
from ancestry_obs.recording.series import (
    CounterSeries,
    GaugeSeries,
    HistogramSeries,
    InFlightSeries,
    RatioSeries,
)
from ancestry_obs.recording.store import Store

__all__ = [
    "FULL",
    "Buffer",
    "CounterSeries",
    "Family",
    "GaugeSeries",
    "HistogramSeries",
    "InFlightSeries",
    "LatestBuffer",
    "NativeHistogramSeries",
    "Probe",
    "RatioSeries",
    "Series",
    "Store",
]
