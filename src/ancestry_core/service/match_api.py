"""The calls about the account and its matches; see the table in the service's description.

In: a request whose session has been checked. Out: an answer in the call's shape. Ids are taken in
either case and shown in upper case. Faults, sessions and the network are dealt with outside, except
for what is broken for good.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from ancestry_core.service.exchange import json_answer
from ancestry_core.service.faults import Broken
from ancestry_core.service.inputs import Rejected, json_object, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_core.service.exchange import Answer, Request
    from ancestry_core.service.faults import FaultPlan
    from ancestry_core.service.matches import Match
    from ancestry_core.service.population import Population

_MOST_PER_PAGE = 200
_LATE_FROM = 8
"""Where in the list late matches turn up: on the first page, behind the closest family."""


class MatchApi:
    """The calls about one account.

    Args:
        population: Whose matches are shown.
        faults: Which things are broken for good.
        now: Unix seconds; matches' last sign-ins are counted back from the day.
    """

    def __init__(
        self,
        population: Population,
        faults: FaultPlan,
        now: Callable[[], float],
    ) -> None:
        self._account = population.account
        self._matches = population.matches
        self._by_sample = {match.sample_id: match for match in population.matches}
        self._by_profile = {match.profile_id: match for match in population.matches}
        self._faults = faults
        self._now = now

    def profile_id(self, _request: Request) -> Answer:
        """Answer whose account it is."""
        return json_answer({"data": {"ucdmid": self._account.profile_id}})

    def dna_test(self, _request: Request) -> Answer:
        """Answer the id of the account's DNA test."""
        return json_answer({"testId": self._account.test_id})

    def trees(self, _request: Request) -> Answer:
        """Answer the account's family trees."""
        tree = {"id": self._account.tree_id, "name": self._account.tree_name}
        return json_answer({"trees": [tree]})

    def match_list(self, request: Request, test: str) -> Answer:
        """Answer one page of the matches, most centimorgans first."""
        self._require_own_test(test)
        size = whole_number(request, "itemsPerPage", 30, _MOST_PER_PAGE)
        page = whole_number(request, "currentPage", 1)
        late = self._faults.late_matches(page)
        listed = self._matches[:_LATE_FROM] + self._matches[_LATE_FROM + late :]
        chosen = listed[(page - 1) * size : page * size]
        total = ceil(len(listed) / size)
        return json_answer({"totalPages": total, "matchList": [_listed(m) for m in chosen]})

    def in_tree(self, request: Request, test: str) -> Answer:
        """Answer which of the samples asked about are in the account's tree."""
        self._require_own_test(test)
        asked = json_object(request).get("sampleIds")
        if not isinstance(asked, list):
            raise Rejected(400, "sampleIds must be a list of sample ids")
        found = (self._by_sample.get(str(sample).upper()) for sample in asked)
        return json_answer([match.sample_id for match in found if match and match.in_tree])

    def details(self, _request: Request, test: str, sample: str) -> Answer:
        """Answer how one match is related."""
        self._require_own_test(test)
        match = self._match(sample)
        if self._faults.is_broken(Broken.DETAILS, sample):
            raise Rejected(500, "the details of this match cannot be read")
        return json_answer(_details(match))

    def profile(self, request: Request) -> Answer:
        """Answer when a match was last there and whether messages are welcome."""
        user = request.query.get("userId", "")
        match = self._by_profile.get(user.upper())
        if match is None:
            raise Rejected(404, "no such profile")
        if self._faults.is_broken(Broken.PROFILES, user):
            raise Rejected(500, "this profile cannot be read")
        today = datetime.fromtimestamp(self._now(), UTC).replace(hour=0, minute=0, second=0)
        last = today - timedelta(days=match.idle_days)
        return json_answer(
            {
                "LastLoginDate": last.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "IsContactable": match.is_contactable,
                "FirstName": match.person.name.split()[0],
                "displayName": match.person.name,
            }
        )

    def badge(self, _request: Request, test: str, sample: str) -> Answer:
        """Answer which person of the account's tree a match is; 404 where none is."""
        self._require_own_test(test)
        match = self._match(sample)
        if not match.in_tree:
            raise Rejected(404, "this match is not in the tree")
        person = match.person
        badged = {
            "personId": person.id.strip("@"),
            "firstName": person.given,
            "lastName": person.surname,
            "birthYear": person.birth_year,
        }
        return json_answer({"personBadged": badged})

    def ethnicity(self, _request: Request, test: str, sample: str) -> Answer:
        """Answer the regions of the account and of one match, side by side."""
        self._require_own_test(test)
        comparisons = [
            {"resourceId": region, "leftSum": mine, "rightSum": theirs}
            for region, mine, theirs in self._match(sample).ethnicity
        ]
        return json_answer({"comparisons": comparisons})

    def _require_own_test(self, test: str) -> None:
        if test.upper() != self._account.test_id:
            raise Rejected(403, "this is not the account's DNA test")

    def _match(self, sample: str) -> Match:
        match = self._by_sample.get(sample.upper())
        if match is None:
            raise Rejected(404, "no such match")
        return match


def _listed(match: Match) -> dict[str, Any]:
    dna = match.dna
    return {
        "sampleId": match.sample_id,
        "matchProfile": {
            "displayName": match.person.name,
            "userId": match.profile_id,
            "displayInitials": match.initials,
        },
        "relationship": {
            "sharedCentimorgans": dna.centimorgans,
            "numSharedSegments": dna.segments,
            "predictedRelationship": dna.predicted,
        },
        "gender": match.person.sex,
        "adminId": match.admin_id,
        "adminName": match.admin_name,
        "createdDate": match.created_date,
        "treeId": match.tree_id,
        "userTreePublic": match.tree_is_public,
        "personCount": match.person_count,
    }


def _details(match: Match) -> dict[str, Any]:
    dna = match.dna
    return {
        "userId": match.profile_id,
        "displayName": match.person.name,
        "subjectGender": match.person.sex,
        "fathersSide": match.on_fathers_side,
        "mothersSide": match.on_mothers_side,
        "relationship": {
            "sharedSegments": dna.segments,
            "longestSharedSegment": dna.longest,
            "meiosis": dna.meioses,
        },
        "predictions": [
            {"distributionProbability": probability, "pathsToMatch": [{"label": label}]}
            for label, probability in dna.alternatives
        ],
    }
