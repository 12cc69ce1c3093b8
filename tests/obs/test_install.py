"""The public API put together: what is promised of an installation, on a small program."""

from __future__ import annotations

import copy
import importlib
import logging
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace
from textwrap import dedent

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import ancestry_obs

SHOP = """
    class Cart:
        def __init__(self, items=()):
            self.items = list(items)
        def add(self, item, count=1):
            if item is None:
                raise ValueError("no item")
            self.items.append(item)
            return len(self.items)
        def size(self):
            return len(self.items)
    def price(name):
        return len(name)
    def open_shop():
        return "open"
"""
MAP = {
    "version": 1,
    "metrics": {
        "adds_total": {
            "type": "counter",
            "help": "Items put into carts.",
            "labels": {"item": {"max_values": 3}, "result": ["success", "failure"]},
        },
        "add_seconds": {"type": "histogram", "help": "How long it took.", "buckets": [0.1, 1]},
        "cart_items": {"type": "gauge", "help": "Items in all carts."},
    },
    "instrument": [
        {
            "target": "shopping:Cart.add",
            "record": [
                {
                    "metric": "adds_total",
                    "labels": {
                        "item": "item",
                        "result": "'failure' if error is not None else 'success'",
                    },
                },
                {"metric": "add_seconds"},
            ],
        }
    ],
    "sample": [
        {
            "target": "shopping:Cart",
            "metric": "cart_items",
            "value": "self.size()",
            "aggregate": "sum",
        }
    ],
    # No port is opened unless a test asks for it.
    "hook": [{"target": "shopping:open_shop", "after": "exporter.start"}],
}
SERVED = {part: value for part, value in MAP.items() if part != "hook"}


