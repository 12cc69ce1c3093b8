from __future__ import annotations

import threading
from http import HTTPStatus
from math import inf

import pytest

from ancestry_obs.metrics_exporter.page_making import PageMaking
from ancestry_obs.metrics_exporter.pages import Page


class Maker:
    """Makes pages that can be told apart, and holds each up until it may go on."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.asked = []

    def __call__(self, path, accept, gzip):
        self.asked.append((path, accept, gzip))
        number = len(self.asked)
        self.begun.release()
        assert self.go_on.acquire(timeout=10)
        return Page(HTTPStatus.OK, "", str(number).encode())


class Asking(threading.Thread):
    def __init__(self, making, path="/metrics", accept="", asked=inf):
        super().__init__()
        self.body = None
        self._ask = lambda: making.page(path, accept, gzip=False, asked=asked)
        self.start()

    def run(self):
        page = self._ask()
        self.body = page and page.body


@pytest.fixture
def maker():
    return Maker()


def wait_for(making, others):
    """Wait until a page is waited for by so many, the first one among them."""
    while True:
        with making._lock:
            wanted = list(making._wanted.values())
        if wanted and len(wanted[0].made._cond._waiters) == others:
            return
        threading.Event().wait(0.001)


class Clock:
    """The number of a second, which is another one each time that somebody looks."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        self.now += 1
        return self.now


def test_a_page_that_is_being_made_is_not_shared(maker):
    making = PageMaking(maker, 2, 10)
    first = Asking(making)
    assert maker.begun.acquire(timeout=10)
    second = Asking(making)
    assert maker.begun.acquire(timeout=10)
    maker.go_on.release(2)
    first.join()
    second.join()
    assert sorted((first.body, second.body)) == [b"1", b"2"]


def test_who_waits_for_the_same_shares_it(maker):
    making = PageMaking(maker, 1, 10)
    first = Asking(making)
    assert maker.begun.acquire(timeout=10)
    waiting = [Asking(making) for _ in range(5)]
    wait_for(making, 4)
    maker.go_on.release(2)
    for each in (first, *waiting):
        each.join()
    assert first.body == b"1"
    assert {each.body for each in waiting} == {b"2"}
    assert making._wanted == {}


def test_what_differs_is_made_for_itself(maker):
    making = PageMaking(maker, 1, 10)
    first = Asking(making)
    assert maker.begun.acquire(timeout=10)
    waiting = [Asking(making, "/status"), Asking(making, accept="x")]
    while len(making._wanted) < 2:
        threading.Event().wait(0.001)
    maker.go_on.release(3)
    for each in (first, *waiting):
        each.join()
    assert {each.body for each in waiting} == {b"2", b"3"}
    assert set(maker.asked) == {
        ("/metrics", "", False),
        ("/status", "", False),
        ("/metrics", "x", False),
    }


def test_patience_has_an_end(maker):
    making = PageMaking(maker, 1, 0)
    first = Asking(making)
    assert maker.begun.acquire(timeout=10)
    assert making.page("/metrics", "", gzip=False) is None
    maker.go_on.release()
    first.join()
    maker.go_on.release()
    assert making.page("/metrics", "", gzip=False).body == b"2"


def test_a_maker_that_raises_leaves_room_and_nobody_waiting():
    calls = []

    def make(*_key):
        calls.append(1)
        raise SystemExit

    making = PageMaking(make, 1, 10)
    for _ in range(3):
        with pytest.raises(SystemExit):
            making.page("/metrics", "", gzip=False)
    assert len(calls) == 3


def test_a_page_that_was_begun_after_the_request_had_come_is_shared(maker):
    clock = Clock()
    making = PageMaking(maker, 2, 10, clock)
    first = Asking(making)
    assert maker.begun.acquire(timeout=10)
    second = Asking(making, asked=1)
    wait_for(making, 1)
    # The page was begun at 2; what came by then wants to know what it may not tell.
    third = Asking(making, asked=2)
    assert maker.begun.acquire(timeout=10)
    maker.go_on.release(2)
    for each in (first, second, third):
        each.join()
    assert first.body == second.body != third.body


def test_a_page_is_kept_for_those_who_wait_to_be_read(maker):
    making = PageMaking(maker, 1, 10, Clock())
    maker.go_on.release(9)
    making.keep_last(keeps=True)
    assert making.page("/metrics", "", gzip=False).body == b"1"
    assert making.page("/metrics", "", gzip=False, asked=1).body == b"1"
    assert making.page("/metrics", "", gzip=True, asked=1).body == b"2"
    # One is kept, and for what it is.
    assert making.page("/metrics", "", gzip=False, asked=1).body == b"3"
    assert making.page("/metrics", "", gzip=False, asked=99).body == b"4"
    making.keep_last(keeps=False)
    assert making.page("/metrics", "", gzip=False, asked=1).body == b"5"
    assert making.page("/metrics", "", gzip=False, asked=1).body == b"6"


def test_what_was_not_made_is_not_kept():
    pages = iter([SystemExit, Page(HTTPStatus.OK, "", b"1")])

    def make(*_key):
        page = next(pages)
        if isinstance(page, Page):
            return page
        raise page

    making = PageMaking(make, 1, 10, Clock())
    making.keep_last(keeps=True)
    with pytest.raises(SystemExit):
        making.page("/metrics", "", gzip=False)
    assert making.page("/metrics", "", gzip=False, asked=0).body == b"1"
