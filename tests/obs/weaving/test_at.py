"""`at`: whether the object that a name leads to is measured, or the definition under that name."""

from __future__ import annotations

import pytest

import ancestry_obs

# What each decorator leaves under the name calls the definition twice.
DECORATED = """
    import functools
    def twice(function):
        @functools.wraps(function)
        def around(*args):
            return function(*args) + function(*args)
        return around
    def bare_twice(function):
        def around(*args):
            return function(*args) + function(*args)
        return around
    @twice
    def tidy(x):
        return x
    @bare_twice
    def untidy(x):
        return x
    @twice
    @bare_twice
    def both(x):
        return x
    class Shop:
        @twice
        def sell(self):
            return 1
    def replaced(x):
        return x
    replaced = twice(replaced)
"""
CALLS = {
    "app:tidy": lambda app: app.tidy(1),
    "app:untidy": lambda app: app.untidy(1),
    "app:Shop.sell": lambda app: app.Shop().sell(),
    "app:replaced": lambda app: app.replaced(1),
}


@pytest.mark.parametrize("target", CALLS)
@pytest.mark.parametrize(
    ("at", "count"), [({}, 1), ({"at": "object"}, 1), ({"at": "definition"}, 2)]
)
def test_a_decorator_s_own_function_stands_between(program, target, at, count):
    app = program(DECORATED, {"target": target, **at})
    assert CALLS[target](app) == 2
    assert program.calls() == {target: count}


def test_a_definition_is_told_apart_from_the_object_that_was_made_of_it(program):
    app = program(
        DECORATED,
        "app:tidy",
        {"target": "app:tidy", "at": "definition"},
        {"target": "app:Shop.sell", "at": "definition"},
    )
    app.tidy(1)
    app.Shop().sell()
    told = {each.target: each.calls for each in ancestry_obs.status().targets}
    assert told == {"app:tidy": 1, "app:tidy (definition)": 2, "app:Shop.sell": 2}


def test_the_definition_under_two_decorators(program):
    app = program(DECORATED, {"target": "app:both", "at": "definition"})
    assert app.both(1) == 4
    assert program.calls() == {"app:both": 4}


def test_the_object_of_one_decorated_function_is_not_that_of_another(program):
    """One decorator makes the functions of both names: they have one code, and are two objects."""
    app = program(DECORATED, "app:untidy")
    assert app.untidy(1) == 2
    assert app.both(1) == 4
    assert app.tidy(1) == 2
    assert program.calls() == {"app:untidy": 1}


REGISTERED = """
    import functools
    class Command:
        def __init__(self, function):
            self.callback = function
        def main(self):
            return self.callback()
        def __call__(self):
            return self.main()
    class Quiet:
        __slots__ = ("_kept",)
        def __init__(self, function):
            self._kept = {"deep": [function]}
        def run(self):
            return self._kept["deep"][0]()
    @Command
    def hello():
        return "hi"
    @Quiet
    def whisper():
        return "psst"
    def add(x, y):
        return x + y
    add_one = functools.partial(add, 1)
    @functools.partial(functools.partial, y=1)
    def plus(x, y):
        return x + y
    class Shop:
        @functools.cached_property
        def stock(self):
            return [1]
        @functools.partialmethod
        def sell(self, item="tea"):
            return item
"""


def test_what_is_no_function_leaves_the_definition_under_its_name_to_be_measured(program):
    targets = ("app:hello", "app:whisper", "app:plus", "app:Shop.stock", "app:Shop.sell")
    app = program(REGISTERED, *targets)
    assert [app.hello(), app.hello.main(), app.hello.callback(), app.whisper.run()] == [
        "hi", "hi", "hi", "psst",
    ]  # fmt: skip
    shop = app.Shop()
    assert [app.plus(1), shop.stock, shop.stock, shop.sell("milk")] == [2, [1], [1], "milk"]
    assert program.calls() == dict(zip(targets, (3, 1, 1, 1, 1), strict=True))
    assert type(app.hello) is app.Command
    assert type(app.whisper) is app.Quiet
    assert type(vars(app.Shop)["sell"]).__module__ == "functools"


@pytest.mark.parametrize("at", [{}, {"at": "object"}])
def test_a_cache_is_measured_at_every_call_or_at_those_that_enter_the_function(program, at):
    source = """
        import functools
        @functools.lru_cache
        def square(x):
            return x * x
    """
    app = program(source, {"target": "app:square", **at})
    assert [app.square(2), app.square(2), app.square(3)] == [4, 4, 9]
    assert app.square.cache_info().hits == 1
    assert program.calls() == {"app:square": 3}


def test_the_definition_under_a_cache_is_measured_where_the_cache_has_no_answer(program):
    source = """
        import functools
        @functools.lru_cache
        def square(x):
            return x * x
        HELD = square
    """
    app = program(source, {"target": "app:square", "at": "definition"})
    assert [app.square(2), app.square(2), app.HELD(3)] == [4, 4, 9]
    assert program.calls() == {"app:square": 2}
    assert type(app.square) is type(app.HELD)
    assert app.square is app.HELD


def test_another_word_is_refused_with_what_is_allowed(enabled, counting_map):
    with pytest.raises(ancestry_obs.MapError) as refused:
        ancestry_obs.install(
            counting_map({"target": "app:hello", "at": "definitoin"}), settings=enabled
        )
    assert "definition" in str(refused.value)
    assert "object" in str(refused.value)
    assert "definitoin" in str(refused.value)
