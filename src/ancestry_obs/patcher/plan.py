"""Pointcuts and the modules that there are -> what is wanted at which site.

Keeps for every pointcut and module what was found there, so that a module that is imported later
adds its share without a second look at all others. Nothing is patched here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ancestry_obs.exceptions import TargetError
from ancestry_obs.patcher.patterns import Pattern
from ancestry_obs.patcher.sites import Want, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from ancestry_obs.patcher.model import Accessor, Found, Pointcut
    from ancestry_obs.patcher.resolve import Resolver
    from ancestry_obs.patcher.sites import SiteKey

__all__ = ["Outcome", "Plan", "Target"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one pattern found in one module.

    Args:
        found: The callables.
        reason: Why there are none.
        settled: Whether the module has been executed to its end, so that nothing more will come.
    """

    found: tuple[Found, ...] = ()
    reason: str = ""
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """A pointcut with its pattern; without one, `reason` says why it cannot be read."""

    pointcut: Pointcut
    pattern: Pattern | None
    reason: str
    outcomes: dict[str, Outcome]

    @classmethod
    def of(cls, pointcut: Pointcut) -> Target:
        """Read the pointcut's pattern."""
        try:
            return cls(pointcut, Pattern.parse(pointcut.pattern), "", {})
        except TargetError as refusal:
            return cls(pointcut, None, str(refusal), {})


class Plan:
    """What is wanted.

    Args:
        pointcuts: In the map's order, which is the order of the advices at a target.
        resolver: Finds what they mean.
    """

    def __init__(self, pointcuts: Sequence[Pointcut], resolver: Resolver) -> None:
        self.targets = tuple(map(Target.of, pointcuts))
        self._resolver = resolver
        self._named: dict[str, list[Target]] = {}
        self._spanning: list[tuple[Target, Pattern]] = []
        self._concerned: dict[str, tuple[Target, ...]] = {}
        self._companions: dict[int, list[Target]] = {}
        for target in self.targets:
            if target.pattern is None:
                continue
            self._companions.setdefault(id(target.pointcut.advice), []).append(target)
            if target.pattern.spans_modules:
                self._spanning.append((target, target.pattern))
            else:
                self._named.setdefault(target.pattern.module, []).append(target)

    def starting_points(self) -> set[str]:
        """Return the modules with which the watch begins: what patterns spell out in full."""
        return {target.pattern.package for target in self.targets if target.pattern is not None}

    def reaches_below(self, name: str) -> bool:
        """Whether submodules of the package `name` may be meant."""
        return any(f"{name}.".startswith(f"{pattern.package}.") for _, pattern in self._spanning)

    def concerned(self, name: str) -> tuple[Target, ...]:
        """Return the targets that may be in the module `name`."""
        targets = self._concerned.get(name)
        if targets is None:
            spanning = [target for target, each in self._spanning if each.matches_module(name)]
            targets = self._concerned[name] = (*self._named.get(name, ()), *spanning)
        return targets

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
        self, name: str, module: ModuleType, *, label: str = "", settled: bool = True
    ) -> list[tuple[Target, Outcome]]:
        """Look for everything that may be in `module`, in place of what was found there before.

        Args:
            name: The module's name in targets.
            module: The module.
            label: Under which name to keep the outcome; `name` unless the same name stands for a
                second module.
            settled: Whether the module has been executed to its end.

        Returns:
            Each target that may be there, with the outcome.
        """
        result = []
        for target in self.concerned(name):
            outcome = self._outcome(target, module, settled=settled)
            target.outcomes[label or name] = outcome
            result.append((target, outcome))
        return result

    def wants(self) -> dict[SiteKey, dict[Accessor, Want]]:
        """Return what is wanted, by site; overrides come after what they override."""
        wants: dict[SiteKey, dict[Accessor, Want]] = {}
        for target in self.targets:
            for found in self._found(target):
                parts = wants.setdefault(key_of(found), {})
                parts.setdefault(found.accessor, Want(found)).add(target.pointcut)
        return wants

    def bases(self) -> dict[type, None]:
        """Return the classes whose future subclasses take part, each once."""
        return {
            found.named: None
            for target in self.targets
            if target.pointcut.subclasses
            for outcome in target.outcomes.values()
            for found in outcome.found
            if found.named is not None
        }

    def _found(self, target: Target) -> Iterator[Found]:
        for outcome in target.outcomes.values():
            for found in outcome.found:
                yield found
                if target.pointcut.subclasses:
                    yield from self._resolver.overrides(found)

    def _outcome(self, target: Target, module: ModuleType, *, settled: bool) -> Outcome:
        if target.pattern is None:
            return Outcome(reason=target.reason)
        try:
            return Outcome(self._resolver.find(target.pattern, module), settled=settled)
        except TargetError as refusal:
            return Outcome(reason=str(refusal), settled=settled)
        except Exception as failure:  # noqa: BLE001 - foreign objects may raise anything when asked
            return Outcome(reason=f"cannot be looked up: {failure!r}", settled=settled)
