"""Whoever holds a function, its calls are counted: what took it before the map came, too."""

from __future__ import annotations

import gc
import signal
import sys

import pytest

import ancestry_obs

REGISTRY = """
    ROUTES = {}
    def route(path):
        def keep(function):
            ROUTES[path] = function
            return function
        return keep
    @route("/a")
    def page():
        return "a"
    @route("/b")
    def other():
        return "b"
"""


def test_a_registry_that_a_decorator_fills(program):
    app = program(REGISTRY, "app:page", "app:other")
    assert [app.ROUTES["/a"](), app.ROUTES["/a"](), app.ROUTES["/b"]()] == ["a", "a", "b"]
    assert program.calls() == {"app:page": 2, "app:other": 1}


HOLDERS = """
    import functools
    def upper(text):
        return text.upper()
    TABLE = {"upper": upper}
    LIST = [upper]
    TUPLE = ((upper,),)
    SHOUT = functools.partial(upper, "a")
    def walk(items, visit=upper):
        return [visit(each) for each in items]
    def apply(text, *, how=upper):
        return how(text)
    def keep(function):
        def inner(text):
            return function(text)
        return inner
    INNER = keep(upper)
    BY_LAMBDA = lambda text, how=upper: how(text)
    class Box:
        hold = upper
        static = staticmethod(upper)
        def __init__(self):
            self.held = upper
    class Slotted:
        __slots__ = ("held",)
        def __init__(self):
            self.held = upper
    BOX, SLOTTED = Box(), Slotted()
    def stream(how):
        while True:
            yield how("a")
    STREAM = stream(upper)
"""


@pytest.mark.parametrize(
    "call",
    [
        lambda app: app.upper("a"),
        lambda app: app.TABLE["upper"]("a"),
        lambda app: app.LIST[0]("a"),
        lambda app: app.TUPLE[0][0]("a"),
        lambda app: app.SHOUT(),
        lambda app: app.walk(["a"])[0],
        lambda app: app.apply("a"),
        lambda app: app.INNER("a"),
        lambda app: app.BY_LAMBDA("a"),
        lambda app: app.Box.static("a"),
        lambda app: app.Box.hold("a"),
        lambda app: app.BOX.held("a"),
        lambda app: app.SLOTTED.held("a"),
        lambda app: next(app.STREAM),
        lambda app: "".join(map(app.LIST[0], "a")),
        lambda app: max("a", key=app.LIST[0]).upper(),
    ],
    ids=[
        "name", "table", "list", "tuples", "partial", "default", "keyword default", "closure",
        "default of a lambda", "static method", "class attribute", "instance attribute", "slot",
        "suspended generator", "map", "key of max",
    ],
)  # fmt: skip
def test_what_holds_a_function(program, call):
    app = program(HOLDERS, "app:upper")
    assert [call(app) for _ in range(3)] == ["A"] * 3
    assert program.calls() == {"app:upper": 3}


def test_a_default_value_of_a_function_that_is_a_target_too(program):
    app = program(HOLDERS, "app:upper", "app:walk", "app:apply")
    assert app.walk(["a", "b"]) == ["A", "B"]
    assert app.apply("c") == "C"
    assert program.calls() == {"app:upper": 3, "app:walk": 1, "app:apply": 1}


METHODS = """
    class Cart:
        def __init__(self, count=0):
            self.count = count
        def add(self, more):
            self.count += more
            return self.count
        plus = add
        @classmethod
        def empty(cls):
            return cls().count
        @staticmethod
        def price(item):
            return len(item)
        @property
        def size(self):
            return self.count
        @size.setter
        def size(self, count):
            self.count = count
    CART = Cart()
    HELD = [CART.add, Cart.empty, Cart.price, Cart.add, Cart.size]
    SUB = type("Sub", (Cart,), {})()
"""


def test_bound_methods_and_members_that_are_held(program):
    targets = ("app:Cart.add", "app:Cart.empty", "app:Cart.price", "app:Cart.size.fget")
    app = program(METHODS, *targets, "app:Cart.size.fset")
    add, empty, price, function, size = app.HELD
    assert [add(1), empty(), price("tea"), function(app.CART, 2)] == [1, 0, 3, 3]
    assert app.CART.plus(1) == 4
    assert [size.fget(app.CART), app.CART.size, app.SUB.size] == [4, 4, 0]
    size.__set__(app.CART, 7)
    app.CART.size += 1
    assert app.SUB.add(1) == 1
    assert program.calls() == {
        "app:Cart.add": 4,
        "app:Cart.empty": 1,
        "app:Cart.price": 1,
        "app:Cart.size.fget": 4,
        "app:Cart.size.fset": 2,
    }


CACHED = """
    class cached(property):
        def __init__(self, fget, name=None, doc=None):
            super().__init__(fget, doc=doc)
            self.name = name or fget.__name__
        def __get__(self, obj, owner=None):
            if obj is None:
                return self
            if self.name not in obj.__dict__:
                obj.__dict__[self.name] = self.fget(obj)
            return obj.__dict__[self.name]
    class Request:
        @cached
        def args(self):
            return {"a": 1}
"""


