from __future__ import annotations

import pytest
from sqlalchemy import select

from ancestry_core.actions.action7_inbox import process_inbox
from ancestry_core.database.conversations import inbox_floor
from ancestry_core.database.models import (
    Classification,
    ConversationLog,
    Direction,
    Person,
    PersonStatus,
)
from ancestry_core.service import FaultRates

LIST = "GET /app-api/express/v2/conversations"
MESSAGES = "GET /app-api/express/v2/conversations/:conversation/messages"


@pytest.fixture
def service(open_service):
    return open_service(matches=180)


def counts(summary):
    return summary.success, summary.failure, summary.skipped


def of_kind(service, *kinds):
    return [each for each in service.population.conversations if each.kind in kinds]


def test_every_conversation_is_read_and_classified(platform, service, rows):
    conversations = service.population.conversations
    assert len(conversations) == 30
    incoming = of_kind(service, "productive", "desist", "other")
    assert counts(process_inbox(platform)) == (len(incoming), 0, 30 - len(incoming))
    expected = {each.messages[-1].content: each.kind for each in incoming}
    for row in rows(platform, ConversationLog, ConversationLog.direction == Direction.IN):
        assert row.classification.value == expected[row.content]
    stored = len(rows(platform, ConversationLog))
    assert stored == sum(len(each.messages) for each in conversations)


def test_whoever_asks_to_be_left_alone_is_marked(platform, service, rows):
    process_inbox(platform)
    marked = rows(platform, Person, Person.status == PersonStatus.DESIST)
    assert {person.profile_id for person in marked} == {
        each.partner_id for each in of_kind(service, "desist")
    }


def test_a_second_look_ends_at_what_is_known(platform, service, rows):
    process_inbox(platform)
    stored = len(rows(platform, ConversationLog))
    lists, messages = service.record.count(LIST), service.record.count(MESSAGES)
    assert counts(process_inbox(platform)) == (0, 0, 1)
    assert service.record.count(LIST) - lists == 1
    assert service.record.count(MESSAGES) == messages
    assert len(rows(platform, ConversationLog)) == stored


def test_a_new_message_is_found(platform, service, rows):
    process_inbox(platform)
    platform.api.send_reply(service.population.conversations[0].id, "Hello again")
    assert counts(process_inbox(platform)) == (0, 0, 2)
    assert len(rows(platform, ConversationLog, ConversationLog.content == "Hello again")) == 1


def test_a_conversation_that_fails_is_tried_again(open_service, open_platform, rows):
    service = open_service(matches=180, faults=FaultRates(broken_conversations=2))
    platform = open_platform(service)
    assert process_inbox(platform).failure == 2
    assert process_inbox(platform).failure == 2
    service.switch_faults(FaultRates.none())
    assert counts(process_inbox(platform))[:2] == (2, 0)
    assert counts(process_inbox(platform)) == (0, 0, 1)
    messages = sum(len(each.messages) for each in service.population.conversations)
    assert len(rows(platform, ConversationLog)) == messages


class StopError(Exception):
    """Ends a run from within."""


def test_an_interrupted_run_leaves_nothing_unread(platform, service, rows):
    def stop_midway(progress):
        if progress.done == 12:
            raise StopError

    with pytest.raises(StopError):
        process_inbox(platform, on_progress=stop_midway)
    with platform.database.transaction() as session:
        assert inbox_floor(session) == 0
    read = service.record.count(MESSAGES)
    process_inbox(platform)
    # The twelve that were read are known; none is fetched twice.
    assert read == 12
    assert service.record.count(MESSAGES) == 30
    messages = sum(len(each.messages) for each in service.population.conversations)
    assert len(rows(platform, ConversationLog)) == messages


def test_an_empty_inbox_is_fine(open_service, open_platform):
    assert counts(process_inbox(open_platform(open_service(matches=0)))) == (0, 0, 0)


def test_a_conversation_with_nobody_else_is_passed_over(platform):
    platform.ensure_session_ready()
    alone = {"id": "c1", "last_message": {"created": 5}, "members": []}
    odd = {"id": "c2", "last_message": {"created": 4}, "members": [{"display_name": "?"}]}
    nobody = {"id": "c3", "last_message": {"created": 3}, "members": [{"user_id": None}]}
    page = {"conversations": [alone, odd, nobody], "paging": None}
    platform.api.fetch_conversations = lambda *_: page
    assert counts(process_inbox(platform)) == (0, 2, 1)


def test_a_wish_for_peace_is_not_taken_back_by_what_follows(platform):
    platform.ensure_session_ready()
    platform.api.fetch_conversations = lambda *_: {
        "conversations": [
            {
                "id": "c1",
                "last_message": {"created": 9},
                "members": [{"user_id": "p1", "display_name": "Ada"}],
            }
        ]
    }
    platform.api.fetch_messages = lambda _: [
        {"content": "Thank you!", "author": "p1", "created": 9},
        {"content": "Please stop writing.", "author": "p1", "created": 8},
    ]
    assert counts(process_inbox(platform)) == (1, 0, 0)
    with platform.database.transaction() as session:
        person = session.scalars(select(Person)).one()
        assert person.status is PersonStatus.DESIST
        assert [row.classification for row in person.messages] == [
            Classification.DESIST,
            Classification.OTHER,
        ]
