"""The service without its sockets: a request in, an answer out.

The way of a request: the record's own page, the website, or the API; for the latter the fault that
meets it, the session, the headers, and then the call. Everything that is counted is counted here.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ancestry_core.service.exchange import Answer, Request, cut_off, error_answer, json_answer
from ancestry_core.service.faults import Broken, Fault, FaultPlan
from ancestry_core.service.inbox import Inbox
from ancestry_core.service.inbox_api import InboxApi
from ancestry_core.service.inputs import Rejected
from ancestry_core.service.match_api import MatchApi
from ancestry_core.service.record import ServiceRecord
from ancestry_core.service.sessions import Refusal, Sessions
from ancestry_core.service.website import Website

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_core.service.population import Population
    from ancestry_core.service.settings import ServiceSettings

RECORD_PATH = "/__service__/record"


@dataclass(frozen=True, slots=True)
class _Route:
    """One call of the API; `:name` in the template is passed to the call as `name`."""

    method: str
    template: str
    call: Callable[..., Answer]

    @property
    def endpoint(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r":(\w+)", r"(?P<\1>[^/]+)", self.template))


class Application:
    """One service: its people, its inbox, its sessions, its faults and its record.

    Args:
        settings: Credentials, sessions, faults and seed.
        population: Who is there.
        clock: Monotonic seconds, for sessions and the record.
        now: Unix seconds, for messages and last sign-ins.
        sleep: What a slow answer waits with.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        population: Population,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.population = population
        owner = population.account
        self.record = ServiceRecord(settings.record_limit, clock)
        self.faults = FaultPlan(settings.faults, settings.seed, _breakable(population))
        self._sessions = Sessions(settings, clock)
        self._website = Website(owner.person.name, self._sessions, self.faults, self.record)
        inbox = Inbox(owner.profile_id, population.conversations, settings.seed, now)
        self._matches = MatchApi(population, self.faults, now)
        self._messages = InboxApi(population, inbox, self.faults, self.record)
        self._owner_id = owner.profile_id
        self._sleep = sleep
        self._routes = [(route, route.pattern) for route in self._table()]

    def handle(self, request: Request) -> Answer:
        """Carry out one request."""
        if request.path == RECORD_PATH:
            return json_answer(self.record.as_dict())
        return self._website.handle(request) or self._call(request)

    def _table(self) -> tuple[_Route, ...]:
        matches, messages = self._matches, self._messages
        lists = "/discoveryui-matches/parents"
        samples = "/discoveryui-matchesservice/api"
        match = f"{samples}/samples/:test/matches/:sample"
        profile = "/app-api/express/v1/profiles/details"
        inbox = "/app-api/express/v2/conversations"
        return (
            _Route("GET", f"{lists}/api/csrfToken", self._csrf_token),
            _Route("GET", "/app-api/cdp-p13n/api/v1/users/me", matches.profile_id),
            _Route("GET", "/api/navheaderdata/v1/header/data/dna", matches.dna_test),
            _Route("GET", "/api/treesui-list/trees", matches.trees),
            _Route("GET", f"{lists}/list/api/matchList/:test", matches.match_list),
            _Route("POST", f"{lists}/list/api/badges/matchesInTree/:test", matches.in_tree),
            _Route("GET", f"{match}/details", matches.details),
            _Route("GET", f"{match}/badgedetails", matches.badge),
            _Route("GET", f"{samples}/compare/:test/with/:sample/ethnicity", matches.ethnicity),
            _Route("GET", profile, matches.profile),
            _Route("GET", inbox, messages.conversations),
            _Route("GET", f"{inbox}/:conversation/messages", messages.messages),
            _Route("POST", f"{inbox}/message", messages.send_new),
            _Route("POST", f"{inbox}/:conversation", messages.reply),
        )

    def _call(self, request: Request) -> Answer:
        """Find the call of the API, and carry it out as far as faults and session let it."""
        allowed: list[str] = []
        for route, pattern in self._routes:
            found = pattern.fullmatch(request.path)
            if found and route.method == request.method:
                answer = self._answer(request, route, found.groupdict())
                answer.endpoint = route.endpoint
                return answer
            if found:
                allowed.append(route.method)
        if not allowed:
            return error_answer(404, "no such page or call")
        answer = error_answer(405, "not with this method")
        answer.headers.append(("Allow", ", ".join(allowed)))
        return answer

    def _answer(self, request: Request, route: _Route, arguments: dict[str, str]) -> Answer:
        fault = self.faults.next()
        refused = self._fails_at_once(fault) or self._refuses(request, fault)
        if refused is not None:
            return refused
        if fault is Fault.SLOW:
            self._sleep(self.faults.rates.slow_seconds)
        try:
            answer = route.call(request, **arguments)
        except Rejected as rejected:
            answer = rejected.answer
        # What follows has been carried out: a message that was sent is in the inbox.
        if fault is Fault.DROPPED:
            answer.status = 0
        if fault is Fault.BROKEN_JSON:
            cut_off(answer)
        return answer

    def _fails_at_once(self, fault: Fault) -> Answer | None:
        """Return the answer of a service that does not get as far as looking at the request."""
        if fault is Fault.OUTAGE:
            return error_answer(503, "the service is down")
        if fault is Fault.SERVER_ERROR:
            return error_answer(500, "something went wrong")
        if fault is Fault.THROTTLED:
            answer = error_answer(429, "too many requests")
            answer.headers.append(("Retry-After", str(self.faults.rates.retry_after)))
            return answer
        return None

    def _refuses(self, request: Request, fault: Fault) -> Answer | None:
        """Return the answer to a request without a living session, or with wrong headers."""
        if fault in {Fault.UNAUTHORIZED, Fault.FORBIDDEN}:
            self._sessions.end(request.cookies, Refusal[fault.name])
        checked = self._sessions.check(request.cookies)
        if isinstance(checked, Refusal):
            return error_answer(checked.value, "the session has ended; sign in")
        user = request.headers.get("ancestry-userid", "" if request.method == "POST" else None)
        if user is not None and user != self._owner_id:
            return error_answer(403, "ancestry-userid must be one's own profile id in upper case")
        if request.method == "POST" and request.headers.get("x-csrf-token") != checked:
            return error_answer(403, "X-CSRF-Token is not the session's")
        return None

    def _csrf_token(self, request: Request) -> Answer:
        return json_answer({"csrfToken": self._sessions.csrf_token(request.cookies)})


def _breakable(population: Population) -> dict[Broken, tuple[str, ...]]:
    """Return among which ids each kind of lasting fault may choose."""
    matches, conversations = population.matches, population.conversations
    samples = tuple(match.sample_id.lower() for match in matches)
    profiles = tuple(match.profile_id.lower() for match in matches)
    of_kind = {
        kind: tuple(item.id.lower() for item in conversations if item.kind == kind)
        for kind in ("other", "productive")
    }
    return {
        Broken.DETAILS: samples,
        Broken.PROFILES: profiles,
        Broken.SENDS: profiles,
        Broken.CONVERSATIONS: of_kind["other"],
        Broken.REREADS: of_kind["productive"],
    }
