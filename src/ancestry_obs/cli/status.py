"""`ancestry-obs status URL`: what a running program's exporter tells about its targets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ancestry_obs.cli.output import say, say_json, table
from ancestry_obs.exceptions import ExporterError
from ancestry_obs.installation_status import Status
from ancestry_obs.metrics_exporter import get

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("status", help="ask a running program for its targets' states")
    parser.add_argument("url", metavar="URL", help="its exporter, such as http://127.0.0.1:9000")
    parser.add_argument("--json", action="store_true", help="print what the exporter answers")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the status; 1 where a target is in state `error`."""
    status = fetch(arguments.url)
    if arguments.json:
        say_json(status.as_dict())
    else:
        say(describe(status))
    return 1 if status.failed else 0


def fetch(url: str) -> Status:
    """Ask an exporter.

    Args:
        url: any page of the exporter, with or without scheme and path.

    Raises:
        ExporterError: nothing answers there, or something that is no exporter of ours.
    """
    page = _status_page(url)
    try:
        return Status.from_dict(json.loads(get(page)))
    except (HTTPError, ValueError) as error:
        raise ExporterError(
            f"{page}: does not answer as an exporter of ancestry-obs does; is it another program?"
        ) from error
    except OSError as error:
        raise ExporterError(
            f"{page}: no exporter answers there ({getattr(error, 'reason', error)}); is the "
            "program running with metrics on?"
        ) from error


def _status_page(url: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        # The port is only checked when it is asked for.
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ExporterError(f"{url}: is no http address; write one such as http://127.0.0.1:9000")
    return f"{parts.scheme}://{parts.netloc}/status"


def describe(status: Status) -> str:
    """Set a status as text: a table of the targets, then what deserves attention."""
    rows = [(each.state, each.calls, each.errors, each.target) for each in status.targets]
    lines = [f"map {status.map}, {len(rows)} targets", ""]
    lines += [table(("STATE", "CALLS", "ERRORS", "TARGET"), rows), ""]
    lines += [f"exporter: {status.exporter_error}"] if status.exporter_error else []
    lines += [f"end: {status.end_error}"] if status.end_error else []
    for each in status.targets:
        lines += [f"{each.target}: {each.reason}"] if each.reason else []
        lines += [f"{each.target}: not reached: {holder}" for holder in each.unreached]
    lines += [f"{each.target}: installed, never called" for each in status.never_called]
    return "\n".join(lines).rstrip()
