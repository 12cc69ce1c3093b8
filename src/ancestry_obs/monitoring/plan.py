"""The frozen form of a monitoring plan: what is shown, in which order, and when to call somebody.

Plain data between `plan_loader`, which has checked every name in it against the catalogue, and what
draws dashboards and writes rules from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_obs.monitoring.catalogue import Kind, Metric

__all__ = [
    "COLORS",
    "DEFAULT_QUANTILES",
    "VIEWS",
    "Aggregation",
    "Alert",
    "Annotation",
    "Choice",
    "Objective",
    "Panel",
    "Plan",
    "Row",
    "Severity",
    "State",
    "Threshold",
    "Variable",
    "View",
]

View = Literal[
    "count", "events", "heatmap", "inventory", "mean", "now", "quantile_table", "quantiles",
    "rate", "share", "share_trend", "states", "total", "trend",
]  # fmt: skip
Aggregation = Literal["sum", "avg", "min", "max"]
Severity = Literal["critical", "warning", "info"]
Choice = tuple[tuple[str, tuple[str, ...]], ...]
"""Labels, each with the values that are meant."""

COLORS: Final = ("green", "yellow", "orange", "red", "blue", "purple", "text")
DEFAULT_QUANTILES: Final = (0.5, 0.95, 0.99)

# The first view of a kind is what a panel gets that says nothing else.
VIEWS: Final[Mapping[Kind, tuple[View, ...]]] = {
    "counter": ("rate", "events", "total", "share", "share_trend"),
    "gauge": ("trend", "now", "states"),
    "histogram": (
        "quantiles", "quantile_table", "heatmap", "rate", "total", "mean", "share", "share_trend",
    ),
    "in_flight": ("trend", "now"),
    "info": ("count", "inventory"),
    "ratio": ("trend", "now"),
    "summary": ("mean", "rate"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Threshold:
    """A colour from a value on.

    Args:
        at: The value, in the panel's unit before it is written nicely.
        color: One of `COLORS`.
    """

    at: float
    color: str


@dataclass(frozen=True, slots=True)
class State:
    """What a gauge's value means.

    Args:
        value: The value.
        text: What is shown for it.
        color: One of `COLORS`.
    """

    value: float
    text: str
    color: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Args:
        metric: What it shows.
        view: How.
        title: Its heading.
        description: What a reader should make of it, in plain words.
        by: The labels that are told apart.
        good: For a share: what counts as good.
        ignore: What is left out; for a share on both sides.
        quantiles: For quantiles: which.
        aggregate: How a gauge's series become one where they are not told apart; `None` is by kind.
        unit: Grafana's name of the unit; `None` is by the metric's name.
        thresholds: Ascending, the first holds for everything below the second.
        states: For states: the values there are.
        colors: The colour of each value of a label, where one is told apart by it alone.
        width: In columns of 24; `None` is the view's own.
        height: In units of Grafana's grid; `None` is the view's own.
    """

    metric: Metric
    view: View
    title: str
    description: str
    by: tuple[str, ...] = ()
    good: Choice = ()
    ignore: Choice = ()
    quantiles: tuple[float, ...] = DEFAULT_QUANTILES
    aggregate: Aggregation | None = None
    unit: str | None = None
    thresholds: tuple[Threshold, ...] = ()
    states: tuple[State, ...] = ()
    colors: tuple[tuple[str, str], ...] = ()
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of the dashboard.

    Args:
        label: The label that is chosen by; the variable has its name.
        title: What stands beside it.
        metrics: Where it applies; the first gives the values to choose from.
    """

    label: str
    title: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A mark on every graph at each step of a counter.

    Args:
        title: What the mark stands for.
        metric: The counter.
        color: One of `COLORS`.
    """

    title: str
    metric: Metric
    color: str


@dataclass(frozen=True, slots=True)
class Objective:
    """A share of good events that is promised.

    A counter has `good`, a histogram `good` or `within`; or both, and an event has to be both.

    Args:
        name: A word for names of rules, such as ``request_success``.
        title: The promise as a sentence.
        metric: What is counted.
        target: The promised share, such as 0.99.
        good: Which series are good.
        ignore: Which are left out on both sides.
        within: The bucket bound that a good observation does not exceed.
        docs: The page with its runbooks, where it is not the plan's.
    """

    name: str
    title: str
    metric: Metric
    target: float
    good: Choice = ()
    ignore: Choice = ()
    within: float | None = None
    docs: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """A metric above a value: a gauge's or an info's now, a counter's gain in a window.

    Args:
        name: In CamelCase; also the heading of its section in the docs, in words.
        metric: The metric.
        above: The alert is on while the number is greater.
        severity: Who is to be called.
        summary: One line; may use Prometheus' templates.
        description: What it means and what to look at first.
        by: The labels that are told apart.
        ignore: Which series are no reason to call.
        hold: How long it must last, as Prometheus writes durations.
        window: The time in which a counter's steps are added up; for counters alone.
        busy: A counter; only while it goes up is the alert worth a call.
        libraries: For states of targets: packages that packs are for. Nobody is called if a target
            in them is not imported or not called: a program uses a part of a library.
        is_of_pack: Whether it goes with the rules of a pack alone, so that other targets than those
            in the libraries are not its affair.
        only: Which series are a reason to call; all where it is empty.
        docs: The page with its runbook, where it is not the plan's.
    """

    name: str
    metric: Metric
    above: float
    severity: Severity
    summary: str
    description: str
    by: tuple[str, ...] = ()
    ignore: Choice = ()
    hold: str = "0s"
    window: str = "15m"
    busy: Metric | None = None
    libraries: tuple[str, ...] = ()
    is_of_pack: bool = False
    only: Choice = ()
    docs: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan.

    Args:
        title: The dashboard's.
        description: The dashboard's, one sentence.
        docs: The address of the monitoring page; runbooks are its sections.
        variables: Choices at the top.
        annotations: Marks on the graphs.
        rows: In the order of reading.
        objectives: What is promised.
        alerts: Beside those on objectives and those that every map gets.
    """

    title: str
    description: str
    docs: str
    variables: tuple[Variable, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    rows: tuple[Row, ...] = ()
    objectives: tuple[Objective, ...] = ()
    alerts: tuple[Alert, ...] = ()
