from __future__ import annotations

import gzip
import json
import logging
import signal
from asyncio import CancelledError
from html.parser import HTMLParser
from http import HTTPStatus

import pytest

from ancestry_obs.metrics_exporter.pages import Pages


def render(accept):
    return f"accept {accept}\n".encode(), "text/fancy"


@pytest.fixture
def pages():
    return Pages(render, lambda: {"targets": [{"target": "a:f", "state": "installed"}]})


def test_metrics_are_rendered_for_the_accept_header(pages):
    page = pages.answer("/metrics", accept="x/y")
    assert (page.status, page.content_type, page.body) == (200, "text/fancy", b"accept x/y\n")


def test_status_is_json(pages):
    page = pages.answer("/status", accept="")
    assert page.content_type == "application/json"
    assert json.loads(page.body) == {"targets": [{"target": "a:f", "state": "installed"}]}


def test_status_may_hold_what_json_does_not_know():
    pages = Pages(render, lambda: {"reason": ValueError("taken")})
    assert json.loads(pages.answer("/status", accept="").body) == {"reason": "taken"}


def test_healthy(pages):
    assert pages.answer("/-/healthy", accept="").body == b"OK\n"


def test_every_link_of_the_index_leads_to_a_page(pages):
    links = []

    class Links(HTMLParser):
        def handle_starttag(self, tag, attrs):
            links.extend(value for name, value in attrs if name == "href")

    Links().feed(pages.answer("/", accept="").body.decode())
    assert links == ["/metrics", "/status", "/-/healthy"]
    assert all(pages.answer(link, accept="").status is HTTPStatus.OK for link in links)


def test_an_unknown_path_says_what_there_is(pages):
    page = pages.answer("/metricz", accept="")
    assert page.status is HTTPStatus.NOT_FOUND
    assert page.body == b"No such page; there are /, /-/healthy, /metrics, /status\n"


def test_a_failure_is_a_500_and_is_logged_once_until_it_works_again(caplog):
    outcomes = iter([RuntimeError("first"), RuntimeError("second"), None, RuntimeError("third")])

    def fragile(_accept):
        outcome = next(outcomes)
        if outcome:
            raise outcome
        return b"", "text/plain"

    pages = Pages(fragile, dict)
    with caplog.at_level(logging.WARNING, "ancestry_obs"):
        answers = [pages.answer("/metrics", accept="") for _ in range(4)]
    assert [page.status for page in answers] == [500, 500, 200, 500]
    assert answers[0].body == (
        b"/metrics cannot be rendered: RuntimeError: first; the program's log has the traceback\n"
    )
    assert [str(record.exc_info[1]) for record in caplog.records] == ["first", "third"]
    assert caplog.messages[0] == "/metrics cannot be rendered; it answers 500 meanwhile"


def test_a_page_of_many_pieces():
    pieces = Pages(lambda accept: (iter([b"a 1\n"] * 400_000), "text/plain"), dict)
    plain = pieces.answer("/metrics", accept="")
    assert (plain.body, plain.encoding) == (b"a 1\n" * 400_000, "")
    packed = pieces.answer("/metrics", accept="", gzip=True)
    assert packed.encoding == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < 20_000


def test_a_page_without_a_piece():
    pages = Pages(lambda accept: (iter(()), "text/plain"), dict)
    assert pages.answer("/metrics", accept="", gzip=True).body == b""


def test_a_failure_between_pieces_is_a_500():
    def fragile():
        yield b"a 1\n"
        raise RuntimeError("no more")

    page = Pages(lambda accept: (fragile(), "text/plain"), dict).answer("/metrics", accept="")
    assert page.status == 500
    assert b"no more" in page.body


class Unspeakable(BaseException):
    def __repr__(self):
        raise self

    __str__ = __repr__


ENDS = [SystemExit(3), GeneratorExit(), CancelledError(), KeyboardInterrupt("own"), Unspeakable()]


@pytest.mark.parametrize("path", ["/metrics", "/status"])
@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
def test_whatever_is_raised_is_a_500(path, error, caplog):
    def fail(*_accept):
        raise error

    page = Pages(fail, fail).answer(path, accept="")
    assert page.status == 500
    assert page.body.startswith(f"{path} cannot be rendered: {type(error).__name__}".encode())
    assert caplog.messages == [f"{path} cannot be rendered; it answers 500 meanwhile"]


def test_a_log_that_fails_costs_no_page(caplog):
    class Broken(logging.Handler):
        def emit(self, record):
            raise SystemExit(record.name)

    def fail(_accept):
        raise RuntimeError("no page")

    handler = Broken()
    logging.getLogger("ancestry_obs").addHandler(handler)
    try:
        assert Pages(fail, dict).answer("/metrics", accept="").status == 500
    finally:
        logging.getLogger("ancestry_obs").removeHandler(handler)


def test_what_interrupts_a_page_reaches_whoever_asks_for_it():
    def expire(*_):
        raise TimeoutError("time is up")

    def interrupted(_accept):
        signal.raise_signal(signal.SIGUSR1)
        return b"", "text/plain"

    before = signal.signal(signal.SIGUSR1, expire)
    try:
        with pytest.raises(TimeoutError, match="time is up"):
            Pages(interrupted, dict).answer("/metrics", accept="")
    finally:
        signal.signal(signal.SIGUSR1, before)
