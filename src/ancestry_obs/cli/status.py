"""`ancestry-obs status URL`: what a running program's exporter tells about its targets."""

from __future__ import annotations

import json
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ancestry_obs.cli.output import broken, counted, say, say_json, table, terminal_width
from ancestry_obs.exceptions import ExporterError
from ancestry_obs.installation_status import Status
from ancestry_obs.metrics_exporter.addresses import authority, local_host
from ancestry_obs.metrics_exporter.client import get, part_user
from ancestry_obs.settings import ObservabilitySettings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

_T = TypeVar("_T")

_FEW: Final = 5
"""Targets that are named one by one where there is nothing more to say of each."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("status", help="ask a running program for its targets' states")
    add_url(parser)
    parser.add_argument("--json", action="store_true", help="print what the exporter answers")
    parser.set_defaults(command=command)


def add_url(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that names an exporter."""
    parser.add_argument(
        "url",
        metavar="URL",
        nargs="?",
        help="its exporter, such as http://127.0.0.1:9000; if left out, this machine's at "
        "METRICS_EXPORT_PORT",
    )


def command(arguments: argparse.Namespace) -> int:
    """Print the status; 1 where a target is in state `error`."""
    status = fetch(arguments.url or default_url())
    if arguments.json:
        say_json(status.as_dict())
    else:
        say(describe(status, terminal_width()))
    return 1 if status.failed else 0


def default_url() -> str:
    """Give the exporter of this machine that the settings lead to.

    Raises:
        SettingsError: a setting's value is not allowed.
        ExporterError: the settings let the system choose the port.
    """
    settings = ObservabilitySettings.from_environment()
    if not settings.metrics_export_port:
        raise ExporterError(
            "METRICS_EXPORT_PORT is 0, so that the system has chosen the port; write the URL that "
            "the program has logged"
        )
    scheme = "https" if settings.web_config else "http"
    host = local_host(settings.metrics_export_host)
    return f"{scheme}://{authority(host, settings.metrics_export_port)}"


def fetch(url: str) -> Status:
    """Ask an exporter for its status.

    Args:
        url: any page of the exporter, with or without scheme and path.

    Raises:
        ExporterError: nothing answers there, or something that is no exporter of ours.
    """
    return ask(url, "/status", lambda page: Status.from_dict(json.loads(page)))


def ask(url: str, path: str, read: Callable[[bytes], _T]) -> _T:
    """Ask an exporter for one of its pages.

    Args:
        url: any page of the exporter, with or without scheme and path.
        path: of the page.
        read: makes something of the page, or raises a ValueError where it is none of ours.

    Raises:
        ExporterError: nothing answers there, or something that is no exporter of ours.
    """
    page = _page(url, path)
    shown, user = part_user(page)
    try:
        return read(get(page))
    except HTTPError as error:
        with error:
            raise ExporterError(f"{shown}: {_refusal(error.code, user)}") from error
    except ValueError as error:
        raise ExporterError(f"{shown}: {_refusal(0, user)}") from error
    except OSError as error:
        raise ExporterError(f"{shown}: {_silence(getattr(error, 'reason', error))}") from error


def _refusal(code: int, user: tuple[str, str] | None) -> str:
    if code == HTTPStatus.UNAUTHORIZED:
        if user is not None:
            return "the exporter does not know this user with this password; correct them"
        return "only users may read there; write the address as https://user:password@host:port"
    if code == HTTPStatus.MISDIRECTED_REQUEST:
        return "the exporter listens on its own machine and has another name there; use localhost"
    if code == HTTPStatus.BAD_REQUEST:
        return "does not take this request; does it want https?"
    return "does not answer as an exporter of ancestry-obs does; is it another program?"


def _silence(reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({reason.verify_message}); set SSL_CERT_FILE to the "
            "file with the certificate of its issuer"
        )
    return f"no exporter answers there ({reason}); is the program running with metrics on?"


def _page(url: str, path: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        # The port is only checked when it is asked for.
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ExporterError(
            f"{_shown(url)}: is no http address; write one such as http://127.0.0.1:9000"
        )
    return f"{parts.scheme}://{parts.netloc}{path}"


def _shown(url: str) -> str:
    """Leave out what may be a password, of a text that may be no URL at all."""
    return url.rpartition("@")[2]


def describe(status: Status, width: int | None = None) -> str:
    """Set a status as text: a table of the targets, then what deserves attention.

    Args:
        status: what an exporter tells.
        width: how many columns there are; None for as many as it takes.
    """
    rows = [(each.state, each.calls, each.errors, each.target) for each in status.targets]
    head = f"map {status.map}, {counted(len(rows), 'target')}"
    columns = table(("STATE", "CALLS", "ERRORS", "TARGET"), rows, width)
    lines = [f"map: it stays as it was: {status.map_error}"] if status.map_error else []
    lines += [f"exporter: {status.exporter_error}"] if status.exporter_error else []
    lines += [f"end: {status.end_error}"] if status.end_error else []
    for each in status.targets:
        lines += [f"{each.target}: {each.reason}"] if each.reason else []
        lines += [f"{each.target}: not reached: {holder}" for holder in each.unreached]
    lines += _silent([each.target for each in status.never_called])
    told = [part for line in lines for part in broken(line, width)]
    return "\n".join((*broken(head, width), "", columns, "", *told)).rstrip()


def _silent(targets: Sequence[str]) -> list[str]:
    # A pack may have dozens, for the parts of its library that a program has no use for.
    if len(targets) > _FEW:
        return [f"{len(targets)} targets are installed and were never called: those with CALLS 0"]
    return [f"{each}: installed, never called" for each in targets]
