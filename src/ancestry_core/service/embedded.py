"""The embedded service as one object: make it, start it, look at its record, stop it.

In: settings. Out: a base URL that answers over real HTTP. Making it opens nothing and starts
nothing; `start` reads the pedigree, populates the service and listens, in a thread.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from ancestry_core.exceptions import PedigreeError
from ancestry_core.service.application import Application
from ancestry_core.service.gedcom import read_pedigree
from ancestry_core.service.population import populate
from ancestry_core.service.server import ServiceServer
from ancestry_core.service.settings import ServiceSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ancestry_core.service.faults import FaultRates
    from ancestry_core.service.pedigree import Pedigree
    from ancestry_core.service.population import Population
    from ancestry_core.service.record import ServiceRecord

_POLL_SECONDS = 0.02
"""How often the listening thread looks whether it shall stop."""


class EmbeddedService:
    """A genealogy service on loopback, with real people and planned faults.

    Args:
        settings: Size, seed, credentials, sessions, faults; None for the defaults.
        clock: Monotonic seconds, for sessions and the record.
        now: Unix seconds, for messages and last sign-ins.
        sleep: What a slow answer waits with.

    Example:
        >>> with EmbeddedService(ServiceSettings(matches=30, seed=7)) as service:  # doctest: +SKIP
        ...     requests.get(f"{service.base_url}/account/signin", timeout=5)
    """

    def __init__(
        self,
        settings: ServiceSettings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings or ServiceSettings()
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._application: Application | None = None
        self._server: ServiceServer | None = None
        self._thread: threading.Thread | None = None
        self._warnings: tuple[str, ...] = ()

    def start(self) -> str:
        """Read the pedigree, populate the service and listen.

        Returns:
            The base URL, such as `http://127.0.0.1:8080`.

        Raises:
            PedigreeError: The GEDCOM file cannot be read, or has no such root.
            PortInUseError: The port is taken.
        """
        if self._server is not None:
            return self.base_url
        settings = self.settings
        pedigree = read_pedigree(settings.gedcom)
        root = find_root(pedigree, settings.root)
        population = populate(pedigree, root, settings.matches, settings.seed)
        application = Application(
            settings, population, clock=self._clock, now=self._now, sleep=self._sleep
        )
        self._server = ServiceServer(settings.host, settings.port, application)
        self._application = application
        self._warnings = (*pedigree.warnings, *_loneliness(population))
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(_POLL_SECONDS,),
            name="ancestry-service",
            daemon=True,
        )
        self._thread.start()
        return self.base_url

    def stop(self) -> None:
        """Close every connection and end every thread; the record stays readable."""
        if self._server is None or self._thread is None:
            return
        self._server.close()
        self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """Where the service answers, without a slash at the end."""
        if self._server is None:
            raise RuntimeError("the embedded service is not running; call start() first")
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def record(self) -> ServiceRecord:
        """What the service received so far."""
        return self._started().record

    @property
    def population(self) -> Population:
        """Who is at the service."""
        return self._started().population

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was not right with the GEDCOM file or the root, a line each."""
        return self._warnings

    def switch_faults(self, rates: FaultRates) -> None:
        """Put other faults in force from the next request on; may be called from any thread."""
        self._started().faults.switch(rates)

    def _started(self) -> Application:
        if self._application is None:
            raise RuntimeError("the embedded service was not started; call start() first")
        return self._application


def find_root(pedigree: Pedigree, asked: str | None) -> str:
    """Return the id of the account's person.

    Args:
        pedigree: Where to look.
        asked: An id with or without its `@` signs; None for the best-connected person.

    Raises:
        PedigreeError: Nobody has that id.
    """
    if asked is None:
        return pedigree.best_connected()
    root = f"@{asked.strip('@')}@"
    if root not in pedigree.people:
        example = next(iter(pedigree.people))
        raise PedigreeError(
            f"nobody in the pedigree has the id {asked}; use one of its "
            f"{len(pedigree.people)} ids, such as {example.strip('@')}"
        )
    return root


def _loneliness(population: Population) -> list[str]:
    if population.relatives or not population.matches:
        return []
    person = population.account.person
    lonely = (
        f"nobody in the pedigree is related by blood to {person.name} ({person.id.strip('@')}); "
        "every match is simulated, choose another person with --root for real ones"
    )
    return [lonely]
