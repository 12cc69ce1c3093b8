"""Values from around a call, from inside of it, from its beginning, and from its target."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import threading

import pytest
from prometheus_client import CollectorRegistry

import ancestry_obs
from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import load

SHOP = """
import asyncio, contextvars

class Answer:
    def __init__(self, status_code):
        self.status_code = status_code

class Shop:
    def __init__(self):
        self.items = []
    def handle(self, customer, path):
        return self.find(path)
    def find(self, path):
        answer = self.send(path)
        if path == "/broken":
            raise ValueError(path)
    def send(self, path):
        if path == "/lost":
            raise ConnectionError(path)
        return Answer(404 if path == "/none" else 200)
    async def later(self, customer, path):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.find(path)
    async def answer(self, send, path):
        if path == "/wait":
            await send(1)
        else:
            await send(2)
        await send(3)
        if self.items:
            await send(4)
    def put(self, *items):
        self.items.extend(items)
        if not items:
            raise KeyError("items")
    def depth(self, levels):
        return levels and 1 + self.depth(levels - 1)
    async def adepth(self, levels):
        await asyncio.sleep(0)
        return levels and 1 + await self.adepth(levels - 1)
    def total(self): return len(self.items)
    @property
    def size(self): return len(self.items)
    def stream(self):
        yield 1

def make():
    def inner(): return 1
    return inner

def serve(context): return context

async def serve_later(shop, send):
    await shop.answer(send, "/wait")
