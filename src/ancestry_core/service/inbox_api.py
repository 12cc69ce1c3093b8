"""The calls about conversations; see the table in the service's description.

In: a request whose session has been checked. Out: an answer in the call's shape; a message that is
accepted is in the inbox from then on. The author of an answer comes in lower case, as the service
has it; conversations and profiles are shown in upper case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ancestry_core.service.exchange import cut_off, json_answer
from ancestry_core.service.faults import Broken
from ancestry_core.service.inputs import Rejected, json_object, whole_number

if TYPE_CHECKING:
    from ancestry_core.service.exchange import Answer, Request
    from ancestry_core.service.faults import FaultPlan
    from ancestry_core.service.inbox import Conversation, Inbox
    from ancestry_core.service.matches import Match
    from ancestry_core.service.population import Population
    from ancestry_core.service.record import ServiceRecord

_MOST_PER_PAGE = 200


class InboxApi:
    """The calls about one account's conversations.

    Args:
        population: The account and whom it can write to.
        inbox: The conversations.
        faults: Which of them are broken for good.
        record: Where stored messages are counted.
    """

    def __init__(
        self, population: Population, inbox: Inbox, faults: FaultPlan, record: ServiceRecord
    ) -> None:
        self._account = population.account
        self._by_profile = {match.profile_id: match for match in population.matches}
        self._inbox = inbox
        self._faults = faults
        self._record = record

    def conversations(self, request: Request) -> Answer:
        """Answer one page of the inbox, newest first."""
        if request.query.get("q", "").upper() != f"USER:{self._account.profile_id}":
            raise Rejected(403, "q must be user: and one's own profile id")
        limit = whole_number(request, "limit", 50, _MOST_PER_PAGE)
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
        messages, reads = self._inbox.read(found, whole_number(request, "limit", 5, _MOST_PER_PAGE))
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
        body = json_object(request)
        content = self._own_content(body)
        partner = self._partner(body)
        self._require_deliverable(partner)
        conversation = self._inbox.start(partner.profile_id, partner.person.name, content)
        self._record.note("message")
        author = self._account.profile_id.lower()
        return json_answer({"conversation_id": conversation.id, "message": {"author": author}})

    def reply(self, request: Request, conversation: str) -> Answer:
        """Store a message in a conversation."""
        content = self._own_content(json_object(request))
        found = self._conversation(conversation)
        self._require_deliverable(self._by_profile.get(found.partner_id))
        self._inbox.reply(found, content)
        self._record.note("message")
        return json_answer({"author": self._account.profile_id.lower()})

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
