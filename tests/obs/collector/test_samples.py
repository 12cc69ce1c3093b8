from __future__ import annotations

import asyncio
import gc
import logging
import signal
import threading
import tracemalloc
import weakref
from asyncio import CancelledError

import pytest

from ancestry_obs.collector import render
from ancestry_obs.exceptions import ExpressionError


class Session:
    def __init__(self, age=1.0, zone="eu"):
        self.age = age
        self.zone = zone

    def seconds(self):
        return self.age

    # Neither may ever be called: an instance is known by what it is, not by what it equals.
    def __eq__(self, other):
        raise AssertionError("compared")

    def __hash__(self):
        raise AssertionError("hashed")


@pytest.fixture
def sample(setting, specs):
    """Declares the gauge and gives what registers instances of a sample of it."""

    def make(value="self.seconds()", labels=(), **options):
        names = [name for name, _ in labels]
        setting.store.family(specs.metric("uptime_seconds", "gauge", names, most=2))
        return setting.samples.tracker(specs.sample(value, labels, **options)).register

    return make


def errors(setting, label="value"):
    return setting.store.expression_errors["program.session:Session", "uptime_seconds", label]


def test_read_at_the_scrape(setting, sample):
    session = Session(age=5)
    sample()(session)
    assert setting.value("app_uptime_seconds") == 5
    session.age = 6
    assert setting.value("app_uptime_seconds") == 6


def test_nothing_keeps_an_instance_and_its_sample_goes_with_it(setting, sample):
    session = Session()
    sample()(session)
    assert setting.value("app_uptime_seconds") == 1
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None
    assert setting.value("app_uptime_seconds") is None


def test_registering_twice_is_once(setting, sample):
    register, session = sample(aggregate="sum"), Session(age=3)
    register(session)
    register(session)
    assert setting.value("app_uptime_seconds") == 3


@pytest.mark.parametrize(
    ("aggregate", "expected"), [("last", 2.0), ("sum", 10.0), ("min", 1.0), ("max", 7.0)]
)
def test_several_instances(setting, sample, aggregate, expected):
    sessions = [Session(7), Session(1), Session(2)]
    register = sample(aggregate=aggregate)
    for session in sessions:
        register(session)
    assert setting.value("app_uptime_seconds") == expected


def test_labels_part_the_instances(setting, sample):
    sessions = [Session(1, "eu"), Session(2, "us"), Session(3, "eu")]
    register = sample(labels=[("zone", "upper(self.zone)")], aggregate="sum")
    for session in sessions:
        register(session)
    assert setting.value("app_uptime_seconds", zone="EU") == 4
    assert setting.value("app_uptime_seconds", zone="US") == 2


def test_labels_are_limited_as_everywhere(setting, sample):
    sessions = [Session(1, zone) for zone in ("a", "b", "c", "d")]
    register = sample(labels=[("zone", "self.zone")], aggregate="sum")
    for session in sessions:
        register(session)
    assert setting.value("app_uptime_seconds", zone="other") == 2
    assert setting.store.overflows["uptime_seconds", "zone"] == 2


def test_an_instance_that_raises_is_left_out_and_counted(setting, sample):
    class Broken(Session):
        def seconds(self):
            raise RuntimeError("not ready")

    sessions = [Session(4), Broken()]
    register = sample(aggregate="sum")
    for session in sessions:
        register(session)
    assert setting.value("app_uptime_seconds") == 4
    assert errors(setting) == 1


class Leaves(BaseException):
    """What only a `BaseException` clause catches."""


@pytest.mark.parametrize(
    "error", [CancelledError, GeneratorExit, SystemExit, KeyboardInterrupt, Leaves]
)
def test_whatever_an_instance_raises_costs_itself_alone(error, setting, sample):
    class Broken(Session):
        def seconds(self):
            raise error

        @property
        def text(self):
            raise error

    register = sample(labels=[("zone", "self.zone")])
    ways = [Session(4, "eu"), Broken(), Session(5, Named(error))]
    for session in ways:
        register(session)
    pages = []
    # As the exporter does: not in the main thread, which alone is ever interrupted.
    thread = threading.Thread(target=lambda: pages.append(render(setting.registry)[0]))
    thread.start()
    thread.join()
    assert b'app_uptime_seconds{zone="eu"} 4.0\n' in pages[0]
    assert b'app_uptime_seconds{zone="error"} 5.0\n' in pages[0]
    assert (errors(setting), errors(setting, "zone")) == (1, 1)