def test_a_property_subclass_with_an_init_of_its_own(program):
    app = program(CACHED, "app:Request.args")
    descriptor = vars(app.Request)["args"]
    request = app.Request()
    assert [request.args, request.args, app.Request().args] == [{"a": 1}] * 3
    assert program.calls() == {"app:Request.args": 2}
    assert vars(app.Request)["args"] is descriptor
    assert type(descriptor) is app.cached
    assert descriptor.name == "args"


HANDLERS = """
    import signal
    import weakref
    SEEN = []
    def on_signal(number, frame):
        SEEN.append(number)
    def clean_up(name):
        SEEN.append(name)
    class Thing:
        pass
    THING = Thing()
    weakref.finalize(THING, clean_up, "thing")
    BEFORE = signal.signal(signal.SIGUSR1, on_signal)
"""


def test_signal_handlers_and_finalizers(program):
    app = program(HANDLERS, "app:on_signal", "app:clean_up")
    try:
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, app.BEFORE)
    del app.THING
    gc.collect()
    assert app.SEEN == [signal.SIGUSR1, signal.SIGUSR1, "thing"]
    assert program.calls() == {"app:on_signal": 2, "app:clean_up": 1}


AT_THE_END = """
    import atexit
    import threading
    import weakref
    SEEN = []
    @atexit.register
    def say_bye():
        SEEN.append("bye")
    def close(name):
        SEEN.append(name)
    class Thing:
        pass
    KEPT = Thing()
    weakref.finalize(KEPT, close, "kept")
    atexit.register(close, "registered")
    def main():
        return SEEN
"""


def test_what_runs_when_the_program_ends(run_program):
    done = run_program(AT_THE_END, "app:say_bye", "app:close")
    assert sorted(done.result) == ["bye", "kept", "registered"]
    assert done.calls == {"app:say_bye": 1, "app:close": 2}


DISPATCH = """
    import functools
    @functools.singledispatch
    def show(value):
        return "something"
    @show.register
    def show_int(value: int):
        return "int"
    @show.register(str)
    @show.register(bytes)
    def show_text(value):
        return "text"
    show_list = show.register(list, lambda value: "list")
    class Shop:
        @functools.singledispatchmethod
        def sell(self, item):
            return "item"
        @sell.register
        def sell_int(self, item: int):
            return "number"
"""


def test_implementations_of_a_generic_function(program):
    targets = ("app:show_int", "app:show_text", "app:Shop.sell_int")
    app = program(DISPATCH, *targets)
    given = (1, 2, "a", b"a", [], None)
    assert [app.show(each) for each in given] == ["int", "int", "text", "text", "list", "something"]
    assert [app.Shop().sell(each) for each in (1, 2, "a")] == ["number", "number", "item"]
    assert program.calls() == {"app:show_int": 2, "app:show_text": 2, "app:Shop.sell_int": 2}


def test_a_generic_function_and_its_implementations_are_counted_each(program):
    app = program(DISPATCH, "app:show", "app:show_int")
    assert [app.show(each) for each in (1, "a", None)] == ["int", "text", "something"]
    assert program.calls() == {"app:show": 3, "app:show_int": 1}


SLOTS = """
    import dataclasses
    @dataclasses.dataclass(slots=True)
    class Point:
        x: int = 0
        def move(self, by):
            self.x += by
            return self.x
        def name(self):
            return __class__.__name__
        @classmethod
        def origin(cls):
            return cls()
        @property
        def double(self):
            return 2 * self.x
    POINT = Point(1)
    MOVE = POINT.move
"""


def test_methods_of_a_dataclass_with_slots(program):
    targets = ("app:Point.move", "app:Point.origin", "app:Point.double.fget")
    app = program(SLOTS, *targets)
    assert [app.MOVE(1), app.POINT.move(1), app.Point.origin().x, app.POINT.double] == [2, 3, 0, 6]
    assert program.calls() == dict(zip(targets, (2, 1, 1), strict=True))


NESTED = """
    def outer(times):
        def inner(value):
            return value * times
        return inner
    class Shop:
        def counter(self):
            class Counter:
                def count(self):
                    return 1
            return Counter()
    async def serve():
        async def answer(x):
            return x
        return await answer(1) + await answer(2)
    EARLY = outer(2)
    EARLY_COUNTER = Shop().counter()
"""


def test_a_function_inside_a_function(program):
    app = program(NESTED, "app:outer.<locals>.inner")
    late = app.outer(3)
    assert [late(1), late(2), app.outer(4)(1)] == [3, 6, 4]
    assert program.calls() == {"app:outer.<locals>.inner": 3}


def test_a_closure_that_was_made_before_the_map_came(program):
    app = program(NESTED, "app:outer.<locals>.inner")
    assert [app.EARLY(1), app.EARLY(2), app.outer(3)(1)] == [2, 4, 3]
    assert program.calls() == {"app:outer.<locals>.inner": 3}


