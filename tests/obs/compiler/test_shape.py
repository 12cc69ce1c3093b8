"""Targets of one shape share a design, and each gets code and source with its own names."""

from __future__ import annotations

import asyncio
import inspect
import linecache
import traceback

import pytest

from ancestry_obs.compiler import Advice, Runtime, weave
from ancestry_obs.compiler import design as design_module


def fetch(self, url, *, retries=1):
    return url, retries


def load(this, path, *, attempts=2):
    return path, attempts


def swapped(self, retries, *, url=1):
    return url, retries


@pytest.fixture
def weave_all(loom):
    """Weave functions with one runtime, as an installation does; counts the designs too."""
    loom.metric("calls_total", what=9)
    runtime = Runtime(loom.store, loom.functions, clock=loom.clock)

    def weave_in(*originals, expressions=None, owner=dict):
        for index, original in enumerate(originals):
            text = (expressions or ["self is None"] * len(originals))[index]
            yield weave(
                original,
                target=f"m:{original.__name__}",
                owner=owner,
                name=original.__name__,
                advices=(loom.advice(loom.record("calls_total", what=text)),),
                runtime=runtime,
            )

    weave_in.designs = runtime.designs
    return weave_in


def test_names_alone_make_no_other_shape(weave_all):
    first, second = weave_all(fetch, load)
    assert len(weave_all.designs) == 1
    assert first.function(None, "u") == ("u", 1)
    assert second.function(None, path="p", attempts=5) == ("p", 5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'url'"):
        second.function(None, url="p")


def test_each_keeps_counts_of_its_own(weave_all, loom):
    first, second = weave_all(fetch, load)
    first.function(None, "u")
    first.function(None, "u")
    second.function(None, "p")
    assert (first.calls(), second.calls()) == (2, 1)
    assert loom.total("calls_total") == 3


def test_each_shows_its_own_names(weave_all):
    first, second = weave_all(fetch, load)
    assert "def fetch(self, url, *, retries):" in first.source
    assert "_obs_call(this, path, attempts=attempts)" in second.source
    assert second.function.__code__.co_varnames[:3] == ("this", "path", "attempts")


def test_a_parameter_that_is_read_at_another_place_makes_another_shape(weave_all, loom):
    first, second = weave_all(fetch, swapped, expressions=["url", "url"])
    first.function(None, "first", retries="no")
    second.function(None, "no", url="second")
    assert len(weave_all.designs) == 2
    assert set(loom.read("calls_total")) == {("first",), ("second",)}


def test_other_kinds_of_parameters_make_another_shape(weave_all):
    def positional(self, url, retries=1):
        return url, retries

    _, second = weave_all(fetch, positional)
    assert second.function(None, "u", 3) == ("u", 3)
    assert len(weave_all.designs) == 2


async def coroutine(self, url, *, retries=1):
    return url, retries


def test_a_coroutine_is_of_another_shape(weave_all):
    _, second = weave_all(fetch, coroutine)
    assert inspect.iscoroutinefunction(second.function)


def test_other_wishes_make_another_shape(weave_all, loom):
    first, second = weave_all(fetch, fetch, expressions=["url + 'a'", "url + 'b'"])
    first.function(None, "1")
    second.function(None, "2")
    assert set(loom.read("calls_total")) == {("1a",), ("2b",)}


class Holder:
    def method(first, url):  # noqa: N805  the same name for another thing
        return first, url

    @staticmethod
    def static(first, url):
        return first, url


def test_a_first_parameter_is_a_text_unless_it_is_an_instance(weave_all):
    originals, expressions = (Holder.method, Holder.static), ["text(first)"] * 2
    first, second = weave_all(*originals, expressions=expressions, owner=Holder)
    assert "_obs_type(first)" not in first.source
    assert "first if _obs_type(first) is _obs_str else" in second.source


def test_only_what_is_in_a_class_is_asked_for_inner_calls(loom):
    advices = (Advice(subclasses=True),)
    runtime = Runtime(loom.store)
    for owner, asks in ((Holder, True), (None, False)):
        woven = weave(
            Holder.static,
            target="m:s",
            owner=owner,
            name="static",
            advices=advices,
            runtime=runtime,
        )
        assert ("_obs_inner" in woven.source) is asks


def test_a_parameter_called_like_a_placeholder_gets_what_it_was_given(weave_all):
    def odd(self, _obs_p0, *, _obs_p1=1):
        return _obs_p0, _obs_p1

    _, second = weave_all(fetch, odd)
    assert second.function(None, 3, _obs_p1=4) == (3, 4)


def test_a_metric_that_was_replaced_is_not_recorded_to_any_more(weave_all, loom):
    (first,) = weave_all(fetch)
    loom.store.drop("calls_total")
    (second,) = weave_all(load)
    first.function(None, "u")
    second.function(None, "p")
    assert loom.total("calls_total") == 1


def test_a_label_function_that_was_replaced_is_not_called_any_more(weave_all, loom):
    loom.functions["mine"] = lambda _: "old"
    (first,) = weave_all(fetch, expressions=["mine(url)"])
    loom.functions["mine"] = lambda _: "new"
    (second,) = weave_all(fetch, expressions=["mine(url)"])
    first.function(None, "u")
    second.function(None, "u")
    assert set(loom.read("calls_total")) == {("old",), ("new",)}


def test_what_a_wish_cannot_read_is_told_for_each_target(weave_all):
    wishes = weave_all(fetch, load, expressions=["url", "url"])
    next(wishes)
    with pytest.raises(Exception, match="m:load: unknown name 'url'"):
        next(wishes)


def test_designs_are_bounded(weave_all, monkeypatch):
    monkeypatch.setattr(design_module, "_MOST", 1)
    first, second = weave_all(fetch, coroutine)
    assert len(weave_all.designs) == 1
    assert first.function(None, 1) == (1, 1)
    assert asyncio.run(second.function(None, 2)) == (2, 1)


def fails(self, url, *, retries=1):
    raise ValueError(url)


def test_a_traceback_shows_the_line_with_the_targets_names_and_no_wrong_columns(weave_all):
    _, woven = weave_all(fetch, fails)
    with pytest.raises(ValueError, match="u") as caught:
        woven.function(None, "u")
    frame = traceback.extract_tb(caught.value.__traceback__)[1]
    assert frame.filename == "<ancestry-obs m:fails>"
    assert frame.line == "_obs_result = _obs_call(self, url, retries=retries)"
    assert (frame.colno, frame.end_colno) == (None, None)


def test_debuggers_find_the_source_until_it_is_disarmed(weave_all):
    _, woven = weave_all(fetch, load)
    filename = woven.function.__code__.co_filename
    linecache.checkcache(filename)
    lines = linecache.getlines(filename)
    assert "".join(lines[:]) == woven.source
    assert linecache.getline(filename, 2) == lines[1] == "    def load(this, path, *, attempts):\n"
    assert linecache.getline(filename, len(lines) + 1) == ""
    woven.disarm()
    assert linecache.getlines(filename) == []
