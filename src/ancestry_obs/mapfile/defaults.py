"""The ``[defaults]`` of a map's files go in, what each file's metrics and records take comes out.

They are for the metrics of the file and of all that it includes; where two files of which neither
includes the other both have a word on a third one, it has to be the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ancestry_obs.mapfile.handed import of_the_call
from ancestry_obs.mapfile.metrics import NO_BUCKETS, buckets_in, label_of
from ancestry_obs.mapfile.reader import Reader
from ancestry_obs.mapfile.report import differing
from ancestry_obs.mapfile.specs import HandedSpec
from ancestry_obs.mapfile.taken import DefaultLabel, Defaults

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ancestry_obs.mapfile.map_files import MapFile
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = ["defaults_of", "values_for"]


def defaults_of(files: Sequence[MapFile], functions: Collection[str]) -> dict[MapFile, Defaults]:
    """Give each file of a map what its metrics and records take.

    Args:
        files: All files, each after those that it includes.
        functions: The label functions there are.
    """
    fed = {name for file in files for name in _fed_by(file, "instrument")}
    fed -= {name for file in files for name in _fed_by(file, "sample")}
    said = {file: dict(_said_by(file, functions)) for file in files}
    return {file: _taken_by(file, said, fed) for file in files}


def values_for(
    file: MapFile, files: Iterable[MapFile], defaults: Mapping[MapFile, Defaults]
) -> dict[str, dict[str, DefaultLabel]]:
    """Give what the records of a file take for labels that they do not give, by metric.

    Args:
        file: Where the records are: its own defaults come before those of the metric's file.
        files: All files.
        defaults: What each of them takes.
    """
    values: dict[str, dict[str, DefaultLabel]] = {}
    for other in files:
        for name in other.tables.get("metrics") or ():
            values.setdefault(
                name, {**defaults[other].values_of(name), **defaults[file].values_of(name)}
            )
    return values


def _fed_by(file: MapFile, part: str) -> Iterator[str]:
    """Name the metrics that a part of a file feeds."""
    for table in file.tables.get(part) or ():
        for record in ((table or {}).get("record") or ()) if part == "instrument" else (table,):
            yield (record or {}).get("metric") or ""


def _said_by(file: MapFile, functions: Collection[str]) -> Iterator[tuple[KeyPath, Any]]:
    """Build what a file itself says, by its key."""
    table = file.tables.get("defaults") or {}
    path: KeyPath = ("defaults",)
    if (found := buckets_in(table, path, file.report)) != NO_BUCKETS:
        yield ("buckets",), found
    if table.get("max_values"):
        yield ("max_values",), table["max_values"]
    reader = Reader({}, functions, file.report)
    for name, keys in (table.get("labels") or {}).items():
        if keys is None:
            continue
        place = (*path, "labels", name)
        value = reader.expression(keys, "value", place, of_the_call(HandedSpec()))
        bound = {key: bound for key, bound in keys.items() if key != "value"}
        label = label_of(name, bound, place, file.report)
        if value is not None:
            reader.check_outcomes(label, value, (*place, "value"))
            yield ("labels", name), DefaultLabel(label, value, file.report.where((*place, "value")))


def _taken_by(
    file: MapFile, said: dict[MapFile, dict[KeyPath, Any]], fed: Collection[str]
) -> Defaults:
    speakers = [each for each in said if each is file or file in each.below]
    taken = {
        key: _settled(key, [each for each in speakers if key in said[each]], said)
        for key in dict.fromkeys(key for each in reversed(speakers) for key in said[each])
    }
    labels = tuple(value for key, value in taken.items() if key[0] == "labels")
    return Defaults(taken.get(("buckets",), NO_BUCKETS), taken.get(("max_values",)), labels, fed)


def _settled(key: KeyPath, speakers: list[MapFile], said: dict[MapFile, dict[KeyPath, Any]]) -> Any:  # noqa: ANN401 - what that key holds
    """Give what holds for a key: the word of the file that includes the others."""
    first, *others = [s for s in speakers if not any(s in each.below for each in speakers)]
    for other in others:
        if said[other][key] != said[first][key]:
            where, place = (each.report.where(("defaults", *key)) for each in (other, first))
            finding = differing(where, place)
            if finding not in other.report.findings:
                other.report.findings.append(finding)
    return said[first][key]
