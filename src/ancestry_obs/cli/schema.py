"""`ancestry-obs schema`: the JSON Schema of the map language, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.cli.output import say_json
from ancestry_obs.mapfile import json_schema

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("schema", help="print the JSON Schema of maps")
    parser.set_defaults(command=command)


def command(_: argparse.Namespace) -> int:
    """Print the schema."""
    say_json(json_schema())
    return 0
