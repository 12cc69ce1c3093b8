"""A TOML file or a Python mapping goes in, a `MapSpec` comes out, or a `MapError`.

Three steps: the source becomes data and the lines of its keys; the language checks keys and types;
the builders check what depends on several keys. Each goes on after a mistake: one run finds all.
Where a map includes others, or has defaults, `composition` puts the last step together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ancestry_obs.exceptions import MapError
from ancestry_obs.expressions import BUILTIN_FUNCTIONS
from ancestry_obs.mapfile.exposed_names import refuse_clashes
from ancestry_obs.mapfile.language import VERSION
from ancestry_obs.mapfile.map_files import (
    PACK,
    MapFile,
    read_file,
    require_packs,
    resolve_map,
    stamps_of,
)
from ancestry_obs.mapfile.metrics import build_metrics
from ancestry_obs.mapfile.parts import (
    build_pack,
    build_parts,
    check_functions,
    check_writers,
    recorded_by,
    refuse_two_contexts,
)
from ancestry_obs.mapfile.reader import Reader
from ancestry_obs.mapfile.shapes import percent
from ancestry_obs.mapfile.specs import MapSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ancestry_obs.exceptions import Finding

__all__ = ["load", "load_text"]


def load(
    source: str | Path | Sequence[str | Path] | Mapping[str, Any] | MapSpec,
    packs: Sequence[str] = (),
) -> MapSpec:
    """Load and validate a map.

    Args:
        source: A file, ``pack:NAME`` or the name of a shipped map (see `resolve_map`), several of
            these; a mapping of the same structure; or a spec, which is given back as it is.
        packs: Names of packs that it is to include besides, with or without ``pack:``.

    Returns:
        The validated map, with all that it includes.

    Raises:
        MapError: The map has mistakes; all of them are in its findings.

    Example:
        >>> metrics = {"jobs_total": {"type": "counter", "help": "Jobs done."}}
        >>> load({"version": 1, "metrics": metrics}).metrics[0].name
        'jobs_total'
    """
    if isinstance(source, MapSpec):
        return source
    names = [f"{PACK}{pack.removeprefix(PACK)}" for pack in packs]
    wanted = [each for each in dict.fromkeys(names) if each != source]
    require_packs(wanted)
    if not isinstance(source, (str, os.PathLike, Mapping)):
        names = [*dict.fromkeys([*map(str, source), *wanted])]
        if len(names) != 1:
            together = {"version": VERSION, "include": names}
            return _build(MapFile.of_data(together, ", ".join(names)))
        (source,), wanted = names, []
    if isinstance(source, Mapping):
        file = MapFile.of_data(source, "<mapping>")
    else:
        path = resolve_map(source)
        file = read_file(path, str(source if str(source).startswith(PACK) else path))
    if wanted:
        file.tables["include"] = [*(file.tables.get("include") or ()), *wanted]
    return _build(file)


def load_text(text: str, source: str) -> MapSpec:
    """Load and validate a map that is no file, such as what standard input has.

    Args:
        text: The TOML document.
        source: What to call it.

    Raises:
        MapError: The map has mistakes; all of them are in its findings.
    """
    return _build(MapFile.of_text(text.removeprefix("\ufeff"), source))


def _build(file: MapFile) -> MapSpec:
    if file.tables.get("include") or file.tables.get("defaults"):
        from ancestry_obs.mapfile.composition import compose  # noqa: PLC0415  few maps need it

        spec = compose(file)
    else:
        spec = _alone(file)
    if file.report.findings:
        raise MapError(file.report.findings)
    return spec


def _alone(file: MapFile) -> MapSpec:
    """Build the map of a file that includes no other, and has no defaults."""
    tables, report = file.tables, file.report
    metrics = build_metrics(tables, report)
    refuse_clashes(metrics.values(), report)
    functions = tables.get("functions") or {}
    reader = Reader(metrics, {*BUILTIN_FUNCTIONS, *functions}, report)
    check_functions(functions, reader)
    parts = build_parts(tables, reader)
    check_writers(parts, recorded_by(parts.instruments), report)
    refuse_two_contexts(parts.instruments, report)
    report.findings.sort(key=_line)
    pack = tables.get("pack")
    return MapSpec(
        metrics=tuple(metric for metric in metrics.values() if metric),
        instruments=parts.instruments,
        samples=parts.samples,
        hooks=parts.hooks,
        functions=tuple(functions.items()),
        source=report.source,
        budget=percent(tables.get("budget") or "") / 100 or None,
        packs=(build_pack(pack, report),) if pack else (),
        files=stamps_of([file]),
    )


def _line(finding: Finding) -> int:
    return finding.where.line or 0
