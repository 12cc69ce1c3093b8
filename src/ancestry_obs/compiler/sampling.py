"""Which calls are timed where a map asks for a share of them.

The woven statements count down to the next one: that costs less than two looks at the clock, and
no call at all. How many calls lie between two is drawn by lot, from the geometric distribution, so
that each call is as likely to be timed as any other, whatever rhythm the program has.
"""

from __future__ import annotations

import os
from itertools import repeat
from math import log1p
from operator import mul, neg
from typing import TYPE_CHECKING
from weakref import WeakSet

from ancestry_obs.frozen import define

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Countdown", "gaps"]


def gaps(share: float, draw: Callable[[], float] | None = None) -> Iterator[int]:
    """Give the numbers of calls that are not timed between two that are, without an end.

    It is all in C: what comes next is asked for in the midst of the program's calls, where there
    may be no room for a frame, and where a tracer would see one.

    Args:
        share: Of the calls that are to be timed; above 0 and below 1.
        draw: Gives numbers from 0 to 1, 1 excluded; those of a generator of its own if None.
    """
    if draw is None:
        # Of the program's own, no number is taken; and it may have a random.py.
        from _random import Random  # noqa: PLC0415  few maps sample

        draw = Random().random
    # The inverse of the distribution function: P(gap >= n) = (1 - share) ** n.
    logarithms = map(log1p, map(neg, iter(draw, None)))
    return map(int, map(mul, logarithms, repeat(1 / log1p(-share))))


@define(eq=False, weakref_slot=True)
class Countdown:
    """The way to the next call that is timed; a constant of the code that is woven there.

    Threads share it. One that counts at the same time as another may be forgotten, which makes one
    gap longer by a call.

    Args:
        draw: Gives the gaps for a share of the calls.
        share: What the map asks for: 1 where that is all calls, or a budget decides.

    Attributes:
        left: The calls until then.
        gaps: Gives how many there are the next time, and never ends; None while all are timed.
    """

    draw: Callable[[float], Iterator[int]] = gaps
    share: float = 1.0
    left: int = 0
    gaps: Iterator[int] | None = None
    _current: float = 1.0

    def __post_init__(self) -> None:
        self.time(self.share)
        _ALL.add(self)

    @property
    def is_free(self) -> bool:
        """Whether a budget may say how many calls are timed."""
        return self.share == 1

    def time(self, share: float) -> None:
        """Let a share of the calls be timed from now on.

        Args:
            share: Above 0; 1 for all.
        """
        self._current = share
        if share == 1:
            # In this order: what looks in between is timed.
            self.gaps, self.left = None, 0
        else:
            drawn = self.draw(share)
            self.left, self.gaps = next(drawn), drawn

    def begin_child(self) -> None:
        """Draw anew: otherwise every forked child would time the same of its calls."""
        self.time(self._current)


_ALL: WeakSet[Countdown] = WeakSet()


def _begin_children() -> None:
    for each in tuple(_ALL):
        each.begin_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_children)
