"""The service's API: one method for each call in the table of its description.

In: a request whose session has been checked. Out: an answer in the call's shape. Ids are taken in
either case and shown in upper case. Faults, sessions and the network are dealt with outside.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from ancestry_core.service.exchange import Answer, Request, error_answer, json_answer
from ancestry_core.service.faults import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_core.service.faults import FaultPlan
    from ancestry_core.service.inbox import Conversation, Inbox
    from ancestry_core.service.matches import Match
    from ancestry_core.service.population import Population
    from ancestry_core.service.record import ServiceRecord

_MOST_PER_PAGE = 200


class Rejected(Exception):  # noqa: N818 - an answer on its way out, no error of the program
    """A request that cannot be carried out; carries the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = error_answer(status, message)


class Api:
    """The calls of one service.

    Args:
        population: Whose matches are shown.
        inbox: The conversations.
        faults: Which things are broken for good.
        record: Where stored messages are counted.
        now: Unix seconds; matches' last sign-ins are counted back from the day.
    """

    def __init__(
        self,
        population: Population,
        inbox: Inbox,
        faults: FaultPlan,
        record: ServiceRecord,
        now: Callable[[], float],
    ) -> None:
        self._account = population.account
        self._matches = population.matches
        self._by_sample = {match.sample_id: match for match in population.matches}
        self._by_profile = {match.profile_id: match for match in population.matches}
        self._inbox = inbox
        self._faults = faults
        self._record = record
        self._now = now

    def profile_id(self, _request: Request) -> Answer:
        """Answer whose account it is."""
        return json_answer({"data": {"ucdmid": self._account.profile_id}})

    def test_id(self, _request: Request) -> Answer:
        """Answer the id of the account's DNA test."""
        return json_answer({"testId": self._account.test_id})

    def trees(self, _request: Request) -> Answer:
        """Answer the account's family trees."""
        tree = {"id": self._account.tree_id, "name": self._account.tree_name}
        return json_answer({"trees": [tree]})

    def match_list(self, request: Request, test: str) -> Answer:
        """Answer one page of the matches, most centimorgans first."""
        self._require_own_test(test)
        size = _number(request, "itemsPerPage", 30, _MOST_PER_PAGE)
        page = _number(request, "currentPage", 1)
        chosen = self._matches[(page - 1) * size : page * size]
        total = ceil(len(self._matches) / size)
        return json_answer({"totalPages": total, "matchList": [_listed(m) for m in chosen]})

    def in_tree(self, request: Request, test: str) -> Answer:
        """Answer which of the samples asked about are in the account's tree."""
        self._require_own_test(test)
        asked = _body(request).get("sampleIds")
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

    def conversations(self, request: Request) -> Answer:
        """Answer one page of the inbox, newest first."""
        if request.query.get("q", "").upper() != f"USER:{self._account.profile_id}":
            raise Rejected(403, "q must be user: and one's own profile id")
        limit = _number(request, "limit", 50, _MOST_PER_PAGE)
        try:
            page, cursor = self._inbox.page(limit, request.query.get("cursor") or None)
        except ValueError:
            raise Rejected(400, "cursor must be a forward_cursor of an earlier page") from None
        paging = {"forward_cursor": cursor} if cursor else {}
        listed = [self._listed_conversation(item) for item in page]
        return json_answer({"conversations": listed, "paging": paging})

    def messages(self, request: Request, conversation: str) -> Answer:
        """Answer the newest messages of a conversation, newest first."""
        found = self._conversation(conversation)
        messages, reads = self._inbox.read(found, _number(request, "limit", 5, _MOST_PER_PAGE))
        answer = json_answer(
            {
                "messages": [
                    {"content": item.content, "author": item.author, "created": item.created}
                    for item in messages
                ]
            }
        )
        if self._faults.is_broken(Broken.CONVERSATIONS, conversation) or (
            reads > 1 and self._faults.is_broken(Broken.REREADS, conversation)
        ):
            cut_off(answer)
        return answer

    def send_new(self, request: Request) -> Answer:
        """Store a message to a match, in a new conversation or in the one that there is."""
        body = _body(request)
        content = self._own_content(body)
        partner = self._partner(body)
        self._require_deliverable(partner)
        conversation = self._inbox.start(partner.profile_id, partner.person.name, content)
        self._record.note("message")
        author = self._account.profile_id.lower()
        return json_answer({"conversation_id": conversation.id, "message": {"author": author}})

    def reply(self, request: Request, conversation: str) -> Answer:
        """Store a message in a conversation."""
        content = self._own_content(_body(request))
        found = self._conversation(conversation)
        self._require_deliverable(self._by_profile.get(found.partner_id))
        self._inbox.reply(found, content)
        self._record.note("message")
        return json_answer({"author": self._account.profile_id.lower()})

    def _require_own_test(self, test: str) -> None:
        if test.upper() != self._account.test_id:
            raise Rejected(403, "this is not the account's DNA test")

    def _match(self, sample: str) -> Match:
        match = self._by_sample.get(sample.upper())
        if match is None:
            raise Rejected(404, "no such match")
        return match

    def _conversation(self, conversation: str) -> Conversation:
        found = self._inbox.find(conversation)
        if found is None:
            raise Rejected(404, "no such conversation")
        return found

    def _own_content(self, body: dict[str, Any]) -> str:
        content = body.get("content")
        if not isinstance(content, str) or not content.strip():
            raise Rejected(400, "content must be a text that is not empty")
        if str(body.get("author", "")).upper() != self._account.profile_id:
            raise Rejected(403, "author must be one's own profile id")
        return content

    def _partner(self, body: dict[str, Any]) -> Match:
        members = body.get("conversation_members")
        members = members if isinstance(members, list) else []
        ids = [str(member.get("user_id")).upper() for member in members if isinstance(member, dict)]
        partners = [user for user in ids if user != self._account.profile_id]
        match = self._by_profile.get(partners[0]) if len(partners) == 1 else None
        if match is None:
            raise Rejected(400, "conversation_members must be oneself and one match")
        return match

    def _require_deliverable(self, partner: Match | None) -> None:
        if partner is not None and self._faults.is_broken(Broken.SENDS, partner.profile_id):
            raise Rejected(500, "the message cannot be delivered")

    def _listed_conversation(self, item: Conversation) -> dict[str, Any]:
        me = {"user_id": self._account.profile_id, "display_name": self._account.person.name}
        partner = {"user_id": item.partner_id, "display_name": item.partner_name}
        return {
            "id": item.id,
            "last_message": {"created": item.last_created},
            "members": [me, partner],
        }


def cut_off(answer: Answer) -> None:
    """Cut the answer's JSON in the middle, so that no parser takes it."""
    answer.body = answer.body[: len(answer.body) // 2]


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


def _number(request: Request, name: str, default: int, most: int | None = None) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise Rejected(400, f"{name} must be a whole number from 1")
    return min(int(text), most) if most else int(text)


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Rejected(400, "the body must be JSON") from None
    if not isinstance(body, dict):
        raise Rejected(400, "the body must be a JSON object")
    return body
