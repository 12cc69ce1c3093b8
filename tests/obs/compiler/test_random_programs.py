"""Whatever the statements of a body are: woven in, it does what it did, and is counted once.

Programs are written at random, and run twice: as they are, and woven. The same has to come of both:
results, exceptions with their lines and columns, and the lines that a debugger or coverage sees.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import traceback
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter
from types import FunctionType

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from ancestry_obs.compiler import Advice, Aspect, Runtime, weave
from ancestry_obs.exceptions import Where
from ancestry_obs.expressions import parse
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, RecordSpec
from ancestry_obs.recording import Store

NOWHERE = Where("test.toml", None, "")

FILENAME = "<program>"
SIMPLE = (
    "note({n})",
    "x = note({n})",
    "pass",
    "x = {n}; note(x)",
    "del x",
    "x = (lambda: {n})()",
    "note(\n{pad}    {n},\n{pad})",
    "x = [\n{pad}    note({n}),\n{pad}]",
)
RETURNS = ("return", "return {n}", "return note({n})", "return [note({n}),\n{pad}    repr(x)]")
RAISES = ("raise KeyError({n})", "raise ValueError", "raise SystemExit({n})", "boom({n})")
TRAPS = ("except KeyError:", "except (KeyError, ValueError) as x:", "except Exception:", "except:")
CASES = ("case True:", "case [x, *y]:", "case False if ask():", "case x if ask():", "case y:")


class _Writer:
    """Writes one function, statement by statement."""

    def __init__(self, draw, kind):
        self.draw = draw
        self.kind = kind
        self.number = 0
        self.is_async = kind in {"coroutine", "async_generator"}

    def pick(self, options):
        return self.draw(st.sampled_from(options))

    def maybe(self):
        return self.draw(st.booleans())

    def line(self, pad, text):
        self.number += 1
        return pad + text.format(n=self.number, pad=pad)

    def block(self, depth, pad, place):
        lines = []
        for _ in range(self.draw(st.integers(1, 3))):
            lines += self.statement(depth, pad, place)
        return lines

    def statement(self, depth, pad, place):
        compound = ("if", "for", "while", "try", "with", "match", "def") if depth else ()
        kinds = ["simple", "simple", "raise", *compound]
        kinds += [] if "no_return" in place else ["return", "return"]
        kinds += ["leave"] if "loop" in place else []
        kinds += ["reraise"] if "handler" in place else []
        kinds += [] if self.kind == "function" else ["suspend", "suspend"]
        return getattr(self, f"_{self.pick(kinds)}")(depth - 1, pad, place)

    def _simple(self, _, pad, __):
        return [self.line(pad, self.pick(SIMPLE))]

    def _return(self, _, pad, __):
        options = RETURNS[:1] if self.kind == "async_generator" else RETURNS
        return [self.line(pad, self.pick(options))]

    def _raise(self, _, pad, __):
        return [self.line(pad, self.pick(RAISES))]

    def _reraise(self, _, pad, __):
        return [self.line(pad, "raise")]

    def _leave(self, _, pad, __):
        return [self.line(pad, self.pick(("break", "continue")))]

    def _suspend(self, _, pad, __):
        texts = []
        if self.kind != "coroutine":
            texts += ["yield {n}", "x = yield {n}"]
        if self.is_async:
            texts += ["await pause()"]
        return [self.line(pad, self.pick(texts))]

    def _def(self, _, pad, __):
        return [pad + "def inner():", self.line(pad + "    ", "return {n}"), pad + "note(inner())"]

    def _if(self, depth, pad, place):
        if self.maybe():
            return [self.line(pad, f"if ask(): {self.pick(SIMPLE)}")]
        lines = [pad + "if ask():", *self.block(depth, pad + "    ", place)]
        if self.maybe():
            lines += [pad + "elif ask():", *self.block(depth, pad + "    ", place)]
        if self.maybe():
            lines += [pad + "else:", *self.block(depth, pad + "    ", place)]
        return lines

    def _for(self, depth, pad, place):
        head = "async for x in several():" if self.is_async and self.maybe() else "for x in 1, 2:"
        return self._loop([pad + head], depth, pad, place)

    def _while(self, depth, pad, place):
        if self.maybe():
            return self._loop([pad + "while ask():"], depth, pad, place)
        inner = pad + "    "
        return self._loop([pad + "while True:", f"{inner}if not ask(): break"], depth, pad, place)

    def _loop(self, head, depth, pad, place):
        lines = [*head, *self.block(depth, pad + "    ", {*place, "loop"})]
        if self.maybe():
            lines += [pad + "else:", *self.block(depth, pad + "    ", place)]
        return lines

    def _try(self, depth, pad, place):
        inner = pad + "    "
        lines = [pad + "try:", *self.block(depth, inner, place)]
        ends = self.pick(("except", "finally", "both", "star"))
        if ends == "star":
            # Nothing leaves such a handler but an exception.
            handling = {"no_return", "handler"}
            lines += [pad + "except* KeyError:", *self.block(0, inner, handling)]
        elif ends != "finally":
            handling = {*place, "handler"}
            lines += [pad + self.pick(TRAPS), *self.block(depth, inner, handling)]
            if self.maybe():
                lines += [pad + "else:", *self.block(depth, inner, place)]
        if ends in {"finally", "both"}:
            # Python 3.14 warns of a `return` there; what it does is the same.
            lines += [pad + "finally:", *self.block(depth, inner, place)]
        return lines

    def _with(self, depth, pad, place):
        heads = ["with manager():", "with manager() as x, manager():"]
        if self.is_async:
            heads.append("async with amanager():")
        return [pad + self.pick(heads), *self.block(depth, pad + "    ", place)]

    def _match(self, depth, pad, place):
        lines = [pad + "match ask():"]
        cases = self.draw(st.lists(st.sampled_from(CASES), min_size=1, max_size=3, unique=True))
        for case in sorted(cases, key=CASES.index):
            lines += [pad + "    " + case, *self.block(depth, pad + "        ", place)]
        return lines


@st.composite
def programs(draw, kind):
    """Write a module with one function `f` of a kind."""
    writer = _Writer(draw, kind)
    head = ("async " if writer.is_async else "") + "def f(x=None):"
    doc = ['    """Has a docstring."""'] if draw(st.booleans()) else []
    body = writer.block(3, "    ", set())
    # At the end, never reached as often as not.
    pieces = [] if kind in {"function", "coroutine"} else ["    if ask(): yield 0"]
    pieces = pieces if draw(st.booleans()) else [*pieces[::-1]]
    placed = [*pieces, *body] if draw(st.booleans()) else [*body, *pieces]
    return "\n".join([head, *doc, *placed]) + "\n"


class World:
    """What a program may call, with all that it tells.

    Args:
        decisions: The answers to `ask`; then it is always no.
    """

    def __init__(self, decisions):
        self.decisions = list(decisions)
        self.log = []

    @property
    def namespace(self):
        return {
            "ask": self.ask, "note": self.note, "boom": self.boom, "pause": self.pause,
            "manager": self.manager, "amanager": self.amanager, "several": self.several,
        }  # fmt: skip

    def ask(self):
        return bool(self.decisions) and self.decisions.pop(0)

    def note(self, value):
        self.log.append(value)
        return value

    def boom(self, value):
        raise LookupError(value)

    async def pause(self):
        await asyncio.sleep(0)

    @contextmanager
    def manager(self):
        self.note("in")
        try:
            yield
        except Exception as error:
            self.note(repr(error))
            if not self.ask():
                raise
        finally:
            self.note("out")

    @asynccontextmanager
    async def amanager(self):
        with self.manager():
            yield

    async def several(self):
        for each in 1, 2:
            await self.pause()
            yield each


def run(function, kind, throws=()):
    """Run a function to its end; give what came of it and the lines that a tracer saw.

    Args:
        function: Any.
        kind: What its call gives.
        throws: Whether a generator is asked for its next item by an exception, for each.
    """
    seen = []

    def trace(frame, event, _):
        if frame.f_code is not function.__code__:
            return None
        return look(frame, event, None)

    def look(frame, event, _):
        if event == "line":
            seen.append(frame.f_lineno)
        return look

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        outcome = _outcome(function, kind, throws)
    finally:
        sys.settrace(before)
    return outcome, seen


def _outcome(function, kind, throws):
    yielded = []
    try:
        return "gave", _finish(function, kind, yielded, throws), yielded
    except BaseException as error:
        return "raised", _chain(error), yielded


def _finish(function, kind, yielded, throws):
    if kind == "function":
        return function()
    if kind == "generator":
        return _exhaust(function(), yielded, throws)
    if kind == "coroutine":
        return _drive(function())

    async def main():
        generator, asks = function(), iter(throws)
        while True:
            is_thrown = yielded and next(asks, False)
            step = generator.athrow(KeyError("thrown")) if is_thrown else generator.asend(None)
            try:
                yielded.append(await step)
            except StopAsyncIteration:
                return

    return _drive(main())


def _exhaust(generator, yielded, throws):
    asks = iter(throws)
    while True:
        is_thrown = yielded and next(asks, False)
        try:
            yielded.append(generator.throw(KeyError("thrown")) if is_thrown else next(generator))
        except StopIteration as stop:
            return stop.value


def _drive(coroutine):
    # Without a loop, which would take a SystemExit for its own.
    while True:
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value


def _chain(error):
    told = []
    while error is not None and len(told) < 9:
        frames = [
            (frame.name, frame.lineno, frame.colno, frame.end_colno)
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == FILENAME
        ]
        told.append((repr(error), frames))
        error = error.__context__
    return told


def weave_text(text, kind, records, clock=perf_counter):
    """Weave into the function of a program; give a maker of it and what was woven."""
    namespace = {}
    exec(compile(text, FILENAME, "exec", dont_inherit=True), namespace)
    original = namespace["f"]
    store = Store("")
    specs = {record.metric: _metric(record) for record in records}
    advice = Advice(tuple(records), tuple(specs.values()))
    runtime = Runtime(store, clock=clock)
    aspect = Aspect("m:f", original.__code__, (advice,), runtime, function=original)
    (woven,) = weave([aspect], text)
    assert woven.why_called == ""
    return original, woven, store, specs


def _metric(record):
    kind = {"flying": "in_flight", "seconds": "histogram"}.get(record.metric, "counter")
    labels = tuple(LabelSpec(name, None, 99, NOWHERE) for name, _ in record.labels)
    buckets = (1.0,) if kind == "histogram" else ()
    return MetricSpec(record.metric, kind, "H.", labels, buckets, NOWHERE)


def _record(metric, on, value=None, **labels):
    named = tuple((name, parse(text)) for name, text in labels.items())
    return RecordSpec(metric, named, value and parse(value), None, on, None, NOWHERE)


WISHES = {
    "all": [
        _record("ended_total", "exit", how="outcome(error)"),
        _record("returned_total", "return", what="text(result)", given="text(x)"),
        _record("raised_total", "raise", what="type_name(error)"),
        _record("flying", "call"),
    ],
    "end": [_record("returned_total", "return", what="text(result)")],
    "entry": [_record("begun_total", "call")],
}


def with_world(function, code, decisions):
    """Give a function with some code in a world of its own."""
    world = World(decisions)
    made = FunctionType(code, {**world.namespace, "__builtins__": __builtins__}, "f", (None,))
    return made, world


@pytest.mark.parametrize("wishes", WISHES)
@pytest.mark.parametrize("kind", ["function", "generator", "coroutine", "async_generator"])
@given(data=st.data(), decisions=st.lists(st.booleans(), max_size=12))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_woven_program_does_what_it_did_and_is_counted_once(kind, wishes, data, decisions):
    text = data.draw(programs(kind))
    note(text)
    original, woven, store, specs = weave_text(text, kind, WISHES[wishes])
    plain, world = with_world(original, original.__code__, decisions)
    expected, lines = run(plain, kind)
    function, other = with_world(original, woven.code, decisions)
    outcome, seen = run(function, kind)

    assert outcome == expected
    assert other.log == world.log
    assert woven.calls() == 1
    # Python 3.11 itself shows the line of an `except*` once more at the end.
    if sys.version_info >= (3, 12) or "except*" not in text:
        assert at_a_glance(seen) == at_a_glance(lines)
    store.fold()
    counted = {name: dict(store.family(spec).series()) for name, spec in specs.items()}
    assert read(counted) == told(wishes, kind, expected)


ITEMS = [
    _record("items_total", "item", what="text(item)"),
    _record("seconds", "item"),
    _record("firsts_total", "first", what="text(item)"),
    _record("handed_total", "exit", value="items"),
]


@pytest.mark.parametrize("kind", ["generator", "async_generator"])
@given(
    data=st.data(),
    decisions=st.lists(st.booleans(), max_size=12),
    throws=st.lists(st.booleans(), max_size=6),
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_every_item_of_a_program_is_counted(kind, data, decisions, throws):
    text = data.draw(programs(kind))
    note(text)
    # Nothing but its user takes any time, and that is no item's.
    original, woven, store, specs = weave_text(text, kind, ITEMS, clock=lambda: 7.0)
    plain, world = with_world(original, original.__code__, decisions)
    expected, lines = run(plain, kind, throws)
    function, other = with_world(original, woven.code, decisions)
    outcome, seen = run(function, kind, throws)

    assert outcome == expected
    assert other.log == world.log
    if sys.version_info >= (3, 12) or "except*" not in text:
        assert at_a_glance(seen) == at_a_glance(lines)
    store.fold()
    yielded = list(map(str, expected[2]))
    (seconds,) = [series for _, series in store.family(specs.pop("seconds")).series()] or [None]
    assert sum(seconds.counts if seconds else ()) == len(yielded)
    counted = read({name: dict(store.family(spec).series()) for name, spec in specs.items()})
    assert counted == {
        "items_total": {(each,): yielded.count(each) for each in yielded},
        "firsts_total": {(each,): 1.0 for each in yielded[:1]},
        "handed_total": {(): len(yielded)},
    }


def read(counted):
    return {
        name: {labels: series.value for labels, series in found.items()}
        for name, found in counted.items()
    }


def told(wishes, kind, expected):
    """Say what has to be recorded of a call with some outcome."""
    way, value, _ = expected
    if wishes == "entry":
        return {"begun_total": {(): 1.0}}
    gave = way == "gave"
    if wishes == "end":
        return {"returned_total": {(str(value),): 1.0} if gave else {}}
    name = "" if gave else value[0][0].partition("(")[0]
    return {
        "ended_total": {("success" if gave else "error",): 1.0},
        "returned_total": {(str(value), "None"): 1.0} if gave else {},
        "raised_total": {} if gave else {(name,): 1.0},
        "flying": {(): 0.0},
    }


def at_a_glance(seen):
    """Take a line that shows several times in a row for one, as where a memo misses.

    Where several lines lead to the end of a call, its first line shows once more there.
    """
    shown = [each for each, _ in itertools.groupby(seen)]
    return shown[:-1] if len(shown) > 1 and shown[-1] == shown[0] else shown