class Named:
    def __init__(self, error):
        self._error = error

    def __str__(self):
        raise self._error


@pytest.mark.parametrize("value", ["7", b"7", float("nan"), float("inf"), [1], 10**400])
def test_what_is_no_finite_number_is_left_out_and_counted(setting, sample, value):
    session = Session(value)
    sample()(session)
    assert setting.value("app_uptime_seconds") is None
    assert errors(setting) == 1


def test_none_is_no_value_and_no_error(setting, sample):
    session = Session(None)
    sample()(session)
    assert setting.value("app_uptime_seconds") is None
    assert errors(setting) == 0


def test_a_label_that_raises_is_the_label_error(setting, sample):
    session = Session(4, zone=12)
    sample(labels=[("zone", "upper(self.zone)")])(session)
    assert setting.value("app_uptime_seconds", zone="error") == 4
    assert errors(setting, "zone") == 1


def test_what_cannot_be_held_weakly_is_counted_and_said(setting, sample, caplog):
    class Slotted:
        __slots__ = ()

    register = sample()
    with caplog.at_level(logging.WARNING, "ancestry_obs"):
        register(Slotted())
        register(Slotted())
    assert setting.value("app_uptime_seconds") is None
    assert errors(setting) == 2
    (message,) = caplog.messages
    assert message == (
        "program.session:Session: cannot sample 'uptime_seconds', its instances cannot be held "
        "weakly; add '__weakref__' to the __slots__ of "
        "test_what_cannot_be_held_weakly_is_counted_and_said.<locals>.Slotted"
    )


def test_the_first_failure_of_each_expression_is_said(setting, sample, caplog):
    sessions = [Session(1, zone=12), Session("7"), Session("8")]
    register = sample(labels=[("zone", "upper(self.zone)")])
    for session in sessions:
        register(session)
    with caplog.at_level(logging.WARNING, "ancestry_obs"):
        setting.value("app_uptime_seconds", zone="error")
        setting.value("app_uptime_seconds", zone="error")
    assert errors(setting) == 4
    of_the_label, of_the_value = caplog.messages
    assert of_the_value == (
        "program.session:Session: cannot sample 'uptime_seconds', the expression for 'value' "
        "failed with TypeError: a sample is a number, not a text; further failures are counted only"
    )
    assert "the expression for 'zone' failed with " in of_the_label


def test_a_log_that_fails_costs_no_scrape(setting, sample, monkeypatch):
    def refuse(*_arguments):
        raise OSError("disk full")

    monkeypatch.setattr(logging.getLogger("ancestry_obs"), "warning", refuse)
    session = Session("7")
    sample()(session)
    assert setting.value("app_uptime_seconds") is None
    assert errors(setting) == 1


def test_a_sample_may_record_and_scrape_itself(setting, sample, specs):
    """No lock is held while program code runs."""
    calls = setting.store.family(specs.metric("calls_total", "counter"))

    class Nosy(Session):
        def seconds(self):
            calls.inc(())
            setting.store.fold()
            return 9

    session = Nosy()
    sample()(session)
    assert setting.value("app_uptime_seconds") == 9
    assert setting.value("app_calls_total") == 2


def test_an_instance_hides_what_was_recorded_under_its_labels(setting, sample, specs):
    session = Session(4)
    sample()(session)
    setting.store.family(specs.metric("uptime_seconds", "gauge", most=2)).set((), 100)
    assert setting.value("app_uptime_seconds") == 4


def test_an_equal_sample_keeps_its_instances_and_others_are_forgotten(setting, sample, specs):
    session = Session(4)
    sample()(session)
    setting.samples.retain([specs.sample("self.seconds()")])
    assert setting.value("app_uptime_seconds") == 4
    setting.samples.retain([])
    assert setting.value("app_uptime_seconds") is None


