"""`ancestry-obs explain M TARGET|METRIC`: what the map does there, from its line to the alerts."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ancestry_obs.cli.imported import woven
from ancestry_obs.cli.map_argument import MAP_OR_STANDARD_INPUT, load_argument
from ancestry_obs.cli.monitored import add_plan, planned
from ancestry_obs.cli.output import say, say_json
from ancestry_obs.cli.verdicts import paragraph
from ancestry_obs.exceptions import TargetError
from ancestry_obs.explanation import (
    find,
    metric_facts,
    metric_lines,
    nearest,
    target_facts,
    target_lines,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ancestry_obs.explanation import Way


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("explain", help="show all that a map does at a target or metric")
    parser.add_argument("map", metavar="M", help=MAP_OR_STANDARD_INPUT)
    parser.add_argument(
        "name",
        metavar="TARGET-OR-METRIC",
        help="as the map or Prometheus writes it, a glob, or the name of an instrument",
    )
    add_plan(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=command, docs=None)


def command(arguments: argparse.Namespace) -> int:
    """Print the explanation.

    Raises:
        TargetError: The map has nothing of this name.
        MapError: The map or its plan has mistakes.
    """
    spec = load_argument(arguments.map)
    catalogue, plan = planned(spec, arguments)
    found = find(spec, catalogue, arguments.name)
    if isinstance(found, str):
        facts = metric_facts(spec, catalogue, plan, found)
        _say(arguments, facts, metric_lines(facts))
        return 0
    told = []
    for target, (ways, findings) in zip(found, woven(spec, found), strict=True):
        chosen = _chosen(ways, target, arguments.name)
        facts = target_facts(spec, catalogue, plan, target, chosen)
        told.append({**facts, "not_woven": [str(finding) for finding in findings]})
    _say(arguments, {"targets": told}, _of_all(told))
    return 0


def _say(arguments: argparse.Namespace, facts: dict[str, Any], lines: Iterator[str]) -> None:
    if arguments.json:
        say_json(facts)
        return
    for line in lines:
        say(line)


def _chosen(ways: list[Way], target: str, word: str) -> list[Way]:
    """Give one function alone where the word is one that a glob takes in."""
    if word == target or "*" in word or not fnmatchcase(word, target):
        return ways
    for way in ways:
        if way.target == word:
            return [way]
    known = [way.target for way in ways]
    raise TargetError(
        f"{target!r} leads to no function {word!r}; {nearest(word, known)}"
        f"name {target!r} to see all"
    )


def _of_all(told: list[dict[str, Any]]) -> Iterator[str]:
    for number, facts in enumerate(told):
        if number:
            yield ""
        yield from target_lines(facts)
        for finding in facts["not_woven"]:
            yield from paragraph(f"  not woven: {finding}", margin="    ")
