from __future__ import annotations

import pytest

from ancestry_core.actions.action7_inbox import process_inbox
from ancestry_core.actions.action9_process_productive import process_productive
from ancestry_core.database.models import (
    Classification,
    ConversationLog,
    MessageKind,
    MessageStatus,
    SuggestedFact,
)
from ancestry_core.service import FaultRates

PRODUCTIVE = ConversationLog.classification == Classification.PRODUCTIVE
REPLY = ConversationLog.kind == MessageKind.REPLY


@pytest.fixture
def service(open_service):
    return open_service(matches=180)


@pytest.fixture
def read(platform):
    process_inbox(platform)
    return platform


def counts(summary):
    return summary.success, summary.failure, summary.skipped


def kinds(service):
    return [each.kind for each in service.population.conversations]


def test_facts_are_suggested_and_nothing_leaves(read, service, rows):
    productive, other = kinds(service).count("productive"), kinds(service).count("other")
    assert counts(process_productive(read)) == (productive, 0, other)
    assert service.record.conversation_posts == 0
    replies = rows(read, ConversationLog, REPLY)
    assert {row.status for row in replies} == {MessageStatus.DRY_RUN}
    assert len(replies) == productive
    facts = rows(read, SuggestedFact)
    assert {fact.message_id for fact in facts} == {
        row.id for row in rows(read, ConversationLog, PRODUCTIVE)
    }
    for fact in facts:
        assert fact.value in fact.context


def test_a_dry_run_archives_nothing_and_is_written_down_once(read, service, rows):
    process_productive(read)
    facts = len(rows(read, SuggestedFact))
    assert process_productive(read).success == 0
    assert len(rows(read, SuggestedFact)) == facts
    assert not any(row.archived for row in rows(read, ConversationLog))


def test_a_reply_goes_into_its_conversation_and_the_message_is_archived(read, service, rows):
    process_productive(read)
    summary = process_productive(read, send=True)
    assert summary.success == service.record.messages_stored == kinds(service).count("productive")
    for reply in rows(read, ConversationLog, REPLY):
        (message,) = rows(read, ConversationLog, ConversationLog.id == reply.reply_to_id)
        assert (reply.status, reply.conversation_id) == (
            MessageStatus.SENT,
            message.conversation_id,
        )
        assert message.archived
    again = process_productive(read, send=True)
    assert counts(again) == (0, 0, kinds(service).count("other"))
    assert service.record.messages_stored == summary.success


def test_whoever_wants_peace_gets_no_reply(read, service, rows):
    process_productive(read, send=True)
    desist = {each.id for each in service.population.conversations if each.kind == "desist"}
    assert not desist & {row.conversation_id for row in rows(read, ConversationLog, REPLY)}


def test_a_conversation_that_cannot_be_read_again_gets_no_reply(open_service, open_platform, rows):
    service = open_service(matches=180, faults=FaultRates(broken_rereads=2))
    platform = open_platform(service)
    process_inbox(platform)
    productive = kinds(service).count("productive")
    assert counts(process_productive(platform, send=True))[:2] == (productive - 2, 2)
    service.switch_faults(FaultRates.none())
    assert counts(process_productive(platform, send=True))[:2] == (2, 0)


def answer_with(platform, *messages):
    """Have every conversation show these messages beside those that are stored."""
    fetch = platform.api.fetch_messages

    def fetch_more(conversation_id):
        shown = fetch(conversation_id)
        theirs = next(m for m in shown if m["author"].upper() != platform.profile_id)
        newest = max(m["created"] for m in shown)
        return [
            *shown,
            *(
                {"content": text, "author": theirs["author"], "created": newest + number}
                for number, text in enumerate(messages, start=1)
            ),
        ]

    platform.api.fetch_messages = fetch_more


def test_a_message_overtaken_by_another_is_archived_without_a_reply(read, service, rows):
    answer_with(read, "Sorry, I meant my grandfather Albert, born 1819.")
    first = process_productive(read, send=True)
    assert first.success == 0
    assert service.record.messages_stored == 0
    old = rows(read, ConversationLog, PRODUCTIVE, ConversationLog.archived)
    assert len(old) == kinds(service).count("productive")
    assert process_productive(read, send=True).success == len(old)


def test_a_wish_for_peace_that_came_meanwhile_is_heeded(read, service):
    answer_with(read, "Please stop writing to me.")
    for _ in range(2):
        assert process_productive(read, send=True).success == 0
    assert service.record.conversation_posts == 0


def test_a_reply_that_may_have_arrived_is_never_sent_again(read, service, rows):
    send = read.api._send

    def drop(url, body):
        service.switch_faults(FaultRates(dropped=1.0))
        read.breaker.record_success()
        try:
            return send(url, body)
        finally:
            service.switch_faults(FaultRates.none())

    read.api._send = drop
    productive = kinds(service).count("productive")
    assert process_productive(read, send=True).failure == productive
    assert {row.status for row in rows(read, ConversationLog, REPLY)} == {MessageStatus.UNCERTAIN}
    assert counts(process_productive(read, send=True))[:2] == (0, 0)
    assert service.record.conversation_posts == productive
