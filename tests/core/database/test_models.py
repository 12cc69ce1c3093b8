from __future__ import annotations

import pytest
from sqlalchemy import text

from ancestry_core.database.models import (
    Base,
    ConversationLog,
    Direction,
    MessageKind,
    MessageStatus,
    Person,
)
from ancestry_core.exceptions import DatabaseError


def test_the_tables_are_these():
    assert set(Base.metadata.tables) == {
        "people",
        "dna_match",
        "family_tree",
        "conversation_log",
        "suggested_facts",
        "progress",
    }


@pytest.mark.parametrize(
    ("table", "columns", "values"),
    [
        ("people", "display_name, status", "'Ada', 'asleep'"),
        (
            "conversation_log",
            "people_id, direction, status, content, sent_at",
            "1, 'up', 'sent', '', 0",
        ),
        (
            "conversation_log",
            "people_id, direction, status, content, sent_at",
            "1, 'in', 'lost', '', 0",
        ),
    ],
)
def test_the_database_itself_knows_what_is_allowed(database, table, columns, values):
    with database.transaction() as session:
        session.add(Person(id=1, display_name="Ada"))
    with (
        pytest.raises(DatabaseError, match="CHECK constraint failed"),
        database.transaction() as session,
    ):
        session.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"))


def letter(kind, **columns):
    return ConversationLog(
        people_id=1,
        direction=Direction.OUT,
        status=MessageStatus.SENT,
        kind=kind,
        content="text",
        sent_at=1,
        **columns,
    )


def store(database, *rows):
    with database.transaction() as session:
        if session.get(Person, 1) is None:
            session.add(Person(id=1, display_name="Ada"))
            session.flush()
        session.add_all(rows)


def test_a_kind_of_letter_goes_to_a_person_once(database):
    store(database, letter(MessageKind.INITIAL), letter(MessageKind.FOLLOW_UP))
    with pytest.raises(DatabaseError, match="UNIQUE constraint failed"):
        store(database, letter(MessageKind.INITIAL))


def test_replies_and_letters_written_by_hand_are_not_counted(database):
    store(database, *(letter(kind) for kind in [MessageKind.REPLY, None] * 2))


def test_a_message_of_a_conversation_is_stored_once(database):
    store(database, letter(None, conversation_id="C1", service_time=5))
    store(database, letter(None, conversation_id="C2", service_time=5))
    with pytest.raises(DatabaseError, match="UNIQUE constraint failed"):
        store(database, letter(None, conversation_id="C1", service_time=5))
