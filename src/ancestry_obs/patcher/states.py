"""What is woven, what is not -> the state of every target, in words; nothing is changed here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from ancestry_obs.patcher.join_points import TargetReport
from ancestry_obs.patcher.namespaces import name_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from types import ModuleType

    from ancestry_obs.patcher.join_point_weaving import Weaving
    from ancestry_obs.patcher.join_points import State
    from ancestry_obs.patcher.pointcuts import Target, Targets
    from ancestry_obs.patcher.weavings import Weavings

__all__ = ["report_unreached", "report_weavings"]

_LOST: Final = "the function does not exist any more"


def report_weavings(weavings: Weavings, *, holders: bool) -> Iterator[TargetReport]:
    """Yield the state of each join point that was found.

    Args:
        weavings: Where they are.
        holders: Whether to look for what holds objects that could only be given a proxy.
    """
    told: set[str] = set()
    every = list(weavings.all.values())
    objects = {each.target for each in every if not each.is_definition_alone}
    for weaving in every:
        # What was woven before still has its calls; it is told of once.
        former = () if weaving.target in told else weavings.former(weaving.target)
        told.add(weaving.target)
        current = () if weaving.woven is None else (weaving.woven,)
        yield TargetReport(
            target=_name(weaving, objects),
            state=_state(weaving),
            reason=weaving.reason or weaving.remark,
            aliases=tuple(sorted(weaving.aliases)),
            unreached=weavings.unreached(weaving) if holders else (),
            way=weaving.way,
            defined_at=weaving.defined_at,
            patterns=weaving.patterns,
            woven=(*former, *current),
        )
    for target, patterns in list(weavings.lost.items()):
        if target not in told:
            yield TargetReport(
                target, "installed", _LOST, patterns=patterns, woven=weavings.former(target)
            )


def _state(weaving: Weaving) -> State:
    if weaving.woven is not None:
        return "installed"
    # Without a reason another thread is just about to weave it.
    return "error" if weaving.reason else "pending"


def _name(weaving: Weaving, objects: Container[str]) -> str:
    """Name a target; a definition is told apart from what a decorator made of it."""
    is_another = weaving.is_definition_alone and weaving.target in objects
    return f"{weaving.target} (definition)" if is_another else weaving.target


def report_unreached(
    targets: Targets, of_cells: ModuleType | None = None
) -> Iterator[TargetReport]:
    """Yield the state of each pattern that has reached nothing, and of modules yet to come.

    One such as ``pkg:*`` that finds nothing is left out where another of its list makes up for it.

    Args:
        targets: The patterns and what they found.
        of_cells: The module that a shell's cells are executed in.
    """
    awaited = name_of(of_cells) if of_cells is not None else ""
    # A pattern without a report of its own has found something, as nearly all have.
    reports = {
        id(target): report for target in targets.all if (report := tuple(_report(target, awaited)))
    }
    for target in targets.all if reports else ():
        own = reports.get(id(target), ())
        excused = _has_failed(own) and any(
            not _has_failed(reports.get(id(each), ())) for each in targets.companions(target)
        )
        if not excused:
            yield from own


def _has_failed(reports: Iterable[TargetReport]) -> bool:
    return any(report.state == "error" for report in reports)


def _report(target: Target, awaited: str) -> Iterator[TargetReport]:
    text = target.pointcut.pattern
    if target.pattern is None:
        yield TargetReport(text, "error", target.reason, patterns=(text,))
    elif target.pattern.spans_modules:
        yield from _report_spanning(target)
    else:
        yield from _report_named(target, awaited)


def _report_named(target: Target, awaited: str) -> Iterator[TargetReport]:
    text = target.pointcut.pattern
    outcomes = list(target.outcomes.values())
    for outcome in outcomes:
        if outcome.count:
            return
    for outcome in outcomes:
        if outcome.settled:
            yield TargetReport(text, "error", outcome.reason, patterns=(text,))
            return
    module = text.partition(":")[0]
    if not outcomes:
        reason = f"module {module!r} is not imported yet"
    elif module == awaited:
        reason = f"waits for a cell that defines it: {outcomes[0].reason}"
    else:
        reason = f"{module!r} is still being executed: {outcomes[0].reason}"
    yield TargetReport(text, "pending", reason, patterns=(text,))


def _report_spanning(target: Target) -> Iterator[TargetReport]:
    text, pattern = target.pointcut.pattern, target.pattern
    if pattern is None or any(outcome.count for outcome in list(target.outcomes.values())):
        return
    if pattern.package not in sys.modules:
        reason = f"package {pattern.package!r} is not imported yet"
        yield TargetReport(text, "pending", reason, patterns=(text,))
    elif target.outcomes:
        number = len(target.outcomes)
        reason = f"matches nothing in the {number} module{'s' * (number != 1)} that it spans"
        yield TargetReport(text, "error", reason, patterns=(text,))
    else:
        reason = f"no module that {pattern.module!r} means is imported yet"
        yield TargetReport(text, "pending", reason, patterns=(text,))
