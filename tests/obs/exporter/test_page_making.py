from __future__ import annotations

import threading
from http import HTTPStatus

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
    def __init__(self, making, path="/metrics", accept=""):
        super().__init__()
        self.body = None
        self._ask = lambda: making.page(path, accept, gzip=False)
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
