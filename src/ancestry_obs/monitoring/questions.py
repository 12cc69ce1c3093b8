"""Dashboards and rules come in, everything that they ask Prometheus goes out, ready to be sent.

With it a test, or you, can ask a Prometheus whether a dashboard would say "No data" anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ancestry_obs.monitoring.rule_file import Group

__all__ = ["Question", "dashboard_questions", "rule_questions"]

_LABEL_VALUES: Final = re.compile(r"label_values\((?P<series>.*), (?P<label>\w+)\)")
_WINDOWS: Final = {"rate_interval": "1m", "interval": "1m", "range": "1h"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question to Prometheus.

    Args:
        where: What asks it, for messages.
        expression: PromQL without variables.
        answered: Whether there must be data in a run that has done anything at all. An alert has
            none while all is well, and a mark none before the first event.
    """

    where: str
    expression: str
    answered: bool = True


def dashboard_questions(
    dashboard: Mapping[str, Any], windows: Mapping[str, str] = _WINDOWS
) -> list[Question]:
    """List what a dashboard asks, with "All" chosen in every variable.

    Args:
        dashboard: The dashboard's JSON, parsed.
        windows: The durations behind ``$__rate_interval``, ``$__interval`` and ``$__range``.
    """
    texts = {f"$__{name}": window for name, window in windows.items()}
    texts |= {f"${each['name']}": ".*" for each in dashboard["templating"]["list"]}
    return [
        Question(question.where, _substituted(question.expression, texts), question.answered)
        for question in _asked(dashboard)
    ]


def rule_questions(groups: Iterable[Group]) -> list[Question]:
    """List what rules ask: their expressions, and what the alerts among them look at."""
    questions = []
    for rule in (rule for group in groups for rule in group.rules):
        name = rule.alert or rule.record
        questions.append(Question(name, rule.expression, answered=not rule.alert))
        questions += [Question(f"{name}, input {n}", each) for n, each in enumerate(rule.inputs, 1)]
    return questions


def _asked(dashboard: Mapping[str, Any]) -> Iterator[Question]:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield Question(f"variable {variable['name']}", _values(variable["query"]["query"]))
    for mark in dashboard["annotations"]["list"]:
        yield Question(f"mark {mark['name']}", mark["expr"], answered=False)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            where = f"panel {panel['id']} {panel['title']}, query {target['refId']}"
            yield Question(where, target["expr"])


def _values(query: str) -> str:
    """Ask with PromQL what Grafana asks the interface for labels."""
    match = _LABEL_VALUES.fullmatch(query)
    if match is None:
        raise ValueError(f"the variable's query {query!r} is not label_values(SERIES, LABEL)")
    return f"count by ({match['label']}) ({match['series']})"


def _substituted(expression: str, texts: Mapping[str, str]) -> str:
    # The longest first: $__interval must not take the beginning of $__interval_ms.
    names = sorted(texts, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, names)), lambda match: texts[match[0]], expression)
