"""A run of the platform from one end to the other.

    options -> settings -> embedded service -> SessionManager -> actions -> report

In: `RunOptions` and a display. Out: a `RunReport`. The command line and its exit codes are in
`main`, which imports this module only when a run begins: it needs the `[platform]` extra.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from ancestry_core.actions.action6_gather import coord
from ancestry_core.actions.action7_inbox import process_inbox
from ancestry_core.actions.action8_messaging import send_messages_to_matches
from ancestry_core.actions.action9_process_productive import process_productive
from ancestry_core.circuit_breaker import BreakerState
from ancestry_core.config import load_settings
from ancestry_core.report.run_report import RunReport
from ancestry_core.service import (
    DEFAULT_PASSWORD,
    DEFAULT_USERNAME,
    EmbeddedService,
    FaultRates,
    ServiceSettings,
)
from ancestry_core.session_manager import SessionManager

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ancestry_core.actions.completion import ActionSummary
    from ancestry_core.config import PlatformSettings
    from ancestry_core.options import RunOptions
    from ancestry_core.report.display import Display

EMBEDDED_SESSION_SECONDS = 10.0
EMBEDDED_ENVIRONMENT: Mapping[str, str] = {
    # A real service is asked twice a second and left alone for half a minute when it fails. The
    # embedded one is there to be seen working: the same things happen, within a minute.
    "ANCESTRY_REQUESTS_PER_SECOND": "25",
    "ANCESTRY_HTTP_BACKOFF_SECONDS": "0.1",
    "ANCESTRY_HTTP_BACKOFF_MAX_SECONDS": "1",
    "ANCESTRY_BREAKER_RECOVERY_SECONDS": "1",
    "ANCESTRY_SESSION_REFRESH_AFTER_SECONDS": "8",
    "ANCESTRY_CACHE_TTL_SECONDS": "account=3600,matches=900,profiles=15",
    "ANCESTRY_ACTIONS_PAGE_SIZE": "20",
    "ANCESTRY_ACTIONS_MAX_MESSAGES": "60",
}
"""Defaults for a run against the embedded service; the real environment beats them."""

FAULTS_ON_PURPOSE = (
    "No network, no account: the service that is asked runs on this machine, and fails on purpose "
    "(errors, slow answers, an outage), so that warnings, retries and metrics have something to "
    "show."
)


class Workflow:
    """One run; a context manager that opens and closes what it needs.

    Args:
        options: What to do.
        display: Shows how far it is.
        environ: The environment; the process's own when left out.
        clock: Monotonic seconds, of the platform and of the embedded service.
        sleep: Waits the given seconds.

    Attributes:
        session_manager: The platform, from entering on.
    """

    session_manager: SessionManager

    def __init__(
        self,
        options: RunOptions,
        display: Display,
        environ: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options
        self._display = display
        self._environ = dict(os.environ if environ is None else environ)
        self._clock = clock
        self._sleep = sleep
        self._stack = ExitStack()
        self._started = clock()
        self._summaries: list[ActionSummary] = []
        self._trips = 0

    def __enter__(self) -> Self:
        """Read the settings, start the embedded service if one is needed, make the platform.

        Raises:
            PlatformError: If settings, service or platform will not do.
        """
        with ExitStack() as stack:
            settings = self._settings(stack)
            self.session_manager = stack.enter_context(
                SessionManager(settings, clock=self._clock, sleep=self._sleep)
            )
            self.session_manager.breaker.add_listener(self._count_trip)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self) -> None:
        """Sign in and run the actions, one after the other.

        Raises:
            PlatformError: If an action cannot go on; `report` tells what was done until then.
        """
        self._display.watch(self._describe)
        self.session_manager.ensure_session_ready()
        service = self.session_manager.api.base_url
        self._display.note(f"Signed in at {service}; database {self.session_manager.database.path}")
        for number in self._options.actions:
            self._action(number)(
                self.session_manager,
                on_progress=self._display.on_progress,
                on_complete=self._completed,
            )

    def report(self) -> RunReport:
        """Tell what was done until now."""
        return RunReport.of(
            self.session_manager,
            tuple(self._summaries),
            breaker_trips=self._trips,
            seconds=self._clock() - self._started,
            sent=self._options.send,
        )

    def _describe(self) -> str:
        """Tell in a few words what goes on; asked from the thread that draws."""
        statistics = self.session_manager.api.statistics
        state = self.session_manager.breaker.state.name.lower()
        return (
            f"{statistics.requests_sent} requests sent, {statistics.retries} of them retries; "
            f"circuit breaker {state.replace('_', '-')}"
        )

    def _settings(self, stack: ExitStack) -> PlatformSettings:
        """Read the settings; where they name no service, start one and go there."""
        overrides = self._overrides()
        settings = load_settings(overrides, self._environ)
        if settings.service.base_url is not None:
            return settings
        self._display.note(FAULTS_ON_PURPOSE)
        service = stack.enter_context(self._embedded_service())
        for warning in service.warnings:
            self._display.note(warning)
        overrides["service"] = {
            "base_url": service.base_url,
            "username": DEFAULT_USERNAME,
            "password": DEFAULT_PASSWORD,
        }
        path = f"ancestry-demo-{self._options.seed}.db"
        defaults = {**EMBEDDED_ENVIRONMENT, "ANCESTRY_DATABASE_PATH": path}
        return load_settings(overrides, {**defaults, **self._environ})

    def _overrides(self) -> dict[str, dict[str, Any]]:
        options = self._options
        return {
            "service": {"base_url": options.base_url},
            "database": {"path": options.database},
            "session": {"browser": options.browser},
        }

    def _embedded_service(self) -> EmbeddedService:
        return EmbeddedService(
            ServiceSettings(
                matches=self._options.matches,
                seed=self._options.seed,
                session_seconds=EMBEDDED_SESSION_SECONDS,
                faults=FaultRates.realistic(),
            ),
            clock=self._clock,
            sleep=self._sleep,
        )

    def _action(self, number: int) -> Callable[..., ActionSummary]:
        send = self._options.send
        actions: dict[int, Callable[..., ActionSummary]] = {
            6: coord,
            7: process_inbox,
            8: partial(send_messages_to_matches, send=send),
            9: partial(process_productive, send=send),
        }
        return actions[number]

    def _completed(self, summary: ActionSummary) -> None:
        self._summaries.append(summary)
        self._display.on_complete(summary)

    def _count_trip(self, _: str, __: BreakerState, state: BreakerState) -> None:
        self._trips += state is BreakerState.OPEN
