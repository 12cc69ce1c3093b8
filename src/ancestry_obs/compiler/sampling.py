"""Which calls are timed where a map asks for a share of them.

The woven statements count down to the next one: that costs less than two looks at the clock, and no
call at all. How many calls lie between two is drawn beforehand from the geometric distribution, so
that each call is as likely to be timed as any other, whatever rhythm the program has.
"""

from __future__ import annotations

from itertools import cycle
from math import log
from typing import TYPE_CHECKING, Final

from ancestry_obs.frozen import define

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Countdown", "gaps"]

_DRAWN: Final = 1024
"""So many gaps are drawn, and come again and again."""


@define(eq=False)
class Countdown:
    """The way to the next call that is timed; a constant of the code that is woven there.

    Threads share it. One that counts at the same time as another may be forgotten, which makes one
    gap longer by a call.

    Args:
        left: The calls until then.
        gaps: Gives how many there are the next time, and never ends; None while all are timed.
    """

    left: int = 0
    gaps: Iterator[int] | None = None


def gaps(share: float, draw: Callable[[], float] | None = None) -> Iterator[int]:
    """Give the numbers of calls that are not timed between two that are, without an end.

    Args:
        share: Of the calls that are to be timed; above 0 and below 1.
        draw: Gives numbers from 0 to 1, 1 excluded; the random ones of Python if None.
    """
    if draw is None:
        # Few maps sample, and its import is dear.
        from random import random  # noqa: PLC0415

        draw = random
    # The inverse of the distribution function: P(gap >= n) = (1 - share) ** n.
    return cycle([int(log(1 - draw()) / log(1 - share)) for _ in range(_DRAWN)])
