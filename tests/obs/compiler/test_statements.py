"""What the statements do besides recording: in-flight gauges, inner calls, hooks, instances."""

from __future__ import annotations

import functools
import logging
import weakref
from types import FunctionType

import pytest

from ancestry_obs.exceptions import CompileError
from ancestry_obs.expressions import parse
from ancestry_obs.mapfile.specs import SampleSpec


def call(value):
    return value() if callable(value) else value


class TestInFlight:
    @pytest.fixture
    def flying(self, loom):
        loom.metric("flying", "in_flight", kind=5)
        return loom.record("flying", on="call", kind="type_name(value)")

    def test_it_is_up_during_the_call_and_down_after_every_way_out(self, loom, flying):
        woven = loom.weave(call, flying)

        def during():
            return loom.read("flying")

        assert woven.function(during) == {("function",): 1}
        with pytest.raises(ZeroDivisionError):
            woven.function(lambda: 1 / 0)
        assert loom.read("flying") == {("function",): 0}
        assert woven.calls() == 2

    def test_recursion_is_counted_at_each_level(self, loom, flying):
        function = loom.weave(call, flying).function
        deepest = function(lambda: function(lambda: function(lambda: loom.read("flying"))))
        assert deepest == {("function",): 3}

    def test_a_condition_that_does_not_hold_leaves_it_alone(self, loom):
        loom.metric("flying", "in_flight")
        function = loom.weave(call, loom.record("flying", on="call", when="value is None")).function
        function(1)
        assert loom.read("flying") == {}
        function(None)
        assert loom.read("flying") == {(): 0}

    def test_a_label_that_fails_goes_up_and_down_in_the_same_series(self, loom):
        loom.metric("flying", "in_flight", kind=5)
        record = loom.record("flying", on="call", kind="value.missing")
        function = loom.weave(call, record).function
        assert function(lambda: loom.read("flying")) == {("error",): 1}
        assert loom.read("flying") == {("error",): 0}

    def test_a_call_begun_before_a_fork_does_not_make_the_child_s_gauge_negative(
        self, loom, flying, in_child
    ):
        function = loom.weave(call, flying).function

        def child():
            # Here the outer call of the parent is still running in this copy.
            inside = loom.read("flying"), function(lambda: loom.read("flying"))
            results.append(inside)
            return inside

        results = []
        answer = function(lambda: in_child(child))
        assert answer == ({}, {("function",): 1})
        assert loom.read("flying") == {("function",): 0}

    def test_a_child_that_goes_on_counts_from_nothing_and_never_below(self, loom, in_child):
        loom.metric("flying", "in_flight")
        loom.metric("calls_total")
        woven = loom.weave(
            call, loom.record("flying", on="call"), loom.record("calls_total", on="exit")
        )
        woven.function(1)
        woven.function(2)

        def child():
            before = loom.read("calls_total"), woven.calls()
            woven.function(3)
            return before, loom.read("calls_total"), loom.read("flying"), woven.calls()

        assert in_child(child) == (({}, 0), {(): 1}, {(): 0}, 1)
        assert loom.read("calls_total") == {(): 2}


