"""Arguments come in; one function of a sibling module does what they ask for.

Exit codes: 0 fine, 1 findings, 2 usage or an input that cannot be read. An error is one line that
says what, where and the remedy, on stderr; what a program would read is on stdout.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from ancestry_obs.cli import (
    check,
    cost,
    dashboards,
    diff,
    explain,
    listing,
    packs,
    rules,
    run,
    schema,
    status,
    suggest,
    top,
)
from ancestry_obs.cli.output import tell
from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.mapfile.report import nearest_name
from ancestry_obs.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_COMMANDS = (
    run,
    suggest,
    check,
    cost,
    diff,
    listing,
    packs,
    explain,
    status,
    top,
    schema,
    dashboards,
    rules,
)
_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: the arguments without the program's name; `sys.argv` if None.

    Returns:
        The exit code.

    Raises:
        SystemExit: the arguments are wrong.
    """
    arguments = _parsed(argv)
    try:
        code: int = arguments.command(arguments)
    except ObservabilityError as error:
        for line in str(error).splitlines():
            tell(f"ancestry-obs: {line}")
        return _USAGE
    return code


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments; the command's own parser refuses what is none of them."""
    arguments, unknown = _parser().parse_known_args(argv)
    if unknown:
        own: _Parser = arguments.own_parser
        message = f"unrecognized arguments: {' '.join(unknown)}"
        near = nearest_name(unknown[0].partition("=")[0], own.options)
        own.error(f"{message}; did you mean {near!r}?" if near else message)
    return arguments


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line: what is wrong, and where help is."""

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith("?") else ";"
        help_ = f"'{self.prog} --help' shows what is allowed"
        self.exit(_USAGE, f"ancestry-obs: {message}{end} {help_}\n")

    @property
    def options(self) -> list[str]:
        """The options that it has."""
        return [each for each in self._option_string_actions if each.startswith("--")]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ancestry-obs",
        description="Prometheus metrics for any Python program from one declarative map.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in _COMMANDS:
        module.add_parser(commands)
    for each in commands.choices.values():
        each.set_defaults(own_parser=each)
    return parser
