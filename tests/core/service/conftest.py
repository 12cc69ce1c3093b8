from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ancestry_core.service.application import Application
from ancestry_core.service.defaults import DEFAULT_PASSWORD, DEFAULT_USERNAME
from ancestry_core.service.embedded import EmbeddedService
from ancestry_core.service.exchange import Request
from ancestry_core.service.gedcom import read_pedigree
from ancestry_core.service.pedigree import Person, build_pedigree
from ancestry_core.service.population import populate
from ancestry_core.service.settings import ServiceSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ancestry_core.service.exchange import Answer
    from ancestry_core.service.pedigree import Pedigree

NOON = 1_750_000_000.0


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@dataclass
class Desk:
    """An application without sockets, and a browser that keeps its cookies."""

    application: Application
    clock: Clock
    slept: list[float]
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, url: str, body: bytes = b"", **headers: str) -> Answer:
        path, _, query = url.partition("?")
        pairs = dict(part.split("=", 1) for part in query.split("&") if part)
        sent = {**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        answer = self.application.handle(
            Request(method, path, pairs, sent, dict(self.cookies), body)
        )
        for name, value in answer.headers:
            if name == "Set-Cookie":
                cookie, _, text = value.partition("=")
                self.cookies[cookie] = text.partition(";")[0]
        return answer

    def sign_in(self, username: str = DEFAULT_USERNAME, password: str = DEFAULT_PASSWORD) -> Answer:
        form = f"username={username}&password={password}".encode()
        answer = self.ask("POST", "/account/signin", form)
        self.headers = {
            "ancestry-userid": self.application.population.account.profile_id,
            "x-csrf-token": self.cookies.get("_dnamatches-matchlistui-x-csrf-token", ""),
        }
        return answer


@pytest.fixture(scope="session")
def bundled() -> Pedigree:
    return read_pedigree()


@pytest.fixture(scope="session")
def family() -> Pedigree:
    """Two cousins who married, their children, parents and grandparents, and a stranger."""
    return build_pedigree(
        [
            Person("@G1@", "Grandpa", "Old", "M", 1900, "Oldham, England"),
            Person("@G2@", "Grandma", "Old", "F", 1902),
            Person("@A@", "Alan", "Old", "M", 1925, "Leeds, England", "@G1@", "@G2@"),
            Person("@B@", "Bea", "Old", "F", 1927, "York, England", "@G1@", "@G2@"),
            Person("@WA@", "Wanda", "Away", "F", 1926),
            Person("@HB@", "Hugo", "Here", "M", 1924),
            Person("@C@", "Carl", "Old", "M", 1950, "Hull, England", "@A@", "@WA@"),
            Person("@D@", "Dora", "Here", "F", 1951, "Bath, England", "@HB@", "@B@"),
            Person("@E@", "Emma", "Old", "F", 1980, "Hull, England", "@C@", "@D@"),
            Person("@F@", "Finn", "Old", "M", 1982, "Hull, England", "@C@", "@D@"),
            Person("@S@", "Sam", "Stranger", "M", 1960),
        ]
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_desk(family: Pedigree, clock: Clock) -> Callable[..., Desk]:
    """Return an application for the family's daughter; its slow answers take no time."""

    def make(**changes: Any) -> Desk:
        settings = replace(ServiceSettings(matches=60, seed=7), **changes)
        population = populate(family, "@E@", settings.matches, settings.seed)
        slept: list[float] = []
        application = Application(settings, population, clock=clock, now=clock, sleep=slept.append)
        return Desk(application, clock, slept)

    return make


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    """Return an application without faults, with somebody signed in."""
    desk = open_desk()
    desk.sign_in()
    return desk


@pytest.fixture
def start() -> Iterator[Callable[..., EmbeddedService]]:
    """Return a way to start real services, which are stopped at the end."""
    running: list[EmbeddedService] = []

    def make(**changes: Any) -> EmbeddedService:
        service = EmbeddedService(replace(ServiceSettings(matches=40, seed=7), **changes))
        running.append(service)
        service.start()
        return service

    yield make
    for service in running:
        service.stop()


@pytest.fixture
def browse() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session
