"""Work of the kinds that programs do, to be done between two calls that are priced.

Statements that run again at once find all that they need in the processor's caches, and its guesses
at branches are right. In a program something else has run meanwhile: the same statements took up to
1.8 times as long behind a call of `json.dumps`. So a price is measured with as much work of various
kinds between two calls as the program did between them.
"""

from __future__ import annotations

import json
import re
from itertools import cycle, islice
from time import thread_time_ns
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["steps_for", "work"]

_MOST_STEPS: Final = 12
_TRIED: Final = 420
_TIMES: Final = 5
_WORDS: Final = "a line of words, such as programs read"
_VALUES: Final = [index * 7 % 13 for index in range(8)]
_RECORD: Final = {"numbers": [1, None]}
_WORD: Final = re.compile(r"(\w+) of (\w+)")


class _Item:
    def __init__(self, number: int) -> None:
        self.number = number
        self.seen: dict[str, int] = {}

    def see(self, word: str) -> int:
        self.seen[word] = self.number
        return len(self.seen)


def _encode() -> object:
    return json.dumps(_RECORD)


def _split() -> object:
    return "-".join(_WORDS.split(" ")).upper().encode().hex()


def _sort() -> object:
    return sorted(_VALUES, key=lambda value: -value)


def _match() -> object:
    return _WORD.sub(r"\2 \1", _WORDS)


def _add_up() -> object:
    total = 0
    for value in _VALUES:
        total += value * value if value % 2 else -value
    return f"{total:,.2f}"


def _make_object() -> object:
    item = _Item(3)
    return item.see("one") + item.see("two")


_STEPS: Final = (_encode, _split, _sort, _match, _add_up, _make_object)
_ENDLESS: Final = cycle(_STEPS)


def work(steps: int) -> None:
    """Do some steps of it, each time those that come next.

    Args:
        steps: how many.
    """
    for step in islice(_ENDLESS, steps):
        step()


def steps_for(nanoseconds: float, clock: Callable[[], int] = thread_time_ns) -> int:
    """Tell how many steps take about some time; a bounded number, since more change nothing.

    Args:
        nanoseconds: the time.
        clock: gives processor time in nanoseconds.
    """
    taken = []
    for _ in range(_TIMES):
        began = clock()
        work(_TRIED)
        taken.append((clock() - began) / _TRIED)
    return min(_MOST_STEPS, round(nanoseconds / max(1.0, min(taken))))
