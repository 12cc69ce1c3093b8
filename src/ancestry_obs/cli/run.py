"""`ancestry-obs run`: settle what is measured, and become the program.

The program is run by whoever runs it otherwise: this process executes the command that is given,
and keeps its number, terminal, signals and exit code. What a Python process does before its program
(`startup/sitecustomize.py`) is told by the environment, which children inherit.

Nothing is imported here that is not needed: the program waits for it.
"""

from __future__ import annotations

import errno
import os
import sys

from ancestry_obs.cli import command_line
from ancestry_obs.process_tree import launch_note, new_run
from ancestry_obs.process_tree.new_run import followed
from ancestry_obs.variables import NO_FOLDER, check, read_variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any, Final, NoReturn

    from ancestry_obs.cli.command_line import Found

__all__ = ["add_parser", "run_at_once"]

_EPILOG: Final = """\
COMMAND is what a shell takes, and is run as it is:
  ancestry-obs run --map my.toml -- prog.py --its-own-flag
  ancestry-obs run --map my.toml -- -m package.module argument
  ancestry-obs run --map my.toml -- gunicorn -w 2 app:app
  ancestry-obs run --pack click -- my-command     (see 'ancestry-obs packs')
  ancestry-obs run --map my.toml -- bash -c "python 1.py && python 2.py"
A Python script that is no executable, a folder with __main__.py, an archive
(.pyz) and -m are run by this Python, everything else by what its first line or
PATH says, or by /bin/sh. -- may be left out.

The Python processes that come of it are measured, whoever starts them:
PYTHONPATH leads each of them to a sitecustomize.py that installs the map
before the program. These run as they would, and are not counted:
  - a Python that ancestry-obs is not installed for, and whatever is no Python;
  - a child that is started with -I, -E or -S, which make Python ignore
    PYTHONPATH; for COMMAND itself they are refused;
  - a child that is started with a cleared environment, such as by env -i.

Targets in the program's own file are named by its module name (prog:function)
or by __main__.
"""
_USAGE: Final = 2
_OPTIONS: Final = {
    "--map": "instrumentation_map",
    "--pack": "instrumentation_packs",
    "--port": "metrics_export_port",
    "--textfile": "textfile",
}
# Where these lead is settled here: a child may be started in another folder.
_PATHS: Final = ("textfile", "file_sd", "code_cache", "web_config")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    from argparse import REMAINDER, RawDescriptionHelpFormatter  # noqa: PLC0415  see above

    parser = commands.add_parser(
        "run",
        help="run a program, and its children, with metrics on",
        usage="%(prog)s [-h] [--map M] [--pack P] [--port N] [--textfile F]\n"
        "                        [--] COMMAND [ARGUMENT ...]",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--map", action="append", metavar="M", help="the map, instead of the one that is found"
    )
    parser.add_argument(
        "--pack",
        action="append",
        metavar="P",
        help="a pack, beside the map if --map names one; may be given several times",
    )
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
        "program", nargs=REMAINDER, metavar="COMMAND", help="what to run, and its arguments"
    )
    parser.set_defaults(command=command, needs_program=parser)


def command(arguments: argparse.Namespace) -> int:
    """Become the program, for arguments that are written in an unusual way.

    Returns:
        The exit code where that is not possible.
    """
    if arguments.program in ([], ["--"]):
        arguments.needs_program.error("the following arguments are required: COMMAND")
    if arguments.map:
        arguments.map, *more = arguments.map
        if more:
            arguments.needs_program.error(
                f"--map is there twice; name one, with include = [{more[0]!r}] in it"
            )
    if arguments.pack:
        arguments.pack = ",".join(arguments.pack)
    given = {
        name: getattr(arguments, option[2:])
        for option, name in _OPTIONS.items()
        if getattr(arguments, option[2:]) is not None
    }
    return _become_or_tell(given, arguments.program)


def run_at_once(words: Sequence[str]) -> int | None:
    """Become the program.

    Args:
        words: what stands behind `run`.

    Returns:
        The exit code where that is not possible; nothing where the arguments are such that they are
        to be read by who can explain them.
    """
    given, program = _read(words)
    return _become_or_tell(given, program) if program else None


