"""A TOML file or a Python mapping goes in, a `MapSpec` comes out, or a `MapError`.

Three steps: the source becomes data and the lines of its keys; the language checks keys and types;
the builders check what depends on several keys. Each goes on after a mistake: one run finds all.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.exceptions import Finding, MapError, Where
from ancestry_obs.expressions import BUILTIN_FUNCTIONS
from ancestry_obs.mapfile.language import MAP
from ancestry_obs.mapfile.map_text import read_text
from ancestry_obs.mapfile.metrics import build_metrics
from ancestry_obs.mapfile.parts import (
    build_hook,
    build_instrument,
    build_sample,
    check_functions,
    check_writers,
)
from ancestry_obs.mapfile.reader import Reader
from ancestry_obs.mapfile.report import Report
from ancestry_obs.mapfile.shapes import percent
from ancestry_obs.mapfile.specs import MapSpec
from ancestry_obs.mapfile.toml_lines import parse_toml, syntax_error_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.mapfile.toml_lines import KeyPath, Lines

__all__ = ["load", "load_text", "resolve_map"]

SHIPPED: Final = Path(__file__).parent.parent / "maps"


def load(source: str | Path | Mapping[str, Any] | MapSpec) -> MapSpec:
    """Load and validate a map.

    Args:
        source: A file or the name of a shipped map (see `resolve_map`), a mapping of the same
            structure, or a spec, which is given back as it is.

    Returns:
        The validated map.

    Raises:
        MapError: The map has mistakes; all of them are in its findings.

    Example:
        >>> metrics = {"jobs_total": {"type": "counter", "help": "Jobs done."}}
        >>> load({"version": 1, "metrics": metrics}).metrics[0].name
        'jobs_total'
    """
    if isinstance(source, MapSpec):
        return source
    if isinstance(source, Mapping):
        return _build(source, Report("<mapping>"), "<mapping>")
    path = resolve_map(source)
    data, lines = _read(path)
    return _build(data, Report(str(path), lines), str(path))


def load_text(text: str, source: str) -> MapSpec:
    """Load and validate a map that is no file, such as what standard input has.

    Args:
        text: The TOML document.
        source: What to call it.

    Raises:
        MapError: The map has mistakes; all of them are in its findings.
    """
    data, lines = _parse(text.removeprefix("\ufeff"), source)
    return _build(data, Report(source, lines), source)


def resolve_map(name_or_path: str | Path) -> Path:
    """Find a map's file.

    Args:
        name_or_path: A path; or the bare name of a map that ships with the package, with or without
            ``.toml``, if there is no such file here.

    Returns:
        The path, which need not exist.

    Example:
        >>> resolve_map("ancestry").name
        'ancestry.toml'
    """
    path = Path(name_or_path)
    if path.name != str(path) or path.exists():
        return path
    shipped = SHIPPED / (path.name if path.suffix else f"{path.name}.toml")
    return shipped if shipped.exists() else path


def _read(path: Path) -> tuple[dict[str, Any], Lines]:
    try:
        return _parse(read_text(path), str(path))
    except FileNotFoundError:
        # With a dot in its stem it goes with a map, and is none itself.
        maps = (file.name for file in SHIPPED.glob("*.toml") if "." not in file.stem)
        names = ", ".join(sorted(maps))
        raise _unreadable(path, "no such file", f"maps that ship: {names or 'none'}") from None
    except MapError:
        raise
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"not UTF-8 text ({error})", "save it as UTF-8") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _unreadable(path, f"cannot be read: {reason}", "name a readable file") from None
    except ValueError as error:  # a null byte in the name
        raise _unreadable(path, f"cannot be read: {error}", "name a readable file") from None


def _parse(text: str, source: str) -> tuple[dict[str, Any], Lines]:
    try:
        return parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        line = syntax_error_line(error, text)
        raise MapError([Finding(f"not TOML: {error}", Where(source, line, ""))]) from None


def _unreadable(path: Path, message: str, remedy: str) -> MapError:
    return MapError([Finding(message, Where(str(path), None, ""), remedy)])


def _build(data: Mapping[str, Any], report: Report, source: str) -> MapSpec:
    tables = MAP.check(data, (), report)
    metrics = build_metrics(tables.get("metrics") or {}, report, tables.get("namespace"))
    functions = tables.get("functions") or {}
    reader = Reader(metrics, {*BUILTIN_FUNCTIONS, *functions}, report)
    check_functions(functions, reader)
    instruments = tuple(
        build_instrument(table, path, reader) for path, table in _tables(tables, "instrument")
    )
    samples = tuple(build_sample(table, path, reader) for path, table in _tables(tables, "sample"))
    hooks = tuple(build_hook(table, path, reader) for path, table in _tables(tables, "hook"))
    check_writers(instruments, samples, report)
    if report.findings:
        raise MapError(sorted(report.findings, key=_line))
    return MapSpec(
        metrics=tuple(metric for metric in metrics.values() if metric),
        instruments=instruments,
        samples=samples,
        hooks=hooks,
        functions=tuple(functions.items()),
        source=source,
        budget=percent(tables.get("budget") or "") / 100 or None,
    )


def _tables(tables: Mapping[str, Any], part: str) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Give each usable table of an array of tables, with its path."""
    for index, table in enumerate(tables.get(part) or ()):
        if table is not None:
            yield (part, index), table


def _line(finding: Finding) -> int:
    return finding.where.line or 0
