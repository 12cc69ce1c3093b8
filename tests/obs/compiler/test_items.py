"""Items that generators hand over: counted and timed, whatever their users do with them."""

from __future__ import annotations

import asyncio
import functools
import sys
import weakref
from contextlib import suppress

import pytest

from ancestry_obs.exceptions import CompileError


class HandClock:
    """Shows the seconds that a test has set."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(loom):
    loom.clock = HandClock()
    return loom.clock


@pytest.fixture
def followed(loom):
    """Weaves everything that there is of items into a generator."""

    def make(original, **wishes):
        loom.metric("items_total", kind=9)
        loom.metric("first_seconds", "histogram")
        loom.metric("item_seconds", "histogram")
        loom.metric("handed", "histogram", outcome=("success", "error", "abandoned"))
        return loom.weave(
            original,
            loom.record("items_total", on="item", kind="type_name(item)"),
            loom.record("first_seconds", on="first"),
            loom.record("item_seconds", on="item"),
            loom.record("handed", value="items", outcome="outcome(error)"),
            **wishes,
        )

    return make


def numbers(count):
    for number in range(count):
        yield number + 0


def delegating(count):
    yield "first"
    yield from numbers(count)


def in_expressions(count):
    total = 0
    while total < count:
        total += len([(yield total), (yield "b")])


async def numbers_later(count):
    for number in range(count):
        await asyncio.sleep(0)
        yield number


def patient(clock):
    """Goes on after whatever is thrown in."""
    with suppress(KeyError):
        clock.now += 1
        yield "a"
    try:
        clock.now += 2
        yield "b"
    except ValueError:
        clock.now += 4
        yield "c"
    return "end"


async def _listed(made):
    return [each async for each in made]


def listed(made):
    return asyncio.run(_listed(made)) if hasattr(made, "__aiter__") else [*made]


@pytest.mark.parametrize(
    ("original", "kinds"),
    [
        (numbers, {("int",): 3}),
        (numbers_later, {("int",): 3}),
        (delegating, {("str",): 1, ("int",): 3}),
        (in_expressions, {("int",): 2, ("str",): 2}),
    ],
)
def test_every_item_counts_and_comes_through(followed, loom, original, kinds):
    woven, plain = followed(original).function, original
    assert listed(woven(3)) == listed(plain(3))
    assert loom.read("items_total") == kinds
    count = sum(kinds.values())
    assert loom.read("item_seconds")[()][0] == count
    assert loom.read("first_seconds")[()][0] == 1
    assert loom.read("handed") == {("success",): (1, count)}


@pytest.mark.parametrize("original", [numbers, numbers_later, delegating])
def test_how_it_is_woven(followed, loom, original):
    why = followed(original).woven.why_called
    if loom.way == "inline":
        assert why == ("it hands items over by 'yield from'" if original is delegating else "")
    else:
        assert why


def test_where_no_statement_can_be(followed, loom):
    why = followed(in_expressions).woven.why_called
    assert (why == "it hands items over in the midst of an expression") == (loom.way == "inline")


@pytest.mark.parametrize("original", [numbers, numbers_later])
def test_without_an_item_there_is_no_first(followed, loom, original):
    assert listed(followed(original).function(0)) == []
    assert loom.read("first_seconds") == {}
    assert loom.read("items_total") == {}
    assert loom.read("handed") == {("success",): (1, 0.0)}


def test_the_time_of_its_user_is_not_the_item_s(followed, loom, clock):
    def slow():
        clock.now += 2
        yield
        clock.now += 1
        yield

    for _ in followed(slow).function():
        clock.now += 100
    assert loom.read("first_seconds") == {(): (1, 2.0)}
    assert loom.read("item_seconds") == {(): (2, 3.0)}


def test_nor_is_it_where_an_exception_asks_for_the_next(followed, loom, clock):
    generator = followed(patient).function(clock)
    taken = [next(generator)]
    clock.now += 100
    taken.append(generator.throw(KeyError()))
    clock.now += 100
    taken.append(generator.throw(ValueError()))
    clock.now += 100
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert (taken, stop.value.value) == (["a", "b", "c"], "end")
    assert loom.read("item_seconds") == {(): (3, 7.0)}


def test_what_is_sent_is_received(followed, loom):
    def echo():
        got = yield "begin"
        while got != "end":
            got = yield got
        return "done"

    generator = followed(echo).function()
    assert [next(generator), generator.send(1), generator.send(None)] == ["begin", 1, None]
    with pytest.raises(StopIteration, match="done"):
        generator.send("end")
    assert loom.read("handed") == {("success",): (1, 3.0)}


@pytest.mark.parametrize("leave", ["close", "drop"])
def test_a_generator_that_is_abandoned(followed, loom, leave):
    generator = followed(numbers).function(5)
    next(generator)
    next(generator)
    if leave == "close":
        generator.close()
    del generator
    assert loom.read("handed") == {("abandoned",): (1, 2.0)}


def test_a_generator_that_raises(followed, loom):
    def broken():
        yield 1
        raise KeyError("k")

    with pytest.raises(KeyError):
        listed(followed(broken).function())
    assert loom.read("handed") == {("error",): (1, 1.0)}


def test_one_that_is_never_begun_records_nothing(followed, loom):
    followed(numbers).function(5).close()
    assert loom.read("handed") == {}


@pytest.mark.parametrize("original", ["generator", "async"])
def test_no_item_lives_longer(followed, original):
    class Item:
        pass

    def generator():
        yield Item()
        got = yield Item()
        del got
        with suppress(KeyError):
            yield Item()

    async def asynchronous():
        yield Item()
        got = yield Item()
        del got
        with suppress(KeyError):
            yield Item()

    async def look():
        seen = 0
        async for item in followed(asynchronous).function():
            known = weakref.ref(item)
            del item
            assert known() is None
            seen += 1
        return seen

    if original == "async":
        assert asyncio.run(look()) == 3
        return
    seen = 0
    for item in followed(generator).function():
        known = weakref.ref(item)
        del item
        assert known() is None
        seen += 1
    assert seen == 3


def test_a_parameter_of_that_name_is_what_it_was(loom):
    def pages(items):
        yield from items

    loom.metric("size", "histogram")
    woven = loom.weave(pages, loom.record("size", value="len(items)"))
    assert [*woven.function("abc")] == ["a", "b", "c"]
    assert loom.read("size") == {(): (1, 3.0)}


def test_a_parameter_is_what_the_call_came_in_with(loom):
    def pages(name):
        name = name.upper()
        yield name

    loom.metric("items_total", name=5)
    woven = loom.weave(pages, loom.record("items_total", on="item", name="name"))
    assert [*woven.function("a")] == ["A"]
    assert loom.read("items_total") == {("a",): 1}


def test_an_expression_that_fails_costs_its_label(loom):
    loom.metric("items_total", kind=5)
    loom.metric("sizes", "histogram")
    woven = loom.weave(
        numbers,
        loom.record("items_total", on="item", kind="item.kind"),
        loom.record("sizes", on="item", value="len(item)"),
    )
    assert [*woven.function(2)] == [0, 1]
    assert loom.read("items_total") == {("error",): 2}
    assert loom.read("sizes") == {}
    assert loom.failures == {("m:numbers", "items_total", "kind"): 2,
                             ("m:numbers", "sizes", "value"): 2}  # fmt: skip


def test_a_condition_chooses_items(loom):
    loom.metric("odd_total")
    woven = loom.weave(numbers, loom.record("odd_total", on="item", when="item % 2"))
    assert [*woven.function(5)] == [0, 1, 2, 3, 4]
    assert loom.read("odd_total") == {(): 2}


def test_items_of_calls_that_are_not_timed_are_counted(loom, clock):
    loom.gaps = lambda share: iter([1, 1, 1, 1, 1, 1, 1, 1])
    loom.metric("item_seconds", "histogram")

    def slow():
        clock.now += 1
        yield

    woven = loom.weave(slow, loom.record("item_seconds", on="item"), sample=0.5)
    for _ in range(4):
        listed(woven.function())
    assert loom.read("item_seconds") == {(): (4, 4.0)}


@pytest.mark.parametrize(
    ("original", "kind"),
    [
        (lambda: [1], "function"),
        (functools.lru_cache(numbers), "function"),
        (asyncio.sleep, "coroutine"),
    ],
)
def test_what_hands_no_items_over_is_refused(loom, original, kind):
    loom.metric("items_total")
    with pytest.raises(CompileError, match=f"is no generator, but a {kind}, which hands no items"):
        loom.weave(original, loom.record("items_total", on="item"))


@pytest.mark.parametrize("name", ["result", "error", "items"])
def test_what_is_not_known_yet_is_refused(loom, name):
    loom.metric("items_total", what=5)
    with pytest.raises(CompileError, match=f"unknown name '{name}'"):
        loom.weave(numbers, loom.record("items_total", on="item", what=name))


def test_calls_are_counted_beside_their_items(loom):
    loom.metric("items_total")
    woven = loom.weave(numbers, loom.record("items_total", on="item"))
    listed(woven.function(2))
    listed(woven.function(0))
    assert (woven.calls(), loom.read("items_total")) == (2, {(): 2})


def test_what_nobody_asks_for_is_not_in_the_statements(loom):
    loom.metric("items_total")
    text = loom.weave(numbers, loom.record("items_total", on="item")).source
    assert "_obs_asked" not in text
    assert "_obs_items" not in text
    assert "_obs_clock" not in text


def lines_of(function, *arguments):
    """Run a generator to its end; give the lines that a tracer sees, each once in a row."""
    seen = []

    def trace(frame, event, _):
        if frame.f_code.co_name == function.__name__:
            if event == "line" and seen[-1:] != [frame.f_lineno]:
                seen.append(frame.f_lineno)
            return trace
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        listed(function(*arguments))
    finally:
        sys.settrace(before)
    return seen


@pytest.mark.parametrize("original", [numbers, numbers_later, patient])
def test_a_tracer_sees_the_lines_of_the_program(followed, loom, original):
    if loom.way == "call":
        loom.way = "inline"
    argument = HandClock() if original is patient else 3
    woven = followed(original).function
    listed(woven(argument))
    assert lines_of(woven, argument) == lines_of(original, argument)
