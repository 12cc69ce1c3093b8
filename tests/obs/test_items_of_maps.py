"""Maps that record items, installed: states, pages, and what a reload does."""

from __future__ import annotations

import importlib
import logging

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import ancestry_obs

FEED = """
from functools import lru_cache

class Feed:
    def rows(self, count):
        yield from range(count)

    async def rows_later(self, count):
        for each in range(count):
            yield each

    def size(self):
        return 3

@lru_cache
def cached(): yield 1

def write(jobs):
    return {job: len(job) for job in jobs}
"""


def items_of(target, **record):
    return {
        "version": 1,
        "metrics": {
            "rows_total": {"type": "counter", "help": "Rows.", "labels": {"row": ["0", "1"]}}
        },
        "instrument": [
            {
                "target": target,
                "record": [
                    {"metric": "rows_total", "on": "item", "labels": {"row": "item"}, **record}
                ],
            }
        ],
    }  # fmt: skip


@pytest.fixture
def feed(make_module, enabled):
    """Install a map and import the program."""

    def make(spec):
        make_module("feed_x", FEED)
        registry = CollectorRegistry()
        ancestry_obs.install(spec, settings=enabled, registry=registry)
        return importlib.import_module("feed_x"), registry

    return make


def states():
    return {each.target: (each.state, each.reason or "") for each in ancestry_obs.status().targets}


def rows(registry, row):
    return registry.get_sample_value("shop_rows_total", {"row": row})


@pytest.mark.parametrize(
    ("target", "kind"), [("feed_x:Feed.size", "function"), ("feed_x:cached", "function")]
)
def test_what_is_no_generator_is_in_state_error(feed, target, kind):
    feed(items_of(target))
    state, reason = states()[target]
    assert state == "error"
    assert f"{target} is no generator, but a {kind}, which hands no items over" in reason


def test_the_definition_under_a_cache_is_one(feed):
    spec = items_of("feed_x:cached")
    spec["instrument"][0]["at"] = "definition"
    module, registry = feed(spec)
    assert [*module.cached()] == [1]
    assert rows(registry, "1") == 1


def test_a_glob_over_generators_and_others(feed):
    module, registry = feed(items_of("feed_x:Feed.*"))
    assert [*module.Feed().rows(2)] == [0, 1]
    assert module.Feed().size() == 3
    assert (rows(registry, "0"), rows(registry, "1")) == (1, 1)
    told = states()
    assert told["feed_x:Feed.rows"][0] == "installed"
    assert told["feed_x:Feed.rows_later"][0] == "installed"
    assert told["feed_x:Feed.size"][0] == "error"


def test_calls_are_told_beside_the_items(feed):
    module, registry = feed(items_of("feed_x:Feed.rows"))
    for count in (2, 0, 1):
        list(module.Feed().rows(count))
    assert (
        registry.get_sample_value("ancestry_obs_calls_total", {"target": "feed_x:Feed.rows"}) == 3
    )
    assert rows(registry, "0") == 2


def test_a_reload_with_another_each_weaves_anew(feed):
    def spec(each):
        made = items_of("feed_x:write", on="return", each=each)
        made["metrics"]["rows_total"]["labels"]["row"] = {"max_values": 9}
        return made

    module, registry = feed(spec("jobs"))
    assert module.write(["a", "bc"]) == {"a": 1, "bc": 2}
    assert rows(registry, "bc") == 1
    assert not ancestry_obs.reload(spec("jobs"))
    changes = ancestry_obs.reload(spec("result"))
    assert changes.targets_changed == ("feed_x:write",)
    module.write({"bc"})
    assert rows(registry, "bc") == 2
    assert registry.get_sample_value("ancestry_obs_items_left_out_total") is None


def test_items_that_are_left_out_are_on_the_page_and_logged_once(feed, caplog):
    spec = items_of("feed_x:write", on="call", each="jobs")
    module, registry = feed(spec)
    with caplog.at_level(logging.WARNING, "ancestry_obs"):
        for _ in range(2):
            module.write(["0"] * 1005)
    page = generate_latest(registry).decode()
    assert 'ancestry_obs_items_left_out_total{target="feed_x:write"} 10.0\n' in page
    assert 'shop_rows_total{row="0"} 2000.0\n' in page
    (said,) = [each.getMessage() for each in caplog.records]
    assert said.startswith("feed_x:write: a call has more than 1000 items")
