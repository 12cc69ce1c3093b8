"""Generators that the collector closes, and tasks cancelled by the thousand: each counted, once."""

from __future__ import annotations

import asyncio
import gc
import importlib

import pytest
from prometheus_client import CollectorRegistry

import ancestry_obs

MANY = 3000
PROGRAM = """
    import asyncio

    def rows():
        yield 1
        yield 2

    async def pages():
        yield 1
        yield 2

    async def fetch():
        await asyncio.sleep(3600)
"""
LABELS = {"outcome": ["success", "error", "cancelled", "abandoned"]}
METRICS = {
    "ends_total": {"type": "counter", "help": "E.", "labels": LABELS},
    "work_seconds": {"type": "histogram", "help": "W.", "buckets": [1], "labels": LABELS},
    "running": {"type": "in_flight", "help": "R."},
}
OUTCOME = {"outcome": "outcome(error)"}
RECORDS = [
    {"metric": "ends_total", "labels": OUTCOME},
    {"metric": "work_seconds", "labels": OUTCOME},
    {"metric": "running"},
]


@pytest.fixture
def program(make_module, enabled):
    make_module("stormy", PROGRAM)
    spec = {"version": 1, "metrics": METRICS}
    spec["instrument"] = [{"target": "stormy:*", "record": RECORDS}]
    ancestry_obs.install(spec, settings=enabled, registry=CollectorRegistry())
    return importlib.import_module("stormy")


def outcomes():
    """Give the counts that are not zero; each has to be the histogram's, too."""
    read = ancestry_obs.get_registry().get_sample_value
    found = {each: read("shop_ends_total", {"outcome": each}) for each in LABELS["outcome"]}
    for outcome, count in found.items():
        assert read("shop_work_seconds_count", {"outcome": outcome}) == count
    return {each: count for each, count in found.items() if count}, read("shop_running")


def test_generators_that_the_collector_closes_were_abandoned(program):
    class Ring:
        pass

    for _ in range(MANY):
        ring = Ring()
        ring.rows, ring.itself = program.rows(), ring
        next(ring.rows)
    del ring
    gc.collect()
    assert outcomes() == ({"abandoned": MANY}, 0)


def test_a_storm_of_cancelled_tasks(program):
    async def storm():
        tasks = [asyncio.ensure_future(program.fetch()) for _ in range(MANY)]
        await asyncio.sleep(0)
        assert outcomes() == ({}, MANY)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(storm())
    assert outcomes() == ({"cancelled": MANY}, 0)


def test_async_generators_that_are_left_half_way_were_abandoned(program):
    kept = []

    async def leave():
        for number in range(MANY):
            pages = program.pages()
            await anext(pages)
            if number % 2:  # the other half is closed when the loop ends
                kept.append(pages)
        # The loop closes them in tasks of its own.
        await asyncio.sleep(0)

    asyncio.run(leave())
    kept.clear()
    gc.collect()
    assert outcomes() == ({"abandoned": MANY}, 0)
