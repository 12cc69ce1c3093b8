"""Pages that cost something are made a few at once, and those who wait for the same one share it.

A request comes in, a page goes out. What a page tells is never older than the request: only a page
that nobody has begun to make is shared. So any number of clients that ask at once are answered with
a handful of pages, in memory too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.unpatched import threading

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_obs.metrics_exporter.pages import Page

__all__ = ["PageMaking"]

_Key = tuple[str, str, bool]


class _Wanted:
    """A page that is waited for."""

    def __init__(self) -> None:
        self.made = threading.Event()
        self.page: Page | None = None


class PageMaking:
    """Makes pages.

    Args:
        make: Makes one for a path, an Accept header, and whether it may be compressed.
        most: How many may be made at once.
        patience: How long one may wait to be begun, in seconds.
    """

    def __init__(self, make: Callable[[str, str, bool], Page], most: int, patience: float) -> None:
        self._make = make
        self._slots = threading.BoundedSemaphore(most)
        self._patience = patience
        self._lock = threading.Lock()
        self._wanted: dict[_Key, _Wanted] = {}

    def page(self, path: str, accept: str, *, gzip: bool) -> Page | None:
        """Give a page; `None` if others have been in the way for too long."""
        key = (path, accept, gzip)
        with self._lock:
            # Nobody goes past those who wait.
            at_once = not self._wanted and self._slots.acquire(blocking=False)
            wanted = None if at_once else self._wanted.get(key)
            if not at_once and wanted is None:
                first = self._wanted[key] = _Wanted()
        if at_once:
            return self._made(key)
        if wanted is not None:
            wanted.made.wait()
            return wanted.page
        try:
            if self._begin(key):
                first.page = self._made(key)
        finally:
            first.made.set()
        return first.page

    def _begin(self, key: _Key) -> bool:
        begun = self._slots.acquire(timeout=self._patience)
        with self._lock:
            # Whoever comes from now on wants to know more than this page will tell.
            del self._wanted[key]
        return begun

    def _made(self, key: _Key) -> Page:
        try:
            return self._make(*key)
        finally:
            self._slots.release()
