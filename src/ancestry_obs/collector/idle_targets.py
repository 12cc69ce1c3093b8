"""Targets that nothing calls although their module is busy: installed, and telling nothing.

The program may have another function in the target's place by now, or call it in a way that no
weaving reaches. A name in the map cannot tell; that nobody has called it while its neighbours are
called can.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ancestry_obs.collector.reading import TargetState

__all__ = ["BUSY_CALLS", "idle_targets", "told_of"]

BUSY_CALLS: Final = 100
"""So many calls of a module's targets make it busy."""


def idle_targets(targets: Iterable[TargetState], expected: Collection[str]) -> dict[str, int]:
    """Give the targets that are idle.

    Args:
        targets: All of them, as all processes of a run know them.
        expected: The patterns of targets that are called where their module is in use.

    Returns:
        By the name of each, how many calls its module's targets had.
    """
    known = list(targets)
    calls: Counter[str] = Counter()
    for each in known:
        calls[_module(each)] += each.calls
    return {
        each.target: calls[_module(each)]
        for each in known
        if each.state == "installed"
        and not each.calls
        and calls[_module(each)] >= BUSY_CALLS
        and not {each.target, *each.patterns}.isdisjoint(expected)
    }


def told_of(calls: int) -> str:
    """Say why a target is idle."""
    return (
        f"never called, while targets of its module had {calls:,} calls; write rare = true in its "
        "instrument if that is as it should be"
    )


def _module(target: TargetState) -> str:
    return target.target.partition(":")[0]
