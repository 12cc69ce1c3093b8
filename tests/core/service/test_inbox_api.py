from __future__ import annotations

import json
from typing import Any

import pytest

from ancestry_core.service.faults import FaultRates

INBOX = "/app-api/express/v2/conversations"


def told(answer: Any) -> Any:
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


@pytest.fixture
def me(desk):
    return desk.application.population.account.profile_id.lower()


def new_message(me: str, recipient: str, content: object = "Hello") -> bytes:
    members = [{"user_id": recipient, "family_circles": []}, {"user_id": me}]
    message = {"content": content, "author": me, "index": 0, "created": 0}
    return json.dumps({**message, "conversation_members": members}).encode()


def listed(desk: Any, me: str, query: str = "limit=50") -> list[dict[str, Any]]:
    return told(desk.ask("GET", f"{INBOX}?q=user:{me}&{query}"))["conversations"]


def test_the_inbox_is_paged_by_cursor_until_there_is_none(desk, me):
    seen, cursor = [], ""
    for _ in range(20):
        page = told(desk.ask("GET", f"{INBOX}?q=user:{me}&limit=3{cursor}"))
        seen += page["conversations"]
        if "forward_cursor" not in page["paging"]:
            break
        cursor = f"&cursor={page['paging']['forward_cursor']}"
    assert seen == listed(desk, me)
    assert len(seen) == 10


def test_a_listed_conversation_has_the_shape_of_the_service(desk, me):
    population = desk.application.population
    by_id = {item.id: item for item in population.conversations}
    first = listed(desk, me)[0]
    partner = by_id[first["id"]]
    assert first == {
        "id": partner.id,
        "last_message": {"created": partner.last_created},
        "members": [
            {"user_id": me.upper(), "display_name": "Emma Old"},
            {"user_id": partner.partner_id, "display_name": partner.partner_name},
        ],
    }


def test_only_ones_own_inbox_may_be_seen(desk):
    assert desk.ask("GET", f"{INBOX}?q=user:somebody").status == 403
    assert desk.ask("GET", INBOX).status == 403


def test_a_cursor_of_somebody_else_is_refused(desk, me):
    assert desk.ask("GET", f"{INBOX}?q=user:{me}&cursor=nonsense").status == 400


def test_messages_come_newest_first(desk, me):
    conversation = next(
        item for item in desk.application.population.conversations if len(item.messages) == 2
    )
    messages = told(desk.ask("GET", f"{INBOX}/{conversation.id.lower()}/messages"))["messages"]
    expected = [
        {"content": item.content, "author": item.author, "created": item.created}
        for item in reversed(conversation.messages)
    ]
    assert messages == expected
    one = told(desk.ask("GET", f"{INBOX}/{conversation.id}/messages?limit=1"))["messages"]
    assert one == expected[:1]


def test_a_message_that_is_sent_is_there_when_the_inbox_is_read_again(desk, me):
    match = desk.application.population.matches[1]
    body = new_message(me, match.profile_id.lower(), "How are we related?")
    answer = told(desk.ask("POST", f"{INBOX}/message", body))
    assert answer["message"] == {"author": me}
    assert listed(desk, me)[0]["id"] == answer["conversation_id"]
    url = f"{INBOX}/{answer['conversation_id']}/messages"
    assert told(desk.ask("GET", url))["messages"][0]["content"] == "How are we related?"
    assert desk.application.record.messages_stored == 1


def test_a_reply_is_there_when_the_messages_are_read_again(desk, me):
    conversation = desk.application.population.conversations[0].id.lower()
    body = json.dumps({"content": "Thank you", "author": me}).encode()
    assert told(desk.ask("POST", f"{INBOX}/{conversation}", body)) == {"author": me}
    messages = told(desk.ask("GET", f"{INBOX}/{conversation}/messages"))["messages"]
    assert messages[0]["content"] == "Thank you"
    assert messages[0]["author"] == me.upper()
    assert listed(desk, me)[0]["id"] == conversation.upper()


@pytest.mark.parametrize("content", ["", "  ", None, 5])
def test_a_message_without_a_text_is_refused(desk, me, content):
    match = desk.application.population.matches[1]
    answer = desk.ask("POST", f"{INBOX}/message", new_message(me, match.profile_id, content))
    assert answer.status == 400
    assert desk.application.record.messages_stored == 0


def test_nobody_writes_in_the_name_of_another(desk, me):
    match = desk.application.population.matches[1]
    body = new_message(match.profile_id, me)
    assert desk.ask("POST", f"{INBOX}/message", body).status == 403
    assert desk.application.record.messages_stored == 0


@pytest.mark.parametrize(
    "members",
    [None, [], ["x"], [{"user_id": "nobody"}], [{"user_id": "a"}, {"user_id": "b"}]],
)
def test_a_message_goes_to_one_match(desk, me, members):
    body = {"content": "x", "author": me, "conversation_members": members}
    answer = desk.ask("POST", f"{INBOX}/message", json.dumps(body).encode())
    assert answer.status == 400
    assert b"oneself and one match" in answer.body


def test_a_conversation_that_is_not_there_is_not_found(desk, me):
    body = json.dumps({"content": "x", "author": me}).encode()
    assert desk.ask("GET", f"{INBOX}/none/messages").status == 404
    assert desk.ask("POST", f"{INBOX}/none", body).status == 404


def readable(desk: Any) -> list[bool]:
    def is_json(body: bytes) -> bool:
        try:
            json.loads(body)
        except ValueError:
            return False
        return True

    conversations = desk.application.population.conversations
    answers = [desk.ask("GET", f"{INBOX}/{item.id}/messages") for item in conversations]
    assert {answer.status for answer in answers} == {200}
    return [is_json(answer.body) for answer in answers]


def test_a_broken_conversation_never_comes_as_json(open_desk):
    desk = open_desk(faults=FaultRates(broken_conversations=1))
    desk.sign_in()
    first = readable(desk)
    assert first.count(False) == 1
    assert readable(desk) == first


def test_a_conversation_may_break_after_the_first_reading(open_desk):
    desk = open_desk(faults=FaultRates(broken_rereads=1))
    desk.sign_in()
    assert all(readable(desk))
    again = readable(desk)
    assert again.count(False) == 1
    broken = desk.application.population.conversations[again.index(False)]
    assert broken.kind == "productive"


def test_a_message_to_somebody_who_cannot_be_reached_is_not_stored(open_desk):
    desk = open_desk(faults=FaultRates(broken_sends=60))
    desk.sign_in()
    population = desk.application.population
    me = population.account.profile_id
    body = new_message(me, population.matches[0].profile_id)
    assert desk.ask("POST", f"{INBOX}/message", body).status == 500
    reply = json.dumps({"content": "x", "author": me}).encode()
    assert desk.ask("POST", f"{INBOX}/{population.conversations[0].id}", reply).status == 500
    assert desk.application.record.messages_stored == 0
