"""`ancestry-obs top URL`: what a running program does, each second, in a terminal."""

from __future__ import annotations

import math
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from ancestry_obs.cli.output import say, say_json, table
from ancestry_obs.cli.status import ask, default_url
from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.live.asking import Asking, Exporter
from ancestry_obs.live.columns import COLUMNS, column_named
from ancestry_obs.live.looking import look
from ancestry_obs.live.rates import QUANTILES
from ancestry_obs.live.rows import SUBJECTS
from ancestry_obs.live.terminal import Terminal
from ancestry_obs.live.view import View, chosen
from ancestry_obs.live.watched import Watched

if TYPE_CHECKING:
    import argparse

    from ancestry_obs.live.rows import Row

_EPILOG = """\
Where standard output is no terminal, one table is printed after one interval, as with --once.
The live view's keys are told by ?; q ends it.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser(
        "top", help="watch a running program: rates, quantiles, failures, states", epilog=_EPILOG
    )
    parser.add_argument(
        "url",
        metavar="URL",
        nargs="?",
        help="its exporter, such as http://127.0.0.1:9000; if left out, this machine's at "
        "METRICS_EXPORT_PORT",
    )
    parser.add_argument(
        "--interval", metavar="SECONDS", type=_interval, default=1.0, help="between looks (1)"
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
    view = _view(arguments)
    exporter = Exporter(partial(ask, arguments.url or default_url()))
    watched = Watched(exporter.scrape())
    is_live = sys.stdin.isatty() and sys.stdout.isatty()
    if is_live and not arguments.once and not arguments.json:
        _look(watched, view, exporter, arguments.interval)
        return 0
    time.sleep(arguments.interval)
    watched.add(exporter.scrape())
    if arguments.json:
        say_json(_as_dict(watched, view))
    else:
        say(_table(watched, view))
    return 0


def _interval(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError
    return seconds


def _view(arguments: argparse.Namespace) -> View:
    column = column_named(arguments.view, arguments.sort)
    columns = COLUMNS[arguments.view]
    if column is None:
        known = ", ".join(each.name for each in columns)
        raise ObservabilityError(f"--sort {arguments.sort}: no such column; there are {known}")
    return View(arguments.view, sort=columns.index(column), words=arguments.filter)


def _look(watched: Watched, view: View, exporter: Exporter, interval: float) -> None:
    try:
        with Terminal() as terminal, Asking(exporter, interval, terminal.tell):
            look(watched, view, terminal.events(), terminal)
    except KeyboardInterrupt:
        # The usual way to end it.
        return


def _table(watched: Watched, view: View) -> str:
    columns = COLUMNS[view.subject]
    rows = chosen(watched.rows(view.subject), view)
    cells = [
        [column.text(row).rjust(column.width * column.is_number) for column in columns]
        for row in rows
    ]
    heads = [each.head.rjust(each.width * each.is_number) for each in columns]
    return table(heads, cells)


def _as_dict(watched: Watched, view: View) -> dict[str, Any]:
    scrape = watched.scrape
    return {
        "url": scrape.status.url,
        "map": scrape.status.map,
        "restarted": watched.has_restarted,
        view.subject: [_row_as_dict(row, view) for row in chosen(watched.rows(view.subject), view)],
    }


def _row_as_dict(row: Row, view: View) -> dict[str, Any]:
    quantiles = {
        f"p{share * 100:g}": None
        if found is None
        else {"value": found.value, "is_least": found.is_least}
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
