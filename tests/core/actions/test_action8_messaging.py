from __future__ import annotations

import time

import pytest

from ancestry_core.actions.action6_gather import coord
from ancestry_core.actions.action7_inbox import process_inbox
from ancestry_core.actions.action8_messaging import send_messages_to_matches
from ancestry_core.database.models import (
    ConversationLog,
    Direction,
    MessageKind,
    MessageStatus,
    Person,
    PersonStatus,
)
from ancestry_core.service import FaultRates

DAY = 86_400
OURS = ConversationLog.kind.is_not(None)


@pytest.fixture(scope="module")
def kept():
    return []


@pytest.fixture
def gathered(platform, kept):
    """A platform that knows its matches; they are always the same, so they are gathered once."""
    path = platform.settings.database.path
    if kept:
        path.write_bytes(kept[0])
    else:
        coord(platform)
        process_inbox(platform)
        # Closed, all of it is in the one file.
        platform.database.close()
        kept.append(path.read_bytes())
    return platform


def counts(summary):
    return summary.success, summary.failure, summary.skipped


def due(service, idle=365):
    """Return the profile ids of those who are to get a first letter."""
    talked = {each.partner_id for each in service.population.conversations}
    return {
        match.profile_id
        for match in service.population.matches
        if match.is_contactable and match.idle_days < idle and match.profile_id not in talked
    }


def written(platform, rows, kind):
    return {
        row.people_id: row for row in rows(platform, ConversationLog, ConversationLog.kind == kind)
    }


def test_nothing_leaves_without_leave_and_the_database_says_so(gathered, service, rows):
    summary = send_messages_to_matches(gathered)
    assert summary.success > 20
    assert service.record.conversation_posts == 0
    letters = rows(gathered, ConversationLog, OURS)
    assert len(letters) == summary.success
    assert {row.status for row in letters} == {MessageStatus.DRY_RUN}


def test_a_dry_run_is_written_down_once(gathered, rows):
    first = send_messages_to_matches(gathered)
    assert counts(send_messages_to_matches(gathered)) == (0, 0, sum(counts(first)))
    assert len(rows(gathered, ConversationLog, OURS)) == first.success


def test_those_who_are_due_get_the_first_letter(gathered, service, rows):
    send_messages_to_matches(gathered, send=True)
    people = {person.id: person.profile_id for person in rows(gathered, Person)}
    initial = written(gathered, rows, MessageKind.INITIAL)
    assert {people[number] for number in initial} == due(service)
    assert {row.status for row in initial.values()} == {MessageStatus.SENT}
    assert service.record.messages_stored == len(rows(gathered, ConversationLog, OURS))


def test_a_dry_run_before_does_not_keep_a_letter_back(gathered, service):
    rehearsed = send_messages_to_matches(gathered)
    sent = send_messages_to_matches(gathered, send=True)
    assert counts(sent) == counts(rehearsed)
    assert service.record.messages_stored == sent.success


def test_nobody_is_written_to_twice(gathered, service):
    send_messages_to_matches(gathered, send=True)
    stored = service.record.messages_stored
    assert send_messages_to_matches(gathered, send=True).success == 0
    process_inbox(gathered)
    assert send_messages_to_matches(gathered, send=True).success == 0
    assert service.record.messages_stored == stored


def test_letters_follow_each_other_after_the_interval_and_end(open_platform, service, rows):
    gathered = open_platform(service, actions={"max_messages": 1000, "active_within_days": 9_999})
    coord(gathered)
    process_inbox(gathered)
    for round_ in range(5):
        now = time.time() + round_ * 15 * DAY
        send_messages_to_matches(gathered, send=True, now=lambda now=now: now)
    kinds = [MessageKind.INITIAL, MessageKind.FOLLOW_UP, MessageKind.FINAL_REMINDER]
    first, second, third = (written(gathered, rows, kind) for kind in kinds)
    assert set(first) <= set(second)
    assert set(second) == set(third)
    for number, row in first.items():
        # The service's conversation goes on.
        assert row.conversation_id == third[number].conversation_id is not None


