from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.service.inbox import Conversation, Inbox, Message

ME = "ME"


def conversation(number: int, created: int) -> Conversation:
    name = f"C{number:03}"
    return Conversation(name, f"P{number}", "Pat", [Message(f"P{number}", "hi", created)], "other")


def inbox(*stamps: int, now: float = 5000.0) -> Inbox:
    items = [conversation(number, stamp) for number, stamp in enumerate(stamps)]
    return Inbox(ME, items, 7, lambda: now)


@given(st.lists(st.integers(0, 9), max_size=25), st.integers(1, 8))
def test_paging_shows_each_conversation_once_newest_first(stamps, limit):
    box = inbox(*stamps)
    seen, cursor = [], None
    while True:
        page, cursor = box.page(limit, cursor)
        seen += page
        if cursor is None:
            break
        assert len(page) == limit
    assert len({item.id for item in seen}) == len(seen) == len(stamps)
    assert [item.last_created for item in seen] == sorted(stamps, reverse=True)


def test_a_message_that_arrives_between_two_pages_shifts_nothing():
    box = inbox(40, 30, 20, 10)
    first, cursor = box.page(2, None)
    box.start("SOMEBODY", "Some Body", "new")
    second, _ = box.page(2, cursor)
    assert [item.last_created for item in (*first, *second)] == [40, 30, 20, 10]


@pytest.mark.parametrize("cursor", ["", "x", "1;2", "..", "one.C1"])
def test_a_cursor_of_somebody_else_is_refused(cursor):
    with pytest.raises(ValueError):
        inbox(1).page(5, cursor)


def test_messages_are_read_newest_first_and_readings_counted():
    box = inbox(10)
    found = box.find("c000")
    box.reply(found, "second")
    box.reply(found, "third")
    messages, reads = box.read(found, 2)
    assert [message.content for message in messages] == ["third", "second"]
    assert reads == 1
    assert box.read(found, 9)[1] == 2


def test_a_new_message_is_there_when_the_inbox_is_read_again():
    box = inbox(10)
    started = box.start("P9", "Pia", "hello")
    assert started.kind == "sent"
    assert box.page(5, None)[0][0] is started
    assert box.find(started.id.lower()) is started
    assert started.messages == [Message(ME, "hello", 5000)]


def test_a_second_message_to_a_match_goes_into_the_conversation_that_there_is():
    box = inbox(10)
    assert box.start("P0", "Pat", "again").id == "C000"
    assert box.start("P9", "Pia", "one") is box.start("P9", "Pia", "two")
    assert len(box.page(9, None)[0]) == 2


def test_messages_of_one_second_keep_their_order():
    box = inbox(10)
    started = box.start("P9", "Pia", "one")
    box.reply(started, "two")
    assert [message.created for message in started.messages] == [5000, 5001]


def test_a_conversation_that_is_not_there_is_none():
    assert inbox(1).find("C999") is None
