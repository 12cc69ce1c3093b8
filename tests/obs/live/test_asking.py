from __future__ import annotations

import json
import threading

import pytest

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.installation_status import Status
from ancestry_obs.live.asking import Asking, Exporter
from ancestry_obs.live.scrape import Lost

PAGE = """\
# TYPE ancestry_obs_build_info gauge
ancestry_obs_build_info 1
# TYPE ancestry_obs_target_info gauge
ancestry_obs_target_info{{target="a:b",state="{state}"}} 1
# TYPE ancestry_obs_scrape_seconds summary
ancestry_obs_scrape_seconds_count {looks}
"""
FEED = {
    "pattern": "a:b", "metric": "m", "constants": {"op": "get"}, "failing": {"r": ["bad"]},
    "on": "exit", "is_duration": True,
}  # fmt: skip


class Program:
    """Answers as an exporter does, and counts what it is asked for."""

    def __init__(self):
        self.state, self.looks, self.asked, self.more = "installed", 0, [], ""
        self.page = Status(enabled=True, map="a.toml").as_dict() | {"feeds": [FEED]}

    def ask(self, path, read):
        self.asked.append(path)
        self.looks += path == "/metrics"
        pages = {
            "/metrics": PAGE.format(state=self.state, looks=self.looks) + self.more,
            "/status": json.dumps(self.page),
        }
        return read(pages[path].encode())


@pytest.fixture
def program():
    return Program()


@pytest.fixture
def exporter(program):
    return Exporter(program.ask, iter([1.5, 2.5, 3.5, 4.5]).__next__)


def test_a_scrape_is_both_pages_and_when(exporter):
    scrape = exporter.scrape()
    assert (scrape.at, scrape.status.map) == (1.5, "a.toml")
    (feed,) = scrape.feeds
    assert feed.as_dict() == FEED | {"failing": {"r": ("bad",)}}
    assert "ancestry_obs_target_info" in scrape.metrics


def test_the_dear_page_is_asked_for_where_a_state_is_another(exporter, program):
    first, second = exporter.scrape(), exporter.scrape()
    assert program.asked == ["/metrics", "/status", "/metrics"]
    assert second.status is first.status
    program.state = "idle"
    assert exporter.scrape().status is not first.status
    assert program.asked[3:] == ["/metrics", "/status"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# TYPE ancestry_obs_sampled gauge\n", 'ancestry_obs_sampled{target="a:b"} 1\n'),
        ("", "# TYPE jobs_total counter\n"),
    ],
    ids=["sampled", "reloaded"],
)
def test_it_is_asked_for_where_something_else_is_told(exporter, program, before, after):
    program.more = before
    first = exporter.scrape()
    program.more += after
    second = exporter.scrape()
    assert second.status is not first.status
    assert exporter.scrape().status is second.status


def test_it_is_asked_for_where_another_process_answers(exporter, program):
    program.looks = 50
    first = exporter.scrape()
    program.looks = 0
    assert exporter.scrape().status is not first.status


def test_what_no_metric_tells_is_there_after_a_minute(program):
    times = iter([100, 160, 161, 221])
    exporter = Exporter(program.ask, times.__next__)
    exporter.scrape()
    program.page["map_error"] = "shop.toml:3: mistake"
    assert [exporter.scrape().status.map_error for _ in range(3)] == [
        "",
        *["shop.toml:3: mistake"] * 2,
    ]
    assert program.asked.count("/status") == 2


def test_an_exporter_that_tells_no_feeds(exporter, program):
    del program.page["feeds"]
    assert exporter.scrape().feeds == []


@pytest.mark.parametrize(
    "feeds", [5, {}, [5], [{}], [FEED | {"constants": 5}], [FEED | {"failing": [1]}]]
)
def test_feeds_that_are_none(exporter, program, feeds):
    program.page["feeds"] = feeds
    with pytest.raises(ValueError, match="feed"):
        exporter.scrape()


@pytest.mark.parametrize(
    "changes",
    [
        {"map": 5},
        {"url": None},
        {"targets": [{"target": 5, "state": "installed"}]},
        {"targets": [{"target": "a:b", "state": ["error"]}]},
        {"targets": [{"target": "a:b", "state": "error", "reason": {}}]},
        {"targets": [{"target": "a:b", "state": "error", "patterns": [["a"]]}]},
    ],
)
def test_a_status_with_something_else_than_text(exporter, program, changes):
    program.page |= changes
    with pytest.raises(ValueError, match="status"):
        exporter.scrape()


def test_a_status_of_endless_depth(program):
    def ask(path, read):
        return read(b"[" * 100_000) if path == "/status" else program.ask(path, read)

    with pytest.raises(ValueError, match="status"):
        Exporter(ask).scrape()


def test_it_is_asked_again_and_again_until_the_end():
    told, enough = [], threading.Event()
    answers = iter(["one", ExporterError("nobody\nthere"), "two"])

    class Fake:
        def scrape(self):
            answer = next(answers, "more")
            if isinstance(answer, Exception):
                raise answer
            return answer

    def tell(event):
        told.append(event)
        if len(told) == 3:
            enough.set()

    asking = Asking(Fake(), 0.001, tell)
    with asking:
        assert enough.wait(60)
    asking._thread.join(60)
    assert not asking._thread.is_alive()
    assert told[:3] == ["one", Lost("nobody\nthere"), "two"]
