"""Count what an action did with each item, in one place.

In: one `complete()` per item, with its result. Out: progress for whoever shows it, and an
`ActionSummary` at the end. What an item is, and what its result means, each action says itself.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Callable

ActionName = Literal[
    "action6_gather", "action7_inbox", "action8_messaging", "action9_process_productive"
]
Result = Literal["success", "failure", "skipped"]


@dataclass(frozen=True, slots=True)
class ActionSummary:
    """What an action did.

    Args:
        action: The action's name.
        success: Items done.
        failure: Items that could not be done; the log says why.
        skipped: Items that needed nothing.
        seconds: How long it took.
    """

    action: ActionName
    success: int
    failure: int
    skipped: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an action has come.

    Args:
        action: The action's name.
        done: Items completed so far, whatever their result.
        total: Items expected, None while nobody knows.
    """

    action: ActionName
    done: int
    total: int | None


def ignore(_: Progress | ActionSummary) -> None:
    """Do nothing with it: for those who want to know of no progress."""


class ActionRun:
    """One run of one action, whose items are completed one by one.

    As a context manager it ends with the block, and so does an interrupted or failing run.

    Args:
        action: The action's name.
        on_progress: Told after each item, and when the total becomes known.
        on_complete: Told once, with the summary.
        clock: Monotonic seconds.

    Example:
        >>> with ActionRun("action7_inbox", clock=lambda: 0.0) as run:
        ...     run.complete("success")
        ...     run.complete("skipped", 2)
        >>> run.summary()
        ActionSummary(action='action7_inbox', success=1, failure=0, skipped=2, seconds=0.0)
    """

    def __init__(
        self,
        action: ActionName,
        on_progress: Callable[[Progress], None] = ignore,
        on_complete: Callable[[ActionSummary], None] = ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.action = action
        self._on_progress = on_progress
        self._on_complete = on_complete
        self._clock = clock
        self._started = clock()
        self._ended: float | None = None
        self._total: int | None = None
        self._results: Counter[Result] = Counter()

    def expect_more(self, count: int) -> None:
        """Say how many items there will be beside those completed, as far as is known now."""
        self._total = self._results.total() + count
        self._report()

    def complete(self, result: Result, count: int = 1) -> None:
        """Complete items: the single place where that happens.

        Args:
            result: What became of them.
            count: How many; fewer than one is no item at all.
        """
        if count < 1:
            return
        self._results[result] += count
        self._report()

    def summary(self) -> ActionSummary:
        """Sum up what was done until now.

        Returns:
            The counts, and the seconds until now or until the end of the block.
        """
        ended = self._clock() if self._ended is None else self._ended
        return ActionSummary(
            self.action,
            self._results["success"],
            self._results["failure"],
            self._results["skipped"],
            ended - self._started,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = self._clock()
        self._on_complete(self.summary())

    def _report(self) -> None:
        self._on_progress(Progress(self.action, self._results.total(), self._total))