def test_a_sample_of_no_metric_is_not_read(setting, specs):
    session = Session()
    tracker = setting.samples.tracker(specs.sample("self.seconds()", metric="nobody"))
    tracker.register(session)
    assert setting.samples.read(setting.store.families()) == {}


def test_an_unknown_name_is_refused_when_the_tracker_is_made(setting, specs):
    with pytest.raises(ExpressionError, match="unknown name 'result'"):
        setting.samples.tracker(specs.sample("result"))


class Panic(BaseException):
    pass


def cancelled_task():
    async def make():
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await asyncio.wait([task])
        return task

    return asyncio.run(make())


class Job(Session):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.task = cancelled_task() if kind is asyncio.CancelledError else None

    def seconds(self):
        if self.task is not None:
            return self.task.result()
        raise self.kind("from a sample")

    @property
    def place(self):
        return self.seconds()


KINDS = [
    *(ValueError, RecursionError, MemoryError, StopIteration, SystemExit, KeyboardInterrupt),
    *(GeneratorExit, asyncio.CancelledError, Panic, BaseException),
]


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_value_or_a_label_raises_costs_its_own_series_alone(setting, sample, kind):
    session, broken = Session(4, "eu"), Job(kind)
    register = sample()
    register(broken)
    register(session)
    assert setting.value("app_uptime_seconds") == 4
    assert errors(setting) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_label_raises_is_the_label_error(setting, specs, kind):
    setting.store.family(specs.metric("uptime_seconds", "gauge", ["place"]))
    broken = Job(kind)
    tracker = setting.samples.tracker(specs.sample("self.age", [("place", "self.place")]))
    tracker.register(broken)
    assert setting.value("app_uptime_seconds", place="error") == 1
    assert errors(setting, "place") == 1


def test_an_exception_whose_text_raises_is_counted_too(setting, sample, caplog):
    class Silent(BaseException):
        def __str__(self):
            raise Panic

    job = Job(Silent)
    sample()(job)
    assert setting.value("app_uptime_seconds") is None
    assert errors(setting) == 1


@pytest.mark.parametrize("value", ["self.seconds()", "self.age"])
def test_an_interruption_of_a_sample_reaches_whoever_scrapes(setting, specs, value):
    def expire(*_):
        raise TimeoutError("time is up")

    class Slow(Session):
        @property
        def zone(self):
            return self.seconds()

        @zone.setter
        def zone(self, _):
            pass

        def seconds(self):
            signal.raise_signal(signal.SIGUSR1)
            return 1.0

    slow = Slow()
    setting.store.family(specs.metric("uptime_seconds", "gauge", ["zone"]))
    setting.samples.tracker(specs.sample(value, [("zone", "self.zone")])).register(slow)
    before = signal.signal(signal.SIGUSR1, expire)
    try:
        with pytest.raises(TimeoutError, match="time is up"):
            setting.value("app_uptime_seconds")
        signal.signal(signal.SIGUSR1, signal.default_int_handler)
        with pytest.raises(KeyboardInterrupt):
            setting.value("app_uptime_seconds")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not setting.store.expression_errors


class Counted:
    def __init__(self, size):
        self.size = size


def test_a_scrape_of_many_instances_keeps_none_of_them_and_takes_little_memory(setting, specs):
    setting.store.family(specs.metric("uptime_seconds", "gauge", ["size"], most=3))
    sample = specs.sample("1 / self.size", [("size", "text(self.size)")], aggregate="sum")
    tracker = setting.samples.tracker(sample)
    many = [Counted(size) for size in range(20_000)]
    for each in many:
        tracker.register(each)
    tracemalloc.start()
    try:
        assert setting.value("app_uptime_seconds", size="1") == 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A reference to each, and what a page of five series takes.
    assert peak < 8 * len(many) + 200_000
    assert errors(setting) == 1
    assert setting.store.overflows["uptime_seconds", "size"] == len(many) - 4
    del many, each
    gc.collect()
    assert not tracker._instances
    assert setting.value("app_uptime_seconds", size="1") is None