def values(registry=None) -> dict[str, float]:
    """Give every sample by its name and its label values, in the order of the labels' names."""
    text = generate_latest(registry or ancestry_obs.get_registry()).decode()
    return {
        sample.name + "".join(f"[{sample.labels[name]}]" for name in sorted(sample.labels)): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def shop(make_module):
    make_module("shopping", SHOP)
    return importlib.import_module("shopping")


def test_calls_are_timed_and_counted(shop, enabled):
    ancestry_obs.install(MAP, settings=enabled)
    cart = shop.Cart()
    assert cart.add("book") == 1
    with pytest.raises(ValueError, match="no item"):
        cart.add(None)
    seen = values()
    assert seen["shop_adds_total[book][success]"] == 1
    assert seen["shop_adds_total[None][failure]"] == 1
    assert seen["shop_add_seconds_count"] == 2
    assert seen["shop_cart_items"] == 1


def test_a_module_imported_later_is_woven_then(make_module, enabled):
    make_module("shopping", SHOP)
    ancestry_obs.install(MAP, settings=enabled)
    assert {each.state for each in ancestry_obs.status().targets} == {"pending"}
    shop = importlib.import_module("shopping")
    assert {each.state for each in ancestry_obs.status().targets} == {"installed"}
    shop.Cart().add("book")
    assert values()["shop_add_seconds_count"] == 1


def test_instances_made_before_are_sampled_too(shop, enabled):
    early = shop.Cart(["a", "b"])
    ancestry_obs.install(MAP, settings=enabled)
    late = shop.Cart(["c"])
    assert values()["shop_cart_items"] == early.size() + late.size() == 3


def test_instances_that_a_module_makes_in_its_own_import_are_sampled_too(make_module, enabled):
    ancestry_obs.install(MAP, settings=enabled)
    make_module("shopping", f"{dedent(SHOP)}\nKEPT = Cart(['a', 'b'])\n")
    importlib.import_module("shopping")
    assert values()["shop_cart_items"] == 2


def test_uninstall_leaves_the_program_as_it_was(shop, enabled):
    before = {owner: dict(vars(owner)) for owner in (shop, shop.Cart)}
    code = shop.Cart.add.__code__
    ancestry_obs.install(MAP, settings=enabled)
    assert vars(shop.Cart)["add"] is before[shop.Cart]["add"]
    assert shop.Cart.add.__code__ is not code
    ancestry_obs.uninstall()
    assert shop.Cart.add.__code__ is code
    for owner, namespace in before.items():
        assert list(vars(owner)) == list(namespace)
        assert all(vars(owner)[name] is value for name, value in namespace.items())


def test_installing_twice_is_installing_once(shop, enabled):
    first = ancestry_obs.install(MAP, settings=enabled)
    woven = vars(shop.Cart)["add"]
    assert ancestry_obs.install(MAP, settings=enabled) is first
    assert vars(shop.Cart)["add"] is woven


def test_installing_from_two_threads_is_installing_once(shop, enabled):
    barrier = threading.Barrier(2)
    found = []

    def install():
        barrier.wait()
        found.append(ancestry_obs.install(MAP, settings=enabled))

    threads = [threading.Thread(target=install) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1]
    shop.Cart().add("book")
    assert values()["shop_add_seconds_count"] == 1


def test_off_means_the_identical_objects_and_nothing_imported(tmp_path):
    program = """
        import sys, threading
        import collections
        before = vars(collections.OrderedDict)["fromkeys"], collections.namedtuple
        import ancestry_obs
        installed = ancestry_obs.install({
            "version": 1,
            "metrics": {"a_total": {"type": "counter", "help": "a"}},
            "instrument": [{"target": "collections:namedtuple", "record": [{"metric": "a_total"}]}],
        })
        after = vars(collections.OrderedDict)["fromkeys"], collections.namedtuple
        assert all(x is y for x, y in zip(before, after))
        assert not installed.enabled
        assert not {"wrapt", "prometheus_client"} & set(sys.modules)
        assert threading.active_count() == 1
        ancestry_obs.metrics()
        assert not {"wrapt", "prometheus_client"} & set(sys.modules)
    """
    environment = {k: v for k, v in os.environ.items() if k != "PROMETHEUS_METRICS_ENABLED"}
    done = subprocess.run(
        [sys.executable, "-c", dedent(program)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_environment_switches_metrics_on(shop, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROMETHEUS_METRICS_ENABLED", "true")
    monkeypatch.setenv("METRICS_EXPORT_PORT", "0")
    monkeypatch.setenv("METRICS_NAMESPACE", "store")
    try:
        assert ancestry_obs.install(MAP).enabled
        shop.Cart().add("book")
        assert values()["store_add_seconds_count"] == 1
    finally:
        ancestry_obs.uninstall()


@pytest.mark.live
def test_the_exporter_serves_what_the_registry_has(shop, enabled):
    ancestry_obs.install(SERVED, settings=enabled)
    shop.Cart().add("book")
    url = ancestry_obs.status().url
    assert ancestry_obs.start_exporter().url == url
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert b'shop_adds_total{item="book",result="success"} 1.0' in answer.read()
    ancestry_obs.stop_exporter()
    assert ancestry_obs.status().url == ""
    assert ancestry_obs.start_exporter(port=0).port > 0


@pytest.mark.live
def test_a_taken_port_is_said_once_and_the_program_goes_on(shop, enabled, caplog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = replace(enabled, metrics_export_port=port)
        with caplog.at_level(logging.WARNING, logger="ancestry_obs"):
            ancestry_obs.install(SERVED, settings=settings)
            assert ancestry_obs.start_exporter() is None
    said = [each.getMessage() for each in caplog.records if str(port) in each.getMessage()]
    assert len(said) == 1
    assert str(port) in ancestry_obs.status().exporter_error
    assert shop.Cart().add("book") == 1


def test_an_own_registry_is_served_by_its_owner(shop, enabled):
    registry = CollectorRegistry()
    ancestry_obs.install(MAP, settings=enabled, registry=registry)
    assert ancestry_obs.get_registry() is registry
    assert ancestry_obs.status().url == ""
    shop.Cart().add("book")
    assert values(registry)["shop_add_seconds_count"] == 1


def test_a_missing_target_is_a_state_and_a_log_line(make_module, enabled, caplog):
    make_module("shopping", SHOP)
    wrong = copy.deepcopy(MAP)
    wrong["instrument"][0]["target"] = "shopping:Cart.ad"
    ancestry_obs.install(wrong, settings=enabled)
    with caplog.at_level(logging.WARNING, logger="ancestry_obs"):
        shop = importlib.import_module("shopping")
    assert shop.Cart().add("book") == 1
    (failed,) = ancestry_obs.status().failed
    assert failed.target == "shopping:Cart.ad"
    assert "add" in failed.reason
    assert sum("Cart.ad" in each.getMessage() for each in caplog.records) == 1
    assert values()["ancestry_obs_target_info[error][shopping:Cart.ad]"] == 1


def test_a_failing_expression_costs_a_label_value_only(shop, enabled):
    fragile = copy.deepcopy(MAP)
    fragile["instrument"][0]["record"][0]["labels"]["item"] = "item.name"
    ancestry_obs.install(fragile, settings=enabled)
    assert shop.Cart().add("book") == 1
    seen = values()
    assert seen["shop_adds_total[error][success]"] == 1
    assert seen["ancestry_obs_expression_errors_total[item][adds_total][shopping:Cart.add]"] == 1
    assert ancestry_obs.status().targets[0].errors == 1


def test_labels_are_bounded(shop, enabled):
    ancestry_obs.install(MAP, settings=enabled)
    cart = shop.Cart()
    for number in range(10):
        cart.add(f"item{number}")
    seen = values()
    assert seen["shop_adds_total[other][success]"] == 7
    assert seen["ancestry_obs_label_overflow_total[item][adds_total]"] == 7
    assert seen["shop_add_seconds_count"] == 10


def test_what_is_never_called_is_visible(shop, enabled):
    ancestry_obs.install(MAP, settings=enabled)
    assert "shopping:Cart.add" in {each.target for each in ancestry_obs.status().never_called}
    assert values()["ancestry_obs_calls_total[shopping:Cart.add]"] == 0


class TestReload:
    def test_what_is_unchanged_keeps_wrapper_and_values(self, shop, enabled):
        ancestry_obs.install(MAP, settings=enabled)
        shop.Cart().add("book")
        woven = vars(shop.Cart)["add"]
        more = copy.deepcopy(MAP)
        more["metrics"]["prices_total"] = {"type": "counter", "help": "Prices asked for."}
        more["instrument"].append(
            {"target": "shopping:price", "record": [{"metric": "prices_total"}]}
        )
        changes = ancestry_obs.reload(more)
        assert changes.metrics_added == ("prices_total",)
        assert changes.targets_added == ("shopping:price",)
        assert not changes.targets_changed
        assert vars(shop.Cart)["add"] is woven
        shop.Cart().add("book")
        shop.price("book")
        seen = values()
        assert seen["shop_add_seconds_count"] == 2
        assert seen["shop_prices_total"] == 1

    def test_what_is_removed_is_put_back(self, shop, enabled):
        original = vars(shop.Cart)["add"]
        ancestry_obs.install(MAP, settings=enabled)
        fewer = copy.deepcopy(MAP)
        del fewer["instrument"]
        del fewer["metrics"]["adds_total"], fewer["metrics"]["add_seconds"]
        changes = ancestry_obs.reload(fewer)
        assert changes.targets_removed == ("shopping:Cart.add",)
        assert vars(shop.Cart)["add"] is original
        assert not any(name.startswith("shop_add") for name in values())

    def test_a_changed_record_is_woven_anew_and_loses_nothing(self, shop, enabled):
        ancestry_obs.install(MAP, settings=enabled)
        shop.Cart().add("book")
        changed = copy.deepcopy(MAP)
        changed["instrument"][0]["record"][0]["labels"]["item"] = "upper(item)"
        changes = ancestry_obs.reload(changed)
        assert changes.targets_changed == ("shopping:Cart.add",)
        shop.Cart().add("book")
        seen = values()
        assert seen["shop_adds_total[book][success]"] == 1
        assert seen["shop_adds_total[BOOK][success]"] == 1
        assert seen["shop_add_seconds_count"] == 2

    def test_a_map_with_mistakes_leaves_the_old_one(self, shop, enabled):
        ancestry_obs.install(MAP, settings=enabled)
        woven = vars(shop.Cart)["add"]
        with pytest.raises(ancestry_obs.MapError):
            ancestry_obs.reload({"version": 2})
        assert vars(shop.Cart)["add"] is woven

    def test_a_file_is_read_again(self, shop, enabled, tmp_path):
        file = tmp_path / "my.toml"
        text = """
            version = 1
            [metrics.sizes_total]
            type = "counter"
            help = "Sizes asked for."
            [[instrument]]
            target = "shopping:{}"
            record = [{{ metric = "sizes_total" }}]
        """
        file.write_text(dedent(text.format("Cart.size")))
        ancestry_obs.install(file, settings=enabled)
        file.write_text(dedent(text.format("Cart.add")))
        changes = ancestry_obs.reload()
        assert changes.targets_added == ("shopping:Cart.add",)
        assert changes.targets_removed == ("shopping:Cart.size",)

    def test_calls_go_on_meanwhile_and_none_is_lost(self, shop, enabled, workers):
        ancestry_obs.install(MAP, settings=enabled)
        other = copy.deepcopy(MAP)
        other["instrument"][0]["record"][0]["labels"]["item"] = "upper(item)"
        cart = shop.Cart()

        def call(_):
            cart.size()
            cart.add("book")

        with workers(call, threads=1) as callers:
            for turn in range(20):
                ancestry_obs.reload(other if turn % 2 else MAP)
                callers.let_them_work()
        assert values()["shop_add_seconds_count"] == callers.pieces


def test_the_namespace_of_the_package_is_what_it_says():
    exported = set(ancestry_obs.__all__)
    assert all(hasattr(ancestry_obs, name) for name in exported)
    public = {
        name
        for name, value in vars(ancestry_obs).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("ancestry_obs")
    }
    assert public <= exported


PLAIN = """
    class Worker:
        size = 1

    class Box(dict):
        __slots__ = ("__weakref__",)
"""


def _sampling(*targets):
    metrics = {
        f"{target.lower()}s": {"type": "gauge", "help": "Size of all."} for target in targets
    }
    samples = [
        {
            "target": f"plain:{target}",
            "metric": f"{target.lower()}s",
            "value": "self.size" if target == "Worker" else "self.size()",
            "aggregate": "sum",
        }
        for target in targets
    ]
    return {"version": 1, "metrics": metrics, "sample": samples}


def test_instances_of_a_class_without_an_initializer_are_sampled(make_module, enabled):
    make_module("plain", PLAIN)
    plain = importlib.import_module("plain")
    before = dict(vars(plain.Worker))
    early = plain.Worker()
    ancestry_obs.install(_sampling("Worker"), settings=enabled)
    late = plain.Worker()
    assert values()["shop_workers"] == early.size + late.size == 2
    with pytest.raises(TypeError, match=r"^Worker\(\) takes no arguments$"):
        plain.Worker(1)
    ancestry_obs.uninstall()
    assert list(vars(plain.Worker).items()) == list(before.items())


def test_instances_of_a_later_subclass_are_sampled_whatever_its_initializer_calls(
    make_module, enabled
):
    make_module("plain", PLAIN)
    ancestry_obs.install(_sampling("Worker"), settings=enabled)
    plain = importlib.import_module("plain")

    class Silent(plain.Worker):
        def __init__(self, size):
            self.size = size

    class Polite(plain.Worker):
        def __init__(self, size):
            super().__init__()
            self.size = size

    workers = Silent(3), Polite(4)
    assert values()["shop_workers"] == sum(worker.size for worker in workers)


def test_a_reload_takes_an_added_initializer_out_again(make_module, enabled):
    make_module("plain", PLAIN + "\n        def size(self): return len(self)\n")
    plain = importlib.import_module("plain")
    ancestry_obs.install(_sampling("Worker", "Box"), settings=enabled)
    box, worker = plain.Box(a=1, b=2), plain.Worker()
    added = vars(plain.Box)["__init__"]
    ancestry_obs.reload(_sampling("Box"))
    assert "__init__" not in vars(plain.Worker)
    assert vars(plain.Box)["__init__"] is added
    assert values()["shop_boxs"] == len(box) == 2
    assert "shop_workers" not in values()
    assert type(worker).__init__ is object.__init__
