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


class Callers:
    """Threads that call until they are told to stop, and each at least a number of times."""

    def __init__(self, call, *, at_least):
        self.wrong = []
        self._stop = threading.Event()
        self._call = call
        self._at_least = at_least
        self._made = [0] * THREADS
        self._threads = [
            threading.Thread(target=self._work, args=(number,)) for number in range(THREADS)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def made(self):
        return sum(self._made)

    def let_them_call(self):
        """Give the threads their turn, until a block of calls began after this one and is done."""
        enough = self.made + (THREADS + 1) * BLOCK
        while self.made < enough and any(thread.is_alive() for thread in self._threads):
            pass

    def _work(self, number):
        call, stop, count = self._call, self._stop, 0
        try:
            while count < self._at_least or not stop.is_set():
                # In blocks: asking the event at each call would be most of the work.
                for x in range(BLOCK):
                    if (given := call(x)) != x + 1:
                        self.wrong.append((x, given))
                count += BLOCK
                self._made[number] = count
        except BaseException as error:
            self.wrong.append(error)


def exchange(target, counting_map, settings, callers, rounds=ROUNDS):
    """Install, reload, read and uninstall in a loop; give what was counted in all rounds."""
    one, other = counting_map(target), counting_map(target, "app:recursive")
    counted = 0
    for _ in range(rounds):
        ancestry_obs.install(one, settings=settings)
        callers.let_them_call()
        ancestry_obs.reload(other)
        callers.let_them_call()
        ancestry_obs.reload(one)
        ancestry_obs.reload()
        counted += calls_of(target)
        ancestry_obs.uninstall()
    return counted


def test_a_million_calls_while_maps_come_and_go(app, enabled, counting_map, switching_often):
    before = app.function.__code__
    with Callers(app.TABLE["function"], at_least=EACH) as callers:
        counted = exchange("app:function", counting_map, enabled, callers)
    assert callers.wrong == []
    assert callers.made >= THREADS * EACH
    assert 0 < counted <= callers.made
    assert app.function.__code__ is before


@uses
def test_calls_of_each_kind_while_maps_come_and_go(
    app, enabled, counting_map, switching_often, target, use
):
    call = use(app)
    with Callers(call, at_least=5_000) as callers:
        counted = exchange(target, counting_map, enabled, callers, rounds=4)
    assert callers.wrong == []
    assert 0 < counted <= callers.made
    # And when all is quiet, what is held is measured to the call.
    ancestry_obs.install(counting_map(target), settings=enabled)
    assert [call(x) for x in range(1000)] == [*range(1, 1001)]
    assert calls_of(target) == 1000


@uses
def test_reloads_alone_lose_no_call(app, enabled, counting_map, switching_often, target, use):
    """Through a reload an unchanged target keeps its series: every call is in it, and once."""
    ancestry_obs.install(counting_map(target), settings=enabled)
    other = counting_map(target)
    other["instrument"].append({"target": "app:recursive", "record": [{"metric": "call_seconds"}]})
    with Callers(use(app), at_least=5_000) as callers:
        for _ in range(4):
            ancestry_obs.reload(other)
            callers.let_them_call()
            ancestry_obs.reload(counting_map(target))
            callers.let_them_call()
    assert callers.wrong == []
    assert calls_of(target) == callers.made


def test_maps_come_and_go_from_many_threads(app, enabled, counting_map, switching_often):
    failures = []

    def work(callers):
        try:
            exchange("app:function", counting_map, enabled, callers, rounds=3)
        except BaseException as error:
            failures.append(error)

    before = app.function.__code__
    with Callers(app.function, at_least=2_000) as callers:
        threads = [threading.Thread(target=work, args=(callers,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # A reload that finds nothing installed says so; nothing else may be raised.
    assert [
        each for each in failures if not isinstance(each, ancestry_obs.ObservabilityError)
    ] == []
    assert callers.wrong == []
    ancestry_obs.uninstall()
    assert app.function.__code__ is before


@pytest.mark.parametrize("target", ["app:function", "app:make.<locals>.closure"])
def test_a_tuple_that_is_being_built_meanwhile_is_built(
    app, enabled, counting_map, switching_often, target
):
    """A search through all objects of the process takes hold of tuples that are not done yet.

    CPython then refuses to resize them: the program's own `tuple(...)` raises SystemError.
    """

    def build(x):
        return len(tuple(each for each in range(x + 1)))

    with Callers(build, at_least=500) as callers:
        exchange(target, counting_map, enabled, callers)
    assert callers.wrong == []


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
