"""A panel comes in; the field settings that every kind of drawing shares go out.

Units, colours by value, words for values, and words where there is nothing to show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.models import dashboard as sdk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_obs.monitoring.plan import Panel

__all__ = ["property_of", "styled", "unit"]

_NOTHING: Final = "nothing yet"
# Their columns and cells have colours of their own.
_TABLES: Final = frozenset({"inventory", "quantile_table"})

# Prometheus documentation, "Metric and label naming": a metric's name ends in its base unit.
_PLAIN: Final = "short"
_UNITS: Final[Mapping[str, str]] = {
    "seconds": "s", "bytes": "bytes", "ratio": "percentunit", "celsius": "celsius",
    "meters": "lengthm", "joules": "joule", "volts": "volt", "amperes": "amp", "grams": "massg",
}  # fmt: skip
# Seconds per second is the share of time that something was busy.
_PER_SECOND: Final[Mapping[str, str]] = {"s": "percentunit", "bytes": "Bps", _PLAIN: "ops"}


def styled(panel: Panel, config: sdk.FieldConfigSource) -> sdk.FieldConfigSource:
    """Complete a drawing's settings.

    Args:
        panel: What is drawn.
        config: The settings; what the kind of drawing put there stays.
    """
    config.defaults.unit = unit(panel)
    config.defaults.no_value = _NOTHING
    config.defaults.thresholds = _thresholds(panel)
    config.defaults.mappings = [*_states(panel), _not_a_number()]
    config.overrides = [*(config.overrides or []), *_colored(panel)]
    return config


def _thresholds(panel: Panel) -> sdk.ThresholdsConfig:
    # Grafana's first step has no value: it holds for everything below the second.
    neutral = [sdk.Threshold(None, "text" if panel.view == "count" else "blue")]
    steps = [
        sdk.Threshold(step.at if index else None, step.color)
        for index, step in enumerate(panel.thresholds)
    ]
    return sdk.ThresholdsConfig(sdk.ThresholdsMode.ABSOLUTE, steps or neutral)


def _states(panel: Panel) -> list[sdk.ValueMapping]:
    if not panel.states:
        return []
    options = {
        f"{state.value:g}": sdk.ValueMappingResult(state.text, state.color, index=index)
        for index, state in enumerate(panel.states)
    }
    return [sdk.ValueMap(options)]


def _not_a_number() -> sdk.ValueMapping:
    """A share or a quantile of nothing is not a number; words say that better than "NaN"."""
    result = sdk.ValueMappingResult(_NOTHING, "text")
    return sdk.SpecialValueMap(
        sdk.DashboardSpecialValueMapOptions(sdk.SpecialValueMatch.NULL_AND_NAN, result)
    )


def _colored(panel: Panel) -> list[sdk.DashboardFieldConfigSourceOverrides]:
    if panel.view in _TABLES:
        return []
    return [
        sdk.DashboardFieldConfigSourceOverrides(
            sdk.MatcherConfig("byName", value),
            [property_of("color", {"mode": "fixed", "fixedColor": color})],
        )
        for value, color in panel.colors
    ]


def property_of(name: str, value: object) -> sdk.DynamicConfigValue:
    """Make a setting for some fields only."""
    return sdk.DynamicConfigValue(name, value)


def unit(panel: Panel) -> str:
    """Give Grafana's name of the unit that a panel's numbers have, by the metric's name.

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
