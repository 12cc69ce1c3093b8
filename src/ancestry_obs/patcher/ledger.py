"""The plan and its sites -> the state of every target, in words; nothing is changed here."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

from ancestry_obs.patcher.members import core_of
from ancestry_obs.patcher.model import TargetReport

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ancestry_obs.patcher.plan import Plan, Target
    from ancestry_obs.patcher.sites import Part, Site

__all__ = ["report_sites", "report_unreached_patterns"]

_COVERED = "another wrapper was put on top of it meanwhile; calls through that one still count"


def report_sites(
    sites: Collection[Site], unreached: Mapping[int, tuple[str, ...]]
) -> Iterator[TargetReport]:
    """Yield the state of each callable that was found.

    Args:
        sites: Where they are.
        unreached: What still holds the unwrapped function, by the function's id.
    """
    for site in sites:
        covered = _COVERED if site.is_covered else ""
        for accessor, part in site.parts.items():
            core = core_of(site.original, accessor)
            yield TargetReport(
                target=part.want.found.target,
                state="error" if part.woven is None else "installed",
                reason=part.reason or covered,
                aliases=tuple(sorted(part.aliases)),
                unreached=unreached.get(id(core), ()),
                defined_at="" if site.is_added else _defined_at(part),
                patterns=part.want.patterns,
                woven=part.woven,
            )


def report_unreached_patterns(plan: Plan, watched: Collection[str]) -> Iterator[TargetReport]:
    """Yield the state of each pattern that has reached nothing, and of modules yet to come.

    One such as ``pkg:*`` that finds nothing is left out where another of its list makes up for it.

    Args:
        plan: The patterns and what they found.
        watched: The modules whose import is waited for or was seen.
    """
    missing = [name for name in sorted(watched) if name not in sys.modules]
    reports = {id(target): tuple(_report(target, missing)) for target in plan.targets}
    for target in plan.targets:
        companions = plan.companions(target)
        # A pattern without a report of its own has found something.
        excused = any(not _has_failed(reports[id(each)]) for each in companions)
        if not (excused and _has_failed(reports[id(target)])):
            yield from reports[id(target)]


def _has_failed(reports: Iterable[TargetReport]) -> bool:
    return any(report.state == "error" for report in reports)


def _report(target: Target, missing: Collection[str]) -> Iterator[TargetReport]:
    text = target.pointcut.pattern
    if target.pattern is None:
        yield TargetReport(text, "error", target.reason, patterns=(text,))
    elif target.pattern.spans_modules:
        yield from _report_spanning(target, missing)
    else:
        yield from _report_named(target)


def _report_named(target: Target) -> Iterator[TargetReport]:
    text = target.pointcut.pattern
    outcomes = list(target.outcomes.values())
    if any(outcome.found for outcome in outcomes):
        return
    for outcome in outcomes:
        if outcome.settled:
            yield TargetReport(text, "error", outcome.reason, patterns=(text,))
            return
    module = text.partition(":")[0]
    waiting = f"{module!r} is still being executed: {outcomes[0].reason}" if outcomes else ""
    yield TargetReport(
        text, "pending", waiting or f"module {module!r} is not imported yet", patterns=(text,)
    )


def _report_spanning(target: Target, missing: Collection[str]) -> Iterator[TargetReport]:
    text, pattern = target.pointcut.pattern, target.pattern
    if pattern is None:
        return
    awaited = [name for name in missing if pattern.matches_module(name)]
    for name in awaited:
        reason = f"module {name!r} is not imported yet"
        yield TargetReport(f"{name}:{pattern.qualname}", "pending", reason, patterns=(text,))
    if awaited or any(outcome.found for outcome in target.outcomes.values()):
        return
    if pattern.package not in sys.modules:
        reason = f"package {pattern.package!r} is not imported yet"
        yield TargetReport(text, "pending", reason, patterns=(text,))
    else:
        reason = f"matches nothing in the {len(target.outcomes)} modules that it spans"
        yield TargetReport(text, "error", reason, patterns=(text,))


def _defined_at(part: Part) -> str:
    try:
        code = getattr(inspect.unwrap(part.want.found.function), "__code__", None)
    except ValueError:  # a circle of __wrapped__
        return ""
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""
