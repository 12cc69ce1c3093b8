"""What a map's metrics get without anybody arranging them: metrics come in, a plan goes out.

Kinds, labels and names of metrics decide. A plan that somebody wrote is completed here too: what it
does not show gets a row of its own, so that nothing of the map is missing on its dashboard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ancestry_obs.monitoring.plan import (
    VIEWS,
    Panel,
    Plan,
    Row,
    Variable,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from ancestry_obs.monitoring.catalogue import Catalogue, Metric
    from ancestry_obs.monitoring.plan import View

__all__ = ["DEFAULT_DOCS", "completed", "default_plan", "default_view", "heading", "telling_labels"]

_UNITS: Final = frozenset({"seconds", "bytes", "ratio", "total"})
_MOST_VARIABLES: Final = 3
# Variables that every dashboard has; Prometheus renames a label of the map that is called so.
_TAKEN: Final = ("datasource", "instance")
_AT_A_GLANCE: Final = 6
DEFAULT_DOCS: Final = "docs/monitoring.md"

# Labels that become one line each; beyond that a graph is no longer read.
_SPLIT_BY_DEFAULT: Final[frozenset[View]] = frozenset(
    {"count", "events", "inventory", "quantile_table", "rate", "states", "trend"}
)


def default_plan(catalogue: Catalogue, name: str, shown: Container[Metric] = ()) -> Plan:
    """Arrange a map that has no plan.

    Args:
        catalogue: Its metrics.
        name: The map's file without its ending; the title is made of it.
        shown: Metrics that others show.
    """
    metrics = tuple(metric for metric in catalogue.metrics if metric not in shown)
    return Plan(
        title=f"{heading(name)} overview",
        description=f"What {name} measures, arranged by kind of metric.",
        docs=DEFAULT_DOCS,
        variables=tuple(_variables(metrics)),
        rows=tuple(_rows(metrics)),
    )


def completed(rows: Iterable[Row], catalogue: Catalogue) -> Iterator[Row]:
    """Give a plan's rows, and one more for the metrics of the map that they do not show."""
    shown = set()
    for row in rows:
        shown |= {panel.metric for panel in row.panels}
        yield row
    rest = [metric for metric in catalogue.metrics if metric not in shown]
    if rest:
        yield Row("Also measured", tuple(_panel(metric) for metric in rest))


def default_view(metric: Metric) -> View:
    """Give the view of a panel that does not say one."""
    return VIEWS[metric.kind][0]


def telling_labels(metric: Metric, view: View) -> tuple[str, ...]:
    """Give the labels that a view tells apart if the plan does not say."""
    return metric.telling if view in _SPLIT_BY_DEFAULT else ()


def heading(name: str) -> str:
    """Write a name as words: ``api_latency_seconds`` is ``Api latency``.

    Example:
        >>> heading("jobs_done_total")
        'Jobs done'
    """
    words = [word for word in name.replace("-", "_").split("_") if word]
    kept = [word for word in words if word not in _UNITS] or words
    return " ".join(kept).capitalize()


def _panel(metric: Metric, view: View | None = None, width: int | None = None) -> Panel:
    chosen = view or default_view(metric)
    by = telling_labels(metric, chosen)
    return Panel(metric, chosen, heading(metric.name), metric.help, by, width=width)


def _rows(metrics: Iterable[Metric]) -> Iterator[Row]:
    """Group by what a reader asks: how is it now, how fast, how much, how full."""
    known = tuple(metrics)
    glance = [_glance(metric) for metric in known if metric.kind != "histogram"][:_AT_A_GLANCE]
    fast = [panel for metric in known if metric.kind == "histogram" for panel in _timing(metric)]
    much = [_panel(metric) for metric in known if metric.kind == "counter"]
    full = [_panel(m) for m in known if m.kind in {"gauge", "in_flight", "ratio"}]
    titles = ("At a glance", "How fast?", "How much?", "How full?")
    for title, panels in zip(titles, (glance, fast, much, full), strict=True):
        if panels:
            yield Row(title, tuple(panels))


def _glance(metric: Metric) -> Panel:
    return Panel(
        metric, "total" if metric.kind == "counter" else "now", heading(metric.name), metric.help
    )


def _timing(metric: Metric) -> Iterator[Panel]:
    yield _panel(metric, "quantiles")
    yield _panel(metric, "heatmap")
    if metric.labels:
        yield _panel(metric, "quantile_table", width=14)
        yield _panel(metric, "rate", width=10)


def _variables(metrics: Iterable[Metric]) -> Iterator[Variable]:
    """Offer the labels that most metrics share: a choice should change more than one panel."""
    users: dict[str, list[Metric]] = {}
    for metric in metrics:
        for label in metric.label_names:
            users.setdefault(label, []).append(metric)
    for taken in _TAKEN:
        users.pop(taken, None)
    common = sorted(users, key=lambda label: -len(users[label]))[:_MOST_VARIABLES]
    for label in common:
        yield Variable(label, heading(label), tuple(users[label]))
