from __future__ import annotations

import asyncio
import signal
import threading
from collections import defaultdict
from functools import partial

import pytest

from ancestry_obs.recording.failures import came_from_outside


class Limit(BaseException):
    pass


def expire(_number=None, _frame=None, *_):
    raise TimeoutError("time is up")


class Watch:
    def expire(self, *_):
        deeper()

    def __call__(self, *_):
        expire()

    @staticmethod
    def end(*_):
        raise Limit

    @classmethod
    def exit(cls, *_):
        raise SystemExit


def deeper():
    raise ValueError("from far below")


def judged(work):
    try:
        work()
    except BaseException as error:
        return came_from_outside(error)
    raise AssertionError("nothing was raised")


@pytest.fixture
def handled():
    """Has SIGUSR1 and SIGINT as they were when the test is over."""
    numbers = (signal.SIGUSR1, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield signal.signal
    for number, handler in before.items():
        signal.signal(number, handler)


def interrupted():
    # The handler runs within this call, as it would between any two instructions.
    signal.raise_signal(signal.SIGUSR1)


def caught_and_raised_again():
    try:
        interrupted()
    finally:
        len("")


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(expire, id="function"),
        pytest.param(Watch().expire, id="method"),
        pytest.param(Watch(), id="object"),
        pytest.param(Watch.end, id="static method"),
        pytest.param(Watch.exit, id="class method"),
        pytest.param(partial(partial(expire, 1), 2), id="partial"),
        pytest.param(lambda *_: signal.default_int_handler(2, None), id="of the default one"),
    ],
)
@pytest.mark.parametrize("work", [interrupted, caught_and_raised_again])
def test_what_a_handler_raises_came_from_outside(handled, handler, work):
    handled(signal.SIGUSR1, handler)
    assert judged(work)


def test_ctrl_c_came_from_outside(handled):
    handled(signal.SIGINT, signal.default_int_handler)

    def work():
        signal.raise_signal(signal.SIGINT)

    assert judged(work)


def test_ctrl_c_in_the_midst_of_no_call_came_from_outside_too(handled):
    handled(signal.SIGINT, signal.default_int_handler)
    # Whoever subscripts this is interrupted by it.
    interrupting = defaultdict(partial(signal.raise_signal, signal.SIGINT))
    assert judged(lambda: interrupting[0])


def result_of_a_cancelled_task():
    async def cancel():
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await asyncio.wait([task])
        task.result()

    asyncio.run(cancel())


def raising(kind):
    def work():
        raise kind

    return work


class Untraceable(BaseException):
    @property
    def __traceback__(self):
        raise Limit


OWN = [
    raising(Untraceable),
    *map(raising, (ValueError, TimeoutError, KeyboardInterrupt, SystemExit, GeneratorExit, Limit)),
    result_of_a_cancelled_task,
    lambda: next(iter(())),
    lambda: 1 / 0,
]


@pytest.mark.parametrize("work", OWN)
def test_what_the_code_raises_itself_did_not(handled, work):
    handled(signal.SIGUSR1, expire)
    handled(signal.SIGINT, signal.default_int_handler)
    assert not judged(work)


@pytest.mark.parametrize("work", OWN)
def test_no_thread_but_the_main_one_is_interrupted(handled, work):
    handled(signal.SIGUSR1, expire)
    answers = []
    thread = threading.Thread(target=lambda: answers.extend([judged(work), judged(expire)]))
    thread.start()
    thread.join()
    assert answers == [False, False]


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL, print, map(int, [])])
def test_handlers_without_code_of_python_s_are_no_one_s(handled, handler):
    if callable(handler):
        handled(signal.SIGUSR1, handler)
    assert not judged(raising(ValueError))
