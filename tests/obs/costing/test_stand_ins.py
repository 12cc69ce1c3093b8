"""What was captured of a call, and what stands for it: it does the same, and is counted."""

from __future__ import annotations

import asyncio
import contextvars
import inspect

import pytest

import ancestry_obs
from ancestry_obs.costing import captures as capturing_module
from ancestry_obs.costing import pricing
from ancestry_obs.costing.captures import captures
from ancestry_obs.costing.capturing_map import capturing
from ancestry_obs.costing.stand_ins import shown_signature, stand_ins
from ancestry_obs.mapfile import load

PROGRAM = """
    import functools

    class Shop:
        def sell(self, item, *rest, price=1, **more):
            item = price = None
            return rest
        @property
        def size(self):
            return 7
        @classmethod
        def make(cls, name):
            return name
        @staticmethod
        def twice(number):
            return 2 * number

    def fails(name):
        raise ValueError(name)

    def numbers(count):
        yield from range(count)
        return "done"

    async def waits(name):
        return name

    async def streams(count):
        for each in range(count):
            yield each

    @functools.lru_cache
    def cached(name):
        return name

    def keeps(function):
        @functools.wraps(function)
        def inner(*arguments, **keywords):
            return function(*arguments, **keywords)
        return inner

    @keeps
    def decorated(name, count=1):
        return name

    def local(name):
        return sorted(locals())
"""
NAMES = [
    "Shop.sell", "Shop.size", "Shop.make", "Shop.twice", "fails", "numbers", "waits", "streams",
    "cached", "decorated", "local",
]  # fmt: skip
MAP = {
    "version": 1,
    "metrics": {
        "calls_total": {
            "type": "counter",
            "help": "Calls.",
            "labels": {"outcome": ["success", "error"]},
        },
        "names_total": {"type": "counter", "help": "x", "labels": {"name": {"max_values": 9}}},
    },
    "instrument": [
        {
            "target": [f"captured:{name}" for name in NAMES],
            "record": [{"metric": "calls_total", "labels": {"outcome": "outcome(error)"}}],
        },
        {
            "target": "captured:decorated",
            "at": "object",
            "record": [{"metric": "names_total", "labels": {"name": "name"}}],
        },
    ],
}


@pytest.fixture
def program(make_module, enabled):
    """A program with a map that captures; gives its module."""
    make_module("captured", PROGRAM)
    captures.clear()
    ancestry_obs.install(capturing(load(MAP)), settings=enabled)
    import captured

    yield captured
    captures.clear()


def call_all(program) -> None:
    """Call each target once."""
    shop = program.Shop()
    assert shop.sell("tea", 1, 2, price=5, colour="red") == (1, 2)
    assert (shop.size, shop.make("x"), shop.twice(4)) == (7, "x", 8)
    with pytest.raises(ValueError, match="ada"):
        program.fails("ada")
    assert [*program.numbers(3)] == [0, 1, 2]
    assert asyncio.run(program.waits("w")) == "w"

    async def stream():
        return [each async for each in program.streams(2)]

    assert asyncio.run(stream()) == [0, 1]
    assert (program.cached("c"), program.decorated("d", count=2)) == ("c", "d")
    assert program.local("n") == ["name"]


def report_of(name: str):
    installed = ancestry_obs.install()
    patterns = {each for target in installed.status().targets for each in target.patterns}
    (found,) = (each for each in installed.reports(patterns) if each.target == f"captured:{name}")
    return found


def test_arguments_are_as_the_call_began(program):
    call_all(program)
    (call,) = captures["captured:Shop.sell"].kept
    shop, *values = call.arguments
    assert type(shop) is program.Shop
    assert values == ["tea", (1, 2), 5, {"colour": "red"}]
    assert (call.result, call.error) == ((1, 2), None)


def test_what_was_raised(program):
    call_all(program)
    (call,) = captures["captured:fails"].kept
    assert repr(call.error) == "ValueError('ada')"
    assert call.seconds > 0


def test_a_call_is_priced_with_what_was_set_around_it(program, monkeypatch):
    span = contextvars.ContextVar("span")
    for number in (1.0, 3.0):
        given = contextvars.copy_context()
        given.run(span.set, number)
        given.run(program.Shop.twice, 2)
    monkeypatch.setattr(pricing, "price_of", lambda *_: span.get())
    row = pricing._row(report_of("Shop.twice"), captures["captured:Shop.twice"], 1e9)
    assert (row["price"], row["reason"]) == (2.0, "")


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_target_has_a_stand_in_that_is_counted(program, name):
    call_all(program)
    report = report_of(name)
    woven = report.woven[-1]
    (call,) = captures[f"captured:{name}"].kept
    pair = stand_ins(woven, report.way, shown_signature(woven), call, (0, 0))

    def recorded() -> float:
        return sum(
            sample.value
            for family in ancestry_obs.get_registry().collect()
            for sample in family.samples
            if sample.name in {"shop_calls_total", "shop_names_total"}
        )

    before = recorded()
    pair.plain(5)
    assert recorded() == before
    pair.woven(5)
    # One target has two instruments.
    assert recorded() == before + 5 * (2 if name == "decorated" else 1)


def test_what_raises_again_and_again_has_no_longer_traceback(program):
    call_all(program)
    report = report_of("fails")
    (call,) = captures["captured:fails"].kept
    stand_ins(report.woven[-1], report.way, None, call, (0, 0)).plain(50)
    assert len(inspect.getinnerframes(call.error.__traceback__)) < 5


def test_few_calls_are_kept_whatever_their_number(program):
    for number in range(1000):
        program.Shop.twice(number)
    found = captures["captured:Shop.twice"]
    assert found.calls == 1000
    assert [each.result // 2 + 1 for each in found.kept] == [2**bit for bit in range(10)]
    assert found.under_way == {}


def test_labels_that_are_new_are_counted(program):
    for number in range(100):
        program.decorated(f"name {number % 4}")
    assert captures["captured:decorated"].misses == 4


def test_a_forked_child_captures_for_itself(program):
    call_all(program)
    capturing_module._begin_child()
    assert captures == {}
    program.Shop.twice(1)
    assert captures["captured:Shop.twice"].calls == 1
