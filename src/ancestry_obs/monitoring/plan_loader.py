"""A monitoring plan's file comes in, a checked `Plan` goes out, or a `MapError` with every mistake.

A map ``shop.toml`` has its plan beside it as ``shop.monitoring.toml``; without one the metrics are
arranged by their kinds. Every metric, label and label value that a plan names must be there; but of
the plans that are ready for packs, a map gets what it has the metrics of.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.exceptions import Finding, MapError, Where
from ancestry_obs.mapfile.map_files import resolve_map
from ancestry_obs.mapfile.map_text import read_text
from ancestry_obs.mapfile.report import Report
from ancestry_obs.mapfile.toml_lines import parse_toml, syntax_error_line
from ancestry_obs.monitoring.arrangement import completed, default_plan
from ancestry_obs.monitoring.catalogue import TARGET_INFO
from ancestry_obs.monitoring.plan import Plan
from ancestry_obs.monitoring.plan_language import PLAN
from ancestry_obs.monitoring.plan_reader import PlanReader
from ancestry_obs.monitoring.ready_plans import READY_PLANS, fitting, metrics_shown, united

if TYPE_CHECKING:
    from ancestry_obs.mapfile.toml_lines import Lines
    from ancestry_obs.monitoring.catalogue import Catalogue
    from ancestry_obs.monitoring.plan import Alert

__all__ = ["load_plan", "plan_path", "read_plan"]

_PACKS_DOCS: Final = "docs/packs.md"
_OWN: Final = Path(__file__).with_name("instrumentation.toml")


def load_plan(map_source: str, catalogue: Catalogue, given: str | None = None) -> Plan:
    """Load the whole plan of a map.

    Args:
        map_source: The map's file as it was named; its plan is looked for beside it.
        catalogue: The map's metrics.
        given: Another plan's file, which has to be there.

    Returns:
        The plan beside the map or else a default one, with what is ready for the packs of the map,
        with what these leave out, and with what every map has: the row and the alerts on the
        instrumentation itself.

    Raises:
        MapError: A plan has mistakes; all of them are in its findings.
    """
    path = Path(given) if given else plan_path(map_source)
    name = resolve_map(map_source).stem
    is_there = given or path.exists()
    ready = _ready_plan(catalogue)
    if is_there:
        plan = read_plan(path, catalogue)
    else:
        plan = default_plan(catalogue, name, metrics_shown(ready))
    plan = united(plan, ready)
    own = read_plan(_OWN, catalogue)
    rows = (*completed(plan.rows, catalogue), *own.rows)
    alerts = (*plan.alerts, *(_for_packs(alert, catalogue) for alert in own.alerts))
    return replace(plan, rows=rows, alerts=alerts)


def plan_path(map_source: str) -> Path:
    """Give the place of a map's plan, which need not exist.

    Example:
        >>> plan_path("maps/shop.toml").name
        'shop.monitoring.toml'
    """
    return resolve_map(map_source).with_suffix(".monitoring.toml")


def read_plan(path: Path, catalogue: Catalogue) -> Plan:
    """Read one plan's file.

    Args:
        path: The file.
        catalogue: The metrics that it may name.

    Raises:
        MapError: It cannot be read or has mistakes.
    """
    data, lines = _parsed(path)
    report = Report(str(path), lines)
    reader = PlanReader(catalogue, report)
    plan = reader.plan(PLAN.check(data, (), report), path.name.split(".")[0])
    _refuse_mistakes(report)
    return plan


def _for_packs(alert: Alert, catalogue: Catalogue) -> Alert:
    """Have nobody called for what a library's parts are, and by a pack's rules for others' things.

    One Prometheus may have the rules of several packs, and of a map.
    """
    if alert.metric.name == TARGET_INFO.name:
        return replace(alert, libraries=catalogue.libraries, is_of_pack=catalogue.is_pack)
    if catalogue.is_pack and "metric" in alert.metric.label_names:
        metrics = tuple(metric.series for metric in catalogue.metrics)
        return replace(alert, only=(("metric", metrics),))
    return alert


def _ready_plan(catalogue: Catalogue) -> Plan:
    """Give what is ready for the packs of a map, in the order of its metrics."""
    whole = Plan("", "", "")
    if not catalogue.has_packs:
        return whole
    plans = [plan for path in READY_PLANS if (plan := _read_fitting(path, catalogue)).rows]
    plans.sort(key=lambda plan: min(map(catalogue.metrics.index, metrics_shown(plan))))
    for plan in plans:
        whole = united(whole, plan)
    return whole


def _read_fitting(path: Path, catalogue: Catalogue) -> Plan:
    data, lines = _parsed(path)
    report = Report(str(path), lines)
    tables = PLAN.check(data, (), report)
    _refuse_mistakes(report)
    plan = PlanReader(catalogue, report).plan(fitting(tables, catalogue), "")
    return replace(
        plan,
        objectives=tuple(replace(each, docs=_PACKS_DOCS) for each in plan.objectives),
        alerts=tuple(replace(each, docs=_PACKS_DOCS) for each in plan.alerts),
    )


def _refuse_mistakes(report: Report) -> None:
    if report.findings:
        raise MapError(sorted(report.findings, key=lambda finding: finding.where.line or 0))


def _parsed(path: Path) -> tuple[dict[str, Any], Lines]:
    text = ""
    try:
        text = read_text(path)
        return parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        where = Where(str(path), syntax_error_line(error, text), "")
        raise MapError([Finding(f"not TOML: {error}", where)]) from None
    except (OSError, UnicodeDecodeError) as error:
        where = Where(str(path), None, "")
        raise MapError([Finding(f"cannot be read: {error}", where, "name a UTF-8 file")]) from None