def _read(words: Sequence[str]) -> tuple[dict[str, object], list[str]]:
    """Read options up to the first word that is none of ours; no program if one is odd."""
    given: dict[str, object] = {}
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] not in {"--", "-m"}:
        option, is_joined, value = words[at].partition("=")
        at += 1
        if not is_joined and at < len(words):
            value, at = words[at], at + 1
        name = _OPTIONS.get(option, "")
        is_number = value.isascii() and value.isdigit()
        is_twice = option == "--map" and name in given
        if not name or not value or is_twice or (option == "--port" and not is_number):
            return {}, []
        before = [str(given[name])] if option == "--pack" and name in given else []
        given[name] = int(value) if option == "--port" else ",".join([*before, value])
    return given, list(words[at + 1 :] if list(words[at : at + 1]) == ["--"] else words[at:])


def _become_or_tell(given: dict[str, object], program: list[str]) -> int:
    """Become the program; where that is not possible, say why, and give the exit code."""
    try:
        _become(given, program)
    except Exception as error:
        from ancestry_obs.exceptions import ObservabilityError  # noqa: PLC0415  see above

        if not isinstance(error, ObservabilityError):
            raise
        # `print` takes standard output where standard error is closed.
        for line in str(error).splitlines() if sys.stderr is not None else ():
            print(f"ancestry-obs: {line}", file=sys.stderr)  # noqa: T201  a command prints
        return _USAGE


def _become(given: dict[str, object], program: list[str]) -> NoReturn:
    """Execute the command in place of this process.

    Raises:
        ObservabilityError: settings, map or command are wrong; nothing of the program was run.
    """
    values = _values(given)
    found = command_line.find(program)
    _try_textfile(values.get("textfile"))
    folder = _begin(values, is_python=found.is_python)
    try:
        _execute(found, {**os.environ, **followed(os.environ, folder)})
    except BaseException:
        new_run.take_away(folder)
        raise


def _begin(values: dict[str, Any], *, is_python: bool) -> str:
    """Make the run's folder, and leave in it what its processes are to know.

    A Python reads the map for itself, and refuses it before anything is imported.

    Raises:
        LaunchError: there is no place for the folder.
    """
    launched = None
    if not is_python:
        from ancestry_obs.lifecycle import read_launched  # noqa: PLC0415  see above

        launched = read_launched(values)

    def fill(folder: str) -> None:
        launch_note.write(folder, values)
        if launched is not None:
            from ancestry_obs.process_tree.run_folder import put  # noqa: PLC0415  see above

            put(folder, launched)

    try:
        return new_run.make(fill)
    except OSError as error:
        from ancestry_obs.exceptions import LaunchError  # noqa: PLC0415  see above

        raise LaunchError(
            f"{error.filename}: the run's folder cannot be made there ({error.strerror}); set "
            "TMPDIR to a folder that can be written"
        ) from error


def _execute(found: Found, environ: dict[str, str]) -> NoReturn:
    """Execute a command as `execvp` does: what has no format that is known may be the shell's.

    Raises:
        LaunchError: it cannot be executed.
    """
    try:
        os.execve(found.file, found.words, environ)  # noqa: S606  that is the command's purpose
    except OSError as error:
        script = command_line.by_shell(found) if error.errno == errno.ENOEXEC else None
        if script is None:
            raise command_line.refusal(found.file, error) from error
    _execute(script, environ)


def _try_textfile(path: str | None) -> None:
    """See that the textfile can be written at the end; by then nobody could be told.

    Raises:
        LaunchError: it cannot.
    """
    if not path:
        return
    from ancestry_obs.exceptions import ExporterError, LaunchError  # noqa: PLC0415  see above
    from ancestry_obs.metrics_exporter.textfile import try_textfile  # noqa: PLC0415  see above

    try:
        try_textfile(path)
    except ExporterError as error:
        raise LaunchError(f"{error}; nothing was run") from error


def _values(given: dict[str, object]) -> dict[str, Any]:
    values = {**read_variables(), **given, "enable_prometheus_metrics": True}
    for name, value in given.items():
        check(name, value)
    for name in values.keys() & _PATHS:
        if values[name] == NO_FOLDER:
            continue
        values[name] = os.path.abspath(os.path.expanduser(str(values[name])))  # noqa: PTH100, PTH111  as it is written, links included
    return values
