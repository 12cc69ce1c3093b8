"""What a map can ask for beside records: own label functions, samples, hooks; and their reload."""

from __future__ import annotations

import copy
import gc
import importlib

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

import ancestry_obs

SHOP = """
    def label(text):
        return text.upper()
    def other(text):
        return text[::-1]
    class Cart:
        def __init__(self, items=0):
            self.items = items
        def size(self):
            return self.items
    class BigCart(Cart):
        def __init__(self, items):
            super().__init__(items)
            self.big = True
    class PlainCart(Cart):
        pass
    class Basket:
        __slots__ = ("items",)
        def __init__(self, items):
            self.items = items
    def price(name):
        return len(name)
    def open_shop():
        if price is None:
            raise ValueError
        return "open"
    def fail():
        raise ValueError("closed")
"""
MAP = {
    "version": 1,
    "functions": {"label": "shopping:label"},
    "metrics": {
        "prices_total": {
            "type": "counter",
            "help": "Prices asked for.",
            "labels": {"name": {"max_values": 3}},
        },
        "cart_items": {
            "type": "gauge",
            "help": "Items in all carts.",
            "labels": {"kind": {"max_values": 9}},
        },
    },
    "instrument": [
        {
            "target": "shopping:price",
            "record": [{"metric": "prices_total", "labels": {"name": "label(name)"}}],
        }
    ],
    "sample": [
        {
            "target": "shopping:Cart",
            "metric": "cart_items",
            "value": "self.size()",
            "labels": {"kind": "label(type_name(self))"},
            "aggregate": "sum",
        }
    ],
    # No port is opened unless a test asks for it.
    "hook": [{"target": "shopping:open_shop", "after": "exporter.start"}],
}
OFF = ancestry_obs.ObservabilitySettings()


