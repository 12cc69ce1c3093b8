"""Targets that nothing calls although their module is busy: installed, and telling nothing.

The program may have another function in the target's place by now, or call it in a way that no
weaving reaches. A name in the map cannot tell; that nobody has called it while its neighbours are
called can.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from ancestry_obs.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ancestry_obs.collector.reading import TargetState

__all__ = ["BUSY_CALLS", "Expectation", "calls_by_module", "told_of"]

BUSY_CALLS: Final = 100
"""So many calls of a module's targets make it busy."""


@frozen()
class Expectation:
    """Which of a map's targets are called where their module is in use.

    Args:
        expected: The patterns of instruments whose targets are.
        rare: The patterns of instruments that say of theirs that they need not be; a target that
            one of them leads to is rare, whatever else leads to it.
        before: By module, how many calls its targets had when the map came into force.
    """

    expected: Collection[str] = ()
    rare: Collection[str] = ()
    before: Mapping[str, int] | None = None

    def idle(self, targets: Iterable[TargetState]) -> dict[str, int]:
        """Give the targets that are idle.

        Args:
            targets: All of them, as all processes of a run know them.

        Returns:
            By the name of each, how many calls its module's targets had.
        """
        known = list(targets)
        calls = calls_by_module(known)
        calls.subtract(self.before or {})
        return {
            each.target: calls[_module(each)]
            for each in known
            if each.state == "installed"
            and not each.calls
            and calls[_module(each)] >= BUSY_CALLS
            and self._is_expected({each.target, *each.patterns})
        }

    def _is_expected(self, names: set[str]) -> bool:
        return not names.isdisjoint(self.expected) and names.isdisjoint(self.rare)


def calls_by_module(targets: Iterable[TargetState]) -> Counter[str]:
    """Give how many calls the targets of each module had together."""
    calls: Counter[str] = Counter()
    for each in targets:
        calls[_module(each)] += each.calls
    return calls


def told_of(calls: int) -> str:
    """Say why a target is idle."""
    return (
        f"never called, while targets of its module had {calls:,} calls; write rare = true in its "
        "instrument if that is as it should be"
    )


def _module(target: TargetState) -> str:
    return target.target.partition(":")[0]
