"""A measured call that is interrupted anywhere: what interrupts it is raised, the rest agrees.

What comes from outside always reaches the program; what the map's own code raises never does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from itertools import cycle

import pytest
from tests.obs.compiler.conftest import Loom
from tests.obs.interruptions.conftest import AlarmError

from ancestry_obs.recording import FULL

CALLS = 2
# Each place is a second's fraction, and there are thousands: the nightly session takes all of them.
STEP = 1 if os.environ.get("EVERY_INTERRUPTION") else 13


class Request:
    """What has a property that a label reads."""

    def __init__(self, user):
        self.user = user

    @property
    def name(self):
        return self.user.lower()


def send(request, url):
    return len(url)


def refuse(request, url):
    raise ValueError(url)


async def wait(request, url):
    return len(url)


def stream(request, url):
    yield len(url)


def run(function, request, url):
    """Call it to its end."""
    answer = function(request, url)
    if asyncio.iscoroutine(answer):
        try:
            answer.send(None)
        except StopIteration:
            pass
        finally:
            answer.close()
    elif hasattr(answer, "__next__"):
        list(answer)


@pytest.fixture(params=["inline", "call", "sampled"])
def measured(request):
    """Weaves every kind of stream into a function; gives it and what it has recorded."""
    is_sampled = request.param == "sampled"

    def measure(function):
        loom = Loom(way="inline" if is_sampled else request.param, gaps=lambda _: cycle([0, 1]))
        loom.metric("seconds", "histogram", name=9)
        loom.metric("calls_total", url=9)
        loom.metric("sizes", "histogram", url=9)
        loom.metric("hits", "ratio", url=9)
        loom.metric("flying", "in_flight")
        loom.metric("last", "gauge")
        woven = loom.weave(
            function,
            loom.record("seconds", name="request.name"),
            loom.record("calls_total", url="lower(url)"),
            loom.record("sizes", value="length(url)", url="upper(url)"),
            loom.record("hits", hit="url == 'A'", url="url", when="request.user == 'Ann'"),
            loom.record("flying", on="call"),
            loom.record("last", value="length(url)"),
            sample=0.5 if is_sampled else 1.0,
        )
        return loom, woven.function

    return measure


def is_ours(code):
    return "/ancestry_obs/" in code.co_filename or code.co_filename.startswith("<ancestry-obs")


def is_ours_or_here(code):
    return is_ours(code) or code.co_filename == __file__


def counts(loom):
    """Give how many calls each of the metrics has got."""
    loom.store.fold()
    series = {
        family.spec.name: [series for _, series in family.series()]
        for family in loom.store.families()
    }
    assert [each.value for each in series["flying"]] in ([], [0])
    assert loom.store.evaluating == {}
    assert not loom.store._folding
    return {
        "seconds": sum(sum(each.counts) for each in series["seconds"]),
        "calls_total": sum(each.value for each in series["calls_total"]),
        "sizes": sum(sum(each.counts) for each in series["sizes"]),
        "hits": sum(each.lookups for each in series["hits"]),
    }


# Where `run` itself is interrupted before it sends anything, nobody ever awaits the coroutine: that
# is so without the toolkit, too.
@pytest.mark.filterwarnings("ignore:coroutine 'wait' was never awaited:RuntimeWarning")
@pytest.mark.parametrize("function", [send, refuse, wait, stream])
@pytest.mark.parametrize("is_known", [True, False])
def test_an_interruption_reaches_the_program_and_the_metrics_agree(
    measured, everywhere, function, is_known
):
    for interruption in everywhere(is_ours_or_here, least=30, step=STEP):
        loom, woven = measured(function)

        def call(woven=woven):
            try:
                run(woven, Request("Ann"), "A")
            except ValueError:
                assert function is refuse

        before = CALLS if is_known else 0
        for _ in range(before):
            call()
        if interruption.at % 7 == 0:
            for family in loom.store.families():
                for buffer in family._probe.snapshot():
                    buffer.extend([0.0] * FULL)
        struck = None
        try:
            with interruption:
                call()
        except AlarmError as error:
            struck = error
        assert (struck is not None) is interruption.has_struck, interruption
        for _ in range(CALLS):
            call()
        found = counts(loom)
        assert len({*found.values()}) == 1, (interruption, found)
        affected = 1 if interruption.has_struck else 0
        made = before + 1 + CALLS
        assert made - affected <= found["seconds"] <= made, (interruption, found)


class OwnError(BaseException):
    """A program's own."""


