"""Asks an exporter again and again: pages come in, scrapes go out, or why there is none."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.feeds import Feed
from ancestry_obs.installation_status import Status
from ancestry_obs.live.page_reader import read_page
from ancestry_obs.live.scrape import Lost, Scrape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol, Self, TypeVar

    from ancestry_obs.installation_status import TargetStatus

    _T = TypeVar("_T")

    class Ask(Protocol):
        """Gives what a function makes of a page; see `Exporter`."""

        def __call__(self, path: str, read: Callable[[bytes], _T], /) -> _T: ...


__all__ = ["Asking", "Exporter"]

# What a target's state and reason follow from.
_TELLING = ("ancestry_obs_target_info", "ancestry_obs_sampled")
_SCRAPES = "ancestry_obs_scrape_seconds"
_STATUS_SECONDS = 60


class Exporter:
    """An exporter as what it tells at each moment.

    The page `/status` costs the program more than `/metrics` does, since it looks for who holds
    what could only be given a proxy: it is asked for again where a state is another one,
    another target is sampled, or there are other metrics; and after a minute, for what is wrong
    with the map or the exporter.

    Args:
        ask: Gives what a function makes of one of its pages, or raises an `ExporterError`.
        clock: Seconds, from any beginning.
    """

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._known: tuple[object, Status, Sequence[Feed]] | None = None
        self._looks = 0.0
        self._status_at = 0.0

    def scrape(self) -> Scrape:
        """Ask it.

        Raises:
            ExporterError: It does not answer, or as no exporter of ours does.
        """
        metrics = self._ask("/metrics", read_page)
        at = self._clock()
        # A reload may have brought other metrics.
        told = frozenset(metrics), [e.values.keys() for n, e in metrics.items() if n in _TELLING]
        looks = sum(metrics[_SCRAPES].values.values()) if _SCRAPES in metrics else 0.0
        # Another process may have another map.
        is_old = at - self._status_at > _STATUS_SECONDS
        if self._known is None or self._known[0] != told or looks < self._looks or is_old:
            status, feeds = self._ask("/status", _read_status)
            self._known, self._status_at = (told, status, feeds), at
        self._looks = looks
        return Scrape(at, metrics, self._known[1], self._known[2])


class Asking:
    """A thread that asks an exporter at intervals, however long an answer takes.

    Args:
        exporter: What is asked.
        interval: Seconds from one question to the next.
        tell: Is given each scrape, or why there is none; called in that thread.
    """

    def __init__(
        self, exporter: Exporter, interval: float, tell: Callable[[Scrape | Lost], object]
    ) -> None:
        self._exporter = exporter
        self._interval = interval
        self._tell = tell
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="exporter", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # An answer that is under way is not waited for.
        self._is_over.set()

    def _run(self) -> None:
        while not self._is_over.wait(self._interval):
            try:
                told: Scrape | Lost = self._exporter.scrape()
            except ExporterError as error:
                told = Lost(str(error))
            if not self._is_over.is_set():
                self._tell(told)


def _read_status(page: bytes) -> tuple[Status, list[Feed]]:
    try:
        data = json.loads(page)
    except RecursionError as error:
        raise ValueError("no status") from error
    status = Status.from_dict(data)
    told = (status.map, status.url, *(each for t in status.targets for each in _texts(t)))
    if not all(isinstance(each, str) for each in told):
        raise ValueError("no status")
    feeds = data.get("feeds", [])
    if not isinstance(feeds, list):
        raise ValueError("no feeds")  # noqa: TRY004  whoever asked takes a ValueError for "not ours"
    return status, [Feed.from_dict(each) for each in feeds]


def _texts(target: TargetStatus) -> tuple[object, ...]:
    return (target.target, target.state, target.reason, *target.patterns)
