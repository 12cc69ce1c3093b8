"""`ancestry-obs suggest PACKAGE [-- COMMAND]`: a starter map, by the source or by what is called.

With a command, its exit code is this command's. What it prints on standard output stays there if
the map has a file of its own; else it goes to standard error, so that the map stands alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.checking.checker import Checker
from ancestry_obs.checking.modules import Finder, python_path
from ancestry_obs.checking.program import Program
from ancestry_obs.cli import command_line
from ancestry_obs.cli.monitored import written
from ancestry_obs.cli.output import say_json, say_source, tell
from ancestry_obs.cli.suggested import as_dict, call_lines, candidate_as_dict, source_lines
from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.metrics_exporter.textfile import try_textfile
from ancestry_obs.suggestion.candidates import Source
from ancestry_obs.suggestion.sieve import passing
from ancestry_obs.suggestion.starter_map import map_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ancestry_obs.suggestion.traced_command import Traced

_EPILOG: Final = """\
Without COMMAND the source tells: web routes, tasks, commands, functions that
ask other services, and what else PACKAGE offers. Nothing is imported or run.

With COMMAND, which is what `ancestry-obs run` takes, the functions of PACKAGE
are those that it calls, in all its processes. Its exit code is given on, or is
1 if it called none of them. Its standard output goes to standard error, unless
-o names a file for the map:
  ancestry-obs suggest shop -o shop.toml -- shop.py
  ancestry-obs suggest shop -- -m pytest tests/e2e > shop.toml
PACKAGE is __main__ for the program's own file.
"""
_ERROR_DESCRIPTOR: Final = 2
_MOST: Final = 40
_OPTIONS: Final = ("-o", "--output", "--force", "--most", "--by", "--json")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser(
        "suggest",
        help="write a starter map for a package, or for what a command calls of it",
        usage="%(prog)s [-h] [-o FILE] [--force] [--most N]\n"
        "                            [--by {time,rate}] [--json] PACKAGE [-- COMMAND ...]",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write the map")
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")
    parser.add_argument(
        "--most", type=_number, default=_MOST, metavar="N", help=f"how many targets ({_MOST})"
    )
    parser.add_argument(
        "--by", choices=["time", "rate"], default="time", help="what makes a function rank high"
    )
    parser.add_argument("--json", action="store_true", help="print map and figures as JSON")
    parser.add_argument("package", metavar="PACKAGE", help="the package or module")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="COMMAND", help="what to run")
    parser.set_defaults(command=command, parser=parser)


def command(arguments: argparse.Namespace) -> int:
    """Write the map, and tell what it is made of.

    Raises:
        ObservabilityError: There is no such package, or the map cannot be written; or the command
            cannot be run, or called nothing of the package.
    """
    words = _split(arguments)
    _refuse_to_replace(arguments)
    return _by_calls(arguments, words) if words else _by_source(arguments)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _split(arguments: argparse.Namespace) -> list[str]:
    """Give the command; what stands between package and command are options of ours."""
    words: list[str] = arguments.program
    if not words or words[0].partition("=")[0] not in _OPTIONS:
        return words
    at = words.index("--") if "--" in words else len(words)
    arguments.parser.parse_args([*words[:at], arguments.package], namespace=arguments)
    return words[at + 1 :]


def _refuse_to_replace(arguments: argparse.Namespace) -> None:
    path: Path | None = arguments.output
    if path is None:
        return
    try:
        is_there = path.exists()
    except (OSError, ValueError) as error:
        raise ObservabilityError(
            f"{path}: cannot be written ({error}); name another place"
        ) from error
    if path.is_dir():
        raise ObservabilityError(f"{path}: is a folder; name a file in it with -o")
    if is_there and not arguments.force:
        raise ObservabilityError(f"{path}: is there already; name another file, or use --force")
    if path.parent.exists() and (path.is_file() or not is_there):
        # A command may take long: that the map cannot be written is to be known before.
        try_textfile(path)


def _checker(folders: Sequence[str] = ()) -> Checker:
    path = python_path()
    more = [each for each in folders if each not in path]
    return Checker(Program(Finder((*path, *more)))) if more else Checker.of_folder()


def _by_source(arguments: argparse.Namespace) -> int:
    checker = _checker()
    found = Source(checker.program).public(arguments.package)
    kept, lost = passing(found[: arguments.most], checker)
    checker.save()
    if not kept:
        raise ObservabilityError(
            f"{arguments.package!r} has no public function that can be measured; "
            "name another package, or run a command with `-- COMMAND`"
        )
    head = [f"A starter map of {arguments.package}, by its source: what it offers.",
            f"Made by: ancestry-obs suggest {arguments.package}"]  # fmt: skip
    text = map_of(
        kept, {each.target: each.kind for each in kept if each.kind != "function"}, None, head
    )
    _report(source_lines(kept, len(found), lost))
    rows = [candidate_as_dict(each) for each in kept]
    _write(arguments, text, {"package": arguments.package, "functions": rows, "left_out": lost})
    return 0


def _by_calls(arguments: argparse.Namespace, words: list[str]) -> int:
    # Weaving and tracing are not needed to read a source.
    from ancestry_obs.suggestion.prices import prices  # noqa: PLC0415  see above
    from ancestry_obs.suggestion.traced_command import trace  # noqa: PLC0415  see above
    from ancestry_obs.suggestion.weighing import ranked  # noqa: PLC0415  see above

    found = command_line.find(words)
    output = None if arguments.output and not arguments.json else _ERROR_DESCRIPTOR
    traced = trace(arguments.package, found.file, found.words, output=output)
    if not traced.functions:
        tell(f"ancestry-obs: {_nothing_called(arguments.package, traced)}; no map is written")
        return traced.code or 1
    checker = _checker(traced.folders)
    named, lost = Source(checker.program).called(traced.functions)
    rows = ranked(named, traced, prices(), arguments.by)
    kept, more = passing([row.candidate for row in rows[: arguments.most]], checker)
    checker.save()
    shown = [row for row in rows if row.candidate in kept]
    head = [*_head(arguments.package, words, traced)]
    text = map_of(kept, {row.candidate.target: row.remark for row in shown},
                  {row.candidate.target: row.refusal for row in shown if not row.is_worth_it},
                  head)  # fmt: skip
    lost += more
    _report(call_lines(shown, len(rows) - len(more), lost, traced))
    _write(arguments, text, as_dict(arguments.package, shown, lost, traced))
    return traced.code


def _nothing_called(package: str, traced: Traced) -> str:
    if not traced.processes:
        return (
            "no Python process of the command was traced to its end; if it was killed, end it "
            "with Ctrl-C or SIGTERM"
        )
    return f"the command called no function of {package!r}"


def _head(package: str, words: Sequence[str], traced: Traced) -> Iterator[str]:
    yield f"A starter map of {package}, by what a command called of it."
    # Its further words may hold anything, secrets too.
    command = Path(words[0]).name + " ..." * (len(words) > 1)
    yield f"Made by: ancestry-obs suggest {package} -- {command}"
    away = [each for each in traced.folders if each not in python_path()]
    if away:
        yield f"Check it with PYTHONPATH={':'.join(away)}: that is where the program's own file is."


def _write(arguments: argparse.Namespace, text: str, told: dict[str, Any]) -> None:
    if arguments.output is not None:
        _report([written(arguments.output, text)])
    if arguments.json:
        say_json({**told, "map": text})
    elif arguments.output is None:
        say_source(text.rstrip("\n"))


def _report(lines: Iterator[str] | Sequence[str]) -> None:
    for line in lines:
        tell(line)
