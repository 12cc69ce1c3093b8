"""`ancestry-obs explain M TARGET-OR-METRIC`: what the map does there, and the code for it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from ancestry_obs.cli.imported import woven
from ancestry_obs.cli.listing import uses
from ancestry_obs.cli.output import counted, say
from ancestry_obs.exceptions import TargetError
from ancestry_obs.mapfile import load, worst_case_series

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ancestry_obs.mapfile import LabelSpec, MapSpec, MetricSpec, RecordSpec


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("explain", help="show all that a map does at a target or metric")
    parser.add_argument("map", metavar="M", help="the map")
    parser.add_argument("name", metavar="TARGET-OR-METRIC", help="as the map writes it")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the explanation; 2 where the map has no such target or metric."""
    spec = load(arguments.map)
    for line in explain(spec, arguments.name):
        say(line)
    return 0


def explain(spec: MapSpec, name: str) -> Iterator[str]:
    """Explain a target or a metric.

    Args:
        spec: the map.
        name: a target or a metric as the map writes it.

    Raises:
        TargetError: the map has neither.
    """
    metrics = {metric.name: metric for metric in spec.metrics}
    if name in metrics:
        return _metric(spec, metrics[name])
    if any(use.target == name for use in uses(spec)):
        return _target(spec, name)
    known = {*metrics, *(use.target for use in uses(spec))}
    hint = "".join(f"did you mean {near!r}? " for near in get_close_matches(name, known, n=1))
    raise TargetError(
        f"{spec.source} has no target or metric {name!r}; {hint}'ancestry-obs list {spec.source}' "
        "shows what it has"
    )


def _metric(spec: MapSpec, metric: MetricSpec) -> Iterator[str]:
    yield f"{metric.name}: {metric.type}, at most {worst_case_series(metric):,} series"
    yield f"  {metric.help}"
    if metric.buckets:
        yield f"  buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)}, +Inf"
    for label in metric.labels:
        yield f"  label {label.name}: {_bound(label)}"
    yield from (
        f"  fed by {use.target} ({use.how})" for use in uses(spec) if use.metric == metric.name
    )


def _bound(label: LabelSpec) -> str:
    if label.max_values is not None:
        return f"at most {counted(label.max_values, 'value')}, then 'other'"
    return f"{', '.join(label.values or ())}; anything else is 'other'"


def _target(spec: MapSpec, name: str) -> Iterator[str]:
    yield name
    for instrument in spec.instruments:
        if name in instrument.targets:
            for record in instrument.records:
                yield from _record(record)
    yield from (
        f"  {use.how} {use.metric}".rstrip()
        for use in uses(spec)
        if use.target == name and use.how not in {"call", "return", "raise", "exit"}
    )
    sources, findings = woven(spec, name)
    for finding in findings:
        yield f"  not woven: {finding}"
    for target, source in sources.items():
        yield ""
        yield f"{target}, with the statements in it:"
        yield source


def _record(record: RecordSpec) -> Iterator[str]:
    condition = f", when {record.when.source}" if record.when else ""
    yield f"  on {record.on}: {record.metric}{condition}"
    for what, expression in (("value", record.value), ("hit", record.hit), *record.labels):
        if expression is not None:
            yield f"    {what} = {expression.source}"
