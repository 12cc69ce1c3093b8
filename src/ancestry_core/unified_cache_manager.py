"""Remember answers of the service for a while, within a bound.

In: values under the triple (service, endpoint, key), each with a time to live. Out: copies of
them, None when there is nothing, and figures per (service, endpoint). The cache of cachetools
keeps order, bound and time; this module adds threads, copies and the figures. Nothing is kept on
disk.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from cachetools import TLRUCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_core.config import CacheSettings


class CacheKey(NamedTuple):
    """What an entry is kept under.

    Attributes:
        service: The part of the service, which decides how long the entry lives.
        endpoint: The kind of answer, without ids.
        key: Which of its answers.
    """

    service: str
    endpoint: str
    key: str


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """How often each thing happened.

    Attributes:
        hits: Lookups that found a value.
        misses: Lookups that found none.
        sets: Values stored.
        invalidations: Entries removed on request.
        expiries: Entries removed because their time was over.
    """

    hits: int = 0
    misses: int = 0
    sets: int = 0
    invalidations: int = 0
    expiries: int = 0

    @property
    def lookups(self) -> int:
        """Hits and misses together."""
        return self.hits + self.misses


class _Entry(NamedTuple):
    value: Any
    ttl: float


class _Entries(TLRUCache[CacheKey, _Entry]):
    """cachetools' cache, telling about each entry whose time is over, wherever it finds it."""

    def __init__(
        self,
        bound: int,
        clock: Callable[[], float],
        on_expired: Callable[[str, str, str], None],
    ) -> None:
        super().__init__(bound, ttu=lambda _key, entry, now: now + entry.ttl, timer=clock)
        self._on_expired = on_expired

    def expire(self, time: float | None = None) -> list[tuple[CacheKey, _Entry]]:
        expired = super().expire(time)
        for key, _ in expired:
            self._on_expired(*key)
        return expired


class UnifiedCacheManager:
    """The one cache of the platform; safe for any number of threads.

    Args:
        settings: Bound and times to live.
        clock: Monotonic seconds.

    Example:
        >>> from ancestry_core.config import CacheSettings
        >>> cache = UnifiedCacheManager(CacheSettings())
        >>> cache.set("profiles", "details", "A1", {"name": "Ada"})
        >>> cache.get("profiles", "details", "A1")
        {'name': 'Ada'}
        >>> cache.invalidate("profiles")
        1
    """

    def __init__(
        self, settings: CacheSettings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._lock = threading.RLock()
        self._entries = _Entries(settings.max_entries, clock, self._expire)
        self._counts: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(
            lambda: {field.name: 0 for field in fields(CacheStatistics)}
        )

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    def get(self, service: str, endpoint: str, key: str) -> Any:  # noqa: ANN401 - callers store what they like
        """Look a value up.

        Args:
            service: The part of the service.
            endpoint: The kind of answer.
            key: Which of its answers.

        Returns:
            A copy of the value that the caller may change; None when there is none.
        """
        with self._lock:
            # Expired entries leave here, so that each is counted once, before the lookup.
            self._entries.expire()
            entry = self._entries.get(CacheKey(service, endpoint, key))
            self._counts[service, endpoint]["misses" if entry is None else "hits"] += 1
        return None if entry is None else copy.deepcopy(entry.value)

    def set(
        self,
        service: str,
        endpoint: str,
        key: str,
        value: Any,  # noqa: ANN401 - callers store what they like
        ttl: float | None = None,
    ) -> None:
        """Store a copy of a value; the least recently used entry makes room for it.

        Args:
            service: The part of the service.
            endpoint: The kind of answer.
            key: Which of its answers.
            value: Anything that can be deep-copied, but not None.
            ttl: Seconds to live; left out, the service's own. 0 or less keeps nothing.

        Raises:
            ValueError: If the value is None, which a lookup could not tell from nothing.
        """
        if value is None:
            raise ValueError(
                f"None cannot be cached for {service}/{endpoint}: a lookup gives None on a miss; "
                "store an empty value"
            )
        entry = _Entry(copy.deepcopy(value), self._ttl(service) if ttl is None else ttl)
        with self._lock:
            self._entries[CacheKey(service, endpoint, key)] = entry
            self._counts[service, endpoint]["sets"] += 1

    def invalidate(
        self, service: str | None = None, endpoint: str | None = None, key: str | None = None
    ) -> int:
        """Remove entries; a part that is left out matches all.

        Args:
            service: Only entries of this part of the service.
            endpoint: Only this kind of answer.
            key: Only this one.

        Returns:
            How many entries were removed.
        """
        pattern = (service, endpoint, key)
        # Frozen time: nothing can expire between being found and being removed.
        with self._lock, self._entries.timer:
            self._entries.expire()
            found = [
                entry
                for entry in self._entries
                if all(part in {None, value} for part, value in zip(pattern, entry, strict=True))
            ]
            for entry in found:
                del self._entries[entry]
                self._counts[entry.service, entry.endpoint]["invalidations"] += 1
        return len(found)

    def statistics(
        self, service: str | None = None, endpoint: str | None = None
    ) -> CacheStatistics:
        """Give the figures since the start; a part that is left out adds up over all.

        Args:
            service: Only this part of the service.
            endpoint: Only this kind of answer.

        Returns:
            The figures at this moment.
        """
        with self._lock:
            chosen = [
                counts
                for (of_service, of_endpoint), counts in self._counts.items()
                if service in {None, of_service} and endpoint in {None, of_endpoint}
            ]
            return CacheStatistics(
                **{f.name: sum(c[f.name] for c in chosen) for f in fields(CacheStatistics)}
            )

    def _ttl(self, service: str) -> float:
        return self._settings.ttl_seconds.get(service, self._settings.default_ttl_seconds)

    def _expire(self, service: str, endpoint: str, key: str) -> None:  # noqa: ARG002 - the entry is named in full
        """Note that an entry's time is over: the single place where that happens."""
        self._counts[service, endpoint]["expiries"] += 1
