"""Dashboards and rules come in, everything that they ask Prometheus goes out, ready to be sent.

With it a test, or you, can ask a Prometheus whether a dashboard would say "No data" anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ancestry_obs.monitoring.rule import Group

__all__ = ["Probe", "dashboard_probes", "rule_probes"]

_LABEL_VALUES: Final = re.compile(r"label_values\((?P<series>.*), (?P<label>\w+)\)")
_WINDOWS: Final = {"rate_interval": "1m", "interval": "1m", "range": "1h"}


@dataclass(frozen=True, slots=True)
class Probe:
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


def dashboard_probes(
    dashboard: Mapping[str, Any], windows: Mapping[str, str] = _WINDOWS
) -> list[Probe]:
    """List what a dashboard asks, with "All" chosen in every variable.

    Args:
        dashboard: The dashboard's JSON, parsed.
        windows: The durations behind ``$__rate_interval``, ``$__interval`` and ``$__range``.
    """
    texts = {f"$__{name}": window for name, window in windows.items()}
    texts |= {f"${each['name']}": ".*" for each in dashboard["templating"]["list"]}
    return [
        Probe(probe.where, _substituted(probe.expression, texts), probe.answered)
        for probe in _asked(dashboard)
    ]


def rule_probes(groups: Iterable[Group]) -> list[Probe]:
    """List what rules ask: their expressions, and what the alerts among them look at."""
    probes = []
    for rule in (rule for group in groups for rule in group.rules):
        name = rule.alert or rule.record
        probes.append(Probe(name, rule.expression, answered=not rule.alert))
        probes += [Probe(f"{name}, input {n}", each) for n, each in enumerate(rule.inputs, 1)]
    return probes


def _asked(dashboard: Mapping[str, Any]) -> Iterator[Probe]:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield Probe(f"variable {variable['name']}", _values(variable["query"]["query"]))
    for mark in dashboard["annotations"]["list"]:
        yield Probe(f"mark {mark['name']}", mark["expr"], answered=False)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            where = f"panel {panel['id']} {panel['title']}, query {target['refId']}"
            yield Probe(where, target["expr"])


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
