from __future__ import annotations

import json

from ancestry_core.service.record import ReceivedRequest, ServiceRecord

SEND = "POST /app-api/express/v2/conversations/message"
REPLY = "POST /app-api/express/v2/conversations/:conversation"


def ticking(*stamps: float):
    return iter(stamps).__next__


def test_a_request_has_a_number_and_both_stamps():
    record = ServiceRecord(clock=ticking(10.0, 12.5))
    record.end(record.begin(), "GET /", 200)
    assert record.requests == (ReceivedRequest(1, "GET /", 10.0, 12.5, 200),)


def test_counts_are_per_endpoint_and_status():
    record = ServiceRecord()
    for endpoint, status in (("GET /", 200), ("GET /", 302), ("POST /x", 200)):
        record.end(record.begin(), endpoint, status)
    assert record.total == 3
    assert record.count("GET /") == 2
    assert record.count("GET /never") == 0
    assert record.endpoints() == {"GET /": 2, "POST /x": 1}
    assert record.statuses() == {200: 2, 302: 1}


def test_concurrency_is_the_most_at_one_time():
    record = ServiceRecord()
    first, second = record.begin(), record.begin()
    record.end(first, "GET /", 200)
    third = record.begin()
    record.end(second, "GET /", 200)
    record.end(third, "GET /", 200)
    assert record.max_concurrency == 2


def test_posts_to_conversations_are_counted_whatever_was_answered():
    record = ServiceRecord()
    for endpoint, status in ((SEND, 200), (REPLY, 500), (REPLY, 0)):
        record.end(record.begin(), endpoint, status)
    record.end(record.begin(), "GET /app-api/express/v2/conversations", 200)
    assert record.conversation_posts == 3


def test_single_requests_are_bounded_and_counts_are_not():
    record = ServiceRecord(limit=3)
    for _ in range(10):
        record.end(record.begin(), "GET /", 200)
    assert [request.number for request in record.requests] == [8, 9, 10]
    assert record.count("GET /") == 10


def test_events_are_counted_by_name():
    record = ServiceRecord()
    for event in ("sign-in", "failed-sign-in", "renewal", "renewal", "message"):
        record.note(event)
    assert record.sign_ins == record.failed_sign_ins == record.messages_stored == 1
    assert record.renewals == 2


def test_the_whole_record_is_json():
    record = ServiceRecord()
    record.end(record.begin(), SEND, 200)
    told = json.loads(json.dumps(record.as_dict()))
    assert told["total"] == told["conversation_posts"] == told["max_concurrency"] == 1
    assert told["statuses"] == {"200": 1}
    assert told["requests"][0]["endpoint"] == SEND
