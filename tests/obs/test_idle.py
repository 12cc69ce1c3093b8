"""A target that nothing calls although its module is busy, in a whole installation."""

from __future__ import annotations

import importlib

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import ancestry_obs
from ancestry_obs.settings import ObservabilitySettings

SHOP = """
def price(name): return len(name)
def _old_refund(name): return -len(name)
def _new_refund(name): return -len(name)
def _retry(name): return price(name)
# The caller has another function in its place.
refund = _new_refund
"""


def instrument(*targets, **more):
    return {"target": list(targets), "record": [{"metric": "calls_total"}], **more}


MAP = {
    "version": 1,
    "metrics": {"calls_total": {"type": "counter", "help": "Calls."}},
    "instrument": [
        instrument("idle_shop:price", "idle_shop:_old_refund"),
        instrument("idle_shop:_retry", rare=True),
    ],
}


@pytest.fixture
def shop(make_module):
    make_module("idle_shop", SHOP)
    registry = CollectorRegistry()
    settings = ObservabilitySettings(enable_prometheus_metrics=True, metrics_export_port=0)
    ancestry_obs.install(MAP, settings=settings, registry=registry)
    module = importlib.import_module("idle_shop")
    module.registry = registry
    yield module
    ancestry_obs.uninstall()


def states():
    return {each.target.partition(":")[2]: each.state for each in ancestry_obs.status().targets}


def test_it_is_told_once_its_module_is_busy(shop):
    for _ in range(99):
        shop.price("a")
        shop.refund("a")
    assert states() == {"price": "installed", "_old_refund": "installed", "_retry": "installed"}
    shop.price("a")
    assert states() == {"price": "installed", "_old_refund": "idle", "_retry": "installed"}
    (idle,) = [each for each in ancestry_obs.status().targets if each.state == "idle"]
    assert idle.reason == (
        "never called, while targets of its module had 100 calls; write rare = true in its "
        "instrument if that is as it should be"
    )
    line = b'ancestry_obs_target_info{state="idle",target="idle_shop:_old_refund"} 1.0\n'
    assert line in generate_latest(shop.registry)


def test_a_call_ends_it(shop):
    for _ in range(100):
        shop.price("a")
    shop._old_refund("a")
    assert "idle" not in states().values()


def test_a_reload_that_calls_it_rare_ends_it(shop):
    for _ in range(100):
        shop.price("a")
    assert states()["_old_refund"] == "idle"
    rare = [{**each, "rare": True} for each in MAP["instrument"]]
    ancestry_obs.reload({**MAP, "instrument": rare})
    assert states()["_old_refund"] == "installed"
    # Nothing else changed: the calls so far are known.
    assert sum(each.calls for each in ancestry_obs.status().targets) == 100
