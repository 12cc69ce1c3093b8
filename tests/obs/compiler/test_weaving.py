"""What else weaving does: in-flight gauges, subclasses, hooks, instances, disarming, mistakes."""

from __future__ import annotations

import functools
import gc
import linecache
import logging
import weakref

import pytest

from ancestry_obs.compiler import shadowed_names
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
        wrapper = loom.weave(call, flying).function
        deepest = wrapper(lambda: wrapper(lambda: wrapper(lambda: loom.read("flying"))))
        assert deepest == {("function",): 3}

    def test_a_condition_that_does_not_hold_leaves_it_alone(self, loom):
        loom.metric("flying", "in_flight")
        wrapper = loom.weave(call, loom.record("flying", on="call", when="value is None")).function
        wrapper(1)
        assert loom.read("flying") == {}
        wrapper(None)
        assert loom.read("flying") == {(): 0}

    def test_a_label_that_fails_goes_up_and_down_in_the_same_series(self, loom):
        loom.metric("flying", "in_flight", kind=5)
        record = loom.record("flying", on="call", kind="value.missing")
        wrapper = loom.weave(call, record).function
        assert wrapper(lambda: loom.read("flying")) == {("error",): 1}
        assert loom.read("flying") == {("error",): 0}

    def test_a_call_begun_before_a_fork_does_not_make_the_child_s_gauge_negative(
        self, loom, flying, in_child
    ):
        wrapper = loom.weave(call, flying).function

        def child():
            # Here the outer call of the parent is still running in this copy.
            inside = loom.read("flying"), wrapper(lambda: loom.read("flying"))
            results.append(inside)
            return inside

        results = []
        answer = wrapper(lambda: in_child(child))
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


class TestSubclasses:
    def weave(self, loom, owner, name="go", wrap=lambda function: function):
        loom.metric("calls_total", cls=9)
        record = loom.record("calls_total", cls="type_name(self)")
        original = vars(owner)[name]
        original = getattr(original, "__func__", getattr(original, "fget", original))
        woven = loom.weave(original, record, owner=owner, name=name, subclasses=True)
        setattr(owner, name, wrap(woven.function))
        return woven

    def classes(self):
        class Base:
            def go(self):
                return "base"

        class Middle(Base):
            def go(self):
                return "middle " + super().go()

        class Child(Middle):
            def go(self):
                return "child " + super().go()

        return Base, Middle, Child

    def test_a_call_through_super_counts_once(self, loom):
        classes = self.classes()
        for each in classes:
            self.weave(loom, each)
        assert [each().go() for each in classes] == ["base", "middle base", "child middle base"]
        assert loom.read("calls_total") == {("Base",): 1, ("Middle",): 1, ("Child",): 1}

    def test_an_override_that_is_not_woven_does_not_hide_the_base_s_wrapper(self, loom):
        base, middle, child = self.classes()
        self.weave(loom, base)
        self.weave(loom, middle)
        child().go()
        assert loom.read("calls_total") == {("Child",): 1}

    def test_a_foreign_decorator_above_an_override_changes_nothing(self, loom):
        base, middle, _ = self.classes()
        self.weave(loom, base)

        def foreign(function):
            @functools.wraps(function)
            def above(self):
                return function(self)

            return above

        self.weave(loom, middle, wrap=foreign)
        middle().go()
        base().go()
        assert loom.read("calls_total") == {("Middle",): 1, ("Base",): 1}

    def test_class_methods_and_properties_count_once_too(self, loom):
        class Base:
            @classmethod
            def go(cls):
                return 1

            @property
            def size(self):
                return 1

        class Child(Base):
            @classmethod
            def go(cls):
                return 1 + super().go()

            @property
            def size(self):
                return 1 + super().size

        for each in (Base, Child):
            self.weave(loom, each, wrap=classmethod)
            self.weave(loom, each, "size", property)
        assert (Child.go(), Child().size) == (2, 2)
        assert loom.total("calls_total") == 2

    def test_a_disarmed_override_leaves_the_counting_to_the_base(self, loom):
        base, middle, _ = self.classes()
        self.weave(loom, base)
        self.weave(loom, middle).disarm()
        middle().go()
        assert loom.read("calls_total") == {("Middle",): 1}


