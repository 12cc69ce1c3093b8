"""The folder that a program starts in -> the map that it has there, for who names none.

A `pyproject.toml` that does not mention the toolkit is not parsed: its mistakes are no affair of
ours. Nobody comes here while metrics are off.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ancestry_obs.exceptions import SettingsError
from ancestry_obs.mapfile import resolve_map
from ancestry_obs.mapfile.report import Report, allowed_names
from ancestry_obs.mapfile.toml_lines import parse_toml, syntax_error_line
from ancestry_obs.notices import Notices

if TYPE_CHECKING:
    from ancestry_obs.mapfile import MapSpec
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = ["LOCAL_MAP", "PROJECT_FILE", "WAYS", "find_map", "say_if_foreign"]

_logger = Notices(__name__)

PROJECT_FILE: Final = "pyproject.toml"
LOCAL_MAP: Final = "obs.toml"
_TABLE: Final = "ancestry_obs"
# What the distribution is called: tables of other tools are named by theirs.
_MISTAKEN: Final = "ancestry-obs"
_KEY: Final = "map"
_WRITE: Final = f'write [tool.{_TABLE}] and below it {_KEY} = "{LOCAL_MAP}", or its file'
WAYS: Final = (
    f"set INSTRUMENTATION_MAP, set {_KEY} in [tool.{_TABLE}] of {PROJECT_FILE}, or call it "
    f"{LOCAL_MAP} here"
)
"""How a map is named, but for an argument."""


def find_map() -> str | None:
    """Find the map that the working folder has.

    The first of: the file that `map` in `[tool.ancestry_obs]` of its `pyproject.toml` names, beside
    which the name is looked up, or a map that ships by that name; then `obs.toml`.

    Returns:
        The file, named absolutely; `None` if the folder has neither.

    Raises:
        SettingsError: `pyproject.toml` cannot be read or names no file; one line with the place.

    Example:
        >>> find_map()  # doctest: +SKIP
        '/home/ada/shop/obs.toml'
    """
    project, local = Path(PROJECT_FILE), Path(LOCAL_MAP)
    found = _named_in(project) if project.is_file() else None
    if found is None and local.is_file():
        found = local
    return None if found is None else str(found.absolute())


def say_if_foreign(spec: MapSpec, name: str) -> None:
    """Log a line if nothing of what a map measures is there, which nobody has named.

    Args:
        spec: The map that was taken for want of another one.
        name: What it is called.
    """
    targets = [target for each in spec.instruments for target in each.targets]
    packages = {target.partition(":")[0].partition(".")[0] for target in targets}
    if packages.isdisjoint(sys.modules):
        message = "no map is named, so it is %s, and nothing of %s is imported; %s"
        _logger.warning(
            message, name, ", ".join(sorted(packages)), f"write install('my.toml'), {WAYS}"
        )


def _named_in(project: Path) -> Path | None:
    text = _text_of(project)
    if _TABLE not in text and _MISTAKEN not in text:
        return None
    try:
        data, lines = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        place = f"{project}:{syntax_error_line(error, text)}"
        raise SettingsError(f"{place}: not TOML: {error}; correct it there") from None
    report = Report(str(project), lines)
    name = _name_in(data, report)
    if report.findings:
        raise SettingsError(str(report.findings[0]))
    return None if name is None else resolve_map(name)


def _text_of(project: Path) -> str:
    try:
        return project.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{project}: cannot be read ({error}); make it readable UTF-8"
        raise SettingsError(message) from error


def _name_in(data: dict[str, object], report: Report) -> str | None:
    """Give the file's name, if there is one; what is wrong goes to the report."""
    tools = data.get("tool")
    if not isinstance(tools, dict):
        return None
    if _MISTAKEN in tools:
        report.add(("tool", _MISTAKEN), f"it is [tool.{_TABLE}] that is read", _WRITE)
    table = tools.get(_TABLE, {})
    path: KeyPath = ("tool", _TABLE)
    if not isinstance(table, dict):
        report.add(path, f"{table!r} is no table", _WRITE)
        return None
    for key in table:
        if key != _KEY:
            report.add((*path, key), f"unknown key {key!r}", allowed_names(key, [_KEY]))
    name = table.get(_KEY)
    if name is None:
        return None
    if not isinstance(name, str) or not name.strip():
        report.add((*path, _KEY), f"{name!r} is no file's name", _WRITE)
    elif not resolve_map(name).is_file():
        remedy = f"name a map beside {PROJECT_FILE}, or one that ships (ancestry.toml)"
        report.add((*path, _KEY), f"{name!r}: no such file", remedy)
    return name if isinstance(name, str) else None
