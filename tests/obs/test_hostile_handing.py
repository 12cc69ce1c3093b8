"""What programs do to values that are handed from call to call, and what must not come of it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import importlib
import sys
import weakref

import pytest
from prometheus_client import CollectorRegistry

import ancestry_obs
from ancestry_obs.compiler.handovers import Scope
from ancestry_obs.expressions.grammar import MAX_LENGTH

HOST = """
import asyncio, sys

class Thing:
    def __init__(self, name):
        self.name = name

def outer(tenant, act):
    return act()

async def aouter(tenant, act):
    return await act()

def inner(value=None):
    return value

def looks(value):
    value = None
    del value

def measure(value):
    return len(value)

def fails(thing):
    kept, thing = thing, None
    del kept
    raise ValueError("x")

def survives(thing, keep):
    del thing
    try:
        raise ValueError("x")
    except ValueError as error:
        keep.append(error)

async def again(left, done):
    await asyncio.sleep(0)
    inner("x")
    if left:
        asyncio.get_running_loop().call_soon(start, left - 1, done)
    else:
        done.set()

def start(left, done):
    asyncio.get_running_loop().create_task(again(left, done))

class Sized:
    @property
    def size(self):
        return 1
"""

NAME = "hostile_host"


def target(name):
    return f"{NAME}:{name}"


def counter(*labels):
    return {"type": "counter", "help": "x", "labels": {each: {"max_values": 99} for each in labels}}


@pytest.fixture
def host(make_module, enabled):
    """Install instruments in the program; give it and what reads the counts."""
    registry = CollectorRegistry()

    def begin(metrics, *instruments):
        make_module(NAME, HOST)
        spec = {"version": 1, "metrics": metrics, "instrument": [*instruments]}
        ancestry_obs.install(spec, settings=enabled, registry=registry)
        module = importlib.import_module(NAME)
        states = {(each.target, each.state, each.reason) for each in ancestry_obs.status().targets}
        assert {state for _, state, _ in states} == {"installed"}, states
        return module

    def counts(name):
        return {
            tuple(sample.labels.values()): sample.value
            for family in registry.collect()
            for sample in family.samples
            if sample.name == f"shop_{name}" and sample.value
        }

    begin.counts = counts
    return begin


READS = {
    "target": [target("outer"), target("aouter")],
    "record": [{"metric": "outer_total", "labels": {"value": "told.value"}}],
}
TELLS = {"target": target("inner"), "tell": {"value": "value"}}
OUTERMOST = {
    "target": [target("outer"), target("aouter")],
    "outermost": True,
    "record": [{"metric": "outer_total", "labels": {"value": "tenant"}}],
}
SETS = {"target": [target("outer"), target("aouter")], "context": {"tenant": "tenant"}}
SEES = {
    "target": target("inner"),
    "record": [{"metric": "inner_total", "labels": {"value": "text(context.tenant)"}}],
}
OUTER, INNER = {"outer_total": counter("value")}, {"inner_total": counter("value")}


class Forever:
    def __await__(self):
        while True:
            yield


async def forever():
    await Forever()


@pytest.mark.parametrize("same", [True, False])
def test_a_coroutine_closed_elsewhere_takes_no_context_away(host, same):
    module = host(INNER, SETS, SEES)
    left = module.aouter("ada" if same else "bob", forever)
    contextvars.copy_context().run(left.send, None)

    def act():
        left.close()
        module.inner()

    module.outer("ada", act)
    module.inner()
    assert host.counts("inner_total") == {("ada",): 1, ("None",): 1}


def test_a_coroutine_closed_elsewhere_hears_nothing_and_keeps_nothing_from_being_heard(host):
    module = host(OUTER, READS, TELLS)
    left = module.aouter("ada", forever)
    contextvars.copy_context().run(left.send, None)

    def act():
        left.close()
        module.inner("heard")

    module.outer("ada", act)
    assert host.counts("outer_total") == {("heard",): 1, ("None",): 1}


def test_a_coroutine_closed_elsewhere_makes_no_inner_call_count(host):
    module = host(OUTER, OUTERMOST)
    left = module.aouter("left", forever)
    contextvars.copy_context().run(left.send, None)

    def act():
        left.close()
        module.outer("inner", pass_)

    module.outer("outer", act)
    assert host.counts("outer_total") == {("left",): 1, ("outer",): 1}


def pass_():
    pass


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_coroutines_that_take_turns_in_one_context_leave_nothing_there(host, order):
    module = host({**OUTER, **INNER}, OUTERMOST, SETS, SEES)
    calls = [module.aouter("ada", forever), module.aouter("bob", forever)]
    for each in calls:
        each.send(None)
    for index in order:
        calls[index].close()
    module.inner()
    module.outer("last", pass_)
    assert host.counts("inner_total") == {("None",): 1}
    assert host.counts("outer_total") == {("ada",): 1, ("last",): 1}


def test_a_task_that_outlives_the_outermost_call_is_counted(host):
    module = host(OUTER, OUTERMOST)

    async def main():
        over = asyncio.Event()

        async def later():
            await over.wait()
            module.outer("later", pass_)
            module.outer("later", lambda: module.outer("within", pass_))

        async def act():
            module.outer("within", pass_)
            return asyncio.create_task(later())

        task = await module.aouter("first", act)
        over.set()
        await task

    asyncio.run(main())
    assert host.counts("outer_total") == {("first",): 1, ("later",): 2}


def test_what_starts_itself_anew_is_counted_each_time_and_grows_nothing(host):
    reads = {
        "target": target("again"),
        "outermost": True,
        "record": [{"metric": "outer_total", "labels": {"value": "told.value"}}],
        "context": {"left": "left"},
    }
    module = host(OUTER, reads, TELLS)
    sizes = []

    async def main():
        for rounds in (300, 600):
            done = asyncio.Event()
            module.start(rounds, done)
            await done.wait()
            sizes.append(_depth())

    def _depth():
        gc.collect()
        return sum(type(each) is Scope for each in gc.get_objects())

    asyncio.run(main())
    assert host.counts("outer_total") == {("x",): 902}
    assert max(sizes) < 20


def test_what_is_told_is_read_with_the_parameters_as_they_came_in(host):
    looks = {"target": target("looks"), "tell": {"value": "value"}}
    module = host(OUTER, READS, looks)
    module.outer("ada", lambda: module.looks("came in"))
    assert host.counts("outer_total") == {("came in",): 1}


@pytest.mark.parametrize("expression", ["type_name(entry.size)", "full_type_name(entry.size)",
    "outcome(entry.size)", "startswith('x', entry.size)", "first_word(entry.size)",
    "status_family(entry.size)", "'yes' if ok(entry.size) else 'no'", "lower(entry.size)",
    "endpoint(entry.size)", "max(entry.size, 1)", "round(entry.size)", "error or entry.size",
    "'x' if entry.size is entry.size else 'y'"])  # fmt: skip
def test_no_function_makes_a_value_of_what_could_not_be_found_out(host, expression):
    measure = {
        "target": target("measure"),
        "entry": {"size": "value.missing"},
        "record": [{"metric": "outer_total", "labels": {"value": expression}}],
    }
    module = host(OUTER, measure)
    module.measure("x")
    assert host.counts("outer_total") == {("error",): 1}


@pytest.mark.parametrize("raises", [True, False])
def test_seconds_can_be_told(host, raises):
    tells = {"target": target("outer"), "tell": {"value": "'some' if elapsed >= 0 else 'none'"}}
    reads = {"target": target("aouter"), "record": READS["record"]}
    module = host(OUTER, reads, tells)

    async def act():
        with contextlib.suppress(ZeroDivisionError):
            module.outer("x", (lambda: 1 / 0) if raises else pass_)

    asyncio.run(module.aouter("x", act))
    assert host.counts("outer_total") == {("some",): 1}


def test_a_property_that_its_own_expressions_read_is_not_measured_by_them(host):
    sized = {
        "target": target("Sized.size"),
        "entry": {"size": "self.size"},
        "tell": {"value": "self.size"},
        "context": {"size": "self.size"},
        "record": [{"metric": "outer_total"}],
    }
    module = host({"outer_total": counter()}, sized)
    assert module.Sized().size == 1
    assert host.counts("outer_total") == {(): 1}
    (found,) = ancestry_obs.status().targets
    assert found.calls == 1


@pytest.mark.parametrize(
    "form",
    [
        {
            "entry": {"x": "thing"},
            "record": [{"metric": "outer_total", "labels": {"value": "type_name(entry.x)"}}],
        },
        {"context": {"x": "thing"}},
    ],
)
@pytest.mark.parametrize("ends", ["fails", "survives"])
def test_no_frame_keeps_a_value(host, form, ends):
    module = host(OUTER, {"target": target(ends), **form})
    thing = module.Thing("x")
    there = weakref.ref(thing)
    kept = []
    given = [thing]
    del thing
    try:
        if ends == "fails":
            module.fails(given.pop())
        else:
            module.survives(given.pop(), kept)
    except ValueError as error:
        kept.append(error)
    assert there() is None
    assert kept


def test_no_frame_keeps_what_was_told(host):
    module = host(OUTER, READS, TELLS)
    kept = []

    there = []

    def run():
        thing = module.Thing("x")
        there.append(weakref.ref(thing))
        module.inner(thing)
        del thing
        raise ValueError

    try:
        module.outer("x", run)
    except ValueError as error:
        kept.append(error)
    assert there[0]() is None


def test_long_conditions_and_deep_ones_go_with_outermost(host):
    deep = "not(" * 25 + "tenant == 'x'" + ")" * 25
    long = " or ".join(["tenant == 'x'"] * 29)
    assert MAX_LENGTH - 20 < len(long) <= MAX_LENGTH
    instrument = {
        **OUTERMOST,
        "record": [
            {"metric": "outer_total", "labels": {"value": "tenant"}, "when": long},
            {"metric": "deep_total", "labels": {"value": "tenant"}, "when": deep},
        ],
    }
    module = host({**OUTER, "deep_total": counter("value")}, instrument)
    module.outer("x", lambda: module.outer("y", pass_))
    assert host.counts("outer_total") == {("x",): 1}
    assert host.counts("deep_total") == {}


@pytest.mark.parametrize("instruments", [
    (READS, {**TELLS, "tell": {"value": "len(value)"}}),
    (SETS, SEES), (OUTERMOST,), (READS, TELLS),
    ({**OUTERMOST, "entry": {"x": "len(tenant)"}, "context": {"y": "act.missing"},
      "tell": {"z": "len(tenant)"}},),
], ids=["tell", "context", "outermost", "told", "all"])  # fmt: skip
def test_the_recursion_limit_reaches_as_deep_as_before_and_nothing_is_raised(host, instruments):
    plain = {}
    exec(HOST, plain)
    before = deepest(plain["outer"], plain["inner"])
    assert {*before} == {"v", None}
    module = host({**OUTER, **INNER}, *instruments)
    for _ in range(3):
        assert deepest(module.outer, module.inner) == before


def deepest(outer, inner):
    """Call both with less and less room for frames; give what they answer, None for no room."""

    def down(left):
        return down(left - 1) if left else outer("t", last)

    def last():
        return inner("v")

    answers, frame, depth = [], sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    room = sys.getrecursionlimit() - depth
    for left in range(room - 12, room + 2):
        try:
            answers.append(down(left))
        except RecursionError:
            answers.append(None)
    return answers


def test_code_can_be_hashed_and_compared(host):
    handed = {"entry": {"x": "tenant"}, "context": {"y": "tenant"}, "tell": {"z": "1"}}
    everything = {**OUTERMOST, **handed}
    code = host(OUTER, everything).outer.__code__
    assert {code: 1}[code.replace()] == 1


def test_what_is_taken_out_during_a_call_leaves_no_mark(host, enabled):
    instruments = [{**OUTERMOST, "context": {"tenant": "tenant"}}, SEES]
    module = host({**OUTER, **INNER}, *instruments)

    def act():
        ancestry_obs.uninstall()
        module.inner()

    module.outer("ada", act)
    registry = CollectorRegistry()
    spec = {"version": 1, "metrics": {**OUTER, **INNER}, "instrument": instruments}
    ancestry_obs.install(spec, settings=enabled, registry=registry)
    module.outer("bob", module.inner)
    module.inner()
    value = registry.get_sample_value
    assert value("shop_outer_total", {"value": "bob"}) == 1
    assert value("shop_inner_total", {"value": "bob"}) == 1
    assert value("shop_inner_total", {"value": "None"}) == 1
