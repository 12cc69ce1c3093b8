"""The one orchestrator: it owns what a run needs, signs in, and keeps the session alive.

In: settings. Out: a session that is ready, with the managers as attributes. A refresh of the
session happens in one place, `refresh_browser_cookies`, whatever the reason; threads that see
the same session rejected lead to one refresh. It runs no action and starts no thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from ancestry_core.api_manager import APIManager
from ancestry_core.backoff import Backoff
from ancestry_core.browser import open_browser
from ancestry_core.circuit_breaker import SessionCircuitBreaker
from ancestry_core.database import open_database
from ancestry_core.exceptions import BrowserError, SettingsError
from ancestry_core.performance_monitor import PerformanceMonitor
from ancestry_core.rate_limiter import RateLimiter
from ancestry_core.unified_cache_manager import UnifiedCacheManager

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from ancestry_core.browser import BrowserSession, Cookies
    from ancestry_core.config import PlatformSettings
    from ancestry_core.database import Database
    from ancestry_core.performance_monitor import PerformanceSnapshot

_log = logging.getLogger(__name__)

RefreshReason = Literal["proactive", "api_forced", "browser_error"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SessionHealth:
    """What a health check found.

    Attributes:
        age_seconds: Age of the session.
        breaker: The breaker's state as a number: 0 closed, 0.5 half-open, 1 open.
        process: What the process uses.
    """

    age_seconds: float
    breaker: float
    process: PerformanceSnapshot


class SessionManager:
    """Owns database, browser, API, cache, limiter, breaker and monitor of one account.

    Args:
        settings: All settings; `service` must name URL, username and password.
        browser: What signs in; the one that the settings choose when left out.
        clock: Monotonic seconds.
        sleep: Waits the given seconds.
        draws: Randomness of back-offs.

    Attributes:
        settings: The settings.
        limiter: Paces everything that reaches the service.
        breaker: Stops requests while the service keeps failing.
        cache: Keeps answers.
        monitor: Reads what the process uses.
        api: Sends requests.
        sleep: The injected sleep, for whoever must wait in this session's time.
        health: What the last health check found; None before the first.

    Raises:
        SettingsError: If URL, username or password is not set.
    """

    def __init__(
        self,
        settings: PlatformSettings,
        *,
        browser: BrowserSession | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        draws: random.Random | None = None,
    ) -> None:
        service = settings.service
        base_url = _required(
            service.base_url, "ANCESTRY_BASE_URL", "the environment, .env or --base-url"
        )
        self._username = _required(service.username, "ANCESTRY_USERNAME", "the environment or .env")
        self._password = _required(service.password, "ANCESTRY_PASSWORD", "the environment or .env")
        self.settings = settings
        self.sleep = sleep
        self.limiter = RateLimiter(settings.limiter, clock=clock, sleep=sleep)
        self.breaker = SessionCircuitBreaker("api", settings.breaker, clock=clock)
        self.cache = UnifiedCacheManager(settings.cache, clock=clock)
        self.monitor = PerformanceMonitor()
        self.api = APIManager(
            base_url,
            settings.http,
            limiter=self.limiter,
            breaker=self.breaker,
            cache=self.cache,
            renew=self._renew_rejected,
            sleep=sleep,
            draws=draws,
        )
        self.health: SessionHealth | None = None
        self._browser = browser or open_browser(
            settings.session.browser, base_url, settings.http, self.limiter.wait
        )
        self._clock = clock
        self._backoff = Backoff(settings.http, draws)
        # Re-entrant, because a refresh that fails goes on as another one.
        self._refreshing = threading.RLock()
        self._refreshed_at: float | None = None
        self._refreshes: Counter[str] = Counter()
        self._tree_id: str | None = None

    @cached_property
    def database(self) -> Database:
        """The database, opened at first use."""
        return open_database(self.settings.database.path)

    @property
    def profile_id(self) -> str:
        """The account's own profile id, upper-case; empty before the session is ready."""
        return self.api.profile_id

    @property
    def dna_test_id(self) -> str:
        """The id of the account's own DNA test; empty before the session is ready."""
        return self.api.dna_test_id

    @property
    def tree_id(self) -> str | None:
        """The id of the account's first tree; None if it has none."""
        return self._tree_id

    @property
    def refreshes(self) -> Mapping[str, int]:
        """How often the session was refreshed, by reason."""
        return dict(self._refreshes)

    def ensure_session_ready(self) -> None:
        """Open the database, sign in and learn who the account is; a ready session stays.

        Raises:
            DatabaseError: If the database cannot be opened.
            SignInError: If the service refuses the credentials, or has no sign-in page.
            BrowserError: If the service cannot be reached after the allowed retries.
            ApiError: If the account's ids cannot be had.
        """
        with self._refreshing:
            if self.profile_id:
                self.check_health()
                return
            _ = self.database
            self._adopt(self._sign_in())
            self._identify()

    def session_age_seconds(self) -> float:
        """Give the time since the session was last signed in or refreshed.

        Returns:
            Seconds; 0.0 when not signed in.
        """
        refreshed_at = self._refreshed_at
        return 0.0 if refreshed_at is None else self._clock() - refreshed_at

    def check_health(self) -> None:
        """Take stock, and refresh a session that grows old before the service ends it.

        Actions call this between pages and items; it costs microseconds.
        """
        generation = self.api.generation
        self._update_session_metrics()
        if self.session_age_seconds() >= self.settings.session.refresh_after_seconds:
            self._refresh_once("proactive", generation)

    def refresh_browser_cookies(self, reason: RefreshReason) -> None:
        """Renew the session: the single place where that happens.

        The live browser session renews the cookies. Where it fails itself, the refresh goes on
        as one for `browser_error`, which signs in afresh.

        Args:
            reason: "proactive" for age, "api_forced" after a 401 or 403, "browser_error".

        Raises:
            SignInError: If signing in afresh is refused.
            BrowserError: If it fails after the allowed retries.
        """
        with self._refreshing:
            self._refreshes[reason] += 1
            _log.info("refreshing the session (%s)", reason)
            if reason == "browser_error":
                self._adopt(self._sign_in())
                return
            try:
                with self.api.slot:
                    cookies = self._browser.renew()
            except BrowserError as error:
                _log.warning("%s", error)
            else:
                self._adopt(cookies)
                return
            self.refresh_browser_cookies("browser_error")

    def close(self) -> None:
        """Close browser, connections and database; closing twice is fine."""
        self._browser.close()
        self.api.close()
        # Only if it was opened: asking for the property would open it.
        if "database" in self.__dict__:
            self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _update_session_metrics(self) -> None:
        """Note how the session and the process are: the periodic health check."""
        self.health = SessionHealth(
            self.session_age_seconds(), self.breaker.state_value, self.monitor.snapshot()
        )

    def _renew_rejected(self, generation: int) -> None:
        self._refresh_once("api_forced", generation)

    def _refresh_once(self, reason: RefreshReason, generation: int) -> None:
        """Refresh the session of this generation, unless another thread did meanwhile."""
        with self._refreshing:
            if self.api.generation == generation:
                self.refresh_browser_cookies(reason)

    def _sign_in(self) -> Cookies:
        """Sign in afresh, with bounded retries; refused credentials are not tried again."""
        attempt = 1
        while True:
            try:
                with self.api.slot:
                    return self._browser.sign_in(self._username, self._password.get_secret_value())
            except BrowserError as error:
                if attempt > self.settings.http.retries:
                    raise
                _log.warning("sign-in attempt %d: %s", attempt, error)
            self.sleep(self._backoff.seconds(attempt))
            attempt += 1

    def _adopt(self, cookies: Cookies) -> None:
        self.api.adopt(cookies)
        self._refreshed_at = self._clock()

    def _identify(self) -> None:
        """Learn the ids that requests need; the profile id last, because it marks readiness."""
        self.api.use_csrf_token(self.api.fetch_csrf_token())
        self.api.dna_test_id = self.api.fetch_test_id()
        trees = self.api.fetch_trees()
        self._tree_id = trees[0]["id"] if trees else None
        self.api.profile_id = self.api.fetch_profile_id()


def _required(value: _T | None, variable: str, source: str) -> _T:
    if value is None:
        raise SettingsError(f"{variable} is not set; give it by {source}")
    return value