def test_a_method_of_a_class_inside_a_function(program):
    target = "app:Shop.counter.<locals>.Counter.count"
    app = program(NESTED, target)
    assert [app.Shop().counter().count(), app.EARLY_COUNTER.count()] == [1, 1]
    assert program.calls() == {target: 2}


def test_a_coroutine_inside_a_coroutine(program):
    app = program(NESTED, "app:serve.<locals>.answer", "app:serve")
    with pytest.raises(StopIteration) as end:
        app.serve().send(None)
    assert end.value.value == 3
    assert program.calls() == {"app:serve": 1, "app:serve.<locals>.answer": 2}


def test_a_function_and_the_one_inside_it_are_both_targets(program):
    app = program(NESTED, "app:outer", "app:outer.<locals>.inner")
    assert [app.outer(3)(1), app.outer(4)(1)] == [3, 4]
    # The module itself called `outer` once, when it was imported.
    outer = 3 if program.order == "map first" else 2
    assert program.calls() == {"app:outer": outer, "app:outer.<locals>.inner": 2}


def test_a_lambda_that_has_a_name(program):
    app = program("double = lambda x: 2 * x\nHELD = [double]\n", "app:double")
    assert [app.double(1), app.HELD[0](2)] == [2, 4]
    assert program.calls() == {"app:double": 2}


SILENT = """
    def visit(x):
        return x
    def walk(items, visit=visit):
        return [visit(x) for x in items]
    def concat(items):
        return "".join(items)
    class Env:
        join = staticmethod(concat)
        def render(self, items):
            return self.join(items)
    def upper(x):
        return x.upper()
    TABLE = {"upper": upper}
    def apply(name, x):
        return TABLE[name](x)
    def key(x):
        return x
    def keyed(key=key):
        def deco(f):
            def inner(x):
                return f(key(x))
            return inner
        return deco
    @keyed()
    def shout(x):
        return x + "!"
"""


def test_a_whole_module_by_a_glob(program):
    app = program(SILENT, "app:*")
    for _ in range(10):
        app.walk(["a"])
        app.Env().render(["a"])
        app.apply("upper", "a")
        app.shout("a")
    # The pattern has one series; what each target was called is in the status.
    program.calls()
    calls = {each.target.removeprefix("app:"): each.calls for each in ancestry_obs.status().targets}
    expected = dict.fromkeys(("visit", "walk", "concat", "Env.render", "upper", "apply", "key"), 10)
    # The map came before `keyed()` was called by the module itself, or after.
    expected["keyed"] = 1 if program.order == "map first" else 0
    assert {name: calls.get(name) for name in expected} == expected


SEVERAL = """
    import sys
    HELD = []
    def keep(function):
        HELD.append(function)
        return function
    if sys.version_info > (3,):
        @keep
        def chosen():
            return "new"
    else:
        def chosen():
            return "old"
    @keep
    def redefined():
        return "first"
    @keep
    def redefined():
        return "second"
    try:
        from missing_module import fallback
    except ImportError:
        @keep
        def fallback():
            return "own"
    one, two = lambda: 1, lambda: 2
    same_line = [lambda: 3, lambda: 3]
    first, second = same_line
    def alias():
        return "alias"
    other_name = alias
"""


def test_where_several_definitions_have_one_name_the_one_that_it_leads_to(program):
    targets = ("app:chosen", "app:redefined", "app:fallback", "app:two", "app:second")
    app = program(SEVERAL, *targets)
    chosen, _, second, fallback = app.HELD
    assert [chosen(), app.chosen(), second(), app.redefined()] == ["new"] * 2 + ["second"] * 2
    assert [fallback(), app.one(), app.two(), app.first(), app.second()] == ["own", 1, 2, 3, 3]
    assert program.calls() == dict(zip(targets, (2, 2, 1, 1, 1), strict=True))


def test_a_name_that_leads_to_a_function_of_another_name(program):
    app = program(SEVERAL, "app:other_name")
    assert [app.other_name(), app.alias()] == ["alias", "alias"]
    assert program.calls() == {"app:other_name": 2}


GENERIC = """
    HELD = []
    def keep(function):
        HELD.append(function)
        return function
    @keep
    def first[T](items: list[T]) -> T:
        return items[0]
    class Box[T]:
        def __init__(self, item: T):
            self.item = item
        def get[U](self, other: U) -> T | U:
            return self.item or other
    def outer[T](x: T):
        def inner[U](y: U) -> T | U:
            return x or y
        return inner
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with Python 3.12")
def test_functions_with_type_parameters(program):
    targets = ("app:first", "app:Box.get", "app:Box.__init__", "app:outer")
    app = program(GENERIC, *targets, "app:outer.<locals>.inner")
    assert [app.first([1]), app.HELD[0]([2])] == [1, 2]
    assert [app.Box(0).get(3), app.outer(0)(4)] == [3, 4]
    assert str(app.first.__type_params__) == "(T,)"
    assert program.calls() == dict(
        zip((*targets, "app:outer.<locals>.inner"), (2, 1, 1, 1, 1), strict=True)
    )
