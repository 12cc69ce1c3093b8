"""A panel and its queries come in, a panel of grafana-foundation-sdk goes out: how it looks.

The SDK is the extra ``[dashboards]``; `dashboard` imports this module, and nothing else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders import (
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as sdk
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import Dataquery, PromQueryFormat

from ancestry_obs.monitoring.queries import percent
from ancestry_obs.monitoring.styling import property_of, styled, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ancestry_obs.monitoring.plan import Panel, View
    from ancestry_obs.monitoring.queries import Query

__all__ = ["DATASOURCE", "drawn"]

DATASOURCE: Final = sdk.DataSourceRef(type_val="prometheus", uid="${datasource}")
"""The variable of the dashboard, so that it works with any Prometheus."""

_SMALLEST_BAR: Final = "1m"
_TABLES: Final = frozenset({"inventory", "quantile_table"})


def drawn(panel: Panel, queries: Sequence[Query]) -> sdk.Panel:
    """Draw a panel; its id, place and links are the dashboard's affair.

    Args:
        panel: What it shows.
        queries: What it asks.
    """
    result = _DRAWINGS[panel.view](panel)
    result.title = panel.title
    result.description = panel.description
    result.datasource = DATASOURCE
    result.targets = [_target(panel, query, index) for index, query in enumerate(queries)]
    result.field_config = styled(panel, result.field_config or sdk.FieldConfigSource())
    return result


def _target(panel: Panel, query: Query, index: int) -> Dataquery:
    target = (
        prometheus.Dataquery()
        .expr(query.expression)
        .legend_format(query.legend)
        .ref_id(chr(ord("A") + index))
        .datasource(DATASOURCE)
    )
    if panel.view in _TABLES:
        target.format(PromQueryFormat.TABLE)
    elif panel.view == "heatmap":
        target.format(PromQueryFormat.HEATMAP)
    # Grafana draws them over time only.
    if panel.metric.has_exemplars and not query.instant and panel.view not in _TABLES:
        target.exemplar(True)
    return (target.instant() if query.instant else target.range()).build()


def _single(panel: Panel) -> sdk.Panel:
    """Draw big numbers; a number that can be bad fills its panel with the colour."""
    fills = bool(panel.thresholds or panel.colors)
    mode = looks.BigValueColorMode.BACKGROUND if fills else looks.BigValueColorMode.VALUE
    named = looks.BigValueTextMode.VALUE_AND_NAME if panel.by else looks.BigValueTextMode.VALUE
    graph = looks.BigValueGraphMode.AREA if panel.view == "now" else looks.BigValueGraphMode.NONE
    number = (
        stat.Panel()
        .color_mode(mode)
        .graph_mode(graph)
        .text_mode(named)
        .color_scheme(_by_threshold())
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )
    # What is counted is whole, though `increase` estimates it; a level may be a fraction.
    decimals = {"count": 0, "share": 2, "total": 0}.get(panel.view)
    return (number if decimals is None else number.decimals(decimals)).build()


def _lines(panel: Panel) -> timeseries.Panel:
    lines = (
        timeseries.Panel()
        .line_width(2 if not panel.by else 1)
        .fill_opacity(10)
        .gradient_mode(looks.GraphGradientMode.OPACITY)
        .show_points(looks.VisibilityMode.NEVER)
        .axis_soft_min(0)
        .color_scheme(_color_by(sdk.FieldColorModeId.PALETTE_CLASSIC))
        .tooltip(
            common.VizTooltipOptions()
            .mode(looks.TooltipDisplayMode.MULTI)
            .sort(looks.SortOrder.DESCENDING)
        )
    )
    return lines.legend(_legend(panel))


def _graph(panel: Panel) -> sdk.Panel:
    return _lines(panel).build()


def _stacked(panel: Panel) -> sdk.Panel:
    """Draw a rate; a single enumerated label makes layers that add up to the whole."""
    lines = _lines(panel)
    if len(panel.by) == 1 and set(panel.by) <= set(panel.metric.enumerated):
        lines.fill_opacity(35).stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
    return lines.build()


def _bars(panel: Panel) -> sdk.Panel:
    """Draw bars that count what happened in them; rare things are not visible as a rate."""
    return (
        _lines(panel)
        .draw_style(looks.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .gradient_mode(looks.GraphGradientMode.NONE)
        .stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
        .decimals(0)
        .interval(_SMALLEST_BAR)
        .build()
    )


def _share_graph(panel: Panel) -> sdk.Panel:
    lines = _lines(panel).max(1).axis_soft_min(0.8)
    if panel.thresholds:
        style = common.GraphThresholdsStyleConfig().mode(looks.GraphThresholdsStyleMode.DASHED)
        lines.thresholds_style(style)
    return lines.build()


def _heatmap(panel: Panel) -> sdk.Panel:
    color = (
        heatmap.HeatmapColorOptions()
        .mode(HeatmapColorMode.SCHEME)
        .scheme("Spectral")
        .steps(64)
        .reverse(True)
    )
    return (
        heatmap.Panel()
        .calculate(False)
        .color(color)
        .cell_gap(1)
        .y_axis(heatmap.YAxisConfig().unit(unit(panel)))
        .cell_values(heatmap.CellValues().unit("short"))
        .rows_frame(heatmap.RowsHeatmapOptions().layout(looks.HeatmapCellLayout.AUTO))
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .scale_distribution(common.ScaleDistributionConfig().type(looks.ScaleDistribution.LINEAR))
        .show_legend()
        .show_y_histogram()
        .build()
    )


def _timeline(_: Panel) -> sdk.Panel:
    return (
        statetimeline.Panel()
        .merge_values(True)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(80)
        .show_value(looks.VisibilityMode.AUTO)
        .color_scheme(_by_threshold())
        .legend(common.VizLegendOptions().show_legend(False))
        .build()
    )


def _quantile_table(panel: Panel) -> sdk.Panel:
    """Draw one line for each label value; the queries' values become columns."""
    names = ["Count", *map(percent, panel.quantiles)]
    values = {f"Value #{chr(ord('A') + index)}": name for index, name in enumerate(names)}
    slowest = names[-1]
    sort = common.TableSortByFieldState().display_name(slowest).desc(True)
    gauge = {"type": "gauge", "mode": "gradient", "valueDisplayMode": "text"}
    return (
        table.Panel()
        .filterable(True)
        .with_transformation(sdk.DataTransformerConfig("merge", options={}))
        .with_transformation(_organized(values))
        .sort_by([sort])
        .color_scheme(_color_by(sdk.FieldColorModeId.CONTINUOUS_BL_YL_RD))
        .override_by_name("Count", [property_of("unit", "short"), property_of("decimals", 0)])
        .override_by_name(slowest, [property_of("custom.cellOptions", gauge)])
        .build()
    )


