"""`ancestry-obs list M`: the metrics and targets of a map, from the map alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ancestry_obs.cli.map_argument import MAP_OR_STANDARD_INPUT, load_argument
from ancestry_obs.cli.output import say, say_json, table, terminal_width
from ancestry_obs.mapfile import worst_case_series

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ancestry_obs.mapfile import MapSpec


@dataclass(frozen=True, slots=True)
class Use:
    """A metric's use of a target.

    Args:
        target: the pattern.
        metric: the metric that it feeds; empty for a hook, and for values.
        how: when it is recorded, or `sample`, or the hook's action, or the values that it hands on.
    """

    target: str
    metric: str
    how: str


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("list", help="show a map's metrics and targets")
    parser.add_argument("map", metavar="M", help=MAP_OR_STANDARD_INPUT)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the metrics, then the targets."""
    spec = load_argument(arguments.map)
    if arguments.json:
        say_json(_as_dict(spec))
        return 0
    rows = [
        (name, kind, most, ", ".join(labels)) for name, kind, labels, most in _metric_rows(spec)
    ]
    width = terminal_width()
    say(table(("METRIC", "TYPE", "SERIES AT MOST", "LABELS"), rows, width))
    say()
    cells = [(each.target, each.metric, each.how) for each in uses(spec)]
    say(table(("TARGET", "FEEDS", "WHEN"), cells, width))
    return 0


def uses(spec: MapSpec) -> Iterator[Use]:
    """Give everything that a map asks for at its targets, in the map's order."""
    for instrument in spec.instruments:
        for target in instrument.targets:
            for record in instrument.records:
                yield Use(target, record.metric, record.on)
            for key, values in instrument.handed.by_key:
                yield Use(target, "", f"{key}: {', '.join(dict(values))}")
    for sample in spec.samples:
        yield Use(sample.target, sample.metric, "sample")
    for hook in spec.hooks:
        if hook.before:
            yield Use(hook.target, "", f"before: {hook.before}")
        if hook.after:
            yield Use(hook.target, "", f"after: {hook.after}")


def _metric_rows(spec: MapSpec) -> list[tuple[str, str, list[str], int]]:
    return [
        (metric.name, metric.type, [label.name for label in metric.labels],
         worst_case_series(metric))
        for metric in spec.metrics
    ]  # fmt: skip


def _as_dict(spec: MapSpec) -> dict[str, object]:
    names = ("name", "type", "labels", "series_at_most")
    return {
        "metrics": [dict(zip(names, row, strict=True)) for row in _metric_rows(spec)],
        "targets": [{"target": u.target, "feeds": u.metric, "when": u.how} for u in uses(spec)],
    }
