from __future__ import annotations

import pytest
from sqlalchemy import func, select

from ancestry_core.database.conversations import (
    Letter,
    SeenMessage,
    add_facts,
    claim,
    confirm_sent,
    inbox_floor,
    newest_times,
    person_with_profile,
    release,
    set_inbox_floor,
    store_messages,
)
from ancestry_core.database.models import (
    ConversationLog,
    Direction,
    FactKind,
    MessageKind,
    MessageStatus,
    Person,
    SuggestedFact,
)

THEIRS = SeenMessage("My grandmother ...", "P1", 20)
OURS = SeenMessage("Hello", "ME", 10)


@pytest.fixture
def person(database):
    with database.transaction() as session:
        return person_with_profile(session, "P1", "Ada")


@pytest.fixture
def letter(person):
    return Letter(person.id, "P1", MessageKind.INITIAL, "Hello")


def rows(database):
    with database.transaction() as session:
        return list(session.scalars(select(ConversationLog).order_by(ConversationLog.sent_at)))


def store(database, person, *messages, conversation="C1"):
    with database.transaction() as session:
        return store_messages(session, session.merge(person), conversation, messages)


def write(database, letter, *, send, now=5):
    with database.transaction() as session:
        return claim(session, letter, now, send=send)


def test_whoever_writes_is_a_person_once(database, person):
    with database.transaction() as session:
        assert person_with_profile(session, "P1", "Somebody else").id == person.id
        assert session.scalar(select(func.count()).select_from(Person)) == 1


def test_messages_are_stored_once_and_the_new_incoming_ones_returned(database, person):
    assert [row.content for row in store(database, person, THEIRS, OURS)] == [THEIRS.content]
    later = SeenMessage("And ...", "P1", 30)
    assert [row.content for row in store(database, person, later, THEIRS, OURS)] == ["And ..."]
    assert [(row.direction, row.status) for row in rows(database)] == [
        (Direction.OUT, MessageStatus.SENT),
        (Direction.IN, MessageStatus.RECEIVED),
        (Direction.IN, MessageStatus.RECEIVED),
    ]


def test_new_messages_come_oldest_first(database, person):
    second = SeenMessage("2", "P1", 2)
    first = SeenMessage("1", "P1", 1)
    assert [row.content for row in store(database, person, second, first)] == ["1", "2"]


def test_the_newest_time_is_the_services(database, person, letter):
    store(database, person, THEIRS, OURS)
    write(database, letter, send=True, now=99)
    with database.transaction() as session:
        assert newest_times(session, ["C1", "C2"]) == {"C1": 20}


def test_the_floor_begins_at_zero_and_is_kept(database):
    with database.transaction() as session:
        assert inbox_floor(session) == 0
        set_inbox_floor(session, 7)
        set_inbox_floor(session, 8)
    with database.transaction() as session:
        assert inbox_floor(session) == 8


def test_a_claim_is_uncertain_until_it_is_confirmed(database, letter):
    row = write(database, letter, send=True)
    assert rows(database)[0].status is MessageStatus.UNCERTAIN
    with database.transaction() as session:
        confirm_sent(session, row.id, "C7")
    stored = rows(database)[0]
    assert (stored.status, stored.conversation_id) == (MessageStatus.SENT, "C7")


@pytest.mark.parametrize("send", [True, False])
def test_a_letter_is_claimed_once(database, letter, send):
    assert write(database, letter, send=send) is not None
    assert write(database, letter, send=send) is None
    assert len(rows(database)) == 1


def test_a_dry_run_becomes_the_letter_when_sending_is_allowed(database, letter):
    rehearsed = write(database, letter, send=False)
    assert rows(database)[0].status is MessageStatus.DRY_RUN
    assert write(database, letter, send=True).id == rehearsed.id
    assert rows(database)[0].status is MessageStatus.UNCERTAIN


def test_a_letter_that_was_sent_is_not_rehearsed(database, letter):
    write(database, letter, send=True)
    assert write(database, letter, send=False) is None
    assert rows(database)[0].status is MessageStatus.UNCERTAIN


def test_a_released_letter_may_be_claimed_again(database, letter):
    row = write(database, letter, send=True)
    with database.transaction() as session:
        release(session, row.id)
    assert rows(database) == []
    assert write(database, letter, send=True) is not None


def test_each_message_gets_a_reply_of_its_own(database, person):
    first, second = store(database, person, THEIRS, SeenMessage("More", "P1", 30))
    replies = [
        Letter(person.id, "P1", MessageKind.REPLY, "Thanks", "C1", row.id)
        for row in (first, second, first)
    ]
    assert [write(database, each, send=True) is not None for each in replies] == [True, True, False]


def test_an_uncertain_letter_that_the_inbox_shows_has_arrived(database, person, letter):
    write(database, letter, send=True, now=5)
    store(database, person, SeenMessage("Hello", "ME", 12))
    (row,) = rows(database)
    assert (row.status, row.conversation_id, row.sent_at) == (MessageStatus.SENT, "C1", 12)
    # Seen once more, it is the same message still.
    store(database, person, SeenMessage("Hello", "ME", 12))
    assert len(rows(database)) == 1


def test_a_message_seen_twice_confirms_no_second_letter_of_the_same_text(database, person):
    first, second = store(database, person, THEIRS, SeenMessage("More", "P1", 30))
    for answered in (first, second):
        write(
            database,
            Letter(person.id, "P1", MessageKind.REPLY, "Thanks", "C1", answered.id),
            send=True,
        )
    for _ in range(2):
        store(database, person, SeenMessage("Thanks", "ME", 40))
    ours = [row for row in rows(database) if row.kind is MessageKind.REPLY]
    assert sorted(row.status for row in ours) == [MessageStatus.SENT, MessageStatus.UNCERTAIN]


def test_a_dry_run_is_not_taken_for_a_message_that_arrived(database, person, letter):
    write(database, letter, send=False)
    store(database, person, SeenMessage("Hello", "ME", 12))
    assert [row.status for row in rows(database)] == [MessageStatus.DRY_RUN, MessageStatus.SENT]


def test_facts_are_stored_once(database, person):
    (message,) = store(database, person, THEIRS)
    facts = [(FactKind.NAME, "Ada"), (FactKind.YEAR, "1815"), (FactKind.NAME, "Ada")]
    with database.transaction() as session:
        assert add_facts(session, message, facts) == 2
        assert add_facts(session, message, facts) == 0
        stored = session.scalars(select(SuggestedFact)).all()
    assert {(fact.kind.value, fact.value, fact.context) for fact in stored} == {
        ("name", "Ada", THEIRS.content),
        ("year", "1815", THEIRS.content),
    }
