"""Signed-in browsers and their sessions at the embedded service.

In: credentials, and the cookies of a request. Out: fresh cookies, or what is wrong with the old
ones. A browser that signed in is known by its `SecureATT` cookie until it is thrown out; with that
it may renew the short-lived `ANCSESSIONID`. No HTTP is spoken here.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest
from typing import TYPE_CHECKING

from ancestry_core.service.seeding import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ancestry_core.service.settings import ServiceSettings

SESSION_COOKIE = "ANCSESSIONID"
BROWSER_COOKIE = "SecureATT"
CSRF_COOKIE = "_dnamatches-matchlistui-x-csrf-token"


class Refusal(Enum):
    """Why a request is not served; the value is the HTTP status."""

    UNAUTHORIZED = 401
    FORBIDDEN = 403


@dataclass(slots=True)
class _Session:
    browser: str
    csrf_token: str
    started: float
    number: int
    requests: int = 0
    ended: Refusal | None = None


class Sessions:
    """The sessions of one service; safe to use from several threads.

    Args:
        settings: Credentials, and how long a session lives.
        clock: Monotonic seconds.
    """

    def __init__(
        self, settings: ServiceSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._issued = 0
        self._started = 0
        self._browsers: dict[str, str] = {}
        self._sessions: dict[str, _Session] = {}

    def sign_in(self, username: str, password: str) -> dict[str, str] | None:
        """Return the cookies of a fresh session, or None where the credentials are wrong."""
        known = self._settings
        # Both are compared, in constant time, so that an answer's speed tells nothing.
        right_name = compare_digest(username.encode(), known.username.encode())
        right_password = compare_digest(password.encode(), known.password.encode())
        if not (right_name and right_password):
            return None
        with self._lock:
            browser = self._token("browser")
            csrf_token = self._token("csrf")
            self._browsers[browser] = csrf_token
            session = self._start(browser)
        return {SESSION_COOKIE: session, BROWSER_COOKIE: browser, CSRF_COOKIE: csrf_token}

    def renew(self, cookies: Mapping[str, str]) -> dict[str, str] | None:
        """Return renewed cookies for a browser that signed in, or None for any other."""
        browser = cookies.get(BROWSER_COOKIE, "")
        with self._lock:
            csrf_token = self._browsers.get(browser)
            if csrf_token is None:
                return None
            session = self._start(browser)
        return {SESSION_COOKIE: session, BROWSER_COOKIE: browser, CSRF_COOKIE: csrf_token}

    def throw_out(self, cookies: Mapping[str, str]) -> None:
        """Forget a browser: it has to sign in afresh."""
        browser = cookies.get(BROWSER_COOKIE, "")
        with self._lock:
            self._browsers.pop(browser, None)
            self._forget_sessions(browser)

    def is_signed_in(self, cookies: Mapping[str, str]) -> bool:
        """Tell whether the browser signed in and was not thrown out since."""
        return cookies.get(BROWSER_COOKIE, "") in self._browsers

    def csrf_token(self, cookies: Mapping[str, str]) -> str:
        """Return the token that goes with a browser's posts; empty for one that is not known."""
        return self._browsers.get(cookies.get(BROWSER_COOKIE, ""), "")

    def end(self, cookies: Mapping[str, str], refusal: Refusal) -> None:
        """End the session before its time; from now on its requests are refused this way."""
        with self._lock:
            session = self._sessions.get(cookies.get(SESSION_COOKIE, ""))
            if session is not None:
                session.ended = refusal

    def check(self, cookies: Mapping[str, str]) -> Refusal | str:
        """Count one API request of a session; return its CSRF token, or why it is refused."""
        with self._lock:
            session = self._sessions.get(cookies.get(SESSION_COOKIE, ""))
            if session is None:
                return Refusal.UNAUTHORIZED
            if session.ended is None and self._is_over(session):
                # The real service answers now the one, now the other.
                session.ended = tuple(Refusal)[session.number % 2]
            if session.ended is not None:
                return session.ended
            session.requests += 1
            return session.csrf_token

    def _is_over(self, session: _Session) -> bool:
        most = self._settings.session_requests
        too_old = self._clock() - session.started >= self._settings.session_seconds
        return too_old or (most is not None and session.requests >= most)

    def _start(self, browser: str) -> str:
        """Begin a session of a browser; the one before it ends, so there is one per browser."""
        self._forget_sessions(browser)
        name = self._token("session")
        self._started += 1
        self._sessions[name] = _Session(
            browser, self._browsers[browser], self._clock(), self._started
        )
        return name

    def _forget_sessions(self, browser: str) -> None:
        mine = [name for name, session in self._sessions.items() if session.browser == browser]
        for name in mine:
            del self._sessions[name]

    def _token(self, purpose: str) -> str:
        self._issued += 1
        return digest(self._settings.seed, purpose, self._issued).hex()
