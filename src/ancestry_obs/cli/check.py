"""`ancestry-obs check M`: is the map right, and does the program have what it names?

The targets' modules are imported and woven for real, in this process, by the same code that weaves
the program: what is found here is what a run would find. Importing runs the modules' own top level.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ancestry_obs.cli.output import say, say_json
from ancestry_obs.exceptions import Finding, MapError
from ancestry_obs.lifecycle import build
from ancestry_obs.settings import ObservabilitySettings
from ancestry_obs.spec import load, parse_target, worst_case_series

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ancestry_obs.exceptions import Where
    from ancestry_obs.instrumentation import Instrumentation
    from ancestry_obs.spec import HookSpec, MapSpec, SampleSpec
    from ancestry_obs.status import TargetStatus


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("check", help="validate a map against the code it names")
    parser.add_argument("map", metavar="M", help="the map")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print every finding; 0 if there is none, otherwise 1."""
    notes: list[str] = []
    try:
        spec = load(arguments.map)
    except MapError as error:
        findings = list(error.findings)
    else:
        findings, notes = examine(spec)
    if arguments.json:
        say_json({"findings": [str(each) for each in findings], "notes": notes})
    else:
        for line in (*map(str, findings), *notes):
            say(line)
        say(_verdict(arguments.map, len(findings)))
    return 1 if findings else 0


def examine(spec: MapSpec) -> tuple[list[Finding], list[str]]:
    """Weave a map into the modules it names, look what became of it, and undo it.

    Args:
        spec: a map without mistakes of its own.

    Returns:
        What is wrong, and notes on what is right but worth knowing.
    """
    places = _places(spec)
    with _installed(spec) as instrumentation:
        findings = [each for target in places for each in _import(target, places[target])]
        targets = instrumentation.status().targets
    reported = {each.where for each in findings}
    states = [_finding(each, places) for each in targets if each.state != "installed"]
    # A module that cannot be imported has been told; that its targets are pending follows from it.
    findings += [each for each in states if each.where not in reported]
    return findings, [*_notes(targets), *_series(spec)]


def woven(spec: MapSpec, pattern: str) -> dict[str, str]:
    """Give the wrappers that a pattern of the map leads to.

    Args:
        spec: a map without mistakes of its own.
        pattern: a target as the map writes it.

    Returns:
        The generated source by target; nothing for what cannot be woven.
    """
    with _installed(spec) as instrumentation:
        for _ in _import(pattern, _places(spec)[pattern]):
            return {}
        return instrumentation.sources(pattern)


@contextmanager
def _installed(spec: MapSpec) -> Iterator[Instrumentation]:
    sys.path.insert(0, str(Path.cwd()))
    instrumentation = build(spec, ObservabilitySettings(enable_prometheus_metrics=True))
    try:
        yield instrumentation
    finally:
        instrumentation.close()
        del sys.path[0]


def _places(spec: MapSpec) -> dict[str, Where]:
    """Give each pattern of the map and where it stands, without what names it again."""
    places: dict[str, Where] = {}
    for instrument in spec.instruments:
        for target in instrument.targets:
            places.setdefault(target, instrument.where)
    parts: tuple[SampleSpec | HookSpec, ...] = (*spec.samples, *spec.hooks)
    for part in parts:
        places.setdefault(part.target, part.where)
    return places


def _import(target: str, where: Where) -> Iterator[Finding]:
    for name in _modules(parse_target(target).module):
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001  a module may raise anything
            message = f"module {name!r} cannot be imported: {type(error).__name__}: {error}"
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


def _finding(target: TargetStatus, places: dict[str, Where]) -> Finding:
    patterns = [each for each in target.patterns if each in places] or list(places)
    reason = target.reason or "its module is there, but the target has not been defined"
    return Finding(f"{target.target}: {target.state}: {reason}", places[patterns[0]])


def _notes(targets: tuple[TargetStatus, ...]) -> Iterator[str]:
    for each in targets:
        if each.state == "installed" and each.reason:
            yield f"note: {each.target}: {each.reason}"
        for holder in each.unreached:
            yield f"note: {each.target}: not reached, stays unmeasured: {holder}"


def _series(spec: MapSpec) -> Iterator[str]:
    counts = {metric.name: worst_case_series(metric) for metric in spec.metrics}
    largest = max(counts, key=counts.__getitem__)
    yield (
        f"note: at most {sum(counts.values()):,} series, of which {counts[largest]:,} of {largest}"
    )


def _verdict(name: str, findings: int) -> str:
    if not findings:
        return f"{name}: fine"
    return f"{name}: {findings} finding{'s' if findings > 1 else ''}"
