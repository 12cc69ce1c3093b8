"""Advices: put together, compared, and used as keys."""

from __future__ import annotations

from ancestry_obs.compiler import Advice
from ancestry_obs.compiler.advice import merge


def call(value):
    return value


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
    assert len({loom.advice(loom.record("a_total")), loom.advice(loom.record("a_total"))}) == 1


def test_one_alone_is_itself_and_several_keep_the_order_of_the_map():
    one = Advice(before=("b", "a"), after=("x",))
    two = Advice(before=("c", "a"), subclasses=True)
    assert merge((one,)) is one
    assert merge((one, two)) == Advice(before=("b", "a", "c"), after=("x",), subclasses=True)


def test_it_knows_the_variables_and_functions_of_all_its_expressions(loom):
    loom.metric("size", "histogram", v=9)
    loom.metric("ratio", "ratio")
    advice = loom.advice(
        loom.record("size", v="lower(a)", value="length(b)", when="c > 1"),
        loom.record("ratio", hit="ok(result)"),
    )
    assert advice.names == {"a", "b", "c", "result"}
    assert advice.called == ("length", "lower", "ok")
