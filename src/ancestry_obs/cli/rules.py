"""`ancestry-obs rules M`: Prometheus' recording rules and alerts of a map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ancestry_obs.cli.monitored import add_arguments, monitored, written
from ancestry_obs.cli.output import say, say_source
from ancestry_obs.monitoring import build_rules, rules_yaml

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("rules", help="write Prometheus' rules and alerts of a map")
    add_arguments(parser)
    parser.add_argument(
        "--job",
        help="the job that Prometheus scrapes the program as (the namespace; with a pack for M, "
        "any that has been measured in the last day)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="the file (stdout)")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Write the rules."""
    catalogue, plan = monitored(arguments)
    # A pack is for programs of whatever name, and none of its metrics begins with the namespace.
    job = arguments.job or (None if catalogue.is_pack else catalogue.namespace)
    groups = build_rules(plan, catalogue, job)
    text = rules_yaml(groups, Path(arguments.map).name)
    if arguments.output is None:
        say_source(text.rstrip("\n"))
    else:
        say(written(arguments.output, text))
    return 0
