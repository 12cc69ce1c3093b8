from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.actions.message_policy import History, decide
from ancestry_core.config import ActionSettings
from ancestry_core.database.models import (
    ConversationLog,
    Direction,
    MessageKind,
    MessageStatus,
    Person,
    PersonStatus,
)

SETTINGS = ActionSettings(message_interval_days=14, active_within_days=365)
DAY = 86_400
NOW = 1_000 * DAY
NOTHING = History(0, None, answered=False, acknowledged=False)
HISTORIES = st.builds(
    History,
    st.integers(0, 6),
    st.one_of(st.none(), st.integers(0, NOW)),
    answered=st.booleans(),
    acknowledged=st.booleans(),
)


def person(**columns):
    columns.setdefault("status", PersonStatus.ACTIVE)
    columns.setdefault("contactable", True)
    columns.setdefault("last_login", NOW - DAY)
    return Person(display_name="Ada", **columns)


def written(times, days_ago):
    return History(times, int(NOW - days_ago * DAY), answered=False, acknowledged=False)


@pytest.mark.parametrize(
    ("whom", "history", "kind", "reason"),
    [
        (person(), NOTHING, MessageKind.INITIAL, "0 letters so far"),
        (person(), written(1, 14), MessageKind.FOLLOW_UP, "1 letters so far"),
        (person(), written(2, 14), MessageKind.FINAL_REMINDER, "2 letters so far"),
        (person(), written(3, 500), None, "had the final reminder"),
        (person(), written(1, 13.9), None, "written to lately"),
        (person(), History(1, 0, answered=True, acknowledged=False), None, "has answered"),
        (person(contactable=False), NOTHING, None, "takes no messages"),
        (person(last_login=NOW - 366 * DAY), NOTHING, None, "not active"),
        (person(contactable=None, last_login=None), NOTHING, MessageKind.INITIAL, "0 letters"),
        (
            person(status=PersonStatus.DESIST, contactable=False),
            NOTHING,
            MessageKind.DESIST_ACKNOWLEDGEMENT,
            "asked to be left alone",
        ),
        (
            person(status=PersonStatus.DESIST),
            History(1, 0, answered=True, acknowledged=True),
            None,
            "asked to be left alone",
        ),
    ],
)
def test_the_rules(whom, history, kind, reason):
    decision = decide(whom, history, SETTINGS, NOW)
    assert decision.kind is kind
    assert reason in decision.reason


@given(HISTORIES, st.booleans())
def test_whoever_wants_peace_gets_at_most_the_acknowledgement(history, contactable):
    whom = person(status=PersonStatus.DESIST, contactable=contactable)
    kind = decide(whom, history, SETTINGS, NOW).kind
    assert kind is (None if history.acknowledged else MessageKind.DESIST_ACKNOWLEDGEMENT)


@given(HISTORIES)
def test_nobody_is_written_to_within_the_interval(history):
    lately = history.last_contact is not None and NOW - history.last_contact < 14 * DAY
    if lately:
        assert decide(person(), history, SETTINGS, NOW).kind is None


def message(direction, status, kind, sent_at):
    return ConversationLog(direction=direction, status=status, kind=kind, sent_at=sent_at)


def test_a_history_leaves_out_what_never_left():
    whom = person()
    whom.messages = [
        message(Direction.OUT, MessageStatus.SENT, MessageKind.INITIAL, 1),
        message(Direction.OUT, MessageStatus.UNCERTAIN, MessageKind.FOLLOW_UP, 2),
        message(Direction.OUT, MessageStatus.DRY_RUN, MessageKind.FINAL_REMINDER, 3),
    ]
    assert History.of(whom) == History(2, 2, answered=False, acknowledged=False)


def test_a_history_counts_letters_by_hand_but_no_replies():
    whom = person()
    whom.messages = [
        message(Direction.OUT, MessageStatus.SENT, None, 1),
        message(Direction.IN, MessageStatus.RECEIVED, None, 5),
        message(Direction.OUT, MessageStatus.SENT, MessageKind.REPLY, 6),
        message(Direction.OUT, MessageStatus.SENT, MessageKind.DESIST_ACKNOWLEDGEMENT, 7),
    ]
    assert History.of(whom) == History(1, 7, answered=True, acknowledged=True)
