"""Pages that cost something are made a few at once, and those who wait for the same one share it.

A request comes in, a page goes out. What a page tells is never older than the request: only a page
that was begun after the request had come is shared. So any number of clients that ask at once are
answered with a handful of pages, in memory too.
"""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from ancestry_obs.unpatched import threading

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_obs.metrics_exporter.pages import Page

__all__ = ["PageMaking"]

_Key = tuple[str, str, bool]


class _Wanted:
    """A page that is waited for, or was made already.

    Attributes:
        begun: When it was begun; not yet if that is infinite.
        made: Set when nobody need wait any more.
        page: What was made, if anything was.
    """

    def __init__(self) -> None:
        self.begun = inf
        self.made = threading.Event()
        self.page: Page | None = None


class PageMaking:
    """Makes pages.

    Args:
        make: Makes one for a path, an Accept header, and whether it may be compressed.
        most: How many may be made at once.
        patience: How long one may wait to be begun, in seconds.
        clock: Seconds, from any beginning.
    """

    def __init__(
        self,
        make: Callable[[str, str, bool], Page],
        most: int,
        patience: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._make = make
        self._slots = threading.BoundedSemaphore(most)
        self._patience = patience
        self._clock = clock
        self._lock = threading.Lock()
        self._wanted: dict[_Key, _Wanted] = {}
        self._keeps = False
        self._last: tuple[_Key, _Wanted] | None = None

    def keep_last(self, *, keeps: bool) -> None:
        """Say whether more requests have come that nobody has read yet.

        The page that was made last is kept for them as long as there are; one, whatever they want.
        """
        with self._lock:
            self._keeps = keeps
            if not keeps:
                self._last = None

    def page(self, path: str, accept: str, *, gzip: bool, asked: float = inf) -> Page | None:
        """Give a page.

        Args:
            path: Which one.
            accept: The request's Accept header.
            gzip: Whether it may be compressed.
            asked: When the request had come at the latest, by the clock; now, if that is later.

        Returns:
            The page; `None` if others have been in the way for too long.
        """
        key = (path, accept, gzip)
        with self._lock:
            found = self._found(key, min(asked, self._clock()))
            if found is None:
                wanted = self._wanted[key] = _Wanted()
        if found is not None:
            found.made.wait()
            return found.page
        try:
            if self._slots.acquire(timeout=self._patience):
                self._fill(wanted, key)
        finally:
            with self._lock:
                if self._wanted.get(key) is wanted:
                    del self._wanted[key]
            wanted.made.set()
        return wanted.page

    def _found(self, key: _Key, asked: float) -> _Wanted | None:
        """Give the page that tells all that a request wants to know, if there will be one."""
        found = self._wanted.get(key)
        if found is None and self._last is not None and self._last[0] == key:
            found = self._last[1]
        return found if found is not None and asked < found.begun else None

    def _fill(self, wanted: _Wanted, key: _Key) -> None:
        try:
            with self._lock:
                wanted.begun = self._clock()
            wanted.page = self._make(*key)
            with self._lock:
                self._last = (key, wanted) if self._keeps else None
        finally:
            self._slots.release()
