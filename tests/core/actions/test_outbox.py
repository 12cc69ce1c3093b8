from __future__ import annotations

import pytest
from sqlalchemy import select

from ancestry_core.actions.outbox import Outbox
from ancestry_core.actions.patience import Patience
from ancestry_core.database.conversations import Letter, person_with_profile
from ancestry_core.database.models import ConversationLog, MessageKind, MessageStatus
from ancestry_core.exceptions import RequestFailed, SignInError, UncertainSendError


class Api:
    """Takes messages, or fails; looks into the database while a message is on its way."""

    def __init__(self, database, error=None):
        self.database = database
        self.error = error
        self.sent = []
        self.seen_meanwhile = []

    def send_new_message(self, recipient, text):
        self._take(("new", recipient, text))
        return "c-new"

    def send_reply(self, conversation_id, text):
        self._take(("reply", conversation_id, text))

    def _take(self, what):
        self.sent.append(what)
        with self.database.transaction() as session:
            self.seen_meanwhile = list(session.scalars(select(ConversationLog.status)))
        if self.error is not None:
            raise self.error


class Platform:
    def __init__(self, database, error):
        self.database = database
        self.api = Api(database, error)


@pytest.fixture
def database(tmp_path):
    from ancestry_core.database import open_database

    database = open_database(tmp_path / "platform.db")
    yield database
    database.close()


@pytest.fixture
def letter(database):
    with database.transaction() as session:
        person = person_with_profile(session, "P1", "Ada")
    return Letter(person.id, "P1", MessageKind.INITIAL, "Hello")


@pytest.fixture
def open_outbox(database, clock):
    def make(*, send=True, error=None):
        platform = Platform(database, error)
        outbox = Outbox(platform, Patience(clock.sleep), send=send, now=lambda: 77.9)
        return outbox, platform.api

    return make


def stored(database):
    with database.transaction() as session:
        return [
            (row.status, row.conversation_id, row.content, row.sent_at)
            for row in session.scalars(select(ConversationLog))
        ]


def test_a_letter_begins_a_conversation(open_outbox, database, letter):
    outbox, api = open_outbox()
    assert outbox.deliver(letter) is True
    assert api.sent == [("new", "P1", "Hello")]
    assert stored(database) == [(MessageStatus.SENT, "C-NEW", "Hello", 77)]


def test_a_letter_goes_on_with_a_conversation(open_outbox, database, letter):
    outbox, api = open_outbox()
    outbox.deliver(Letter(letter.people_id, "P1", MessageKind.FOLLOW_UP, "Again", "C1"))
    assert api.sent == [("reply", "c1", "Again")]
    assert stored(database) == [(MessageStatus.SENT, "C1", "Again", 77)]


def test_nothing_leaves_in_a_dry_run_and_the_database_says_so(open_outbox, database, letter):
    outbox, api = open_outbox(send=False)
    assert outbox.deliver(letter) is True
    assert api.sent == []
    assert stored(database) == [(MessageStatus.DRY_RUN, None, "Hello", 77)]
    assert outbox.deliver(letter) is False


def test_it_is_written_down_before_it_leaves(open_outbox, letter):
    outbox, api = open_outbox()
    outbox.deliver(letter)
    assert api.seen_meanwhile == [MessageStatus.UNCERTAIN]


@pytest.mark.parametrize("error", [UncertainSendError("no answer"), KeyboardInterrupt()])
def test_what_may_have_arrived_is_never_sent_again(open_outbox, database, letter, error):
    outbox, _ = open_outbox(error=error)
    with pytest.raises(type(error)):
        outbox.deliver(letter)
    assert [row[0] for row in stored(database)] == [MessageStatus.UNCERTAIN]
    again, api = open_outbox()
    assert again.deliver(letter) is False
    assert api.sent == []


@pytest.mark.parametrize("error", [RequestFailed("429"), SignInError("refused")])
def test_what_did_not_leave_may_leave_later(open_outbox, database, letter, error):
    outbox, _ = open_outbox(error=error)
    with pytest.raises(type(error)):
        outbox.deliver(letter)
    assert stored(database) == []
    again, api = open_outbox()
    assert again.deliver(letter) is True
    assert len(api.sent) == 1


def test_what_was_sent_is_not_sent_again(open_outbox, letter):
    outbox, api = open_outbox()
    assert [outbox.deliver(letter) for _ in range(3)] == [True, False, False]
    assert len(api.sent) == 1