"""


def metric(*labels, kind="counter", **more):
    bounds = {each: {"max_values": 20} for each in labels}
    return {"type": kind, "help": "Something.", "labels": bounds, **more}


@pytest.fixture
def measured(make_module, enabled):
    """Install instruments in the shop; give it and what reads the counts."""
    registries = []

    def begin(metrics, *instruments):
        make_module("handing_shop", SHOP)
        registry = CollectorRegistry()
        registries.append(registry)
        spec = {"version": 1, "metrics": metrics, "instrument": [*instruments]}
        ancestry_obs.install(spec, settings=enabled, registry=registry)
        shop = importlib.import_module("handing_shop")
        states = {each.target: each for each in ancestry_obs.status().targets}
        assert {each.state for each in states.values()} == {"installed"}, states
        return shop

    def counts(name, *labels):
        found = {}
        for family in registries[-1].collect():
            for sample in family.samples:
                if sample.name == f"shop_{name}" and sample.value:
                    found[tuple(sample.labels[each] for each in labels)] = sample.value
        return {key if len(key) != 1 else key[0]: value for key, value in found.items()}

    begin.counts = counts
    return begin


HANDLED = {
    "target": ["handing_shop:Shop.handle", "handing_shop:Shop.later"],
    "record": [{"metric": "handled_total", "labels": {"status": "status_family(told.status)"}}],
}
SENT = {"target": "handing_shop:Shop.send", "tell": {"status": "result.status_code"}}
TOLD = {"handled_total": metric("status")}


def test_what_is_told_inside_is_read_around(measured):
    shop = measured(TOLD, HANDLED, SENT).Shop()
    shop.handle("ada", "/tea")
    shop.handle("ada", "/none")
    shop.find("/tea")  # nobody around wants to know
    with pytest.raises(ValueError, match="broken"):
        shop.handle("ada", "/broken")
    with pytest.raises(ConnectionError):
        shop.handle("ada", "/lost")
    assert measured.counts("handled_total", "status") == {"2xx": 2, "4xx": 1, "error": 1}


def test_a_call_that_raises_tells_what_reads_no_result(measured):
    sent = {**SENT, "tell": {"status": "result.status_code", "kind": "type_name(error)"}}
    handled = {
        **HANDLED,
        "record": [{"metric": "handled_total", "labels": {"status": "told.kind"}}],
    }
    shop = measured(TOLD, handled, sent).Shop()
    with pytest.raises(ConnectionError):
        shop.handle("ada", "/lost")
    assert measured.counts("handled_total", "status") == {"ConnectionError": 1}


def test_the_nearest_call_that_wants_it_is_told_and_no_other(measured):
    found = {
        "target": "handing_shop:Shop.find",
        "record": [{"metric": "found_total", "labels": {"seen": "told.seen"}}],
        "tell": {"other": "'found'"},
    }
    handled = {
        **HANDLED,
        "record": [
            {"metric": "handled_total", "labels": {"status": "told.status", "other": "told.other"}}
        ],
    }
    sent = {**SENT, "tell": {"status": "result.status_code", "seen": "'sent'", "other": "'sent'"}}
    metrics = {"handled_total": metric("status", "other"), "found_total": metric("seen")}
    shop = measured(metrics, handled, found, sent).Shop()
    shop.handle("ada", "/tea")
    assert measured.counts("found_total", "seen") == {"sent": 1}
    assert measured.counts("handled_total", "status", "other") == {("200", "found"): 1}


def test_tasks_are_told_apart(measured):
    shop = measured(TOLD, HANDLED, SENT).Shop()

    async def main():
        paths = ["/tea", "/none"] * 10
        await asyncio.gather(*(shop.later("ada", path) for path in paths))

    asyncio.run(main())
    assert measured.counts("handled_total", "status") == {"2xx": 10, "4xx": 10}


def test_a_coroutine_of_several_steps_tells_what_asks_the_program(measured):
    handled = {
        "target": "handing_shop:serve_later",
        "record": [{"metric": "handled_total", "labels": {"status": "told.items"}}],
    }
    answer = {"target": "handing_shop:Shop.answer", "tell": {"items": "self.items[0]"}}
    module = measured(TOLD, handled, answer)
    shop = module.Shop()
    shop.items = ["tea"]

    async def send(number):
        if number == 4 and shop.items == ["bad"]:
            raise ValueError(number)
        await asyncio.sleep(0)

    asyncio.run(module.serve_later(shop, send))
    shop.items = ["bad"]
    with pytest.raises(ValueError, match="4"):
        asyncio.run(module.serve_later(shop, send))
    assert measured.counts("handled_total", "status") == {"tea": 1, "bad": 1}


def test_a_cancelled_call_leaves_nothing_behind(measured):
    shop = measured(TOLD, HANDLED, SENT).Shop()

    async def main():
        async def cancelled():
            task = asyncio.create_task(shop.later("ada", "/tea"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        await cancelled()
        # In the context in which a call was begun that never came to its end.
        coroutine = shop.later("ada", "/tea")
        coroutine.send(None)
        coroutine.close()
        shop.find("/tea")
        shop.handle("ada", "/none")

    asyncio.run(main())
    assert measured.counts("handled_total", "status") == {"error": 2, "4xx": 1}


CONTEXT = {"target": HANDLED["target"], "context": {"customer": "customer"}}
FOUND = {
    "target": "handing_shop:Shop.find",
    "record": [{"metric": "found_total", "labels": {"customer": "context.customer or 'nobody'"}}],
}


def test_what_is_set_outside_is_read_within(measured):
    shop = measured({"found_total": metric("customer")}, CONTEXT, FOUND).Shop()
    shop.handle("ada", "/tea")
    shop.find("/tea")
    with pytest.raises(ValueError, match="broken"):
        shop.handle("bob", "/broken")
    shop.find("/tea")

    async def main():
        await asyncio.gather(*(shop.later(each, "/tea") for each in "xyz"))
        await shop.later("ada", "/tea")
        await asyncio.to_thread(shop.find, "/tea")

    asyncio.run(main())
    expected = {"ada": 2, "bob": 1, "x": 1, "y": 1, "z": 1, "nobody": 3}
    assert measured.counts("found_total", "customer") == expected


def test_a_thread_knows_it_if_it_copied_the_context(measured):
    shop = measured({"found_total": metric("customer")}, CONTEXT, FOUND).Shop()
    contexts = []
    shop.find = lambda path: contexts.append(contextvars.copy_context())
    shop.handle("ada", "/tea")
    del shop.find
    for run in (contexts[0].run, lambda function, *given: function(*given)):
        thread = threading.Thread(target=run, args=(shop.find, "/tea"))
        thread.start()
        thread.join()
    assert measured.counts("found_total", "customer") == {"ada": 1, "nobody": 1}


def test_a_context_may_build_on_the_one_around(measured):
    context = {
        "target": "handing_shop:Shop.depth",
        "context": {"path": "(context.path or '') + '/' + text(levels)"},
        "record": [{"metric": "depths_total", "labels": {"path": "context.path"}}],
    }
    shop = measured({"depths_total": metric("path")}, context).Shop()
    shop.depth(2)
    assert measured.counts("depths_total", "path") == {"/2": 1, "/2/1": 1, "/2/1/0": 1}


def test_before_and_after(measured):
    put = {
        "target": "handing_shop:Shop.put",
        "entry": {"size": "len(self.items)", "first": "items[0]"},
        "record": [
            {
                "metric": "put_total",
                "value": "len(self.items) - entry.size",
                "labels": {"first": "entry.first"},
            },
            {"metric": "puts_total", "on": "call", "labels": {"size": "entry.size"}},
        ],
    }  # fmt: skip
    metrics = {"put_total": metric("first"), "puts_total": metric("size")}
    shop = measured(metrics, put).Shop()
    shop.put("tea", "milk")
    shop.put("bread")
    with pytest.raises(KeyError):
        shop.put()
    assert measured.counts("put_total", "first") == {"tea": 2, "bread": 1}
    assert measured.counts("puts_total", "size") == {"0": 1, "2": 1, "3": 1}


@pytest.mark.parametrize(
    "expression",
    ["'none' if entry.first is None else 'one'", "entry.first is not None", "entry.first == 'x'",
     "'x' in entry.first", "entry.first and 'x'", "entry.first.name", "text(entry.first)",
     "len(entry.first)", "entry.first + 'x'", "-entry.first", "entry.first[0]"],
)  # fmt: skip
def test_what_could_not_be_found_out_is_an_error_wherever_it_is_asked(measured, expression):
    put = {
        "target": "handing_shop:Shop.put",
        "entry": {"first": "items[0]"},
        "record": [{"metric": "put_total", "labels": {"first": expression}}],
    }
    shop = measured({"put_total": metric("first")}, put).Shop()
    with pytest.raises(KeyError):
        shop.put()
    assert measured.counts("put_total", "first") == {"error": 1}


def test_two_instruments_have_their_own_values_of_one_name(measured):
    def put(name, expression):
        return {
            "target": "handing_shop:Shop.put",
            "entry": {"size": expression},
            "record": [{"metric": name, "labels": {"size": "entry.size"}}],
        }

    metrics = {"a_total": metric("size"), "b_total": metric("size")}
    shop = measured(metrics, put("a_total", "len(items)"), put("b_total", "'many'")).Shop()
    shop.put("tea", "milk")
    assert measured.counts("a_total", "size") == {"2": 1}
    assert measured.counts("b_total", "size") == {"many": 1}


def test_the_outermost_call_counts(measured):
    depth = {
        "target": ["handing_shop:Shop.depth", "handing_shop:Shop.adepth"],
        "outermost": True,
        "record": [
            {"metric": "depths_total"},
            {"metric": "deep_total", "labels": {"levels": "levels"}, "when": "levels > 1"},
            {"metric": "depth_seconds"},
            {"metric": "depth_in_flight"},
        ],
    }
    metrics = {
        "depths_total": metric(),
        "deep_total": metric("levels"),
        "depth_seconds": metric(kind="histogram", buckets=[1]),
        "depth_in_flight": metric(kind="in_flight"),
    }
    shop = measured(metrics, depth).Shop()
    shop.depth(3)
    shop.depth(0)
    with pytest.raises(TypeError):
        shop.depth("x")
    shop.depth(2)

    async def main():
        await asyncio.gather(*(shop.adepth(3) for _ in range(4)))

    asyncio.run(main())
    assert measured.counts("depths_total") == {(): 8}
    assert measured.counts("depth_seconds_count") == {(): 8}
    assert measured.counts("deep_total", "levels") == {"3": 5, "2": 1}
    assert measured.counts("depth_in_flight") == {}


def test_what_an_inner_call_is_told_is_for_the_outermost(measured):
    depth = {
        "target": "handing_shop:Shop.depth",
        "outermost": True,
        "record": [{"metric": "depths_total", "labels": {"size": "told.size"}}],
    }
    total = {"target": "handing_shop:Shop.total", "tell": {"size": "result"}}
    module = measured({"depths_total": metric("size")}, depth, total)
    shop = module.Shop()

    class Level(int):
        def __sub__(self, other):
            shop.total()
            return Level(int(self) - other)

    shop.items = ["tea"]
    shop.depth(Level(3))
    assert measured.counts("depths_total", "size") == {"1": 1}


def test_what_a_target_is_called(measured):
    facts = {
        "target": [
            *(f"handing_shop:{each}" for each in ("Shop.total", "Shop.size", "make.<locals>.inner"))
        ],
        "record": [
            {
                "metric": "operations_total",
                "labels": {
                    "name": "target.name", "owner": "target.class_name or 'no class'",
                    "module": "target.module",
                },
            }
        ],
    }  # fmt: skip
    module = measured({"operations_total": metric("name", "owner", "module")}, facts)
    shop = module.Shop()
    shop.total()
    assert shop.size == 0
    module.make()()
    assert measured.counts("operations_total", "name", "owner", "module") == {
        ("total", "Shop", "handing_shop"): 1,
        ("size", "Shop", "handing_shop"): 1,
        ("inner", "no class", "handing_shop"): 1,
    }


def test_a_parameter_keeps_its_name(measured):
    serve = {
        "target": "handing_shop:serve",
        "record": [{"metric": "served_total", "labels": {"status": "context.status_code"}}],
    }
    module = measured({"served_total": metric("status")}, serve)
    module.serve(module.Answer(204))
    assert measured.counts("served_total", "status") == {"204": 1}


@pytest.mark.parametrize(
    "more",
    [
        {"context": {"x": "self"}},
        {"outermost": True},
        {"record": [{"metric": "a_total", "value": "told.x"}]},
    ],
)
def test_a_generator_says_that_it_cannot(make_module, enabled, more):
    make_module("handing_shop", SHOP)
    record = [{"metric": "a_total"}]
    stream = {"target": "handing_shop:Shop.stream", "record": record, **more}
    spec = {"version": 1, "metrics": {"a_total": metric()}, "instrument": [stream]}
    ancestry_obs.install(spec, settings=enabled, registry=CollectorRegistry())
    assert [*importlib.import_module("handing_shop").Shop().stream()] == [1]
    (target,) = ancestry_obs.status().targets
    assert target.state == "error"
    assert "a generator has no context, told or outermost" in target.reason


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "the instrument records nothing and hands nothing on"),
        ({"entry": {"x": "self"}, "context": {"y": "self"}}, "entry is for records"),
        ({"outermost": True, "tell": {"y": "self"}}, "outermost is for records"),
        ({"tell": {"a-b": "self"}}, "a-b"),
        ({"tell": {"a": "import x"}}, "tell.a"),
    ],
)
def test_what_makes_no_sense_is_refused(table, told):
    with pytest.raises(MapError, match=told):
        load({"version": 1, "instrument": [{"target": "shop:main", **table}]})


@pytest.mark.parametrize("key", ["entry", "context"])
def test_what_is_not_known_yet_is_an_error_of_the_target(make_module, enabled, key):
    make_module("handing_shop", SHOP)
    total = {"target": "handing_shop:Shop.total", key: {"x": "result"}, "tell": {"y": "'y'"}}
    spec = {"version": 1, "instrument": [total]}
    ancestry_obs.install(spec, settings=enabled, registry=CollectorRegistry())
    importlib.import_module("handing_shop")
    (target,) = ancestry_obs.status().targets
    assert target.state == "error"
    assert "unknown name 'result'" in target.reason
