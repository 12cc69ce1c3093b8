"""Objectives and alerts of a plan come in, alerting rules go out, each with a runbook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ancestry_obs.monitoring.catalogue import BUILD_INFO
from ancestry_obs.monitoring.objectives import FAST, SLOW, error_ratio
from ancestry_obs.monitoring.promql import (
    BROKEN,
    EVERYWHERE,
    aggregated,
    any_of,
    gained,
    inside,
    none_of,
    outside,
)
from ancestry_obs.monitoring.rule_file import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ancestry_obs.monitoring.objectives import Burn
    from ancestry_obs.monitoring.plan import Alert, Objective

__all__ = ["anchor", "burn_alerts", "exporter_gone", "plan_alert"]

_BUSY_WINDOW: Final = "5m"
_SECONDS_OF: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def anchor(alert: str) -> str:
    """Give the anchor of an alert's section: the heading is the name in words.

    Example:
        >>> anchor("BreakerOpen")
        'breaker-open'
    """
    return "-".join(re.findall("[A-Z][a-z0-9]*", alert)).lower()


def burn_alerts(objective: Objective, namespace: str, docs: str) -> Iterator[Rule]:
    """Write two alerts on an objective: one that calls at once, one that can wait for the day.

    Args:
        objective: The promise.
        namespace: What recorded series begin with.
        docs: The page with the runbooks.
    """
    name = objective.name.title().replace("_", "")
    fast = "At this rate the error budget of 30 days is gone within days. See what fails now."
    slow = "No accident, but more errors than were promised. See what fails all the time."
    for alert, severity, speeds, description in (
        (f"{name}BurnsFast", "critical", FAST, fast),
        (f"{name}BurnsSlowly", "warning", SLOW, slow),
    ):
        windows = sorted({w for burn in speeds for w in (burn.long, burn.short)}, key=_length)
        yield Rule(
            alert=alert,
            expression=_burning(objective, namespace, speeds),
            labels=(("severity", severity),),
            annotations=_texts(
                f"Not kept: {objective.title} ({{{{ $value | humanizePercentage }}}} do not)",
                f"{objective.target * 100:g} % are promised. {description}",
                docs,
                alert,
            ),
            inputs=tuple(error_ratio(objective, namespace, window) for window in windows),
        )


def plan_alert(alert: Alert, docs: str) -> Rule:
    """Write an alert of a plan.

    Args:
        alert: The alert.
        docs: The page with the runbooks.
    """
    counts = alert.metric.kind == "counter"
    number, everything = (_gain if counts else _level)(alert)
    expression, inputs = f"{number} > {alert.above:g}", [everything]
    if alert.busy is not None:
        labels = _level_labels(alert)
        rate = f"rate({EVERYWHERE.series(alert.busy)}[{_BUSY_WINDOW}])"
        busy = aggregated("sum", labels, rate)
        expression += f"\nand on ({', '.join(labels)}) {busy} > 0"
        inputs.append(busy)
    return Rule(
        alert=alert.name,
        expression=expression,
        hold=alert.hold,
        labels=(("severity", alert.severity),),
        annotations=_texts(alert.summary, alert.description, docs, alert.name),
        inputs=tuple(inputs),
    )


def exporter_gone(job: str | None, docs: str, pack: str = "") -> Rule:
    """Write the alert on a program that Prometheus cannot reach, or does not know any more.

    Args:
        job: The job under which the program is scraped; `None` for any that has been measured in
            the last day, of which nobody can say that it is not known any more.
        docs: The page with the runbooks.
        pack: Of which pack alone the rules are; empty if of none. It is a label of the alert then:
            one Prometheus may have the rules of several, and each would write the same series.
    """
    if job is None:
        up = "up"
        seen = f"last_over_time({EVERYWHERE.series(BUILD_INFO)}[1d])"
        expression = f"up == 0\nand on (job, instance) {seen}"
    else:
        up = f'up{{job="{job}"}}'
        expression = f"{up} == 0\nor absent({up})"
    name = "ExporterGone"
    return Rule(
        alert=name,
        expression=expression,
        hold="5m",
        labels=(("severity", "critical"), *((("pack", pack),) if pack else ())),
        annotations=_texts(
            "No metrics from {{ $labels.job }} {{ $labels.instance }}",
            "The program does not run, its exporter has not started, or Prometheus looks in the "
            "wrong place. Every other alert is silent meanwhile.",
            docs,
            name,
        ),
        inputs=(up,),
    )


def _burning(objective: Objective, namespace: str, speeds: Sequence[Burn]) -> str:
    budget = f"(1 - {objective.target:g})"
    return "\nor ".join(
        f"({error_ratio(objective, namespace, speed.long)} > {speed.rate:g} * {budget}"
        f" and {error_ratio(objective, namespace, speed.short)} > {speed.rate:g} * {budget})"
        for speed in speeds
    )


def _level(alert: Alert) -> tuple[str, str]:
    """Give the number of a gauge, and the same without exceptions."""

    def greatest(*matchers: str) -> str:
        series = EVERYWHERE.series(alert.metric, "", *matchers)
        return aggregated("max", (*_level_labels(alert), *alert.by), series)

    if alert.is_of_pack:
        own = inside(alert.libraries)
        return greatest(*BROKEN, *own), greatest(*own)
    if not alert.libraries:
        return greatest(*none_of(alert.ignore)), greatest()
    others = greatest(*none_of(alert.ignore), *outside(alert.libraries))
    return f"({others}\nor {greatest(*BROKEN)})", greatest()


def _level_labels(alert: Alert) -> tuple[str, ...]:
    # All workers have the same targets; a session or a breaker is one worker's own.
    return ("job",) if alert.metric.kind == "info" else ("job", "instance")


def _gain(alert: Alert) -> tuple[str, str]:
    """Give a counter's steps in the window, and zero where it has made none yet."""
    series = EVERYWHERE.series(alert.metric, "", *any_of(alert.only), *none_of(alert.ignore))
    steps = aggregated("sum", ("job", *alert.by), gained(series, alert.window))
    zero = f"0 * {aggregated('max', ('job',), EVERYWHERE.series(BUILD_INFO))}"
    return f"({steps} or {zero})", f"{steps} or {zero}"


def _texts(summary: str, description: str, docs: str, alert: str) -> tuple[tuple[str, str], ...]:
    return (
        ("summary", summary),
        ("description", description),
        ("runbook_url", f"{docs}#{anchor(alert)}"),
    )


def _length(window: str) -> int:
    return int(window[:-1]) * _SECONDS_OF[window[-1]]
