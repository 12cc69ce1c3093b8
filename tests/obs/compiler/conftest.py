from __future__ import annotations

import functools
from dataclasses import dataclass, field
from types import FunctionType, SimpleNamespace

import pytest

from ancestry_obs.compiler import Advice, Aspect, Runtime, weave, weave_callable
from ancestry_obs.compiler.permits import Permit
from ancestry_obs.compiler.sampling import gaps
from ancestry_obs.exceptions import Where
from ancestry_obs.expressions import BUILTIN_FUNCTIONS, parse
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, RecordSpec
from ancestry_obs.recording import HistogramSeries, Store

NOWHERE = Where("test.toml", 7, "instrument[0].record[0]")


class Clock:
    """Gives 0, 1, 2 ... seconds, one more at each look."""

    def __init__(self) -> None:
        self.now = -1.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def _label(name, bound):
    values, most = (bound, None) if isinstance(bound, tuple) else (None, bound)
    return LabelSpec(name, values, most, NOWHERE)


def _expression(text):
    return None if text is None else parse(text)


def copied(function):
    """Copy a function with all that belongs to it."""
    copy = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    functools.update_wrapper(copy, function)
    del copy.__wrapped__
    vars(copy).update(vars(function))
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


class Inner:
    """Tells calls that came up from an override; no type is known to have none."""

    def __init__(self, is_inner):
        self.is_inner = is_inner
        self.plain = set()
        self.permit = Permit()
        self.own = None
        self.find = {}.get

    def has_own(self, code):
        return True


class InPlace:
    """A function that has woven code, and what is known of it."""

    def __init__(self, function, woven):
        self.function = function
        self.woven = woven
        self.calls = woven.calls
        self.disarm = woven.disarm

    @property
    def source(self):
        return self.woven.source


@dataclass
class Loom:
    """Weaves, and reads back what was recorded."""

    store: Store = field(default_factory=lambda: Store(""))
    clock: object = field(default_factory=Clock)
    functions: dict = field(default_factory=lambda: dict(BUILTIN_FUNCTIONS))
    actions: dict = field(default_factory=dict)
    trackers: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    way: str = "inline"
    gaps: object = gaps
    kept: Runtime | None = None

    @property
    def runtime(self):
        """A new one each time, unless one is to be kept as an installation does."""
        return self.kept or Runtime(
            self.store, self.functions, self.actions, self.trackers, self.clock, self.gaps
        )

    def metric(self, name, kind="counter", /, *, buckets=(0.5, 1.0, 2.0), **labels):
        specs = tuple(_label(*item) for item in labels.items())
        bounds = buckets if kind == "histogram" else ()
        self.metrics[name] = MetricSpec(name, kind, "Help.", specs, bounds, NOWHERE)

    def record(
        self,
        metric,
        /,
        *,
        on="exit",
        value=None,
        hit=None,
        when=None,
        each=None,
        exemplar=(),
        **labels,
    ):
        named = tuple((name, parse(text)) for name, text in labels.items())
        return RecordSpec(
            metric,
            named,
            _expression(value),
            _expression(hit),
            on,
            _expression(when),
            NOWHERE,
            each=_expression(each),
            exemplar=tuple((name, parse(text)) for name, text in dict(exemplar).items()),
        )

    def advice(self, *records, **wishes):
        return Advice(records, tuple(self.metrics[each.metric] for each in records), **wishes)

    def weave(
        self,
        original,
        *records,
        target=None,
        advices=None,
        is_method=False,
        is_inner=None,
        text=None,
        **wishes,
    ):
        """Weave into a copy of a function, so that a test can call both."""
        name = getattr(original, "__name__", "call")
        is_function = isinstance(original, FunctionType)
        aspect = Aspect(
            target=target or f"m:{name}",
            code=original.__code__ if is_function else None,
            advices=advices or (self.advice(*records, **wishes),),
            runtime=self.runtime,
            is_method=is_method,
            function=original,
            inner_test=is_inner and Inner(is_inner),
        )
        if not is_function:
            return InPlace(*weave_callable(aspect))
        (woven,) = weave([aspect], "" if self.way == "call" else text)
        if isinstance(woven, Exception):
            raise woven
        function = copied(original)
        function.__code__ = woven.code
        return InPlace(function, woven)

    def counting(self, original, **wishes):
        """Weave a counter of calls without labels and a histogram of their seconds."""
        self.metric("calls_total")
        self.metric("seconds", "histogram")
        return self.weave(original, self.record("calls_total"), self.record("seconds"), **wishes)

    def read(self, name):
        """Give label values and value of a metric's series (a histogram's is count and sum)."""
        self.store.fold()
        family = next(family for family in self.store.families() if family.spec.name == name)
        return {labels: _value(series) for labels, series in family.series()}

    def total(self, name):
        return sum(self.read(name).values())

    @property
    def failures(self):
        self.store.fold()
        return dict(self.store.expression_errors)


def _value(series):
    return (sum(series.counts), series.sum) if isinstance(series, HistogramSeries) else series.value


@pytest.fixture(params=["inline", "call"])
def loom(request):
    """Weaves into the code, or around a call of it: both have to record the same."""
    return Loom(way=request.param)


@pytest.fixture
def response():
    """Makes a response with a status."""
    return type("Response", (SimpleNamespace,), {})
