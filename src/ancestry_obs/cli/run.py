"""`ancestry-obs run`: weave a map into a program and run it, unchanged, in this process."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from ancestry_obs import lifecycle
from ancestry_obs.cli import launcher
from ancestry_obs.exceptions import LaunchError
from ancestry_obs.settings import ObservabilitySettings

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\
Everything after -- is the program and belongs to it:
  ancestry-obs run --map my.toml -- prog.py --its-own-flag
  ancestry-obs run --map my.toml -- -m package.module argument
Targets in the program's own file are named by its module name (prog:function).
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser(
        "run",
        help="run a program with its metrics on",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--map", metavar="M", help="the map; the setting INSTRUMENTATION_MAP if not given"
    )
    parser.add_argument("--port", type=int, metavar="N", help="where to serve; 0 takes a free port")
    parser.add_argument("--textfile", metavar="F", help="write the metrics to this file at the end")
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


def command(arguments: argparse.Namespace) -> int:
    """Run the program to its end; its exit code and exceptions are left to the interpreter."""
    program, rest = _find(arguments.program)
    settings = ObservabilitySettings.from_environment()
    settings = replace(
        settings,
        enable_prometheus_metrics=True,
        metrics_export_port=settings.metrics_export_port
        if arguments.port is None
        else arguments.port,
        textfile=arguments.textfile or settings.textfile,
    )
    _log_to_stderr()
    lifecycle.install(arguments.map, settings=settings)
    try:
        launcher.run(program, rest, lifecycle.offer)
    except SystemExit as end:
        if end.code not in {None, 0}:
            lifecycle.mark_failed()
        raise
    return 0


def _find(words: list[str]) -> tuple[launcher.Program, list[str]]:
    if words[0] != "-m":
        return launcher.find_script(words[0]), words[1:]
    if len(words) == 1:
        raise LaunchError("-m: names no module; write '-- -m package.module'")
    return launcher.find_module(words[1]), words[2:]


def _log_to_stderr() -> None:
    """Show where the metrics are served and what cannot be measured, however the program logs."""
    logger = logging.getLogger("ancestry_obs")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("ancestry-obs: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
