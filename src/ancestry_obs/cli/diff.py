"""`ancestry-obs diff OLD NEW`: what comes and goes between two maps, and what breaks by it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ancestry_obs.cli.map_argument import (
    MAP_OR_STANDARD_INPUT,
    STANDARD_INPUT,
    STANDARD_INPUT_NAME,
    load_argument,
    refuse_twice,
)
from ancestry_obs.cli.monitored import namespace_of
from ancestry_obs.cli.output import counted, say, say_json
from ancestry_obs.cli.verdicts import annotation, paragraph
from ancestry_obs.comparison import breaks, compare, uses_in, uses_of
from ancestry_obs.exceptions import Finding, Where
from ancestry_obs.monitoring import Catalogue, load_plan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ancestry_obs.comparison import Break, Change, Comparison

_SIGNS: Final = {"removed": "-", "added": "+", "changed": "~", "renamed": ">"}
_COLOURS: Final = {"removed": "red", "added": "green", "changed": "yellow", "renamed": "yellow"}
_BELOW: Final = " " * 8
_EPILOG: Final = """\
What breaks is looked for in the dashboard and the rules that are generated
from OLD, and in what --uses names. OLD may be another version:
  git show main:obs.toml | ancestry-obs diff - obs.toml

The exit code is 1 if something breaks, 0 if not, whatever else differs.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    from argparse import RawDescriptionHelpFormatter  # noqa: PLC0415  only here

    parser = commands.add_parser(
        "diff",
        help="compare two maps, and tell what breaks",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "old", metavar="OLD", help=f"what programs run with: {MAP_OR_STANDARD_INPUT}"
    )
    parser.add_argument("new", metavar="NEW", help="the map that they are to run with, or -")
    parser.add_argument(
        "--uses",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a Grafana dashboard (.json), a file of Prometheus' rules (.yml), or a folder of them",
    )
    parser.add_argument("--namespace", help="what exposed names begin with (METRICS_NAMESPACE)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--format",
        choices=["github", "text"],
        default="text",
        help="how to print: for people, or as annotations of a GitHub workflow",
    )
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print what differs; 1 if something breaks by it.

    Raises:
        ObservabilityError: a map has mistakes, or a file cannot be read.
    """
    names = [arguments.old, arguments.new]
    refuse_twice(names)
    old, new = map(load_argument, names)
    was, now = (STANDARD_INPUT_NAME if each == STANDARD_INPUT else each for each in names)
    namespace = namespace_of(arguments.namespace)
    before, after = Catalogue(old, namespace), Catalogue(new, namespace)
    uses = [*uses_of(before, load_plan(old.source, before))]
    for path in arguments.uses:
        uses += uses_in(path)
    found = compare(old, new)
    broken = [*breaks(uses, before, after, found.unfed)]
    if arguments.json:
        say_json(_as_dict(found, broken))
    elif arguments.format == "github":
        for each in broken:
            finding = Finding(
                f"{each.use.what}: {'; '.join(each.reasons)}",
                Where(each.use.where or now, None, ""),
            )
            say(annotation("error", finding))
    else:
        for line in _lines(was, now, found, broken):
            say(line)
    return 1 if broken else 0


def _lines(old: str, new: str, found: Comparison, broken: Sequence[Break]) -> Iterator[str]:
    yield from paragraph(f"{old} -> {new}", "bold")
    for heading, changes in (("metrics", found.metrics), ("targets", found.targets)):
        if changes:
            yield heading
        for change in changes:
            yield from _change(change)
    if broken:
        yield "breaks"
    for each in broken:
        where = f"{each.use.where}: " if each.use.where else ""
        yield from paragraph(f"  ! {where}{each.use.what}", "red", "    ")
        for reason in each.reasons:
            yield from paragraph(f"      {reason}", margin=_BELOW)
    before, after = found.series
    was = f", were {before:,}" if before != after else ""
    yield f"at most {after:,} series{was}"
    yield f"{counted(len(broken), 'use')} of metrics broken" if broken else "nothing breaks"


def _change(change: Change) -> Iterator[str]:
    text = f"  {_SIGNS[change.kind]} {change.name}"
    if change.new_name:
        text += f" is {change.new_name} now"
    yield from paragraph(text, _COLOURS[change.kind], "    ")
    for detail in change.details:
        yield from paragraph(f"      {detail}", margin=_BELOW)


def _as_dict(found: Comparison, broken: Sequence[Break]) -> dict[str, object]:
    def listed(changes: Sequence[Change]) -> list[dict[str, object]]:
        return [
            {"kind": e.kind, "name": e.name, "details": list(e.details), "new_name": e.new_name}
            for e in changes
        ]

    return {
        "metrics": listed(found.metrics),
        "targets": listed(found.targets),
        "series_at_most": {"old": found.series[0], "new": found.series[1]},
        "breaks": [
            {
                "what": each.use.what, "where": each.use.where,
                "expression": each.use.expression, "reasons": list(each.reasons),
            }
            for each in broken
        ],
    }  # fmt: skip