class TestInnerCalls:
    """A call that came up through ``super()`` counts where it came from."""

    @pytest.fixture
    def inner(self):
        """The first arguments whose calls are inner ones."""
        return []

    @pytest.fixture
    def weave(self, loom, inner):
        loom.metric("calls_total", cls=9)
        loom.metric("flying", "in_flight")
        loom.actions["in"] = loom.actions["out"] = lambda: inner.append("acted")
        records = (
            loom.record("calls_total", cls="type_name(value)"),
            loom.record("flying", on="call"),
        )

        def make(original, *, records=records, **wishes):
            is_inner = lambda first: any(each is first for each in inner)  # noqa: E731
            return loom.weave(original, *records, is_inner=is_inner, **wishes)

        return make

    def test_an_inner_call_is_done_and_not_recorded(self, loom, weave, inner):
        woven = weave(call, before=("in",), after=("out",))
        inner.append(1)
        assert woven.function(1) == 1
        assert inner == [1]
        assert woven.calls() == 0
        assert loom.read("flying") == {}
        assert woven.function("outer") == "outer"
        assert inner == [1, "acted", "acted"]
        assert woven.calls() == 1
        assert loom.read("calls_total") == {("str",): 1}

    def test_an_inner_call_that_raises_is_not_recorded(self, loom, weave, inner):
        woven = weave(call)
        inner.append(int)

        def fails():
            raise KeyError

        inner.append(fails)
        with pytest.raises(KeyError):
            woven.function(fails)
        assert woven.calls() == 0
        assert loom.read("flying") == {}

    def test_a_first_argument_that_only_a_spread_has_is_asked_about(self, loom, weave, inner):
        def spread(*args):
            return args

        woven = weave(spread, records=())
        asked = object()
        inner.append(asked)
        woven.function(asked, 2)
        assert woven.calls() == 0
        woven.function(2, asked)
        assert woven.calls() == 1

    def test_an_override_knows_instances_of_its_own_class_by_itself(self, loom):
        class Base:
            def save(self):
                return "base"

        class Sub(Base):
            def save(self):
                return super().save()

        class Deep(Sub):
            pass

        asked = []
        woven = loom.weave(Sub.save, is_inner=asked.append)
        assert woven.function(Sub()) == woven.function(deep := Deep()) == "base"
        assert asked == [deep]
        assert woven.calls() == 2

    @pytest.mark.parametrize("other", [{}, {"super": super}, {"super": str}])
    def test_a_permit_is_given_where_super_is_the_one_of_python(self, loom, other):
        class Sub(dict):
            def update(self, n):
                return super().update(n)

        original, space = Sub.update, {**globals(), **other}
        function = FunctionType(original.__code__, space, "update", None, original.__closure__)
        source = loom.counting(function, is_inner=bool).source
        is_given = loom.way == "inline" and other.get("super") is not str
        assert ("_obs_way.permit.first = self" in source) == is_given

    def test_where_overrides_take_no_part_nobody_is_asked(self, loom):
        assert "_obs_inner" not in loom.weave(call).source
        assert "_obs_inner" in loom.weave(call, is_inner=bool).source


class TestActions:
    def test_hooks_run_before_and_after_and_after_only_if_it_returned(self, loom):
        notes = []
        loom.actions |= {"in": lambda: notes.append("in"), "out": lambda: notes.append("out")}
        function = loom.weave(call, before=("in",), after=("out",)).function
        function(lambda: notes.append("call"))
        with pytest.raises(ZeroDivisionError):
            function(lambda: 1 / 0)
        assert notes == ["in", "call", "out", "in"]

    def test_an_action_that_fails_is_counted_and_logged_once(self, loom, caplog):
        loom.actions["bad"] = lambda: 1 / 0
        woven = loom.weave(call, before=("bad",), after=("bad",), target="m:call")
        with caplog.at_level(logging.WARNING, "ancestry_obs"):
            assert (woven.function(1), woven.function(2)) == (1, 2)
        assert loom.failures == {("m:call", "", "bad"): 4}
        assert (
            caplog.messages
            == ["m:call: the action 'bad' failed: ZeroDivisionError: division by zero"] * 2
        )

    def test_an_unknown_action_is_refused(self, loom):
        loom.actions["exporter.start"] = list
        with pytest.raises(CompileError, match=r"m:call: unknown action 'x'; known are: exporter"):
            loom.weave(call, before=("x",))

    def test_instances_are_handed_over_after_init(self, loom):
        class Thing:
            def __init__(self, size):
                self.size = size

        where = loom.record
        sample = SampleSpec("m:Thing", "size", parse("self.size"), (), "last", where)
        seen = []
        loom.trackers[sample] = lambda instance: seen.append((weakref.ref(instance), instance.size))
        woven = loom.weave(Thing.__init__, is_method=True, track=(sample,))
        Thing.__init__ = woven.function
        thing = Thing(3)
        assert seen[0][1] == 3
        assert seen[0][0]() is thing

        @functools.wraps(Thing.__init__)
        def decorated(*args):
            return woven.function(*args)

        again = loom.weave(decorated, is_method=True, track=(sample,))
        Thing.__init__ = again.function
        Thing(4)
        assert [size for _, size in seen] == [3, 4, 4]
