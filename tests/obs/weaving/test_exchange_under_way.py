"""Code is exchanged while the program runs: calls give what they would, none is counted twice."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading

import pytest

import ancestry_obs

THREADS = 8
EACH = 125_000
ROUNDS = 10
# How many calls a thread makes before it looks around.
BLOCK = 200
SOURCE = """
    import functools
    def function(x):
        return x + 1
    class Thing:
        def __init__(self, x):
            self.x = x
        def method(self, x):
            return x + self.x
        @property
        def next(self):
            return self.x + 1
    THING = Thing(1)
    def generator(x):
        yield x
        yield x + 1
    async def coroutine(x):
        return x + 1
    def make(number):
        def closure(x):
            return x + number
        return closure
    CLOSURE = make(1)
    def fails(x):
        raise ValueError(x)
    def recursive(x):
        return recursive(x - 1) + 1 if x else 1
    TABLE = {"function": function}
    HELD = THING.method
"""


def last(generator):
    _, value = generator
    return value


def finish(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value


def failed(app, x):
    try:
        app.fails(x)
    except ValueError as error:
        return error.args[0] + 1


# Each gives one more than the number that it is called with.
USES = {
    "app:function": lambda app: app.TABLE["function"],
    "app:Thing.method": lambda app: app.HELD,
    "app:Thing.next.fget": lambda app: lambda x: app.Thing(x).next,
    "app:generator": lambda app: lambda x, call=app.generator: last(call(x)),
    "app:coroutine": lambda app: lambda x, call=app.coroutine: finish(call(x)),
    "app:make.<locals>.closure": lambda app: app.CLOSURE,
    "app:fails": lambda app: lambda x: failed(app, x),
}
uses = pytest.mark.parametrize(("target", "use"), USES.items(), ids=list(USES))


@pytest.fixture
def switching_often():
    """Let threads take turns as often as Python can, so that they meet everywhere."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def app(make_module):
    make_module("app", SOURCE)
    return importlib.import_module("app")


def calls_of(target):
    """Give what was counted; `status()` calls a getter by its property's name."""
    return sum(each.calls for each in ancestry_obs.status().targets if target in each.patterns)


