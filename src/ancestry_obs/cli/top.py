"""`ancestry-obs top URL`: what a running program does, each second, in a terminal."""

from __future__ import annotations

import argparse
import math
import sys
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.cli.output import is_terminal, say, say_json, table
from ancestry_obs.cli.status import add_url, ask, default_url
from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.live.asking import Asking, Exporter
from ancestry_obs.live.columns import COLUMNS, column_named
from ancestry_obs.live.fitting_text import printable
from ancestry_obs.live.looking import look
from ancestry_obs.live.rates import QUANTILES
from ancestry_obs.live.rows import SUBJECTS
from ancestry_obs.live.terminal import Terminal
from ancestry_obs.live.view import View, chosen
from ancestry_obs.live.watched import Watched
from ancestry_obs.metrics_exporter.client import part_user

if TYPE_CHECKING:
    from ancestry_obs.live.rows import Row

_INTERRUPTED: Final = 128 + 2
_LONGEST: Final = 86400.0
_EPILOG: Final = """\
Where standard input or output is no terminal, one table is printed after one interval, as with
--once. The live view's keys are told by ?; q ends it.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser(
        "top", help="watch a running program: rates, quantiles, failures, states", epilog=_EPILOG
    )
    add_url(parser)
    parser.add_argument(
        "--interval",
        metavar="SECONDS",
        type=seconds,
        default=1.0,
        help="from one look to the next, a day at most (1)",
    )
    parser.add_argument(
        "--view", choices=SUBJECTS, default="targets", help="what there is a line for each of"
    )
    parser.add_argument("--sort", metavar="COLUMN", default="rate", help="what to sort by (rate)")
    parser.add_argument("--filter", metavar="WORDS", default="", help="only lines with these")
    parser.add_argument("--once", action="store_true", help="print one table and end")
    parser.add_argument("--json", action="store_true", help="print one table as JSON and end")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Show the live view until it is ended, or print one table.

    Raises:
        ObservabilityError: nothing answers, or there is no such column or no terminal.
    """
    is_live = _is_terminal() and not (arguments.once or arguments.json)
    try:
        if is_live:
            _look(arguments)
        else:
            _print(arguments)
    except KeyboardInterrupt:
        # The usual way to end a view; a table that was not printed is another matter.
        return 0 if is_live else _INTERRUPTED
    return 0


def seconds(text: str) -> float:
    """Read an interval.

    Raises:
        ArgumentTypeError: nobody can wait so long, or it is no time at all.
    """
    with suppress(ValueError):
        if 0 < (number := float(text)) <= _LONGEST:
            return number
    raise argparse.ArgumentTypeError(
        f"{text!r} is no number of seconds above 0 and up to {_LONGEST:,.0f}"
    )


def _view(arguments: argparse.Namespace) -> View:
    column = column_named(arguments.view, arguments.sort)
    columns = COLUMNS[arguments.view]
    if column is None:
        known = ", ".join(each.name for each in columns)
        raise ObservabilityError(f"--sort {arguments.sort}: no such column; there are {known}")
    return View(arguments.view, sort=columns.index(column), words=arguments.filter)


def _is_terminal() -> bool:
    # Who is started without standard input has none.
    return sys.stdin is not None and sys.stdin.isatty() and is_terminal()


def _look(arguments: argparse.Namespace) -> None:
    view, exporter, watched = _begun(arguments)
    with Terminal() as terminal, Asking(exporter, arguments.interval, terminal.tell):
        look(watched, view, terminal.events(), terminal)


def _print(arguments: argparse.Namespace) -> None:
    view, exporter, watched = _begun(arguments)
    time.sleep(arguments.interval)
    watched.add(exporter.scrape())
    if arguments.json:
        say_json(_as_dict(watched, view))
    else:
        say(_table(watched, view))


def _begun(arguments: argparse.Namespace) -> tuple[View, Exporter, Watched]:
    view = _view(arguments)
    url = arguments.url or default_url()
    exporter = Exporter(partial(ask, url))
    # Behind a tunnel or a name the program does not know where it is asked.
    return view, exporter, Watched(exporter.scrape(), part_user(url)[0])


def _table(watched: Watched, view: View) -> str:
    columns = COLUMNS[view.subject]
    rows = chosen(watched.rows(view.subject), view)
    cells = [
        [printable(column.text(row)).rjust(column.width * column.is_number) for column in columns]
        for row in rows
    ]
    heads = [each.head.rjust(each.width * each.is_number) for each in columns]
    return table(heads, cells)


def _as_dict(watched: Watched, view: View) -> dict[str, Any]:
    scrape = watched.scrape
    return {
        "url": watched.address,
        "map": scrape.status.map,
        "restarted": watched.has_restarted,
        view.subject: [_row_as_dict(row, view) for row in chosen(watched.rows(view.subject), view)],
    }


def _row_as_dict(row: Row, view: View) -> dict[str, Any]:
    quantiles = {
        f"p{share * 100:g}": None
        if found is None
        else {"value": found.value, "is_least": found.is_least, "below": found.below}
        for share, found in zip(QUANTILES, row.quantiles, strict=True)
    }
    if view.subject == "targets":
        return {
            "target": row.name, "state": row.kind, "reason": row.reason,
            "calls_per_second": row.rate, "failed_per_second": row.failed,
            "failed_is_shared": row.is_failed_shared, "seconds": quantiles,
            "seconds_are_shared": row.is_shared,
            "expression_errors_per_second": row.expression_errors,
        }  # fmt: skip
    value = row.value if row.value is not None and math.isfinite(row.value) else None
    return {
        "name": row.name, "type": row.kind, "per_second": row.rate, "value": value,
        "quantiles": quantiles,
    }  # fmt: skip
