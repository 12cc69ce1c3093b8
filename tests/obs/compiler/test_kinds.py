"""Coroutines, generators and async generators: passed through exactly, timed until they finish."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import sys
import types
import warnings

import pytest
import wrapt

OUTCOME = "outcome(error)"


@pytest.fixture
def outcomes(loom):
    """Weaves a counter of outcomes, an in-flight gauge and a histogram."""

    def make(original):
        loom.metric("calls_total", outcome=("success", "error", "cancelled", "abandoned"))
        loom.metric("flying", "in_flight")
        loom.metric("seconds", "histogram")
        return loom.weave(
            original,
            loom.record("calls_total", outcome=OUTCOME),
            loom.record("flying", on="call"),
            loom.record("seconds"),
        )

    return make


def drive(generator, *steps):
    """Do steps with a generator and note what comes of each."""
    notes = []
    for name, *arguments in steps:
        try:
            notes.append(("gave", getattr(generator, name)(*arguments)))
        except StopIteration as stop:
            notes.append(("stop", stop.value))
        except BaseException as error:
            notes.append((type(error), str(error)))
    return notes


def echo(a):
    got = a
    while True:
        try:
            got = yield got
            if got == "end":
                return "done"
        except ValueError as error:
            got = f"caught {error}"


def stubborn():
    try:
        yield 1
    except GeneratorExit:
        yield 2


def broken():
    yield 1
    raise KeyError("k")


SCRIPTS = [
    (echo, [("send", None), ("send", 2), ("throw", ValueError("x")), ("send", "end"), ("send", 3)]),
    (echo, [("__next__",), ("throw", KeyError("y")), ("__next__",)]),
    (echo, [("__next__",), ("close",), ("__next__",)]),
    (echo, [("close",), ("__next__",)]),
    (echo, [("throw", ValueError("before"))]),
    (echo, [("send", 1), ("send", None)]),
    (stubborn, [("__next__",), ("close",)]),
    (broken, [("__next__",), ("__next__",), ("__next__",)]),
]


@pytest.mark.parametrize(("original", "script"), SCRIPTS)
def test_a_generator_answers_every_step_as_the_original(outcomes, original, script):
    arguments = (1,) if original is echo else ()
    expected = drive(original(*arguments), *script)
    assert drive(outcomes(original).function(*arguments), *script) == expected


def test_throwing_generator_exit_closes_as_any_yield_from_does(outcomes, loom):
    """PEP 380: the one thing in which delegation is no mere passing through."""
    generator = outcomes(stubborn).function()
    next(generator)
    if loom.way == "inline":
        assert generator.throw(GeneratorExit()) == 2
        return
    with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
        generator.throw(GeneratorExit())


def test_a_generator_is_timed_until_it_is_exhausted(outcomes, loom):
    woven = outcomes(broken)
    list_ = woven.function()
    assert loom.read("flying") == {}
    next(list_)
    assert loom.read("flying") == {(): 1}
    with pytest.raises(KeyError):
        next(list_)
    assert loom.read("flying") == {(): 0}
    assert loom.read("calls_total") == {("error",): 1}
    assert loom.read("seconds") == {(): (1, 1.0)}
    assert woven.calls() == 1


@pytest.mark.parametrize("leave", [lambda each: each.close(), lambda each: None])
def test_an_abandoned_generator_is_an_outcome_of_its_own(outcomes, loom, leave):
    generator = outcomes(echo).function(1)
    next(generator)
    leave(generator)
    del generator
    gc.collect()
    assert loom.read("calls_total") == {("abandoned",): 1}
    assert loom.read("flying") == {(): 0}


def test_a_generator_that_never_started_counts_nothing(outcomes, loom):
    woven = outcomes(echo)
    generator = woven.function(1)
    generator.close()
    del generator
    assert woven.calls() == 0
    assert loom.read("calls_total") == {}


def test_the_return_value_of_a_generator_is_its_result(loom):
    def numbers():
        yield 1
        return 5

    loom.metric("a_total", result=9)
    woven = loom.weave(numbers, loom.record("a_total", result="result")).function
    assert drive(woven(), ("__next__",), ("__next__",))[1] == ("stop", 5)
    assert loom.read("a_total") == {("5",): 1}


async def work(what):
    await asyncio.sleep(0)
    if isinstance(what, BaseException):
        raise what
    return what


def test_a_coroutine_is_timed_until_it_is_done(outcomes, loom):
    woven = outcomes(work)
    coroutine = woven.function("x")
    assert inspect.iscoroutine(coroutine)
    assert asyncio.run(_returning(coroutine)) == "x"
    with pytest.raises(KeyError):
        asyncio.run(_returning(woven.function(KeyError())))
    assert loom.read("calls_total") == {("success",): 1, ("error",): 1}
    assert loom.read("flying") == {(): 0}
    assert loom.read("seconds") == {(): (2, 2.0)}


async def _returning(awaitable):
    return await awaitable


def test_a_cancelled_coroutine_is_an_outcome_of_its_own(outcomes, loom):
    async def forever():
        await asyncio.get_running_loop().create_future()

    woven = outcomes(forever).function

    async def main():
        task = asyncio.ensure_future(woven())
        await asyncio.sleep(0)
        during = loom.read("flying")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return during

    assert asyncio.run(main()) == {(): 1}
    assert loom.read("calls_total") == {("cancelled",): 1}
    assert loom.read("flying") == {(): 0}


def test_a_coroutine_that_is_never_awaited_warns_once_under_its_own_name(outcomes, loom):
    woven = outcomes(work)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        woven.function(1)
        gc.collect()
    assert [str(warning.message) for warning in caught] == ["coroutine 'work' was never awaited"]
    assert woven.calls() == 0


def test_what_types_coroutine_made_can_still_be_awaited(outcomes, loom):
    @types.coroutine
    def legacy(a):
        got = yield a
        return got

    async def main():
        return await outcomes(legacy).function(1)

    coroutine = main()
    assert coroutine.send(None) == 1
    with pytest.raises(StopIteration) as stop:
        coroutine.send("answer")
    assert stop.value.value == "answer"
    assert loom.read("calls_total") == {("success",): 1}


async def aecho(a):
    got = a
    while True:
        try:
            got = yield got
            if got == "end":
                return
        except ValueError as error:
            got = f"caught {error}"


async def astubborn():
    try:
        yield 1
    except GeneratorExit:
        yield 2


async def abroken():
    yield 1
    await asyncio.sleep(0)
    raise KeyError("k")


async def swallows():
    try:
        yield 1
    except BaseException:
        return


async def araises():
    try:
        yield 1
    except ValueError:
        await asyncio.sleep(0)
    raise KeyError("without context")


async def adrive(generator, steps):
    notes = []
    for name, *arguments in steps:
        try:
            notes.append(("gave", await getattr(generator, name)(*arguments)))
        except BaseException as error:
            notes.append((type(error), str(error), type(error.__context__)))
    return notes


ASYNC_SCRIPTS = [
    (
        aecho,
        [
            ("asend", None),
            ("asend", 2),
            ("athrow", ValueError("x")),
            ("asend", "end"),
            ("asend", 3),
        ],
    ),
    (aecho, [("__anext__",), ("athrow", KeyError("y")), ("__anext__",)]),
    (aecho, [("__anext__",), ("aclose",), ("__anext__",)]),
    (aecho, [("aclose",), ("__anext__",)]),
    (aecho, [("asend", 1), ("asend", None)]),
    (aecho, [("__anext__",), ("athrow", StopAsyncIteration("z"))]),
    (astubborn, [("__anext__",), ("aclose",)]),
    (astubborn, [("__anext__",), ("athrow", GeneratorExit())]),
    (abroken, [("__anext__",), ("__anext__",), ("__anext__",)]),
    (swallows, [("__anext__",), ("athrow", ValueError())]),
    (swallows, [("__anext__",), ("aclose",)]),
    (araises, [("__anext__",), ("athrow", ValueError())]),
]


@pytest.mark.parametrize(("original", "script"), ASYNC_SCRIPTS)
def test_an_async_generator_answers_every_step_as_the_original(outcomes, original, script):
    arguments = (1,) if original is aecho else ()

    async def main(make):
        return await adrive(make(*arguments), script)

    expected = asyncio.run(main(original))
    assert asyncio.run(main(outcomes(original).function)) == expected


def test_an_async_generator_counts_how_it_ended(outcomes, loom):
    woven = outcomes(aecho).function

    async def main():
        left = woven(1)
        async for item in left:
            assert item == 1
            break
        during = loom.read("flying")
        await left.aclose()
        ended = woven(1)
        await ended.asend(None)
        with pytest.raises(StopAsyncIteration):
            await ended.asend("end")
        return during

    assert asyncio.run(main()) == {(): 1}
    assert loom.read("calls_total") == {("abandoned",): 1, ("success",): 1}
    assert loom.read("flying") == {(): 0}


def test_the_loop_closes_an_abandoned_async_generator_once(outcomes, loom):
    closed = []

    async def numbers():
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    problems = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: problems.append(context)
        )
        generator = outcomes(numbers).function()
        await generator.__anext__()
        return generator

    kept = asyncio.run(main())
    assert (closed, problems) == ([True], [])
    assert loom.read("calls_total") == {("abandoned",): 1}
    del kept


def test_a_yielded_or_sent_value_lives_no_longer_than_before(outcomes):
    async def passes():
        while True:
            yield object()

    async def main():
        generator = outcomes(passes).function()
        item = await generator.__anext__()
        return sys.getrefcount(item)

    assert asyncio.run(main()) == 2


def test_a_call_that_exits_the_program_is_counted_and_goes_on(outcomes, loom):
    def leave():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        outcomes(leave).function()
    assert loom.read("calls_total") == {("error",): 1}
    assert loom.read("flying") == {(): 0}


def plainly_decorated(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


def asynchronously_decorated(function):
    @functools.wraps(function)
    async def inner(*args, **kwargs):
        return await function(*args, **kwargs)

    return inner


@wrapt.decorator
def passing_on(wrapped, instance, args, kwargs):
    return wrapped(*args, **kwargs)


COROUTINES = {
    "async decorator": asynchronously_decorated,
    "wrapt decorator": passing_on,
    "partial": functools.partial,
}


@pytest.mark.parametrize("kind", COROUTINES)
def test_a_decorated_coroutine_is_timed_until_it_is_done(outcomes, loom, kind):
    decorated = COROUTINES[kind](work)
    woven = outcomes(decorated)
    assert inspect.iscoroutinefunction(woven.function) is inspect.iscoroutinefunction(decorated)
    coroutine = woven.function("x")
    assert inspect.iscoroutine(coroutine)
    assert woven.calls() == 0
    assert asyncio.run(_returning(coroutine)) == "x"
    with pytest.raises(KeyError):
        asyncio.run(_returning(woven.function(KeyError())))
    assert loom.read("calls_total") == {("success",): 1, ("error",): 1}
    woven.disarm()
    assert asyncio.run(_returning(woven.function("y"))) == "y"


@pytest.mark.skipif(not hasattr(inspect, "markcoroutinefunction"), reason="new in Python 3.12")
def test_a_plain_function_that_is_marked_as_a_coroutine_function_stays_marked(outcomes, loom):
    marked = inspect.markcoroutinefunction(plainly_decorated(work))
    woven = outcomes(marked)
    assert inspect.iscoroutinefunction(woven.function)
    coroutine = woven.function("x")
    # Its code is a plain function's: nobody can tell what becomes of what it returns.
    assert woven.calls() == 1
    assert asyncio.run(_returning(coroutine)) == "x"


def test_an_awaitable_that_a_plain_function_returns_is_its_result_and_stays_what_it_is(
    outcomes, loom
):
    made = []

    def start(what):
        made.append(asyncio.ensure_future(work(what)))
        return made[-1]

    woven = outcomes(start)

    async def main():
        task = woven.function(ValueError("late"))
        assert task is made[0]
        assert loom.read("calls_total") == {("success",): 1}
        with pytest.raises(ValueError, match="late"):
            await task

    asyncio.run(main())
    assert loom.read("calls_total") == {("success",): 1}


def test_a_generator_that_a_plain_function_returns_is_its_result(outcomes, loom):
    generator = echo(1)
    woven = outcomes(plainly_decorated(lambda: generator))
    assert woven.function() is generator
    assert loom.read("calls_total") == {("success",): 1}
    assert inspect.getgeneratorstate(generator) == inspect.GEN_CREATED
