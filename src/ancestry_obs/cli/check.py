"""`ancestry-obs check M...`: are the maps right, and does the program have what they name?

The program's source tells, and nothing of it is imported or run. `--import` imports the targets'
modules and weaves them for real, for what is made at run time.
"""

from __future__ import annotations

import os
import tomllib
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ancestry_obs.checking.checker import Checker, Verdict
from ancestry_obs.checking.repair import renamed, targets_in
from ancestry_obs.cli.imported import examine
from ancestry_obs.cli.map_argument import STANDARD_INPUT, load_argument, refuse_twice
from ancestry_obs.cli.monitored import namespace_of
from ancestry_obs.cli.verdicts import WRITERS, Checked
from ancestry_obs.exceptions import MapError, ObservabilityError
from ancestry_obs.mapfile import resolve_map
from ancestry_obs.mapfile.exposed_names import refuse_names
from ancestry_obs.mapfile.map_files import is_pack
from ancestry_obs.mapfile.map_text import read_text
from ancestry_obs.metrics_exporter.textfile import replace_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from ancestry_obs.mapfile import MapSpec

__all__ = ["add_parser", "check_map", "command", "maps_in"]

_PARTS: Final = {"metrics", "instrument", "sample", "hook"}
# A byte order mark, with which some editors begin.
_MARK: Final = "\ufeff"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("check", help="validate a map against the code it names")
    parser.add_argument(
        "maps", metavar="M", nargs="+", help="a map, a folder of maps, or - for standard input"
    )
    parser.add_argument(
        "--import",
        action="store_true",
        dest="imports",
        help="import the program and weave it, for what is made at run time",
    )
    parser.add_argument(
        "--fix", action="store_true", help="write the new names of targets into the map"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--format",
        choices=sorted({*WRITERS} - {"json"}),
        default="text",
        help="how to print: for people, or as annotations of a GitHub workflow",
    )
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print every finding; 0 if there is none, otherwise 1.

    Raises:
        ObservabilityError: there is no such file, or it cannot be read or mended.
    """
    refuse_twice(arguments.maps)
    names = [name for given in arguments.maps for name in maps_in(given)]
    checker = Checker.of_folder()
    look: Callable[[MapSpec], Verdict] = checker.check
    if arguments.imports:
        look = _imported
    checked = [check_map(name, look, fix=arguments.fix) for name in names]
    checker.save()
    WRITERS["json" if arguments.json else arguments.format](checked)
    return 1 if any(each.verdict.findings for each in checked) else 0


def check_map(name: str, look: Callable[[MapSpec], Verdict], *, fix: bool = False) -> Checked:
    """Check one map.

    Args:
        name: the map, or - for standard input.
        look: compares it with the program, once it has no mistakes of its own.
        fix: whether new names of targets are written into it.

    Raises:
        ObservabilityError: there is no such file, or it cannot be read or mended.
    """
    if fix and name == STANDARD_INPUT:
        raise ObservabilityError("--fix needs a file to write to; name the map")
    try:
        spec = load_argument(name)
        if any(each.namespace is not None for each in spec.metrics):
            refuse_names(spec.metrics, namespace_of(None))
        verdict = look(spec)
        if not fix or not verdict.renames:
            return Checked(name, verdict)
        files: dict[str, str] = {}
        with ExitStack() as undo:
            for file, _ in spec.files:
                if not is_pack(file):
                    path = Path(os.path.relpath(file))
                    files |= dict.fromkeys(_mend(path, verdict.renames, undo), str(path))
            try:
                again = look(load_argument(name))
            except MapError as error:  # such as of a label that has no value for the new name
                why = f"note: not mended, since the map would have a mistake: {error.findings[0]}"
                return Checked(name, replace(verdict, notes=[why, *verdict.notes]))
            undo.pop_all()
        mended = {old: new for old, new in verdict.renames.items() if old not in again.renames}
        return Checked(name, again, mended, files)
    except MapError as error:
        if name != STANDARD_INPUT and not _is_text(resolve_map(name)):
            raise
        return Checked(name, Verdict([*error.findings]))


def _imported(spec: MapSpec) -> Verdict:
    findings, notes = examine(spec)
    return Verdict(findings, notes)


def maps_in(name: str) -> Iterator[str]:
    """Give the maps that an argument names.

    Raises:
        ObservabilityError: a folder without any.
    """
    folder = Path(name)
    if not folder.is_dir():
        yield name
        return
    # With a dot in its stem it goes with a map, and is none itself.
    files = [each for each in sorted(folder.glob("*.toml")) if "." not in each.stem]
    maps = [str(each) for each in files if _is_map(each)]
    if not maps:
        raise ObservabilityError(f"{name}: no map in this folder; name a map, or another folder")
    yield from maps


def _is_map(path: Path) -> bool:
    """Whether a file may be meant to be a map; one that cannot be read may well."""
    try:
        data = tomllib.loads(read_text(path))
    except (OSError, ValueError, RecursionError):
        return True
    return not _PARTS.isdisjoint(data)


def _restore(path: Path, text: str, mode: int) -> None:
    replace_file(path, text.encode())
    path.chmod(mode)


def _is_text(path: Path) -> bool:
    """Whether there is such a file, with text in it, whatever the text says."""
    try:
        read_text(path)
    except (OSError, ValueError):
        return False
    return True


def _mend(path: Path, names: dict[str, str], undo: ExitStack) -> list[str]:
    """Write new names into a map's file, which keeps its mode, its line ends and all else.

    Args:
        path: the file.
        names: by what is there now.
        undo: gets what writes it as it was.

    Returns:
        The old names that were in it.

    Raises:
        ObservabilityError: it cannot be written.
    """
    try:
        real = path.resolve(strict=True)
        mode = real.stat().st_mode
        whole = real.read_bytes().decode()
        text = whole.removeprefix(_MARK)
        if (mended := renamed(text, names)) != text:
            replace_file(real, (whole[: -len(text)] + mended).encode())
            undo.callback(_restore, real, whole, mode)
            real.chmod(mode)
        there = targets_in(text)
        return [old for old in names if old in there]
    except OSError as error:
        raise ObservabilityError(
            f"{path}: cannot be mended ({error.strerror or error}); make it and its folder writable"
        ) from error
