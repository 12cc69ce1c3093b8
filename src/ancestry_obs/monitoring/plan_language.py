"""The language of monitoring plans as data, in the shapes that maps are checked with too."""

from __future__ import annotations

import re
from typing import Final, get_args

from ancestry_obs.mapfile.containers import Array, Field, Named, Table
from ancestry_obs.mapfile.shapes import Scalar, choice, number, text, whole
from ancestry_obs.monitoring.plan import COLORS, Aggregation, Severity, View

__all__ = ["PLAN"]

_VERSION: Final = 1
_COLUMNS: Final = 24
_TALLEST: Final = 40


def _pattern(pattern: str, expected: str) -> Scalar:
    return Scalar(
        expected,
        lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None,
        {"type": "string", "pattern": f"^(?:{pattern})$"},
    )


_TITLE: Final = Field(text("a title"), "The heading.", required=True)
_METRIC: Final = Field(text("a metric"), "A metric, as the map names it.", required=True)
_COLOR: Final = Field(choice(COLORS), "The colour.", required=True)
_NUMBER: Final = number("a finite number")
_SHARE: Final = Scalar(
    "a number between 0 and 1",
    lambda value: isinstance(value, float) and 0 < value < 1,
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
)
# Prometheus documentation, "Querying basics", "Time durations"; one unit is enough here.
_DURATION: Final = _pattern("[1-9][0-9]*[smhd]", 'a duration such as "5m"')
_BY: Final = Field(Array(text("a label"), least=0, unique=True), "The labels told apart.")
_FILLED: Final = text("a label value")
# Prometheus has no difference between a label without a value and one that is not there.
_VALUE: Final = Scalar(
    "a label value, as a text",
    lambda value: value == "" or _FILLED.accepts(value),
    {"type": "string"},
)
_CHOICE: Final = Named(Array(_VALUE, unique=True), ".+", "name a label of the metric")
_GOOD: Final = Field(_CHOICE, "What counts as good: values of labels.")
_IGNORE: Final = Field(_CHOICE, "What is left out: values of labels.")

_THRESHOLD: Final = Table(
    {"from": Field(_NUMBER, "From this value on.", required=True), "color": _COLOR}
)
_STATE: Final = Table(
    {
        "value": Field(_NUMBER, "The value.", required=True),
        "text": Field(text("a word"), "What it means.", required=True),
        "color": _COLOR,
    }
)
_PANEL: Final = Table(
    {
        "metric": _METRIC,
        "view": Field(choice(get_args(View)), "How it is shown; the default is by its type."),
        "title": Field(text("a title"), "The heading; the default is the metric's name."),
        "description": Field(text("a sentence"), "What to make of it; the default is its help."),
        "by": _BY,
        "good": _GOOD,
        "ignore": _IGNORE,
        "quantiles": Field(Array(_SHARE, unique=True), "Which quantiles, such as 0.95."),
        "aggregate": Field(choice(get_args(Aggregation)), "How several series become one."),
        "unit": Field(text("a unit of Grafana"), "The unit; the default is by the metric's name."),
        "thresholds": Field(Array(_THRESHOLD), "Colours by value, ascending."),
        "states": Field(Array(_STATE), "What a gauge's values mean."),
        "colors": Field(
            Named(choice(COLORS), ".+", "name a label's value"),
            "The colour of each value of the one label that is told apart.",
        ),
        "width": Field(whole(1, _COLUMNS), "In columns of 24."),
        "height": Field(whole(2, _TALLEST), "In units of Grafana's grid."),
    }
)
_ROW: Final = Table(
    {"title": _TITLE, "panel": Field(Array(_PANEL), "The panels, left to right.", required=True)}
)
_VARIABLE: Final = Table(
    {
        "label": Field(text("a label"), "The label that is chosen by.", required=True),
        "title": _TITLE,
        "metrics": Field(
            Array(text("a metric"), unique=True),
            "Where it applies; the first gives the values.",
            required=True,
        ),
    }
)
_ANNOTATION: Final = Table({"title": _TITLE, "metric": _METRIC, "color": _COLOR})
_OBJECTIVE: Final = Table(
    {
        "name": Field(
            _pattern("[a-z][a-z0-9_]*", 'a word such as "request_success"'),
            "The name that rules have.",
            required=True,
        ),
        "title": _TITLE,
        "metric": _METRIC,
        "target": Field(_SHARE, "The promised share, such as 0.99.", required=True),
        "good": _GOOD,
        "ignore": _IGNORE,
        "within": Field(_NUMBER, "For a histogram: the bucket bound that is still good."),
    }
)
_ALERT: Final = Table(
    {
        "name": Field(
            _pattern("[A-Z][A-Za-z0-9]*", 'a name such as "BreakerOpen"'),
            "The alert's name.",
            required=True,
        ),
        "metric": _METRIC,
        "by": _BY,
        "ignore": _IGNORE,
        "above": Field(_NUMBER, "The alert is on while the number is greater.", required=True),
        "within": Field(_DURATION, "For a counter: the time in which its steps are added up."),
        "for": Field(_DURATION, "How long it must last."),
        "while": Field(text("a counter"), "Only while this counter goes up."),
        "severity": Field(choice(get_args(Severity)), "Who is to be called.", required=True),
        "summary": Field(text("a line"), "One line.", required=True),
        "description": Field(text("a sentence"), "What it means.", required=True),
    }
)

PLAN: Final = Table(
    {
        "version": Field(whole(_VERSION, _VERSION), "The version of this language.", required=True),
        "title": Field(text("a title"), "The dashboard's title."),
        "description": Field(text("a sentence"), "The dashboard's description."),
        "docs": Field(text("an address"), "The page whose sections are the runbooks."),
        "variable": Field(Array(_VARIABLE), "Choices at the top of the dashboard."),
        "annotation": Field(Array(_ANNOTATION), "Marks on every graph."),
        "row": Field(Array(_ROW), "The rows, in the order of reading."),
        "objective": Field(Array(_OBJECTIVE), "What is promised."),
        "alert": Field(Array(_ALERT), "When to call somebody."),
    }
)
