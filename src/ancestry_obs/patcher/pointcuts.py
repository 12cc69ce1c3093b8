"""Pointcuts and the modules that there are -> which join points each of them reaches.

Knows of every pointcut which modules concern it and what became of it there. Nothing is patched
here, and no join point is kept: it would keep a program's functions alive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.exceptions import TargetError
from ancestry_obs.frozen import define, field, frozen
from ancestry_obs.patcher.namespaces import qualname_of
from ancestry_obs.patcher.patterns import Pattern
from ancestry_obs.patcher.resolver import Base

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from types import ModuleType

    from ancestry_obs.patcher.join_points import JoinPoint, Pointcut
    from ancestry_obs.patcher.resolver import Resolver

__all__ = ["Outcome", "Target", "Targets"]


@frozen()
class Outcome:
    """What one pattern found in one module.

    Args:
        count: How many join points.
        reason: Why there are none.
        settled: Whether the module has been executed to its end, so that nothing more will come.
        bases: The methods whose overrides are wanted as well.
    """

    count: int = 0
    reason: str = ""
    settled: bool = True
    bases: tuple[Base, ...] = ()


@define(eq=False)
class Target:
    """A pointcut at its place in the map; one whose pattern cannot be read has a reason instead."""

    index: int
    pointcut: Pointcut
    pattern: Pattern | None
    reason: str = ""
    outcomes: dict[str, Outcome] = field(default_factory=dict)


class Targets:
    """All that is wanted.

    Args:
        pointcuts: In the map's order, which is the order of the advices at a join point.
        resolver: Finds what they mean.
    """

    def __init__(self, pointcuts: Sequence[Pointcut], resolver: Resolver) -> None:
        self.all = tuple(_target(index, each) for index, each in enumerate(pointcuts))
        self._resolver = resolver
        self._named: dict[str, list[Target]] = {}
        self._spanning: dict[str, list[tuple[Target, Pattern]]] = {}
        self._companions: dict[int, list[Target]] = {}
        # The last answer: it is asked several times for each module.
        self._last: tuple[str, list[Target]] = "", []
        for target in self.all:
            pattern = target.pattern
            if pattern is None:
                continue
            self._companions.setdefault(id(target.pointcut.advice), []).append(target)
            if pattern.spans_modules:
                top = pattern.module.partition(".")[0]
                self._spanning.setdefault(top, []).append((target, pattern))
            else:
                self._named.setdefault(pattern.module, []).append(target)

    def concerned(self, name: str) -> list[Target]:
        """Return the targets that may be in the module `name`, in the map's order."""
        known, found = self._last
        if name != known:
            spanning = self._spanning.get(name.partition(".")[0], ())
            found = [target for target, each in spanning if each.matches_module(name)]
            if name in self._named:
                found = sorted([*self._named[name], *found], key=lambda target: target.index)
            # The very same answer for modules of one package: who asks may remember what follows.
            found = self._last[1] if found == self._last[1] else found
            self._last = name, found
        return found

    def companions(self, target: Target) -> list[Target]:
        """Return the others of one list of patterns, which make up for one that finds nothing.

        ``["pkg:*", "pkg.*:*"]`` means a package, whose own module is often empty. There are none
        for a pattern that has part of a name in it: that one is wrong if it finds nothing.
        """
        if target.pattern is None or not target.pattern.takes_all:
            return []
        # One list, one advice; two that are merely equal are two wishes.
        return [each for each in self._companions[id(target.pointcut.advice)] if each is not target]

    def resolve(
        self,
        name: str,
        module: ModuleType,
        *,
        label: str = "",
        settled: bool = True,
        changed: Collection[str] | None = None,
    ) -> Iterator[tuple[Target, Outcome, tuple[JoinPoint, ...]]]:
        """Look for everything that may be in `module`, in place of what was found there before.

        Args:
            name: The module's name in targets.
            module: The module.
            label: Under which name to keep the outcome; `name` unless the same name stands for a
                second module.
            settled: Whether the module has been executed to its end.
            changed: The names in it to look at, the others being as they were; all if `None`.

        Yields:
            Each target that may be there, with what became of it and what was found.
        """
        key = label or name
        for target in self.concerned(name):
            before = target.outcomes.get(key)
            if before is None or changed is None:
                outcome, found = self._outcome(target, module, settled=settled)
            elif _is_as_it_was(target, before, changed):
                outcome, found = before, ()
            else:
                outcome, found = self._outcome(target, module, settled=settled, changed=changed)
                outcome = _with_former(target, outcome, before)
            target.outcomes[key] = outcome
            yield target, outcome, found

    def renew_reasons(self, name: str, module: ModuleType, label: str) -> None:
        """Say anew why targets have found nothing: names that are alike may be there by now.

        Args:
            name: The module's name in targets.
            module: The module.
            label: Under which name the outcomes are kept.
        """
        for target in self.concerned(name):
            before = target.outcomes.get(label)
            if before is not None and not before.count:
                outcome, found = self._outcome(target, module, settled=before.settled)
                target.outcomes[label] = before if found else outcome

    def bases(self) -> Iterator[tuple[Target, Base]]:
        """Yield the methods whose overrides are wanted, with the targets that want them."""
        for target in self.all:
            if target.pointcut.subclasses:
                for outcome in target.outcomes.values():
                    for base in outcome.bases:
                        yield target, base

    def _outcome(
        self,
        target: Target,
        module: ModuleType,
        *,
        settled: bool,
        changed: Collection[str] | None = None,
    ) -> tuple[Outcome, tuple[JoinPoint, ...]]:
        assert target.pattern is not None  # noqa: S101 - those are concerned by nothing
        try:
            found = self._resolver.find(target.pattern, module, target.pointcut.at, changed)
        except TargetError as refusal:
            return Outcome(reason=str(refusal), settled=settled), ()
        except Exception as failure:  # noqa: BLE001 - foreign objects may raise anything when asked
            return Outcome(reason=f"cannot be looked up: {failure!r}", settled=settled), ()
        bases = _bases(target, found) if target.pointcut.subclasses else ()
        return Outcome(len(found), "", settled, bases), found


def _bases(target: Target, found: tuple[JoinPoint, ...]) -> tuple[Base, ...]:
    at = target.pointcut.at
    return tuple(
        Base(point.module, point.named, point.attribute, point.accessor, at)
        for point in found
        if point.named is not None
    )


def _is_as_it_was(target: Target, before: Outcome, changed: Collection[str]) -> bool:
    """Whether a target means something else than the names that have changed."""
    if target.pattern is None or target.pattern.spans_names:
        return False
    first, dot, _ = target.pattern.qualname.partition(".")
    # A class that is there may have a method from another one.
    return first not in changed and not (dot and before.count)


def _with_former(target: Target, outcome: Outcome, before: Outcome) -> Outcome:
    """Add to what a glob has found among some names what it found among the others."""
    if target.pattern is None or not target.pattern.spans_names or not before.count:
        return outcome
    new = {(qualname_of(base.named), base.attribute) for base in outcome.bases}
    kept = [each for each in before.bases if (qualname_of(each.named), each.attribute) not in new]
    return Outcome(outcome.count or before.count, "", outcome.settled, (*kept, *outcome.bases))


def _target(index: int, pointcut: Pointcut) -> Target:
    try:
        return Target(index, pointcut, Pattern.parse(pointcut.pattern))
    except TargetError as refusal:
        return Target(index, pointcut, None, str(refusal))