@pytest.fixture
def callers(workers):
    """Threads that call until they are told to stop, and each at least a number of times."""

    def make(call, *, at_least):
        def block(_):
            # In blocks: looking around after each call would be most of the work.
            for x in range(BLOCK):
                assert call(x) == x + 1

        return workers(block, threads=THREADS, at_least=at_least // BLOCK)

    return make


def exchange(target, counting_map, settings, calling, rounds=ROUNDS):
    """Install, reload, read and uninstall in a loop; give what was counted in all rounds."""
    one, other = counting_map(target), counting_map(target, "app:recursive")
    counted = 0
    for _ in range(rounds):
        ancestry_obs.install(one, settings=settings)
        calling.let_them_work()
        ancestry_obs.reload(other)
        calling.let_them_work()
        ancestry_obs.reload(one)
        ancestry_obs.reload()
        counted += calls_of(target)
        ancestry_obs.uninstall()
    return counted


def test_a_million_calls_while_maps_come_and_go(
    app, enabled, counting_map, switching_often, callers
):
    before = app.function.__code__
    with callers(app.TABLE["function"], at_least=EACH) as calling:
        counted = exchange("app:function", counting_map, enabled, calling)
    assert calling.pieces * BLOCK >= THREADS * EACH
    assert 0 < counted <= calling.pieces * BLOCK
    assert app.function.__code__ is before


@uses
def test_calls_of_each_kind_while_maps_come_and_go(
    app, enabled, counting_map, switching_often, callers, target, use
):
    call = use(app)
    with callers(call, at_least=5_000) as calling:
        counted = exchange(target, counting_map, enabled, calling, rounds=4)
    assert 0 < counted <= calling.pieces * BLOCK
    # And when all is quiet, what is held is measured to the call.
    ancestry_obs.install(counting_map(target), settings=enabled)
    assert [call(x) for x in range(1000)] == [*range(1, 1001)]
    assert calls_of(target) == 1000


@uses
def test_reloads_alone_lose_no_call(
    app, enabled, counting_map, switching_often, callers, target, use
):
    """Through a reload an unchanged target keeps its series: every call is in it, and once."""
    ancestry_obs.install(counting_map(target), settings=enabled)
    other = counting_map(target)
    other["instrument"].append({"target": "app:recursive", "record": [{"metric": "call_seconds"}]})
    with callers(use(app), at_least=5_000) as calling:
        for _ in range(4):
            ancestry_obs.reload(other)
            calling.let_them_work()
            ancestry_obs.reload(counting_map(target))
            calling.let_them_work()
    assert calls_of(target) == calling.pieces * BLOCK


def test_maps_come_and_go_from_many_threads(app, enabled, counting_map, switching_often, callers):
    failures = []

    def work(calling):
        try:
            exchange("app:function", counting_map, enabled, calling, rounds=3)
        except BaseException as error:
            failures.append(error)

    before = app.function.__code__
    with callers(app.function, at_least=2_000) as calling:
        threads = [threading.Thread(target=work, args=(calling,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # A reload that finds nothing installed says so; nothing else may be raised.
    assert [
        each for each in failures if not isinstance(each, ancestry_obs.ObservabilityError)
    ] == []
    ancestry_obs.uninstall()
    assert app.function.__code__ is before


@pytest.mark.parametrize("target", ["app:function", "app:make.<locals>.closure"])
def test_a_tuple_that_is_being_built_meanwhile_is_built(
    app, enabled, counting_map, switching_often, callers, target
):
    """A search through all objects of the process takes hold of tuples that are not done yet.

    CPython then refuses to resize them: the program's own `tuple(...)` raises SystemError.
    """

    def build(x):
        return len(tuple(each for each in range(x + 1)))

    with callers(build, at_least=500) as calling:
        exchange(target, counting_map, enabled, calling)


def test_a_generator_that_stands_still_meanwhile_goes_on(app, enabled, counting_map):
    bare = app.generator(1)
    assert next(bare) == 1
    ancestry_obs.install(counting_map("app:generator"), settings=enabled)
    woven = app.generator(2)
    assert [next(woven), next(bare)] == [2, 2]
    assert [*bare] == []
    ancestry_obs.uninstall()
    assert [next(woven), *woven] == [3]
    ancestry_obs.install(counting_map("app:generator"), settings=enabled)
    assert [*app.generator(5)] == [5, 6]
    assert calls_of("app:generator") == 1


def test_a_call_that_exchanges_its_own_code_comes_to_its_end(make_module, enabled, counting_map):
    source = """
        import ancestry_obs
        def leaves(x):
            ancestry_obs.uninstall()
            return x + 1
        def comes(settings, mapping):
            ancestry_obs.install(mapping, settings=settings)
            return 1
        def again(mapping):
            ancestry_obs.reload(mapping)
            return 2
        def fails():
            ancestry_obs.uninstall()
            raise ValueError("after")
    """
    make_module("app", source)
    app = importlib.import_module("app")
    mapping = counting_map("app:leaves", "app:comes", "app:again", "app:fails")
    assert app.comes(enabled, mapping) == 1
    # It came in before the map was there.
    assert calls_of("app:comes") == 0
    assert app.again(mapping) == 2
    assert calls_of("app:again") == 1
    assert app.leaves(1) == 2
    assert app.leaves(1) == 2
    assert app.comes(enabled, mapping) == 1
    with pytest.raises(ValueError, match="after"):
        app.fails()
    assert not ancestry_obs.status().enabled


def test_a_task_that_waits_meanwhile_comes_to_its_end(make_module, enabled, counting_map):
    source = """
        async def waits(event):
            await event.wait()
            return "done"
    """
    make_module("app", source)
    app = importlib.import_module("app")

    async def main():
        event = asyncio.Event()
        tasks = [asyncio.create_task(app.waits(event))]
        await asyncio.sleep(0)
        for _ in range(3):
            ancestry_obs.install(counting_map("app:waits"), settings=enabled)
            tasks.append(asyncio.create_task(app.waits(event)))
            await asyncio.sleep(0)
            ancestry_obs.uninstall()
            tasks.append(asyncio.create_task(app.waits(event)))
            await asyncio.sleep(0)
        event.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == ["done"] * 7


def test_recursive_calls_that_are_under_way_come_to_their_end(make_module, enabled, counting_map):
    source = """
        def down(depth, at, act):
            if depth == at:
                act()
            return down(depth - 1, at, act) + 1 if depth else 0
    """
    make_module("app", source)
    app = importlib.import_module("app")
    mapping = counting_map("app:down")
    assert app.down(50, 25, lambda: ancestry_obs.install(mapping, settings=enabled)) == 50
    assert calls_of("app:down") == 25
    assert app.down(50, 25, lambda: ancestry_obs.reload(mapping)) == 50
    assert calls_of("app:down") == 25 + 51
    assert app.down(50, 25, ancestry_obs.uninstall) == 50
