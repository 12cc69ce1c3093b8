"""A map woven for real, in this process: for `check --import`, and for what `explain` shows.

The targets' modules are imported and woven by the same code that weaves the program: what is found
here is what a run would find. Importing runs the modules' own top level.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from fnmatch import fnmatchcase
from time import time
from typing import TYPE_CHECKING

from ancestry_obs.checking.modules import Finder, program_folders
from ancestry_obs.checking.remarks import ends, remarks
from ancestry_obs.exceptions import Finding
from ancestry_obs.explanation import Way
from ancestry_obs.frozen import replaced
from ancestry_obs.lifecycle import build
from ancestry_obs.mapfile import parse_target
from ancestry_obs.recording.failures import came_from_outside
from ancestry_obs.settings import ObservabilitySettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ancestry_obs.compiler.weaving import Woven
    from ancestry_obs.exceptions import Where
    from ancestry_obs.installation_status import TargetStatus
    from ancestry_obs.instrumentation import Instrumentation
    from ancestry_obs.mapfile import MapSpec
    from ancestry_obs.patcher.join_points import TargetReport


def examine(spec: MapSpec) -> tuple[list[Finding], list[str]]:
    """Weave a map into the modules it names, look what became of it, and undo it.

    Args:
        spec: a map without mistakes of its own.

    Returns:
        What is wrong, and notes on what is right but worth knowing.
    """
    with _installed(spec) as instrumentation:
        findings = _findings(spec, instrumentation, _places(spec))
        targets = instrumentation.status().targets
    return findings, [*_notes(targets), *remarks(spec), *ends(spec, time())]


def woven(spec: MapSpec, targets: Sequence[str]) -> list[tuple[list[Way], list[Finding]]]:
    """Tell how the functions that targets of the map lead to are woven.

    Args:
        spec: a map without mistakes of its own.
        targets: as the map writes them.

    Returns:
        For each target how each of its functions is woven, and why one is not. What is over is
        woven no more, but has its functions, too.
    """
    with _installed(spec) as instrumentation:
        told = {target: _woven(spec, instrumentation, target) for target in targets}
        over = [each for each, (ways, _) in told.items() if not ways and _over_since(spec, each)]
        # Another target may still have them woven.
        others = instrumentation.reports(_places(spec)) if over else []
        in_force = {each.target: _way(each) for each in others}
    if over:
        # Nothing but weaving leads to the functions.
        lasting = [replaced(each, until=None) for each in spec.instruments]
        endless = replaced(spec, instruments=tuple(lasting))
        with _installed(endless) as instrumentation:
            for target in over:
                ways, findings = _woven(endless, instrumentation, target)
                why = f"over since {_over_since(spec, target)}"
                now = [
                    in_force.get(w.target) or replace(w, way="", why=why, source="") for w in ways
                ]
                told[target] = now, findings
    return [told[each] for each in targets]


def _over_since(spec: MapSpec, target: str) -> str:
    """Give since when instruments measure nothing at a target; empty if one of them does."""
    asking = [each for each in spec.instruments if target in each.targets]
    if not asking or not all(each.is_over(time()) for each in asking):
        return ""
    return max(asking, key=lambda each: each.until or 0).end


def _woven(
    spec: MapSpec, instrumentation: Instrumentation, target: str
) -> tuple[list[Way], list[Finding]]:
    patterns = {target, *(each.initializer for each in spec.samples if each.target == target)}
    places = {name: where for name, where in _places(spec).items() if name in patterns}
    findings = _findings(spec, instrumentation, places)
    return [_way(each) for each in instrumentation.reports(patterns)], findings


def _way(report: TargetReport) -> Way:
    made: Woven = report.woven[-1]  # type: ignore[assignment]  # the compiler's
    told = dict.fromkeys(each for each in (made.why_called, report.reason) if each)
    return Way(report.target, report.defined_at, report.way, "; ".join(told), made.source)


@contextmanager
def _installed(spec: MapSpec) -> Iterator[Instrumentation]:
    """Weave a map while what is imported can neither print between our lines nor serve anything."""
    # A map's hook may start the exporter at a call that an import makes.
    settings = ObservabilitySettings(enable_prometheus_metrics=True, metrics_export_port=0)
    # The states that it would log are the findings.
    logger = logging.getLogger("ancestry_obs")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    folders = program_folders()
    sys.path[:0] = folders
    instrumentation = build(spec, settings)
    try:
        with redirect_stdout(sys.stderr):
            yield instrumentation
    finally:
        instrumentation.close()
        for folder in folders:
            sys.path.remove(folder)
        logger.setLevel(level)


def _places(spec: MapSpec) -> dict[str, Where]:
    """Give each pattern that is woven and where it stands, without what names it again."""
    places: dict[str, Where] = {}
    for instrument in spec.instruments:
        for target in instrument.targets:
            places.setdefault(target, instrument.where)
    for sample in spec.samples:
        places.setdefault(sample.initializer, sample.where)
    for hook in spec.hooks:
        places.setdefault(hook.target, hook.where)
    return places


def _findings(
    spec: MapSpec, instrumentation: Instrumentation, places: Mapping[str, Where]
) -> list[Finding]:
    """Import the modules of some patterns, and tell what became of them."""
    missing = {
        target: [*_import(target, places[target])]
        for target in places  # in the map's order, which is the order of what is found
    }
    findings = [each for found in missing.values() for each in found]
    for each in instrumentation.status().targets:
        patterns = [name for name in each.patterns if name in places]
        # That the targets of a module which cannot be imported are pending need not be told.
        told = each.state == "pending" and any(missing[name] for name in patterns)
        if patterns and each.state not in {"installed", "expired"} and not told:
            findings.append(_finding(each, places[patterns[0]], spec))
    return findings


def _import(target: str, where: Where) -> Iterator[Finding]:
    for name in _modules(parse_target(target).module):
        try:
            importlib.import_module(name)
        except BaseException as error:  # a module may raise anything
            if came_from_outside(error):
                raise
            message = f"module {name!r} cannot be imported: {type(error).__name__}: {error}"
            if isinstance(error, ModuleNotFoundError) and error.name is not None:
                message += f" ({Finder(tuple(sys.path)).where(error.name)})"
            yield Finding(message, where, "install it, or mend the target's module name")


def _modules(pattern: str) -> Iterator[str]:
    """Give the module that a pattern names; of a glob, the modules that there are."""
    if "*" not in pattern:
        yield pattern
        return
    top = pattern.partition(".")[0]
    yield top
    path = getattr(sys.modules.get(top), "__path__", ())
    for found in pkgutil.walk_packages(path, f"{top}.", onerror=lambda _: None):
        if fnmatchcase(found.name, pattern):
            yield found.name


def _finding(target: TargetStatus, where: Where, spec: MapSpec) -> Finding:
    """Say what is wrong with a target, at the record whose expression it is if it is one."""
    message = f"{target.target}: {target.state}: {target.reason}"
    for instrument in spec.instruments:
        for record in instrument.records:
            if f"{record.where}: " in message:
                return Finding(message.replace(f"{record.where}: ", ""), record.where)
    return Finding(message, where)


def _notes(targets: tuple[TargetStatus, ...]) -> Iterator[str]:
    for each in targets:
        if each.state == "installed" and each.reason:
            yield f"note: {each.target}: {each.reason}"
        for holder in each.unreached:
            yield f"note: {each.target}: not reached, stays unmeasured: {holder}"