RAISED = (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, OwnError, KeyError)


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("function", [send, refuse])
@pytest.mark.parametrize("way", ["inline", "call"])
def test_what_a_label_raises_never_reaches_the_program(way, function, raised):
    def own(_):
        raise raised

    loom = Loom(way=way)
    loom.functions["own"] = own
    loom.metric("calls_total", a=9, b=9)
    loom.metric("sizes", "histogram")
    loom.metric("hits", "ratio")
    loom.metric("seconds", "histogram")
    woven = loom.weave(
        function,
        loom.record("calls_total", a="own(url)", b="url"),
        loom.record("sizes", value="own(url)"),
        loom.record("hits", hit="own(url)"),
        loom.record("seconds", when="own(url)"),
    ).function
    for _ in range(3):
        try:
            assert woven(Request("Ann"), "A") == 1
        except ValueError:
            assert function is refuse
    assert loom.read("calls_total") == {("error", "A"): 3}
    assert {key[1:]: count for key, count in loom.store.expression_errors.items()} == {
        ("calls_total", "a"): 3,
        ("sizes", "value"): 3,
        ("hits", "hit"): 3,
        ("seconds", "when"): 3,
    }


@pytest.mark.parametrize("way", ["inline", "call"])
def test_what_an_action_raises_never_reaches_the_program(way):
    def action():
        raise KeyboardInterrupt

    loom = Loom(way=way, actions={"go": action})
    woven = loom.weave(send, before=("go",), after=("go",)).function
    assert woven(Request("Ann"), "A") == 1
    loom.store.fold()
    assert sum(loom.store.expression_errors.values()) == 2


@pytest.mark.parametrize("way", ["inline", "call"])
def test_a_log_that_fails_costs_no_call(way, monkeypatch):
    def own(*_):
        raise ValueError

    def refuse_to_log(*_):
        raise OSError("disk full")

    loom = Loom(way=way, actions={"go": own})
    loom.functions["own"] = own
    loom.metric("calls_total", a=9)
    woven = loom.weave(send, loom.record("calls_total", a="own(url)"), after=("go",)).function
    monkeypatch.setattr(logging.getLogger("ancestry_obs"), "warning", refuse_to_log)
    assert woven(Request("Ann"), "A") == 1
    assert loom.read("calls_total") == {("error",): 1}


def test_an_alarm_in_a_label_that_catches_everything_of_its_own_is_the_label_s(measured):
    def own(text):
        try:
            signal.raise_signal(signal.SIGALRM)
        except AlarmError:
            return "caught"

    loom = Loom()
    loom.functions["own"] = own
    loom.metric("calls_total", a=9)
    woven = loom.weave(send, loom.record("calls_total", a="own(url)")).function
    before = signal.signal(signal.SIGALRM, alarm)
    try:
        assert woven(Request("Ann"), "A") == 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert loom.read("calls_total") == {("caught",): 1}


def alarm(*_):
    raise AlarmError


@pytest.mark.parametrize("known", [0, 3])
def test_an_alarm_in_a_label_reaches_the_program(known):
    def own(text):
        if text == "now":
            signal.raise_signal(signal.SIGALRM)
        return text

    loom = Loom()
    loom.functions["own"] = own
    loom.metric("calls_total", a=9)
    woven = loom.weave(send, loom.record("calls_total", a="own(url)")).function
    before = signal.signal(signal.SIGALRM, alarm)
    try:
        for _ in range(known):
            woven(Request("Ann"), "A")
        with pytest.raises(AlarmError):
            woven(Request("Ann"), "now")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert loom.read("calls_total") == ({("A",): known} if known else {})