def values() -> dict[str, float]:
    """Give every sample of the map's metrics by its name and label values."""
    text = generate_latest(ancestry_obs.get_registry()).decode()
    return {
        sample.name.removeprefix("shop_")
        + "".join(f"[{each}]" for each in sample.labels.values()): (sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("shop_")
    }


def states() -> dict[str, str]:
    return {each.target: each.state for each in ancestry_obs.status().targets}


def failures() -> dict[tuple[str, ...], float]:
    text = generate_latest(ancestry_obs.get_registry()).decode()
    return {
        (sample.labels["target"], sample.labels["metric"], sample.labels["label"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "ancestry_obs_expression_errors_total"
    }


@pytest.fixture
def changed():
    """Give the map with something else in it."""

    def change(**parts):
        return copy.deepcopy(MAP) | parts

    return change


@pytest.fixture
def shop(make_module):
    make_module("shopping", SHOP)
    return importlib.import_module("shopping")


class TestLabelFunctions:
    def test_an_own_one_may_live_in_the_program(self, make_module, enabled):
        make_module("shopping", SHOP)
        ancestry_obs.install(MAP, settings=enabled)
        shop = importlib.import_module("shopping")
        shop.price("book")
        cart = shop.Cart(2)
        assert values() == {"prices_total[BOOK]": 1, "cart_items[CART]": cart.items}

    @pytest.mark.parametrize("path", ["no_such_module_x:f", "shopping:no_such"])
    def test_one_that_cannot_be_imported_is_the_state_of_who_calls_it(
        self, shop, enabled, changed, path
    ):
        ancestry_obs.install(changed(functions={"label": path}), settings=enabled)
        seen = states()
        assert seen["shopping:price"] == seen["shopping:Cart.__init__"] == "error"
        assert seen["shopping:open_shop"] == "installed"
        for each in ancestry_obs.status().failed:
            assert f"functions.label: cannot import {path!r}: " in each.reason
        assert shop.price("book") == 4
        assert shop.Cart(2).size() == 2
        assert "cart_items[CART]" not in values()

    def test_a_reload_may_change_what_a_name_stands_for(self, shop, enabled, changed):
        cart = shop.Cart(2)
        ancestry_obs.install(MAP, settings=enabled)
        shop.price("book")
        changes = ancestry_obs.reload(changed(functions={"label": "shopping:other"}))
        assert changes.targets_changed == ("shopping:price", "shopping:Cart")
        late = shop.Cart(3)
        shop.price("book")
        assert values() == {
            "prices_total[BOOK]": 1,
            "prices_total[koob]": 1,
            "cart_items[traC]": cart.items + late.items,
        }

    def test_a_reload_that_adds_another_changes_nothing_else(self, shop, enabled, changed):
        ancestry_obs.install(MAP, settings=enabled)
        woven = shop.price
        more = {"label": "shopping:label", "unused": "no_such_module_x:f"}
        assert not ancestry_obs.reload(changed(functions=more))
        assert shop.price is woven
        late = shop.Cart(3)
        assert values()["cart_items[CART]"] == late.items


class TestSamples:
    def test_instances_of_the_classes_below_are_read_too(self, shop, enabled):
        early = [shop.Cart(1), shop.BigCart(2), shop.PlainCart(4)]
        ancestry_obs.install(MAP, settings=enabled)
        late = [shop.Cart(8), shop.BigCart(16), shop.PlainCart(32)]
        assert len(early) == len(late)
        assert values() == {
            "cart_items[CART]": 9,
            "cart_items[BIGCART]": 18,
            "cart_items[PLAINCART]": 36,
        }

    def test_of_a_class_below_its_own_are_read_and_no_others(self, shop, enabled, changed):
        sample = MAP["sample"][0] | {"target": "shopping:PlainCart"}
        early = [shop.Cart(1), shop.BigCart(2), shop.PlainCart(4)]
        ancestry_obs.install(changed(sample=[sample]), settings=enabled)
        late = [shop.Cart(8), shop.BigCart(16), shop.PlainCart(32)]
        assert len(early) == len(late)
        assert values() == {"cart_items[PLAINCART]": 36}

    def test_they_are_held_weakly(self, shop, enabled):
        ancestry_obs.install(MAP, settings=enabled)
        cart = shop.Cart(8)
        assert values() == {"cart_items[CART]": 8}
        del cart
        gc.collect()
        assert values() == {}

    def test_what_cannot_be_held_weakly_is_said(self, shop, enabled, changed, caplog):
        sample = MAP["sample"][0] | {"target": "shopping:Basket", "value": "self.items"}
        ancestry_obs.install(changed(sample=[sample]), settings=enabled)
        assert shop.Basket(3).items == 3
        assert "add '__weakref__' to the __slots__ of Basket" in caplog.text
        assert failures() == {("shopping:Basket", "cart_items", "value"): 1}

    def test_one_that_raises_is_left_out_and_counted(self, shop, enabled, changed):
        sample = MAP["sample"][0] | {"value": "self.no_such()"}
        ancestry_obs.install(changed(sample=[sample]), settings=enabled)
        cart = shop.Cart(3)
        assert values() == {}
        assert failures()["shopping:Cart", "cart_items", "value"] >= 1
        assert cart.size() == 3

    def test_a_reload_keeps_or_drops_them(self, shop, enabled, changed):
        ancestry_obs.install(MAP, settings=enabled)
        cart = shop.Cart(8)
        ancestry_obs.reload(changed(instrument=[]))
        assert values() == {"cart_items[CART]": 8}
        ancestry_obs.reload(changed(sample=[]))
        assert values() == {}
        ancestry_obs.reload(MAP)
        assert values() == {"cart_items[CART]": cart.items}


class TestHooks:
    @pytest.mark.live
    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_the_exporter_starts_with_the_call(self, shop, enabled, changed, moment):
        hook = {"target": "shopping:open_shop", moment: "exporter.start"}
        ancestry_obs.install(changed(hook=[hook]), settings=enabled)
        assert ancestry_obs.status().url == ""
        assert shop.open_shop() == "open"
        url = ancestry_obs.status().url
        assert url
        shop.open_shop()
        assert ancestry_obs.status().url == url

    @pytest.mark.live
    def test_and_stops_with_one(self, shop, enabled, changed):
        hooks = [*MAP["hook"], {"target": "shopping:price", "before": "exporter.stop"}]
        ancestry_obs.install(changed(hook=hooks), settings=enabled)
        shop.open_shop()
        assert shop.price("book") == 4
        assert ancestry_obs.status().url == ""

    @pytest.mark.live
    @pytest.mark.parametrize(("moment", "starts"), [("before", True), ("after", False)])
    def test_after_means_after_a_call_that_returned(self, shop, enabled, changed, moment, starts):
        hook = {"target": "shopping:fail", moment: "exporter.start"}
        ancestry_obs.install(changed(hook=[hook]), settings=enabled)
        with pytest.raises(ValueError, match="closed"):
            shop.fail()
        assert bool(ancestry_obs.status().url) is starts

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_an_action_that_fails_costs_the_call_nothing(
        self, shop, enabled, changed, moment, monkeypatch
    ):
        from ancestry_obs.outlets import Outlets

        def broken(*_):
            raise RuntimeError("broken")

        monkeypatch.setattr(Outlets, "start_exporter", broken)
        hook = {"target": "shopping:open_shop", moment: "exporter.start"}
        ancestry_obs.install(changed(hook=[hook]), settings=enabled)
        assert shop.open_shop() == "open"
        assert failures() == {("shopping:open_shop", "", "exporter.start"): 1}


def test_a_registry_that_has_the_name_already_is_refused_and_nothing_is_left_behind(shop, enabled):
    from prometheus_client import CollectorRegistry, Counter

    registry = CollectorRegistry()
    Counter("shop_prices", "The program's own.", registry=registry)
    plain = shop.price
    with pytest.raises(ancestry_obs.ObservabilityError, match="already has one of the map's"):
        ancestry_obs.install(MAP, settings=enabled, registry=registry)
    assert shop.price is plain
    assert not ancestry_obs.status().enabled
    assert ancestry_obs.install(MAP, settings=enabled).enabled


def test_a_summary_is_read_back(shop, enabled):
    installed = ancestry_obs.install(MAP, settings=enabled)
    shop.price("book")
    assert "prices_total" in {row.metric for row in installed.summary()}


def test_off_there_is_nothing_to_tell(shop, enabled):
    off = ancestry_obs.install(MAP, settings=OFF)
    assert not off.enabled
    assert off.status() == ancestry_obs.status() == ancestry_obs.Status(enabled=False)
    assert off.summary() == []
    assert not ancestry_obs.reload(MAP)
    assert ancestry_obs.start_exporter() is None
    ancestry_obs.stop_exporter()
    ancestry_obs.mark_failed()
    ancestry_obs.uninstall()


def test_off_the_helpers_of_the_map_answer():
    metrics = {"only_here_total": {"type": "counter", "help": "C.", "labels": {"a": ["x"]}}}
    ancestry_obs.install({"version": 1, "metrics": metrics}, settings=OFF)
    ancestry_obs.metrics().only_here.inc("x")
    with pytest.raises(TypeError):
        ancestry_obs.metrics().only_here.inc()