def test_a_wish_for_peace_is_acknowledged_once_in_its_conversation(gathered, service, rows):
    for _ in range(2):
        send_messages_to_matches(gathered, send=True)
    acknowledged = written(gathered, rows, MessageKind.DESIST_ACKNOWLEDGEMENT)
    wishes = [each for each in service.population.conversations if each.kind == "desist"]
    assert {row.conversation_id for row in acknowledged.values()} == {each.id for each in wishes}
    desist = rows(gathered, Person, Person.status == PersonStatus.DESIST)
    assert set(acknowledged) == {person.id for person in desist}
    ours = rows(gathered, ConversationLog, ConversationLog.people_id.in_(acknowledged), OURS)
    assert len(ours) == len(acknowledged)


def test_a_run_has_a_cap(open_platform, service, rows):
    platform = open_platform(service, actions={"page_size": 50, "max_messages": 5})
    coord(platform)
    summary = send_messages_to_matches(platform, send=True)
    assert summary.success == 5
    assert summary.skipped == 45
    assert service.record.messages_stored == 5
    assert send_messages_to_matches(platform, send=True).success == 5


def test_no_messages_at_all_may_be_set(open_platform, service):
    platform = open_platform(service, actions={"max_messages": 0})
    coord(platform)
    requests = service.record.total
    assert counts(send_messages_to_matches(platform, send=True)) == (0, 0, 50)
    assert service.record.total == requests


def test_a_profile_that_cannot_be_read_is_a_failure_without_a_letter(open_service, open_platform):
    service = open_service(faults=FaultRates(broken_profiles=50))
    platform = open_platform(service, breaker={"threshold": 10_000})
    coord(platform)
    summary = send_messages_to_matches(platform, send=True)
    assert counts(summary) == (0, 50, 0)
    assert service.record.conversation_posts == 0


def test_a_profile_that_changed_is_heeded(gathered, service):
    with gathered.database.transaction() as session:
        session.query(Person).update({Person.contactable: None, Person.last_login: None})
    sent = send_messages_to_matches(gathered, send=True).success
    desist = sum(each.kind == "desist" for each in service.population.conversations)
    assert sent >= len(due(service)) + desist
    refused = {m.profile_id for m in service.population.matches if not m.is_contactable}
    assert refused


@pytest.mark.parametrize("fault", [{"dropped": 1.0}, {"broken_json": 1.0}, {"server_error": 1.0}])
def test_what_may_have_arrived_is_uncertain_and_not_sent_again(
    gathered, service, rows, clock, fault
):
    uncertain = fault_only_sends(gathered, service, fault)
    summary = send_messages_to_matches(gathered, send=True)
    assert summary.failure > 20
    assert summary.success == 0
    stored = rows(gathered, ConversationLog, ConversationLog.status == MessageStatus.UNCERTAIN)
    assert len(stored) == summary.failure
    posts = service.record.conversation_posts
    assert posts == summary.failure
    uncertain.clear()
    assert counts(send_messages_to_matches(gathered, send=True))[:2] == (0, 0)
    assert service.record.conversation_posts == posts


def fault_only_sends(platform, service, fault):
    """Have the service misbehave while a message is on its way, until the list is emptied."""
    active = [True]
    hand_over = platform.api._send

    def send(url, body):
        service.switch_faults(FaultRates(**fault) if active else FaultRates.none())
        platform.breaker.record_success()
        try:
            return hand_over(url, body)
        finally:
            service.switch_faults(FaultRates.none())

    platform.api._send = send
    return active


def test_uncertain_letters_that_arrived_are_recognised_in_the_inbox(gathered, service, rows):
    uncertain = fault_only_sends(gathered, service, {"dropped": 1.0})
    send_messages_to_matches(gathered, send=True)
    uncertain.clear()
    process_inbox(gathered)
    ours = rows(gathered, ConversationLog, OURS)
    assert {row.status for row in ours} == {MessageStatus.SENT}
    assert all(row.conversation_id and row.service_time for row in ours)
    sent = rows(gathered, ConversationLog, ConversationLog.direction == Direction.OUT)
    assert len({(row.conversation_id, row.content, row.service_time) for row in sent}) == len(sent)


def test_a_throttled_send_is_sent_once_it_is_let_through(gathered, service):
    service.switch_faults(FaultRates(throttled=0.3))
    summary = send_messages_to_matches(gathered, send=True)
    assert summary.success == service.record.messages_stored > 20
