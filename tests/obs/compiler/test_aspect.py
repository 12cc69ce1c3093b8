"""An aspect checks what is wanted, and knows what its target takes and what a call of it gives."""

from __future__ import annotations

import functools
import inspect

import pytest

from ancestry_obs.compiler import Aspect
from ancestry_obs.compiler.aspect import kind_of
from ancestry_obs.exceptions import CompileError


def call(value):
    return value


async def coroutine(value):
    return value


def generator(value):
    yield value


async def async_generator(value):
    yield value


@pytest.mark.parametrize("original", [coroutine, generator, async_generator])
def test_the_kind_is_what_the_code_gives(loom, original):
    assert kind_of(original.__code__) == original.__name__


def test_what_has_no_code_is_a_function_unless_it_is_a_coroutine_function(loom):
    def kind(function):
        return Aspect("m:f", None, (), loom.runtime, function=function).kind

    assert kind(functools.partial(coroutine)) == "coroutine"
    assert kind(functools.partial(call)) == kind(functools.partial(generator)) == "function"
    assert kind_of(None) == "function"


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
            loom.weave(A.f, loom.record("a_total", v="self"))

    def test_a_metric_that_no_advice_declares_is_refused(self, loom):
        loom.metric("a_total")
        advice = loom.advice(loom.record("a_total"))
        bare = type(advice)(records=advice.records)
        with pytest.raises(
            CompileError, match="metric 'a_total' is not among the advice's metrics"
        ):
            loom.weave(call, advices=(bare,))

    def test_what_is_wrong_with_one_leaves_the_others_alone(self, loom):
        loom.metric("a_total", v=5)
        with pytest.raises(CompileError):
            loom.weave(call, loom.record("a_total", v="nothing"))
        woven = loom.weave(call, loom.record("a_total", v="value"))
        woven.function(1)
        assert loom.read("a_total") == {("1",): 1}


class TestShapes:
    """Equal for targets to which the same statements do justice."""

    def shape(self, loom, original, **wishes):
        loom.metric("a_total", v=9)
        wanted = {"is_method": False, "inner_test": None, **wishes}
        text = wanted.pop("label", "1")
        advices = (loom.advice(loom.record("a_total", v=text)),)
        return Aspect(
            "m:f", original.__code__, advices, loom.runtime, function=original, **wanted
        ).shape

    def test_other_names_are_the_same_shape_unless_they_are_read(self, loom):
        def other(thing):
            return thing

        assert self.shape(loom, call) == self.shape(loom, other)
        assert self.shape(loom, call, label="value") != self.shape(loom, other, label="thing")

    @pytest.mark.parametrize("wishes", [{"is_method": True}, {"inner_test": bool}, {"label": "2"}])
    def test_what_else_is_wanted_is_another_shape(self, loom, wishes):
        assert self.shape(loom, call) != self.shape(loom, call, **wishes)

    def test_another_kind_is_another_shape(self, loom):
        assert len({self.shape(loom, each) for each in (call, coroutine, generator)}) == 3
        assert inspect.iscoroutinefunction(coroutine)

    def test_parameters_that_no_statement_names_are_no_part_of_it(self, loom):
        def others(first, *values, value, **more):
            return value

        def third(one, two, value=None, /):
            return value

        for label in ("1", "value", "type_name(value)", "text(result)"):
            (shape,) = {self.shape(loom, each, label=label) for each in (call, others, third)}
        assert shape != self.shape(loom, call)

    @pytest.mark.parametrize("wishes", [{"inner_test": bool}, {"label": "self", "is_method": True}])
    def test_the_first_one_is_a_part_of_it_where_a_statement_asks_for_it(self, loom, wishes):
        def none():
            return None

        def method(self, value):
            return value

        shapes = {self.shape(loom, each, **wishes) for each in (none, method)}
        assert len(shapes) == 2

    def test_a_methods_own_one_is_another_than_the_others(self, loom):
        def method(value, other):
            return value

        def later(other, value):
            return value

        shapes = {
            self.shape(loom, each, label="text(value)", is_method=True) for each in (method, later)
        }
        assert len(shapes) == 2


def test_variables_have_names_that_the_code_has_not(loom):
    def odd(_obs_x):
        _obs2_y = _obs_x
        return lambda: _obs2_y

    aspect = Aspect("m:f", odd.__code__, (), loom.runtime, function=odd)
    assert aspect.names.prefix == "_obs3_"
