"""A plan comes in, a Grafana dashboard goes out as JSON; needs the extra ``[dashboards]``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as sdk

from ancestry_obs.monitoring.catalogue import BUILD_INFO
from ancestry_obs.monitoring.drawing import DATASOURCE, drawn
from ancestry_obs.monitoring.grid import COLUMNS, places
from ancestry_obs.monitoring.promql import EVERYWHERE, Scope, aggregated, gained
from ancestry_obs.monitoring.queries import queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.monitoring.plan import Annotation, Panel, Plan, Row, Variable

__all__ = ["dashboard_json"]

_ALL: Final = sdk.VariableOption(selected=True, text=["All"], value=["$__all"])
_ANY_INSTANCE: Final = 'instance=~"$instance"'
# What Grafana asks for marks has no $__rate_interval; a mark is right to the minute.
_MARK: Final = "1m"
_LONGEST_UID: Final = 40


def dashboard_json(plan: Plan, name: str) -> str:
    """Draw a plan.

    Args:
        plan: What the dashboard shows.
        name: The map's name; the dashboard's uid is made of it, so that a new one replaces the old.

    Returns:
        The dashboard's file, sorted by keys, with a newline at its end.
    """
    dashboard = sdk.Dashboard(
        uid=f"{name}-overview"[:_LONGEST_UID],
        title=plan.title,
        description=plan.description,
        tags=["ancestry-obs", name],
        timezone="browser",
        editable=True,
        graph_tooltip=sdk.DashboardCursorSync.CROSSHAIR,
        time=sdk.DashboardDashboardTime("now-1h", "now"),
        refresh="10s",
        panels=list(_panels(plan)),
        templating=sdk.DashboardDashboardTemplating(list(_variables(plan))),
        annotations=sdk.AnnotationContainer([_mark(each) for each in plan.annotations]),
        links=[_link("Documentation", plan.docs)],
    )
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _panels(plan: Plan) -> Iterator[sdk.Panel | sdk.RowPanel]:
    scope = Scope((_ANY_INSTANCE,), plan.variables)
    top, identity = 0, 1
    for row in plan.rows:
        yield _heading(row, top, identity)
        places_of_row = places(row.panels, top + 1)
        for panel, place in zip(row.panels, places_of_row, strict=True):
            identity += 1
            result = drawn(panel, queries(panel, scope))
            result.id_val = identity
            result.grid_pos = sdk.GridPos(place.height, place.width, place.x, place.y)
            result.links = [_link("What this means", _section(plan, panel))]
            yield result
        top = max(place.y + place.height for place in places_of_row)
        identity += 1


def _heading(row: Row, top: int, identity: int) -> sdk.RowPanel:
    place = sdk.GridPos(1, COLUMNS, 0, top)
    return sdk.RowPanel(title=row.title, grid_pos=place, id_val=identity, panels=[])


def _section(plan: Plan, panel: Panel) -> str:
    return f"{plan.docs}#{panel.metric.series}"


def _link(title: str, url: str) -> sdk.DashboardLink:
    return sdk.DashboardLink(
        title=title, type_val=sdk.DashboardLinkType.LINK, icon="doc", url=url, target_blank=True
    )


def _variables(plan: Plan) -> Iterator[sdk.VariableModel]:
    yield DatasourceVariable("datasource").label("Data source").type("prometheus").build()
    yield _query_variable("instance", "Instance", EVERYWHERE.series(BUILD_INFO))
    scope = Scope((_ANY_INSTANCE,))
    for variable in plan.variables:
        yield _query_variable(variable.label, variable.title, _values_of(variable, scope))


def _values_of(variable: Variable, scope: Scope) -> str:
    metric = variable.metrics[0]
    suffix = metric.any_series.removeprefix(metric.series)
    return scope.series(metric, suffix)


def _query_variable(label: str, title: str, series: str) -> sdk.VariableModel:
    return (
        QueryVariable(label)
        .label(title)
        .query({"query": f"label_values({series}, {label})", "refId": label})
        .datasource(DATASOURCE)
        .refresh(sdk.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(sdk.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        # Series without the label are meant too.
        .all_value(".*")
        .current(_ALL)
        .build()
    )


def _mark(annotation: Annotation) -> sdk.AnnotationQuery:
    metric = annotation.metric
    steps = gained(Scope((_ANY_INSTANCE,)).series(metric), _MARK)
    return sdk.AnnotationQuery(
        name=annotation.title,
        datasource=DATASOURCE,
        icon_color=annotation.color,
        expr=f"{aggregated('sum', metric.label_names, steps)} > 0",
    )
