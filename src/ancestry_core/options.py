"""What `ancestry run` was asked to do: the command line, read and checked.

In: arguments. Out: `RunOptions`, or an error of one line and exit code 2. Nothing outside the
standard library is imported, so that `--help` works in a base install.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NoReturn

ACTIONS = (6, 7, 9, 8)
"""The actions in the order in which they make sense: what 9 archives, 8 need not write to."""

DEFAULT_MATCHES = 120
DEFAULT_SEED = 7

_EPILOG = """\
Without --base-url (or ANCESTRY_BASE_URL) the run starts the embedded service, with faults as a real
one has them, and keeps its results in ancestry-demo-SEED.db in the current folder. The service is
the same each time, so a second run finds the matches known and skips them, and a run that was
interrupted goes on where it was. Every setting has a variable; .env.example lists them.
"""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is to do.

    Args:
        actions: The actions' numbers, in order.
        matches: Matches that the embedded service has.
        seed: What the embedded service follows from.
        base_url: A service that runs already; None for the settings' or the embedded one.
        database: The SQLite file; None for the settings' one.
        send: Whether messages may leave.
        json: Whether the report is printed as JSON.
        browser: What signs in; None for the settings' choice.
    """

    actions: tuple[int, ...] = ACTIONS
    matches: int = DEFAULT_MATCHES
    seed: int = DEFAULT_SEED
    base_url: str | None = None
    database: Path | None = None
    send: bool = False
    json: bool = False
    browser: str | None = None

    @classmethod
    def of(cls, args: argparse.Namespace) -> RunOptions:
        """Take the options from parsed arguments."""
        return cls(**{field.name: getattr(args, field.name) for field in fields(cls)})


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line: what is wrong, and where help is."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with code 2."""
        self.exit(2, f"{self.prog}: {message}; see '{self.prog} --help'\n")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ancestry run`."""
    parser.description = "Sign in and run the actions; dry-run unless --send is given."
    parser.epilog = _EPILOG
    parser.add_argument(
        "--actions",
        type=_actions,
        default=ACTIONS,
        metavar="6,7,9,8",
        help="which actions, in which order: 6 gathers matches, 7 reads the inbox, 9 takes up "
        "productive messages, 8 writes to matches (default: all, in this order)",
    )
    parser.add_argument(
        "--matches",
        type=_matches,
        default=DEFAULT_MATCHES,
        metavar="N",
        help="matches that the embedded service has (%(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=DEFAULT_SEED,
        metavar="N",
        help="what the embedded service's people and faults follow from (%(default)s)",
    )
    parser.add_argument("--base-url", metavar="URL", help="a service that runs already")
    parser.add_argument(
        "--database", type=Path, metavar="FILE", help="the SQLite file that keeps the results"
    )
    parser.add_argument("--send", action="store_true", help="really send messages")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object on standard output"
    )
    parser.add_argument(
        "--browser",
        type=_browser,
        metavar="{form,chromium}",
        help="what signs in: the form over HTTP, or a real Chromium ([browser] extra)",
    )


def _actions(text: str) -> tuple[int, ...]:
    allowed = {str(number): number for number in sorted(ACTIONS)}
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in allowed:
            raise argparse.ArgumentTypeError(
                f"there is no action {name!r}; choose from {', '.join(allowed)}, such as 6,7"
            )
        if names.count(name) > 1:
            raise argparse.ArgumentTypeError(f"action {name} is named twice; name it once")
    return tuple(allowed[name] for name in names)


def _matches(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of matches; use 0 or more")
    return int(text)


def _browser(text: str) -> str:
    kinds = {"form": "http", "chromium": "chromium"}
    if text not in kinds:
        raise argparse.ArgumentTypeError(
            f"there is no browser {text!r}; choose from {', '.join(kinds)}"
        )
    return kinds[text]
