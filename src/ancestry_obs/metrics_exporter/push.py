"""Push to a Pushgateway, for batch runs that are over before anybody scrapes them.

A registry comes in, an HTTP request goes out. That the gateway is down is a warning in the log and
never an error: the run did its work. See https://prometheus.io/docs/practices/pushing/.
"""

from __future__ import annotations

import time
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import Request

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import pushadd_to_gateway

from ancestry_obs.collector import render_whole
from ancestry_obs.metrics_exporter.client import part_user
from ancestry_obs.metrics_exporter.timed_http import Deadline, opener
from ancestry_obs.notices import Notices
from ancestry_obs.recording.failures import came_from_outside, shown, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from prometheus_client.core import Metric

__all__ = ["LAST_SUCCESS", "Gateway"]

logger = Notices()

LAST_SUCCESS = "ancestry_obs_last_success_timestamp_seconds"
"""When the last run of a job ended well; what an alert on a missing run looks at."""

TIMEOUT_SECONDS = 5.0
"""How long a push may take from connecting to the end of the answer; the program's end waits."""

# What is sent is written by ourselves; whom it goes to is prometheus_client's to say.
_NOTHING = CollectorRegistry()
# What a gateway says beyond that is no line for a log.
_MOST_OF_A_REASON = 500


@dataclass(frozen=True)
class Gateway:
    """Where to push, and in which group.

    Args:
        url: The gateway's address; a user and a password in it are sent as basic authentication.
        job: Names what runs; the label ``job``.
        instance: Names where it runs; the label ``instance``.
        timeout: For the whole request, from connecting to the end of the answer, in seconds.
        clock: Seconds since the epoch.
        monotonic: Seconds from any beginning, by which the timeout is measured.

    Example:
        >>> Gateway("http://127.0.0.1:9091", "nightly", "host-7").push(get_registry())
        True
    """

    url: str = field(repr=False)
    job: str
    instance: str
    timeout: float = TIMEOUT_SECONDS
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def push(self, registry: CollectorRegistry, *, succeeded: bool = True) -> bool:
        """Send everything in a registry.

        Metrics of the group with the same names are replaced and others stay (the gateway's POST),
        so that a run that failed does not wipe out when the last good one was.

        Args:
            registry: What to send.
            succeeded: Whether the run ended well; only then `LAST_SUCCESS` is sent.

        Returns:
            Whether the gateway took it. If not, the log has a warning with the reason.
        """
        address, credentials = _address_and_credentials(self.url)
        source: Any = _WithLastSuccess(registry, self.clock() if succeeded else None)
        group = {"instance": self.instance}
        try:
            send = partial(self._request, credentials, *render_whole(source))
            pushadd_to_gateway(address, self.job, _NOTHING, group, self.timeout, send)
        except BaseException as error:  # also what other collectors raise ends no program
            if came_from_outside(error):
                raise
            warn(
                logger,
                "metrics were not pushed to %s: %s; start the Pushgateway or correct "
                "METRICS_PUSH_URL",
                address,
                _reason(error),
            )
            return False
        return True

    def _request(  # noqa: PLR0913, PLR0917  prometheus_client's signature
        self,
        credentials: str,
        body: bytes,
        content_type: str,
        url: str,
        method: str,
        timeout: float | None,
        headers: Sequence[tuple[str, str]],
        data: bytes,
    ) -> Callable[[], None]:
        """Give what prometheus_client calls to send; all but the first three are its own."""
        # What it would send is a page of nothing.
        del headers, data
        request = Request(url, body, {"Content-Type": content_type}, method=method)  # noqa: S310  settings allow http and https alone
        if credentials:
            # Not on to where the gateway may redirect to.
            request.add_unredirected_header("Authorization", f"Basic {credentials}")

        def send() -> None:
            deadline = Deadline(self.timeout, self.monotonic)
            with opener(deadline).open(request, timeout=timeout):
                pass

        return send


class _WithLastSuccess:
    """A registry and one gauge more."""

    def __init__(self, registry: CollectorRegistry, succeeded_at: float | None) -> None:
        self._registry = registry
        self._succeeded_at = succeeded_at

    def collect(self) -> Iterator[Metric]:
        yield from self._registry.collect()
        if self._succeeded_at is not None:
            text = "When the last run of the job ended well, in seconds since the epoch."
            yield GaugeMetricFamily(LAST_SUCCESS, text, value=self._succeeded_at)


def _address_and_credentials(url: str) -> tuple[str, str]:
    """Part the address, which may be logged, from user and password, which must not be."""
    address, found = part_user(url)
    if found is None:
        return address, ""
    return address, b64encode(":".join(found).encode()).decode()


def _reason(error: BaseException) -> str:
    if not isinstance(error, HTTPError):
        own = error.reason if isinstance(error, URLError) else error
        return str(own) if isinstance(own, (str, OSError)) else shown(error)
    # The gateway says in the body what it did not like.
    with error, suppress(OSError, HTTPException):
        body = " ".join(error.read(_MOST_OF_A_REASON).decode(errors="replace").split())
        return f"{error}: {body}" if body else str(error)
    return str(error)
