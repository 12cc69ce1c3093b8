"""A map, its monitoring and what was woven come in; plain data about one word goes out.

The data is what `explain --json` prints, and all that `writing` reads.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from time import time
from typing import TYPE_CHECKING, Any

from ancestry_obs.mapfile import series_multiplied, worst_case_series
from ancestry_obs.monitoring.usage import usages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ancestry_obs.expressions import Expression
    from ancestry_obs.mapfile import LabelSpec, MapSpec, RecordSpec, SampleSpec
    from ancestry_obs.mapfile.specs import NativeSpec
    from ancestry_obs.monitoring import Catalogue, Plan

__all__ = ["Way", "metric_facts", "target_facts"]

Facts = dict[str, Any]

_RULES = {"alert", "record"}


@dataclass(frozen=True, slots=True)
class Way:
    """How one function that a target leads to is woven.

    Args:
        target: Canonical ``module:qualname``.
        defined_at: ``file:line`` of its definition; empty where it has none.
        way: ``inline`` (the statements are in its own code), ``call`` (its code calls the
            original) or ``proxy`` (its name is bound to a proxy); empty if it is not woven.
        why: Why it is no ``inline``, or what else is remarkable; may be empty.
        source: The function with the statements in it; empty if it is not woven.
    """

    target: str
    defined_at: str
    way: str
    why: str
    source: str


def metric_facts(spec: MapSpec, catalogue: Catalogue, plan: Plan, name: str) -> Facts:
    """Tell all of a metric.

    Args:
        spec: The map.
        catalogue: Its metrics as Prometheus has them.
        plan: What its dashboard and its rules are made of.
        name: The metric's name in the map.
    """
    metric = next(each for each in spec.metrics if each.name == name)
    return {
        **_monitored(spec, catalogue, plan, name),
        "where": metric.where.file_and_line,
        "type": metric.type,
        "series_multiplied": series_multiplied(metric),
        "help": metric.help,
        "buckets": list(metric.buckets),
        "native": metric.native and _native(metric.native),
        "labels": [_label(each) for each in metric.labels],
        "fed_by": [
            {"target": target, **made}
            for target, made in _feeds(spec)
            if made.get("metric") == name
        ],
    }  # fmt: skip


def target_facts(
    spec: MapSpec, catalogue: Catalogue, plan: Plan, target: str, ways: Sequence[Way]
) -> Facts:
    """Tell all of a target.

    Args:
        spec: The map.
        catalogue: Its metrics as Prometheus has them.
        plan: What its dashboard and its rules are made of.
        target: The target as the map writes it.
        ways: The functions that it leads to.
    """
    feeds = [made for pattern, made in _feeds(spec) if pattern == target]
    names = dict.fromkeys(made["metric"] for made in feeds if "metric" in made)
    return {
        "target": target,
        "does": feeds,
        "functions": [asdict(each) for each in ways],
        "metrics": [_monitored(spec, catalogue, plan, name) for name in names],
    }


def _monitored(spec: MapSpec, catalogue: Catalogue, plan: Plan, name: str) -> Facts:
    metric = catalogue[name]
    most = next(worst_case_series(each) for each in spec.metrics if each.name == name)
    used = [asdict(each) for each in usages(plan, catalogue, metric)]
    return {
        "metric": name,
        "series": metric.series,
        "series_at_most": most,
        "panels": [each for each in used if each["kind"] not in _RULES],
        "rules": [each for each in used if each["kind"] in _RULES],
    }


def _feeds(spec: MapSpec) -> Iterator[tuple[str, Facts]]:
    """Give everything that a map does at its targets, in its order."""
    now = time()
    for instrument in spec.instruments:
        end = {"until": instrument.end, "is_over": instrument.is_over(now)}
        of_all = {
            "at": instrument.at or "default", "subclasses": instrument.subclasses,
            "rare": instrument.rare, **end, "sample": instrument.sample,
        }  # fmt: skip
        name = {"name": instrument.name} if instrument.name else {}
        for target in instrument.targets:
            for record in instrument.records:
                outermost = {"outermost": True} if record.outermost else {}
                yield (
                    target,
                    {**_expressions(record), "how": record.on, **of_all, **outermost, **name},
                )
            for how, values in instrument.handed.by_key:
                sources = {name: each.source for name, each in values}
                where = instrument.where.file_and_line
                yield target, {"how": how, "values": sources, "where": where, **end, **name}
    for sample in spec.samples:
        yield sample.target, {**_expressions(sample), "how": "sample", "as": sample.aggregate}
    for hook in spec.hooks:
        for how, action in (("before", hook.before), ("after", hook.after)):
            if action:
                yield hook.target, {"how": how, "action": action, "where": hook.where.file_and_line}


def _expressions(part: RecordSpec | SampleSpec) -> Facts:
    given = {name: _source(getattr(part, name, None)) for name in ("value", "hit", "when", "each")}
    exemplar = {name: each.source for name, each in getattr(part, "exemplar", ())}
    return {
        "metric": part.metric,
        "where": part.where.file_and_line,
        **{name: text for name, text in given.items() if text},
        "labels": {name: expression.source for name, expression in part.labels},
        **({"exemplar": exemplar} if exemplar else {}),
    }


def _source(expression: Expression | None) -> str:
    return expression.source if expression else ""


def _label(label: LabelSpec) -> Facts:
    if label.values is None:
        return {"name": label.name, "max_values": label.max_values}
    return {"name": label.name, "values": list(label.values)}


def _native(native: NativeSpec) -> dict[str, float]:
    names: tuple[str, ...] = type(native).__match_args__
    return {name: getattr(native, name) for name in names}
