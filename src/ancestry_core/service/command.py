"""`ancestry service`: the embedded service as a program of its own.

In: parsed arguments. Out: a running service until Ctrl-C or SIGTERM, where to reach it on standard
output, and an exit code. The arguments are declared here; the command line as a whole is not.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ancestry_core.service.embedded import EmbeddedService
from ancestry_core.service.faults import FaultRates
from ancestry_core.service.settings import ServiceSettings
from ancestry_core.standard_output import standard_output

if TYPE_CHECKING:
    import argparse

    # The class is generic in the type checkers' eyes alone.
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

_DEFAULT_PORT = 8080
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def add_service_parser(subparsers: Subparsers) -> None:
    """Declare `service` and its arguments; the parsed result has `run_service` as `run`.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` returned.
    """
    parser = subparsers.add_parser(
        "service",
        help="serve the embedded genealogy service on its own",
        description="Serve the embedded genealogy service until Ctrl-C or SIGTERM.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=_DEFAULT_PORT, help="port; 0 takes a free one (%(default)s)"
    )
    parser.add_argument(
        "--matches", type=int, default=300, help="number of DNA matches (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="what everything drawn by chance follows from"
    )
    parser.add_argument(
        "--gedcom", type=Path, metavar="FILE", help="take the people from this GEDCOM file"
    )
    parser.add_argument("--root", metavar="ID", help="the account's person in the pedigree")
    parser.add_argument(
        "--faults",
        choices=("none", "realistic"),
        default="realistic",
        help="what goes wrong (%(default)s)",
    )
    parser.set_defaults(run=run_service)


def run_service(args: argparse.Namespace) -> int:
    """Serve until a signal says stop.

    Args:
        args: As declared by `add_service_parser`.

    Returns:
        The exit code: 0 after a signal.

    Raises:
        PlatformError: The settings, the pedigree or the port will not do; the caller says so.
    """
    # SIGTERM stops it in the way that Ctrl-C does; and Ctrl-C does so even where a shell started it
    # in the background, which makes a program deaf to SIGINT.
    before = {number: signal.signal(number, signal.default_int_handler) for number in _SIGNALS}
    try:
        with EmbeddedService(_settings(args)) as service:
            _announce(service)
            threading.Event().wait()
    except KeyboardInterrupt:
        with standard_output() as out:
            out.write("Stopped.\n")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _settings(args: argparse.Namespace) -> ServiceSettings:
    return ServiceSettings(
        host=args.host,
        port=args.port,
        matches=args.matches,
        seed=args.seed,
        gedcom=args.gedcom,
        root=args.root,
        faults=FaultRates.realistic() if args.faults == "realistic" else FaultRates.none(),
    )


def _announce(service: EmbeddedService) -> None:
    for warning in service.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    with standard_output() as out:
        out.write(
            f"{service.base_url}\n"
            f"username {service.settings.username}, password {service.settings.password}\n"
            f"account of {service.population.account.person.name}, "
            f"{len(service.population.matches)} matches; Ctrl-C stops\n"
        )