class TestActions:
    def test_hooks_run_before_and_after_and_after_only_if_it_returned(self, loom):
        notes = []
        loom.actions |= {"in": lambda: notes.append("in"), "out": lambda: notes.append("out")}
        wrapper = loom.weave(call, before=("in",), after=("out",)).function
        wrapper(lambda: notes.append("call"))
        with pytest.raises(ZeroDivisionError):
            wrapper(lambda: 1 / 0)
        assert notes == ["in", "call", "out", "in"]

    def test_an_action_that_fails_is_counted_and_logged_once(self, loom, caplog):
        loom.actions["bad"] = lambda: 1 / 0
        woven = loom.weave(call, before=("bad",), after=("bad",), target="m:call")
        with caplog.at_level(logging.WARNING, "ancestry_obs"):
            assert (woven.function(1), woven.function(2)) == (1, 2)
        assert loom.failures == {("m:call", "", "bad"): 4}
        assert (
            caplog.messages
            == ["m:call: the action 'bad' failed: ZeroDivisionError('division by zero')"] * 2
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
        woven = loom.weave(Thing.__init__, owner=Thing, name="__init__", track=(sample,))
        Thing.__init__ = woven.function
        thing = Thing(3)
        assert seen[0][1] == 3
        assert seen[0][0]() is thing

        @functools.wraps(Thing.__init__)
        def decorated(*args):
            return woven.function(*args)

        again = loom.weave(decorated, owner=Thing, name="__init__", track=(sample,))
        Thing.__init__ = again.function
        Thing(4)
        assert [size for _, size in seen] == [3, 4, 4]


class TestDisarming:
    def test_what_still_holds_the_wrapper_passes_calls_on_unrecorded(self, loom):
        woven = loom.counting(call)
        held = woven.function
        held(1)
        woven.disarm()
        assert held(2) == 2
        assert woven.calls() == 1
        assert loom.total("calls_total") == 1
        assert "clock" not in held.__code__.co_names

    def test_a_call_that_is_running_is_recorded_as_it_began(self, loom):
        woven = loom.counting(call)
        woven.function(woven.disarm)
        assert loom.read("calls_total") == {(): 1}

    def test_the_source_is_dropped(self, loom):
        woven = loom.counting(call, target="m:dropped")
        assert "<ancestry-obs m:dropped>" in linecache.cache
        woven.disarm()
        assert "<ancestry-obs m:dropped>" not in linecache.cache

    def test_every_kind_keeps_its_kind(self, loom):
        def numbers(n):
            yield from range(n)

        async def agen():
            yield 1

        async def coroutine():
            return 2

        for original in (numbers, agen, coroutine):
            woven = loom.counting(original)
            flags = woven.function.__code__.co_flags
            woven.disarm()
            assert woven.function.__code__.co_flags == flags
        woven = loom.counting(numbers)
        woven.disarm()
        assert list(woven.function(3)) == [0, 1, 2]

    def test_nothing_of_it_stays_behind_once_nobody_holds_it(self, loom):
        woven = loom.counting(call)
        woven.function(1)
        woven.disarm()
        function = weakref.ref(woven.function)
        del woven
        gc.collect()
        loom.store.fold()
        assert function() is None
        assert not [probe for probe in loom.store._probes if probe.target == "m:call"]
        assert loom.total("calls_total") == 1


class TestMistakes:
    @pytest.mark.parametrize(
        ("wishes", "message"),
        [
            ({"v": "valeu"}, "unknown name 'valeu'; did you mean 'value'?"),
            ({"v": "uper(value)"}, "unknown function 'uper'; did you mean 'upper'?"),
            ({"v": "value", "when": "nothing"}, "unknown name 'nothing'"),
            ({"v": "result", "on": "call"}, "unknown name 'result'"),
            ({"v": "self.x"}, "unknown name 'self'"),
        ],
    )
    def test_an_expression_that_names_something_unknown_is_refused(self, loom, wishes, message):
        loom.metric("a_total", v=5)
        with pytest.raises(CompileError) as caught:
            loom.weave(call, loom.record("a_total", **wishes))
        assert str(caught.value).startswith("test.toml:7: instrument[0].record[0]: m:call: ")
        assert message in str(caught.value)

    def test_a_static_method_has_no_self(self, loom):
        class A:
            @staticmethod
            def f(value):
                return value

        loom.metric("a_total", v=5)
        with pytest.raises(CompileError, match="unknown name 'self'"):
            loom.weave(A.f, loom.record("a_total", v="self"), owner=A, name="f")

    def test_a_metric_that_no_advice_declares_is_refused(self, loom):
        loom.metric("a_total")
        advice = loom.advice(loom.record("a_total"))
        bare = type(advice)(records=advice.records)
        with pytest.raises(
            CompileError, match="metric 'a_total' is not among the advice's metrics"
        ):
            loom.weave(call, advices=(bare,))

    def test_parameters_that_expressions_cannot_read_are_named(self):
        def f(error, other, result):
            return None

        assert shadowed_names(f) == ("result", "error")


def test_advices_are_merged_and_duplicates_recorded_once(loom):
    loom.metric("a_total")
    loom.metric("b_total")
    one = loom.advice(loom.record("a_total"))
    two = loom.advice(loom.record("b_total"), loom.record("a_total"))
    woven = loom.weave(call, advices=(one, two, one))
    woven.function(1)
    assert (loom.total("a_total"), loom.total("b_total")) == (1, 1)
    assert woven.source.count(".append(") == 1


def test_equal_advices_are_equal(loom):
    loom.metric("a_total")
    assert loom.advice(loom.record("a_total")) == loom.advice(loom.record("a_total"))
    assert loom.advice(loom.record("a_total")) != loom.advice(loom.record("a_total", on="call"))
    before = loom.advice(loom.record("a_total"))
    loom.metric("a_total", extra=3)
    assert loom.advice(loom.record("a_total")) != before
