"""A map's file that includes others goes in, one map comes out, as if a single file said it.

The rule for everything that has a name: what an including file says replaces what its included
files say; two files of which neither includes the other have to say the same, but for the limits of
a metric's labels. What has no name adds up, but for what two files say alike: that is there once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ancestry_obs.expressions import BUILTIN_FUNCTIONS
from ancestry_obs.mapfile.common_metrics import common_metric, disagreement
from ancestry_obs.mapfile.defaults import defaults_of, values_for
from ancestry_obs.mapfile.exposed_names import refuse_clashes
from ancestry_obs.mapfile.inclusion import files_of
from ancestry_obs.mapfile.map_files import stamps_of
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
from ancestry_obs.mapfile.report import differing
from ancestry_obs.mapfile.shapes import percent
from ancestry_obs.mapfile.specs import MapSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ancestry_obs.exceptions import Where
    from ancestry_obs.mapfile.map_files import MapFile
    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.specs import InstrumentSpec, MetricSpec
    from ancestry_obs.mapfile.taken import Defaults
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = ["compose"]

_Spec = TypeVar("_Spec")


def compose(root: MapFile) -> MapSpec:
    """Compose a map of a file and all that it includes.

    Args:
        root: The file; the mistakes of all files go to its findings.

    Returns:
        The map, which is of use if there are no findings.
    """
    files = files_of(root)
    _drop_replaced(files)
    functions = _united(
        files, lambda file: file.tables.get("functions") or {}, lambda name: ("functions", name)
    )
    known = {*BUILTIN_FUNCTIONS, *functions}
    defaults = defaults_of(files, known)
    metrics = _metrics(files, defaults)
    refuse_clashes(metrics.values(), root.report)
    parts = []
    for file in files:
        values = values_for(file, files, defaults)
        reader = Reader(metrics, known, file.report, values)
        check_functions(file.tables.get("functions") or {}, reader)
        parts.append(build_parts(file.tables, reader))
    instruments = tuple(_once(each.instruments for each in parts))
    for file, each in zip(files, parts, strict=True):
        check_writers(each, recorded_by(instruments), file.report)
    _refuse_same_names(instruments, root.report)
    refuse_two_contexts(instruments, root.report)
    budget = _united(files, lambda file: {"budget": file.tables.get("budget")}, lambda key: (key,))
    order = {file.report.source: rank for rank, file in enumerate(reversed(files))}
    root.report.findings.sort(key=lambda e: (order.get(e.where.source, 0), e.where.line or 0))
    return MapSpec(
        metrics=tuple(metric for metric in metrics.values() if metric),
        instruments=instruments,
        samples=tuple(_once(each.samples for each in parts)),
        hooks=tuple(_once(each.hooks for each in parts)),
        functions=tuple(functions.items()),
        source=root.report.source,
        budget=percent(budget["budget"] or "") / 100 or None,
        packs=tuple(build_pack(t, f.report) for f in files if (t := f.tables.get("pack"))),
        files=stamps_of(files),
    )


def _drop_replaced(files: Iterable[MapFile]) -> None:
    """Take out of included files what a file that includes them says in another way."""
    for file in files:
        for inner in file.below:
            for key in ("metrics", "functions"):
                for name in file.tables.get(key) or ():
                    (inner.tables.get(key) or {}).pop(name, None)
            if file.tables.get("budget"):
                inner.tables["budget"] = None
            names = set(_instrument_names(file))
            inner.tables["instrument"] = [
                None if table and table.get("name") in names else table
                for table in inner.tables.get("instrument") or ()
            ]


def _instrument_names(file: MapFile) -> Iterator[str]:
    for table in file.tables.get("instrument") or ():
        if table and table.get("name"):
            yield table["name"]


def _metrics(
    files: Iterable[MapFile], defaults: Mapping[MapFile, Defaults]
) -> dict[str, MetricSpec | None]:
    """Build all metrics; what two files declare is one, if they agree on what matters."""
    metrics: dict[str, MetricSpec | None] = {}
    for file in files:
        for name, metric in build_metrics(file.tables, file.report, defaults[file]).items():
            known = metrics.get(name)
            if known is None:  # or broken, and reported as that
                metrics[name] = metric
            elif metric is not None and metric != known:
                if what := disagreement(known, metric):
                    file.report.findings.append(differing(metric.where, known.where, what))
                else:
                    metrics[name] = common_metric(known, metric)
    return metrics


def _united(
    files: Iterable[MapFile],
    said_by: Callable[[MapFile], dict[str, Any]],
    path: Callable[[str], KeyPath],
) -> dict[str, Any]:
    """Unite what files say by name, and refuse what two say differently."""
    united: dict[str, Any] = {}
    said_in: dict[str, MapFile] = {}
    for file in files:
        for name, value in said_by(file).items():
            known = united.get(name)
            if known is None:  # or broken, and reported as that
                united[name], said_in[name] = value, file
            elif value is not None and value != known:
                where, other = (each.report.where(path(name)) for each in (file, said_in[name]))
                file.report.findings.append(differing(where, other))
    return united


def _once(said: Iterable[Iterable[_Spec]]) -> Iterator[_Spec]:
    """Give what each file says, but for what another one has said alike."""
    known: set[_Spec] = set()
    for specs in said:
        fresh = [each for each in specs if each not in known]
        yield from fresh
        known.update(fresh)


def _refuse_same_names(instruments: Iterable[InstrumentSpec], report: Report) -> None:
    """Refuse that two files name two instruments alike: which would a third replace?"""
    taken: dict[str, Where] = {}
    for each in instruments:
        where = taken.setdefault(each.name, each.where) if each.name else each.where
        if where.source != each.where.source:
            report.findings.append(differing(each.where, where, f"the instrument {each.name!r} is"))
