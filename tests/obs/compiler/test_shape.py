"""Targets of one shape share their statements, and each gets them with its own names."""

from __future__ import annotations

import asyncio
import functools
import inspect

import pytest

from ancestry_obs.compiler import shape as shape_module
from ancestry_obs.exceptions import CompileError


def fetch(self, url, *, retries=1):
    return url, retries


def load(this, path, *, attempts=2):
    return path, attempts


def swapped(self, retries, *, url=1):
    return url, retries


@pytest.fixture
def weave_all(loom):
    """Weave functions with one runtime, as an installation does; has the shapes too."""
    loom.metric("calls_total", what=9)
    runtime = loom.runtime
    loom.kept = runtime

    def weave_in(*originals, expressions=None, is_method=True):
        for index, original in enumerate(originals):
            text = (expressions or ["self is None"] * len(originals))[index]
            yield loom.weave(original, loom.record("calls_total", what=text), is_method=is_method)

    weave_in.shapes = runtime.shapes
    return weave_in


def test_names_alone_make_no_other_shape(weave_all):
    first, second = weave_all(fetch, load)
    assert len(weave_all.shapes) == 1
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
    if first.woven.why_called:
        assert "def call(self, url, *, retries):" in first.source
        assert "_obs_call(this, path, attempts=attempts)" in second.source
    else:
        assert "def fetch(self, url, *, retries=1):" in first.source
        assert "def load(this, path, *, attempts=2):" in second.source
    assert second.function.__code__.co_varnames[:3] == ("this", "path", "attempts")


def test_a_parameter_at_another_place_is_read_there_by_the_same_shape(weave_all, loom):
    first, second = weave_all(fetch, swapped, expressions=["url", "url"])
    first.function(None, "first", retries="no")
    second.function(None, "no", url="second")
    assert len(weave_all.shapes) == 1
    assert set(loom.read("calls_total")) == {("first",), ("second",)}


def test_parameters_that_no_statement_names_make_no_other_shape(weave_all):
    def positional(self, url, retries=1):
        return url, retries

    def spread(*urls, **options):
        return urls, options

    _, second, third = weave_all(fetch, positional, spread, expressions=["'x'"] * 3)
    assert second.function(None, "u", 3) == ("u", 3)
    assert third.function("u", retries=3) == (("u",), {"retries": 3})
    assert len(weave_all.shapes) == 1


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
    (first,) = weave_all(Holder.method, expressions=["text(first)"])
    (second,) = weave_all(Holder.static, expressions=["text(first)"], is_method=False)
    assert "_obs_type(first)" not in first.source
    assert "first if _obs_type(first) is _obs_str else" in second.source


def test_a_parameter_called_like_a_placeholder_gets_what_it_was_given(weave_all):
    def odd(self, _obs_p0, *, _obs_p1=1):
        return _obs_p0, _obs_p1

    _, second = weave_all(fetch, odd)
    assert second.function(None, 3, _obs_p1=4) == (3, 4)


SIGNATURES = (
    "a", "a, b", "b, a", "*, a", "b, *a", "*a", "**a", "a, /, b", "b, *, a", "_obs_p1, a", "b", "",
    "a, elapsed", "elapsed, a", "a, result", "error, *, a", "item, a", "a, items", "a, target",
    "self, a", "a, self", "b, self, a", "*, self", "*self", "b, *, self",
)  # fmt: skip
AFTER = {"result": "result", "error": None, "elapsed": 1.0}


def given_to(function):
    """Give what each parameter is given, and the call that does so."""
    kinds = {each.name: each.kind for each in inspect.signature(function).parameters.values()}
    spread = {inspect.Parameter.VAR_POSITIONAL: (), inspect.Parameter.VAR_KEYWORD: {}}
    given = {name: spread.get(kind, f"given {name}") for name, kind in kinds.items()}
    named = {n: given[n] for n, kind in kinds.items() if kind == inspect.Parameter.KEYWORD_ONLY}
    first = [given[n] for n, kind in kinds.items() if kind <= 1]
    return given, first, functools.partial(function, *first, **named)


@pytest.mark.parametrize("is_method", [False, True])
@pytest.mark.parametrize("moment", ["call", "exit"])
@pytest.mark.parametrize("name", ["a", "self", "elapsed", "result", "error", "item", "target"])
@pytest.mark.parametrize("backwards", [False, True])
def test_each_reads_what_is_meant_in_it(loom, name, moment, is_method, backwards):
    """As docs/map.md has it, whichever of those that share a shape was the first."""
    loom.metric("read_total", what=99)
    loom.metric("some_seconds", "histogram")
    loom.kept = loom.runtime
    records = [
        loom.record("read_total", on=moment, what=f"text({name})"),
        loom.record("some_seconds"),
    ]
    before = {}
    for signature in SIGNATURES[::-1] if backwards else SIGNATURES:
        names = {}
        exec(f"def function({signature}):\n    return 'result'", names)
        given, first, _ = given_to(names["function"])
        known = {**given, **({"self": first[0]} if is_method and first else {})}
        known |= AFTER if moment == "exit" else {}
        if name not in known:
            with pytest.raises(CompileError, match=f"unknown name '{name}'"):
                loom.weave(names["function"], *records, is_method=is_method)
            continue
        woven = loom.weave(names["function"], *records, is_method=is_method)
        assert given_to(woven.function)[2]() == "result"
        after = loom.read("read_total")
        (label,) = {key[0] for key in after if after[key] != before.get(key, 0)}
        assert label == str(known[name]), signature
        before = after
    counts = [count for count, _ in loom.read("some_seconds").values()]
    assert counts == [sum(before.values())]


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


def test_what_an_expression_cannot_read_is_told_for_each_target(weave_all):
    woven = weave_all(fetch, load, expressions=["url", "url"])
    next(woven)
    with pytest.raises(Exception, match="m:load: unknown name 'url'"):
        next(woven)


def test_shapes_are_bounded(weave_all, monkeypatch):
    monkeypatch.setattr(shape_module, "_MOST", 1)
    first, second = weave_all(fetch, coroutine)
    assert len(weave_all.shapes) == 1
    assert first.function(None, 1) == (1, 1)
    assert asyncio.run(second.function(None, 2)) == (2, 1)


def test_a_label_function_that_cannot_be_hashed_can_be_a_constant(weave_all, loom):
    class Unhashable:
        __hash__ = None

        def __call__(self, value):
            return f"<{value}>"

    loom.functions["mine"] = Unhashable()
    (woven,) = weave_all(fetch, expressions=["mine(url)"])
    hash(woven.function.__code__)
    woven.function(None, "u")
    assert loom.read("calls_total") == {("<u>",): 1}


def test_constants_are_hashed_and_compared_with_their_code(weave_all, loom):
    loom.actions["act"] = lambda: None
    first, second = weave_all(fetch, fetch)
    codes = first.function.__code__, second.function.__code__
    assert len({*codes}) == 2
    assert codes[0] == codes[0].replace()
    assert hash(codes[0]) == hash(codes[0].replace())
    hash(loom.weave(fetch, before=("act",), is_inner=lambda _: False).function.__code__)


def test_what_is_odd_about_absent_results_is_said_to_nobody(loom):
    def pair(fail):
        if fail:
            raise LookupError
        return "tea", 1

    loom.metric("calls_total", what=9)
    text = "result[0] if error is None else 'none'"
    woven = loom.weave(pair, loom.record("calls_total", what=text))
    woven.function(fail=False)
    # Warnings are errors here, and that of `None[0]` would cost the record.
    with pytest.raises(LookupError):
        woven.function(fail=True)
    assert loom.total("calls_total") == 2
