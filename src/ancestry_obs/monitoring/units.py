"""A panel comes in, Grafana's name of its unit goes out, by the suffix of the metric's name.

Prometheus documentation, "Metric and label naming": a metric's name ends in its base unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_obs.monitoring.plan import Panel

__all__ = ["unit"]

_PLAIN: Final = "short"
_UNITS: Final[Mapping[str, str]] = {
    "seconds": "s", "bytes": "bytes", "ratio": "percentunit", "celsius": "celsius",
    "meters": "lengthm", "joules": "joule", "volts": "volt", "amperes": "amp", "grams": "massg",
}  # fmt: skip
# Seconds per second is the share of time that something was busy.
_PER_SECOND: Final[Mapping[str, str]] = {"s": "percentunit", "bytes": "Bps", _PLAIN: "ops"}


def unit(panel: Panel) -> str:
    """Give the unit of the numbers that a panel shows.

    Args:
        panel: The panel; a unit that it has itself wins.
    """
    if panel.unit:
        return panel.unit
    metric = panel.metric
    suffix = metric.name.removesuffix("_total").rpartition("_")[2]
    base = "percentunit" if metric.kind == "ratio" else _UNITS.get(suffix, _PLAIN)
    counts_events = metric.kind in {"histogram", "summary"}
    match panel.view:
        case "share" | "share_trend":
            return "percentunit"
        case "rate":
            return "ops" if counts_events else _PER_SECOND.get(base, "ops")
        case "total":
            return _PLAIN if counts_events else base
        case "count" | "inventory" | "states":
            return _PLAIN
        case _:
            return base