def _inventory(panel: Panel) -> sdk.Panel:
    """Draw a table of labels; the number behind each line is always one, and left out."""
    cells = [property_of("custom.cellOptions", {"type": "color-text"})]
    options = {value: {"text": value, "color": color} for value, color in panel.colors}
    cells.append(property_of("mappings", [{"type": "value", "options": options}]))
    return (
        table.Panel()
        .filterable(True)
        .show_header(True)
        .with_transformation(_organized({}, hidden=("Value",)))
        .override_by_name(panel.by[-1], cells)
        .override_by_name(panel.by[-1], [property_of("custom.width", 120)])
        .build()
    )


def _organized(names: Mapping[str, str], hidden: Sequence[str] = ()) -> sdk.DataTransformerConfig:
    excluded = dict.fromkeys(("Time", *hidden), True)
    return sdk.DataTransformerConfig(
        "organize", options={"excludeByName": excluded, "renameByName": dict(names)}
    )


def _legend(panel: Panel) -> common.VizLegendOptions:
    """Put many lines in a table with their last and greatest value, and few under the graph."""
    legend = common.VizLegendOptions().show_legend(True).placement(looks.LegendPlacement.BOTTOM)
    if set(panel.by) - set(panel.metric.enumerated):
        return legend.display_mode(looks.LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"])
    return legend.display_mode(looks.LegendDisplayMode.LIST).calcs([])


def _by_threshold() -> FieldColor:
    return _color_by(sdk.FieldColorModeId.THRESHOLDS)


def _color_by(mode: sdk.FieldColorModeId) -> FieldColor:
    return FieldColor().mode(mode)


_DRAWINGS: Final[Mapping[View, Callable[[Panel], sdk.Panel]]] = {
    "count": _single,
    "events": _bars,
    "heatmap": _heatmap,
    "inventory": _inventory,
    "mean": _graph,
    "now": _single,
    "quantile_table": _quantile_table,
    "quantiles": _graph,
    "rate": _stacked,
    "share": _single,
    "share_trend": _share_graph,
    "states": _timeline,
    "total": _single,
    "trend": _graph,
}
