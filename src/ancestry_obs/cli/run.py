"""`ancestry-obs run`: weave a map into a program and run it, unchanged, in this process."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ancestry_obs import lifecycle
from ancestry_obs.cli import launcher
from ancestry_obs.exceptions import LaunchError, SettingsError
from ancestry_obs.map_search import WAYS, find_map
from ancestry_obs.mapfile import load
from ancestry_obs.settings import ObservabilitySettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ancestry_obs.installation_status import Status

logger = logging.getLogger("ancestry_obs")

_EPILOG = """\
Everything after -- is the program and belongs to it:
  ancestry-obs run --map my.toml -- prog.py --its-own-flag
  ancestry-obs run --map my.toml -- -m package.module argument
Targets in the program's own file are named by its module name (prog:function).
Processes that the program forks are measured; those that it starts anew (multiprocessing's
"spawn", subprocess) are not, unless they call ancestry_obs.install() themselves.
"""
_NAMED_AT_MOST = 5


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser(
        "run",
        help="run a program with its metrics on",
        usage="%(prog)s [-h] [--map M] [--port N] [--textfile F] -- PROGRAM [ARGUMENT ...]",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--map", metavar="M", help="the map, instead of the one that is found")
    parser.add_argument(
        "--port",
        type=int,
        metavar="N",
        help="where to serve, instead of METRICS_EXPORT_PORT; 0 takes a free port",
    )
    parser.add_argument(
        "--textfile",
        metavar="F",
        help="write the metrics to this .prom file at the end, instead of METRICS_TEXTFILE",
    )
    parser.add_argument(
        "program", nargs="+", metavar="-- PROGRAM", help="prog.py or -m module, and arguments"
    )
    parser.set_defaults(command=command)


def protect(argv: Sequence[str]) -> list[str]:
    """Put `--` before `-m`, so that a module's name and arguments are not taken for ours."""
    arguments = list(argv)
    if arguments[:1] == ["run"] and "-m" in arguments and "--" not in arguments:
        arguments.insert(arguments.index("-m"), "--")
    return arguments


def command(arguments: argparse.Namespace) -> Callable[[], int]:
    """Weave the map, and give what runs the program to its end.

    Raises:
        ObservabilityError: settings, map or program are wrong; no line of the program was run.
    """
    settings = _settings(arguments)
    # What is wrong with the map is told before anything of the program is imported.
    load(settings.instrumentation_map or "")
    program, rest = _find(arguments.program)
    _log_to_stderr()
    installed = lifecycle.install(settings=settings)
    return partial(_run, program, rest, installed.status)


def _settings(arguments: argparse.Namespace) -> ObservabilitySettings:
    given = {
        "instrumentation_map": arguments.map,
        "metrics_export_port": arguments.port,
        "textfile": arguments.textfile,
    }
    settings = replace(
        ObservabilitySettings.from_environment(),
        enable_prometheus_metrics=True,
        **{name: value for name, value in given.items() if value is not None},
    )
    if settings.instrumentation_map is not None:
        return settings
    found = find_map()
    if found is None:
        raise SettingsError(f"no map is given; write --map M, {WAYS}")
    return replace(settings, instrumentation_map=found)


def _find(words: list[str]) -> tuple[launcher.Program, list[str]]:
    if words[0] != "-m":
        return launcher.find_script(words[0]), words[1:]
    if len(words) == 1:
        raise LaunchError("-m: names no module; write '-- -m package.module'")
    return launcher.find_module(words[1]), words[2:]


def _run(program: launcher.Program, rest: list[str], status: Callable[[], Status]) -> int:
    """Run the program; its exit code and exceptions are left to the interpreter."""
    process = os.getpid()
    try:
        launcher.run(program, rest, lifecycle.weave_main)
    except SystemExit as end:
        if end.code not in (None, 0):
            lifecycle.mark_failed()
        raise
    finally:
        # A child that the program has forked comes by here too.
        if process == os.getpid():
            _tell_unreached(status())
    return 0


def _tell_unreached(status: Status) -> None:
    """Say which targets are still waited for: a name that is nowhere looks just like that."""
    pending = [each for each in status.targets if each.state == "pending"]
    if pending:
        named = [f"{each.target} ({each.reason})" for each in pending[:_NAMED_AT_MOST]]
        more = len(pending) - len(named)
        rest = f" and {more} more" if more else ""
        logger.warning("never reached, so not measured: %s%s", ", ".join(named), rest)


def _log_to_stderr() -> None:
    """Show where the metrics are served and what cannot be measured, however the program logs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("ancestry-obs: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
