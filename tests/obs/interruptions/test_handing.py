"""Calls that hand values on, interrupted anywhere: later calls see nothing of it."""

from __future__ import annotations

import asyncio
import importlib

import pytest
from prometheus_client import CollectorRegistry
from tests.obs.interruptions.conftest import AlarmError
from tests.obs.interruptions.test_calls import STEP, is_ours

import ancestry_obs

PROGRAM = """
def outer(tenant, act):
    return act()

async def aouter(tenant, act):
    return act()

def inner(value):
    if value == "bad":
        raise ValueError(value)
    return value
"""
NAME = "interrupted_program"


def counter(*labels):
    return {"type": "counter", "help": "x", "labels": {each: {"max_values": 99} for each in labels}}


MAP = {
    "version": 1,
    "metrics": {"outer_total": counter("told", "size"), "inner_total": counter("tenant")},
    "instrument": [
        {
            "target": [f"{NAME}:outer", f"{NAME}:aouter"],
            "outermost": True,
            "entry": {"size": "len(tenant)"},
            "context": {"tenant": "tenant"},
            "record": [
                {"metric": "outer_total", "labels": {"told": "told.value", "size": "entry.size"}}
            ],
        },
        {
            "target": f"{NAME}:inner",
            "tell": {"value": "value if error is None else 'failed'"},
            "record": [{"metric": "inner_total", "labels": {"tenant": "text(context.tenant)"}}],
        },
    ],
}


@pytest.mark.parametrize("name", ["outer", "aouter"])
@pytest.mark.parametrize("value", ["good", "bad"])
def test_no_later_call_sees_anything_of_one_that_was_interrupted(
    make_module, enabled, everywhere, name, value
):
    make_module(NAME, PROGRAM)
    registry = CollectorRegistry()
    ancestry_obs.install(MAP, settings=enabled, registry=registry)
    module = importlib.import_module(NAME)
    assert {each.state for each in ancestry_obs.status().targets} == {"installed"}

    def call(tenant, act):
        answer = getattr(module, name)(tenant, act)
        if not asyncio.iscoroutine(answer):
            return answer
        try:
            answer.send(None)
        except StopIteration as stop:
            return stop.value
        finally:
            answer.close()

    def is_woven(code):
        return is_ours(code) or code.co_filename == module.__file__

    def samples(name):
        return {
            tuple(each.labels.values()): each.value
            for family in registry.collect()
            for each in family.samples
            if each.name == f"shop_{name}"
        }

    def once():
        try:
            call("ann", lambda: call("ann", lambda: module.inner(value)))
        except ValueError:
            assert value == "bad"

    once()
    struck = 0
    for made, interruption in enumerate(everywhere(is_woven, least=30, step=STEP), 1):
        try:
            with interruption:
                once()
        except AlarmError:
            struck += 1
        assert module.inner("later") == "later", interruption
        call("other", lambda: None)
        alone, counted = samples("inner_total"), samples("outer_total")
        assert alone["None",] == made, interruption
        assert counted["None", "5"] == made, interruption
        assert sum(v for (_, size), v in counted.items() if size != "5") <= made + 1, interruption
    assert struck
