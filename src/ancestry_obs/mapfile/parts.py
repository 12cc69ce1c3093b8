"""The parts of a file that name targets or functions: checked tables go in, specs come out."""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.exceptions import Finding
from ancestry_obs.expressions import BUILTIN_FUNCTIONS
from ancestry_obs.frozen import frozen, replaced
from ancestry_obs.mapfile.handed import build_handed, nested_name
from ancestry_obs.mapfile.reader import Variables
from ancestry_obs.mapfile.records import build_record
from ancestry_obs.mapfile.specs import (
    At,
    HookSpec,
    InstrumentSpec,
    PackSpec,
    RecordSpec,
    SampleSpec,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import date

    from ancestry_obs.exceptions import Where
    from ancestry_obs.mapfile.reader import Reader
    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = [
    "Parts",
    "build_pack",
    "build_parts",
    "check_functions",
    "check_writers",
    "recorded_by",
    "refuse_two_contexts",
    "two_contexts",
]

_SELF: Final = Variables(only=("self",))
_SELF_AND_METHODS: Final = Variables(only=("self",), methods=True)


@frozen(slots=False)
class Parts:
    """What one file has that names targets, in its order."""

    instruments: tuple[InstrumentSpec, ...]
    samples: tuple[SampleSpec, ...]
    hooks: tuple[HookSpec, ...]


def build_parts(tables: Mapping[str, Any], reader: Reader) -> Parts:
    """Build the instruments, samples and hooks of one file.

    Args:
        tables: The file's checked tables.
        reader: Knows metrics and functions of the whole map, takes the file's mistakes.
    """
    _check_names(tables, reader.report)
    return Parts(
        tuple(_instrument(table, at, reader) for at, table in _tables(tables, "instrument")),
        tuple(_sample(table, at, reader) for at, table in _tables(tables, "sample")),
        tuple(_hook(table, at, reader) for at, table in _tables(tables, "hook")),
    )


def _tables(tables: Mapping[str, Any], part: str) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Give each usable table of an array of tables, with its path."""
    for index, table in enumerate(tables.get(part) or ()):
        if table is not None:
            yield (part, index), table


def _check_names(tables: Mapping[str, Any], report: Report) -> None:
    taken: set[str] = set()
    for path, table in _tables(tables, "instrument"):
        name = table.get("name")
        if name in taken:
            message = f"another instrument of this file is named {name!r}"
            report.add((*path, "name"), message, "rename one of them")
        if name:
            taken.add(name)


def build_pack(table: Mapping[str, Any], report: Report) -> PackSpec:
    """Build the ``[pack]`` of a file."""
    return PackSpec(
        table.get("title") or "",
        table.get("library") or "",
        table.get("versions") or "",
        table.get("url") or "",
        report.where(("pack",)),
    )


def _instrument(table: dict[str, Any], path: KeyPath, reader: Reader) -> InstrumentSpec:
    """Build one ``[[instrument]]`` with its records."""
    given = table.get("target") or ()
    if isinstance(given, str):
        targets = [reader.target(given, (*path, "target"))]
    else:
        targets = [
            reader.target(target, (*path, "target", index)) for index, target in enumerate(given)
        ]
    handed = build_handed(table, path, reader)
    records = tuple(
        build_record(record, (*path, "record", index), reader, handed)
        for index, record in enumerate(table.get("record") or ())
        if record is not None
    )
    _check_purpose(table, path, reader.report)
    if table.get("outermost"):
        name = nested_name(map(str, targets), records)
        records = tuple(replaced(each, outermost=name) for each in records)
    subclasses = bool(table.get("subclasses"))
    at: At = table.get("at") or ""
    where, rare = reader.report.where(path), bool(table.get("rare"))
    until = _seconds(table.get("until"))
    sample = float(table.get("sample") or 1)
    if sample < 1:
        _check_sample(records, path, reader.report)
    return InstrumentSpec(
        *(tuple(targets), subclasses, at, records, where, rare, until, sample, handed),
        name=table.get("name") or "",
    )


def _check_purpose(table: dict[str, Any], path: KeyPath, report: Report) -> None:
    """Refuse an instrument that does nothing, and values that nobody reads."""
    hands_on = bool(table.get("tell") or table.get("context"))
    if "record" not in table:
        if not hands_on:
            remedy = 'write record = [{ metric = "..." }], for example, or tell or context'
            report.add(path, "the instrument records nothing and hands nothing on", remedy)
        for key in ("entry", "outermost", "sample"):
            if table.get(key) and not (key == "entry" and table.get("tell")):
                message = f"{key} is for records, and there are none"
                report.add((*path, key), message, "take it out")


def _check_sample(records: Iterable[RecordSpec], path: KeyPath, report: Report) -> None:
    """Refuse what has to know of each call how long it took."""
    for index, record in enumerate(records):
        if record.on != "call" and any("elapsed" in each.names for each in record.expressions):
            report.add(
                (*path, "sample"),
                f"record[{index}] reads elapsed, which is not known of a call that is not timed",
                "take sample out, or give that record an instrument of its own without it",
            )


def _seconds(moment: date | None) -> float | None:
    if moment is None:
        return None
    from ancestry_obs.mapfile.moments import seconds_of  # noqa: PLC0415  few maps have one

    return seconds_of(moment)


def _sample(table: dict[str, Any], path: KeyPath, reader: Reader) -> SampleSpec:
    """Build one ``[[sample]]``."""
    metric = reader.metric(table, path)
    if metric is not None and metric.type != "gauge":
        message = f"a sample sets a gauge, but {metric.name!r} is a {metric.type}"
        reader.report.add((*path, "metric"), message, "make the metric a gauge")
    return SampleSpec(
        target=reader.target(table.get("target"), (*path, "target"), single=True),
        metric=table.get("metric") or "",
        # It is missing only where a finding was made, and then the whole spec is dropped.
        value=reader.expression(table, "value", path, _SELF_AND_METHODS),  # type: ignore[arg-type]
        labels=reader.labels(table, path, metric, _SELF),
        aggregate=table.get("aggregate") or "last",
        where=reader.report.where(path),
    )


def _hook(table: dict[str, Any], path: KeyPath, reader: Reader) -> HookSpec:
    """Build one ``[[hook]]``."""
    if not {"before", "after"} & table.keys():
        reader.report.add(
            path, "the hook has no action", 'write after = "exporter.start", for example'
        )
    return HookSpec(
        target=reader.target(table.get("target"), (*path, "target"), single=True),
        before=table.get("before"),
        after=table.get("after"),
        where=reader.report.where(path),
    )


def check_functions(functions: dict[str, str | None], reader: Reader) -> None:
    """Check the ``[functions]``: their form, and that none takes a built-in function's name."""
    for name, target in functions.items():
        path = ("functions", name)
        if iskeyword(name):
            reader.report.add(path, f"{name!r} is a keyword of Python", "choose another name")
        if name in BUILTIN_FUNCTIONS:
            # The compiler counts on what the built-in ones return.
            reader.report.add(path, f"{name!r} is a built-in function", "choose another name")
        reader.target(target, path, single=True)


def recorded_by(instruments: Iterable[InstrumentSpec]) -> set[str]:
    """Name the metrics that instruments record."""
    return {record.metric for instrument in instruments for record in instrument.records}


def check_writers(parts: Parts, recorded: Collection[str], report: Report) -> None:
    """Refuse a gauge that is both recorded and sampled: each would overwrite the other.

    Args:
        parts: Those of one file.
        recorded: The metrics that any instrument of the map records.
        report: Takes the file's mistakes.
    """
    for index, sample in enumerate(parts.samples):
        if sample.metric in recorded:
            message = f"{sample.metric!r} is sampled here and recorded by an instrument"
            report.add(("sample", index, "metric"), message, "keep one of the two")


def refuse_two_contexts(instruments: Iterable[InstrumentSpec], report: Report) -> None:
    """Refuse that two instruments set one context value at one function: the last would win.

    What a glob means is known to `checking` alone.

    Args:
        instruments: Those of all files.
        report: Takes the mistakes.
    """
    known: dict[tuple[str, At, str], tuple[str, Where]] = {}
    for each in instruments:
        for name, expression in each.handed.context:
            for target in each.targets:
                here = expression.source, each.where
                text, where = known.setdefault((target, each.at, name), here)
                if text != expression.source:
                    report.findings.append(two_contexts(name, target, where, each.where))


def two_contexts(name: str, target: str, first: Where, second: Where) -> Finding:
    """Make the finding that two instruments set one context value at one function."""
    return Finding(
        f"{target}: context.{name} is another value in {first.file_and_line}",
        second,
        "keep one of the two, or give them different names",
    )
