"""What the embedded service received: when, what, how many at once.

In: a `begin` and an `end` per request. Out: figures for those who want to know what really reached
the service, in the same process or as JSON. Passwords, cookies and bodies are not kept. The record
of single requests is bounded; the counts are not cut.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_POSTS_TO_CONVERSATIONS = "POST /app-api/express/v2/conversations/"


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request that was answered (or dropped).

    Args:
        number: 1 for the first that the service received.
        endpoint: Method and path template, such as `GET /account/settings`.
        arrived: When it was read, in seconds of the service's monotonic clock.
        finished: When its answer was ready to be sent.
        status: The answer's status; 0 where the connection was dropped.
    """

    number: int
    endpoint: str
    arrived: float
    finished: float
    status: int


class ServiceRecord:
    """The record of one service; safe to use from several threads.

    Args:
        limit: How many of the latest requests are kept singly.
        clock: Monotonic seconds.
    """

    def __init__(self, limit: int = 20_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: deque[ReceivedRequest] = deque(maxlen=limit)
        self._endpoints: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._events: Counter[str] = Counter()
        self._received = 0
        self._in_progress = 0
        self._max_concurrency = 0

    def begin(self) -> tuple[int, float]:
        """Note an arrival; return the request's number and stamp for `end`."""
        with self._lock:
            self._received += 1
            self._in_progress += 1
            self._max_concurrency = max(self._max_concurrency, self._in_progress)
            return self._received, self._clock()

    def end(self, begun: tuple[int, float], endpoint: str, status: int) -> None:
        """Note that the request of that `begin` has been dealt with."""
        with self._lock:
            self._in_progress -= 1
            self._endpoints[endpoint] += 1
            self._statuses[status] += 1
            number, arrived = begun
            finished = self._clock()
            self._latest.append(ReceivedRequest(number, endpoint, arrived, finished, status))

    def note(self, event: str) -> None:
        """Count something that happened besides, such as `sign-in` or `renewal`."""
        with self._lock:
            self._events[event] += 1

    @property
    def requests(self) -> tuple[ReceivedRequest, ...]:
        """The latest requests, in the order in which they were dealt with."""
        with self._lock:
            return tuple(self._latest)

    @property
    def total(self) -> int:
        """How many requests arrived."""
        with self._lock:
            return self._received

    @property
    def max_concurrency(self) -> int:
        """The most requests that were in progress at one time."""
        with self._lock:
            return self._max_concurrency

    @property
    def conversation_posts(self) -> int:
        """How many posts to conversations arrived, whatever was answered."""
        counts = self.endpoints()
        return sum(n for name, n in counts.items() if name.startswith(_POSTS_TO_CONVERSATIONS))

    @property
    def messages_stored(self) -> int:
        """How many messages that arrived are in the inbox now."""
        return self.events("message")

    @property
    def sign_ins(self) -> int:
        """How many sign-ins succeeded."""
        return self.events("sign-in")

    @property
    def failed_sign_ins(self) -> int:
        """How many sign-ins were refused."""
        return self.events("failed-sign-in")

    @property
    def renewals(self) -> int:
        """How many times the settings page renewed the cookies."""
        return self.events("renewal")

    def count(self, endpoint: str) -> int:
        """Return how many requests to `METHOD /path/template` were dealt with."""
        with self._lock:
            return self._endpoints[endpoint]

    def endpoints(self) -> dict[str, int]:
        """Return the number of requests per `METHOD /path/template`."""
        with self._lock:
            return dict(self._endpoints)

    def statuses(self) -> dict[int, int]:
        """Return the number of answers per status; 0 are the dropped connections."""
        with self._lock:
            return dict(self._statuses)

    def events(self, name: str) -> int:
        """Return how often something happened that `note` counts."""
        with self._lock:
            return self._events[name]

    def as_dict(self) -> dict[str, Any]:
        """Return the whole record in a form that JSON can hold."""
        return {
            "total": self.total,
            "endpoints": self.endpoints(),
            "statuses": {str(status): count for status, count in self.statuses().items()},
            "conversation_posts": self.conversation_posts,
            "messages_stored": self.messages_stored,
            "sign_ins": self.sign_ins,
            "failed_sign_ins": self.failed_sign_ins,
            "renewals": self.renewals,
            "max_concurrency": self.max_concurrency,
            "requests": [asdict(request) for request in self.requests],
        }
