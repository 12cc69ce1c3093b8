"""Send a request to the service's API, and see it through.

    cache -> request slot -> limiter -> breaker -> transport -> judgement -> retry or answer

In: a URL and what goes with it. Out: an `ApiResponse`, or an `ApiError` of one line. One request
is in flight at a time, whatever the threads: the slot is given in the order of asking. It signs
in to nothing; a session that was rejected is renewed by the callable it was given.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ancestry_core.api_calls import ApiCalls
from ancestry_core.api_policy import Patience, require_patience, require_repeatable, usable
from ancestry_core.api_responses import ApiResponse, AttemptFailed, response_of
from ancestry_core.backoff import Backoff
from ancestry_core.exceptions import ServiceError
from ancestry_core.fair_lock import FairLock
from ancestry_core.transport import HttpTransport, TransportError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    import requests

    from ancestry_core.browser.cookies import Cookies
    from ancestry_core.circuit_breaker import SessionCircuitBreaker
    from ancestry_core.config import HttpSettings
    from ancestry_core.rate_limiter import RateLimiter
    from ancestry_core.unified_cache_manager import CacheKey, UnifiedCacheManager

CSRF_COOKIE = "_dnamatches-matchlistui-x-csrf-token"


@dataclass(frozen=True, slots=True)
class ApiStatistics:
    """What was sent since the start.

    Attributes:
        requests_sent: Attempts that went out.
        retries: Attempts that followed a failed one.
    """

    requests_sent: int
    retries: int


@dataclass(frozen=True, slots=True)
class _Credentials:
    """The headers of a session; the generation tells one session from the next."""

    generation: int
    headers: Mapping[str, str] = field(repr=False)


@dataclass(slots=True)
class _Request:
    """What goes with a URL and a method, and how it went so far."""

    params: Mapping[str, str] | None
    json: object
    headers: Mapping[str, str] | None
    send: bool
    timeout: float | None
    generation: int = 0
    renewed: bool = False


class APIManager(ApiCalls):
    """The one way to the service's API; safe for any number of threads.

    Args:
        base_url: The service's URL, without a slash at the end.
        settings: Timeouts, retries, back-off.
        limiter: Paces the attempts.
        breaker: Stops them while the service keeps failing.
        cache: Keeps the answers of calls that ask for it.
        renew: Renews the session whose generation it is given, unless that happened since.
        sleep: Waits the given seconds.
        draws: Randomness of the back-off.
        transport: What sends.

    Attributes:
        slot: Held while a request is in flight; whoever else speaks to the service holds it too.
    """

    def __init__(  # noqa: PLR0913 - the managers that a request passes through
        self,
        base_url: str,
        settings: HttpSettings,
        *,
        limiter: RateLimiter,
        breaker: SessionCircuitBreaker,
        cache: UnifiedCacheManager,
        renew: Callable[[int], None],
        sleep: Callable[[float], object] = time.sleep,
        draws: random.Random | None = None,
        transport: HttpTransport | None = None,
    ) -> None:
        self.base_url = base_url
        self.slot = FairLock()
        self._patience = Patience(settings.retries, limiter.max_pause_seconds)
        self._limiter = limiter
        self._breaker = breaker
        self._cache = cache
        self._renew = renew
        self._sleep = sleep
        self._backoff = Backoff(settings, draws)
        self._transport = transport or HttpTransport(base_url, settings)
        self._credentials = _Credentials(0, {})
        self._counting = threading.Lock()
        self._requests_sent = 0
        self._retries = 0

    @property
    def generation(self) -> int:
        """The number of the present session, from 1; 0 before the first."""
        return self._credentials.generation

    @property
    def statistics(self) -> ApiStatistics:
        """What was sent since the start."""
        with self._counting:
            return ApiStatistics(self._requests_sent, self._retries)

    def adopt(self, cookies: Cookies) -> None:
        """Send further requests in this session.

        Args:
            cookies: The cookies of a signed-in browser.
        """
        # One header, written once: the answers of the API set no cookies of their own, the
        # browser's session does, and a second jar beside it could only disagree.
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        if CSRF_COOKIE in cookies:
            headers["X-CSRF-Token"] = cookies[CSRF_COOKIE]
        self._credentials = _Credentials(self.generation + 1, headers)

    def use_csrf_token(self, token: str) -> None:
        """Send another token in `X-CSRF-Token` for the rest of this session.

        Args:
            token: The token that the service gave.
        """
        headers = {**self._credentials.headers, "X-CSRF-Token": token}
        self._credentials = _Credentials(self.generation, headers)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _api_req_with_auth_refresh(  # noqa: PLR0913 - each is a part of an HTTP request
        self,
        url: str,
        method: str = "GET",
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        cache_as: CacheKey | None = None,
        send: bool = False,
        timeout: float | None = None,
    ) -> ApiResponse:
        """Send a request; renew the session and repeat where that helps and does no harm.

        Args:
            url: Relative to the base URL, or under it.
            method: The HTTP method.
            params: The query.
            json: A body to encode as JSON.
            headers: Beside those of the session.
            cache_as: Where a good answer is kept, and looked up first.
            send: True if the request says something to somebody. It is then repeated only if
                it cannot have arrived.
            timeout: Seconds without a byte; the settings' when left out.

        Returns:
            The answer; 404 and 410 too, with `ok` False.

        Raises:
            CircuitOpenError: If the service is being left alone after failures.
            ServiceError: If it refused for good, or answered no JSON.
            RequestFailed: If it still failed after the allowed retries.
            UncertainSendError: If a send may or may not have arrived.
            SignInError: If the session could not be renewed, for good.
            BrowserError: The same, for a reason that may pass.
        """
        if cache_as is not None and (kept := self._cache.get(*cache_as)) is not None:
            return kept  # type: ignore[no-any-return]  # only answers are kept under these keys
        request = _Request(params, json, headers, send, timeout)
        response = self._persist(self._absolute(url), method, request)
        if cache_as is not None and response.ok:
            self._cache.set(*cache_as, response.undecoded())
        return response

    def _persist(self, url: str, method: str, request: _Request) -> ApiResponse:
        """Attempt it until there is an answer, or `_prepare_retry` raises."""
        attempt = 1
        while True:
            try:
                return self._attempt(url, method, request)
            except AttemptFailed as failure:
                cause = failure
            pause = self._prepare_retry(url, method, attempt, cause, request)
            if pause > 0:
                self._sleep(pause)
            attempt += 1

    def _attempt(self, url: str, method: str, request: _Request) -> ApiResponse:
        """Send it once, in turn, at the limiter's pace, with the breaker's leave.

        What came of it is noted before the slot is passed on: the next in line must not go out
        ahead of a pause that the service has just asked for.
        """
        with self.slot:
            self._limiter.wait(url)
            self._breaker.before_request()
            try:
                answer = self._send_attempt(url, method, request)
            except TransportError as error:
                self._breaker.record_failure()
                raise AttemptFailed(str(error), may_have_arrived=not error.never_sent) from None
            response = self._judge(url, answer)
        return usable(f"{method} {url}", response, send=request.send)

    def _send_attempt(self, url: str, method: str, request: _Request) -> requests.Response:
        """Send it: the single place where an attempt goes out."""
        credentials = self._credentials
        request.generation = credentials.generation
        headers = {**credentials.headers, **(request.headers or {})}
        if self.profile_id:
            headers["ancestry-userid"] = self.profile_id
        with self._counting:
            self._requests_sent += 1
        return self._transport.send(
            method,
            url,
            headers=headers,
            params=request.params,
            json=request.json,
            timeout=request.timeout,
        )

    def _judge(self, url: str, answer: requests.Response) -> ApiResponse:
        """Tell limiter and breaker how the attempt went; raise if another one may help."""
        try:
            response = response_of(answer, url)
        except AttemptFailed as failure:
            if failure.throttled:
                self._limiter.on_throttled(failure.retry_after)
            # A service that rejects or throttles is up.
            if failure.rejected or failure.throttled:
                self._breaker.record_success()
            else:
                self._breaker.record_failure()
            raise
        self._breaker.record_success()
        self._limiter.on_success()
        return response

    def _prepare_retry(
        self, url: str, method: str, attempt: int, cause: AttemptFailed, request: _Request
    ) -> float:
        """Make ready for another attempt: the single place where a retry is decided.

        Args:
            url: Where the attempt went.
            method: The HTTP method.
            attempt: How many attempts were made.
            cause: Why the last one failed.
            request: What went with it.

        Returns:
            The back-off in seconds. It is 0.0 after a renewed session, and after a 429 that
            says how long to wait: the limiter holds everybody back for that time.

        Raises:
            UncertainSendError: If a send may have arrived.
            ServiceError: If a renewed session was rejected too.
            RequestFailed: If no attempt is left, or the service asks for too long a pause.
        """
        what = f"{method} {url}"
        require_repeatable(what, cause, send=request.send, renewed=request.renewed)
        pause = 0.0
        if cause.rejected:
            request.renewed = True
            self._renew(request.generation)
        else:
            # The attempt that a renewed session was due is no retry of a failure.
            require_patience(what, cause, attempt - request.renewed, self._patience)
            pause = self._pause(cause, attempt - request.renewed)
        with self._counting:
            self._retries += 1
        return pause

    def _pause(self, cause: AttemptFailed, failed: int) -> float:
        if cause.throttled and cause.retry_after is not None:
            return 0.0
        return max(self._backoff.seconds(failed), cause.retry_after or 0.0)

    def _absolute(self, url: str) -> str:
        """Make a URL absolute; one that leads elsewhere must not get the session's cookies."""
        if "://" not in url:
            return f"{self.base_url}/{url.removeprefix('/')}"
        if not url.startswith(f"{self.base_url}/"):
            raise ServiceError(
                f"{url}: not under {self.base_url}, so the session's cookies are not sent there; "
                "use a path of the service"
            )
        return url
