from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import os
from http import HTTPStatus
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.expressions import BUILTIN_FUNCTIONS, parse
from ancestry_obs.expressions.functions import (
    arguments_of,
    bucket,
    clamp,
    first_word,
    full_type_name,
    get,
    host,
    ok,
    outcome,
    path_prefix,
    status_family,
    type_name,
)
from ancestry_obs.expressions.inference import TEXT_FUNCTIONS


def response(**attributes):
    return SimpleNamespace(**attributes)


class ResponseError(Exception):
    response = response(status_code=429)


class StatusError(Exception):
    status_code = 418


class NoResponseError(Exception):
    response = None


@pytest.mark.parametrize(
    ("value", "family"),
    [
        (100, "1xx"),
        (204, "2xx"),
        (HTTPStatus.FOUND, "3xx"),
        (404, "4xx"),
        (599, "5xx"),
        (600, "error"),
        (0, "error"),
        (-200, "error"),
        (True, "error"),
        (None, "error"),
        ("200", "error"),
        (response(status_code=200), "2xx"),
        (response(status=301), "3xx"),
        (response(status="done"), "error"),
        (response(status_code=None, status=500), "5xx"),
        (ResponseError(), "4xx"),
        (StatusError(), "4xx"),
        (NoResponseError(), "error"),
        (TimeoutError(), "error"),
    ],
)
def test_status_family(value, family):
    assert status_family(value) == family


@pytest.mark.parametrize(
    ("value", "is_ok"),
    [
        (None, False),
        (False, False),
        (True, True),
        (0, True),
        ("", True),
        ([], True),
        (response(status_code=399), True),
        (response(status_code=400), False),
        (response(status=503), False),
        (response(status="failed"), True),
        (ResponseError(), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_ok(value, is_ok):
    assert ok(value) is is_ok


class OwnCancellation(asyncio.CancelledError):
    pass


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (None, "success"),
        (ValueError(), "error"),
        (KeyboardInterrupt(), "error"),
        (GeneratorExit(), "abandoned"),
        (asyncio.CancelledError(), "cancelled"),
        (concurrent.futures.CancelledError(), "cancelled"),
        (OwnCancellation(), "cancelled"),
    ],
)
def test_outcome(error, name):
    assert outcome(error) == name


@pytest.mark.parametrize(
    ("value", "bounds", "text"),
    [(0, (1, 10), "<=1"), (1, (1, 10), "<=1"), (1.5, (1, 10), "<=10"), (11, (1, 10), ">10")],
)
def test_bucket(value, bounds, text):
    assert bucket(value, *bounds) == text


def test_bucket_needs_a_bound():
    with pytest.raises(IndexError):
        bucket(1)


@given(st.floats(), st.lists(st.integers(), min_size=1, max_size=5))
def test_bucket_has_no_more_values_than_bounds_and_one(value, bounds):
    assert bucket(value, *bounds) in {*(f"<={bound}" for bound in bounds), f">{bounds[-1]}"}


def test_type_name():
    assert [type_name(value) for value in (None, 1, TimeoutError())] == [
        "NoneType",
        "int",
        "TimeoutError",
    ]


def test_get_reads_a_mapping_or_gives_the_default():
    assert get({"a": 1}, "a", 2) == 1
    assert get({"a": 1}, "b", 2) == 2
    assert get({}, "b") is None


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("upper", "get", "GET"),
        ("lower", "GET", "get"),
        ("text", 7, "7"),
        ("number", "1.5", 1.5),
        ("length", [1, 2], 2),
    ],
)
def test_functions_that_python_has_already(name, argument, value):
    assert BUILTIN_FUNCTIONS[name](argument) == value


def test_the_functions_taken_for_text_give_text():
    examples = {
        "bucket": (1, 2), "endpoint": ("/x",), "outcome": (None,), "status_family": (200,),
        "path_prefix": ("/x", 1),
    }  # fmt: skip
    for name in TEXT_FUNCTIONS:
        assert type(BUILTIN_FUNCTIONS[name](*examples.get(name, ("x",)))) is str


def test_every_function_can_be_called_from_an_expression():
    for name in BUILTIN_FUNCTIONS:
        arguments = ", ".join("a" * arguments_of(name)[0])
        assert parse(f"{name}({arguments})").functions == {name}


# What takes any number, or more than one that is shown.
FREE = {"text", "number", "bucket", "min", "max"}


def call(function, count):
    try:
        signature = inspect.signature(function)
    except ValueError:
        # It is C, and before Python 3.13 shows none.
        function(*["/a"] * count)
    else:
        signature.bind(*range(count))


@pytest.mark.parametrize("name", sorted(BUILTIN_FUNCTIONS.keys() - FREE))
@pytest.mark.parametrize("count", range(5))
def test_the_numbers_of_arguments_are_those_that_the_functions_take(name, count):
    least, most = arguments_of(name)
    try:
        call(BUILTIN_FUNCTIONS[name], count)
    except TypeError:
        assert not least <= count <= most
    else:
        assert least <= count <= most


def test_the_table_cannot_be_changed_from_outside():
    with pytest.raises(TypeError):
        BUILTIN_FUNCTIONS["ok"] = print


def test_pid():
    assert BUILTIN_FUNCTIONS["pid"]() == os.getpid()
    assert arguments_of("pid") == (0, 0)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("SELECT * FROM t", "SELECT"),
        ("  insert\n\tinto t", "insert"),
        ("one", "one"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_first_word(text, word):
    assert first_word(text) == word


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/v1", "example.org"),
        ("https://Example.ORG:8443/v1?x=//other", "example.org"),
        ("https://ann:secret@example.org:80", "example.org"),
        ("https://ann:p%40ss@[2001:DB8::1]:8080/a@b", "2001:db8::1"),
        ("http://example.org?next=http://other.org", "example.org"),
        ("http://example.org#x@y", "example.org"),
        ("//example.org/path", "example.org"),
        ("postgresql+psycopg://db.internal/shop", "db.internal"),
        ("/v1/items//x", ""),
        ("/redirect?u=http://other.org/x", ""),
        ("http://example.org\\@other.org/", "example.org"),
        ("example.org/v1", ""),
        ("mailto:ann@example.org", ""),
        ("unix:///var/run/x", ""),
        ("https://", ""),
        ("", ""),
    ],
)
def test_host(url, name):
    assert host(url) == name


@given(st.text())
def test_a_host_has_neither_path_nor_user(text):
    assert not {*host(f"https://u:p@{text}/path?q")} & {"/", "?", "#", "@"}


@pytest.mark.parametrize(
    ("path", "segments", "prefix"),
    [
        ("/v1/items/17?page=2", 2, "/v1/items"),
        ("https://example.org/v1/items/17", 1, "/v1"),
        ("https://example.org", 2, "/"),
        ("https://example.org?next=/a/b", 2, "/"),
        ("/redirect/http://other.org/x", 3, "/redirect/http:/other.org"),
        ("/redirect?u=http://other.org/x", 3, "/redirect"),
        ("v1/items", 5, "/v1/items"),
        ("//example.org/v1//items//", 2, "/v1/items"),
        ("/v1//items//", 2, "/v1/items"),
        ("/v1#/a", 2, "/v1"),
        ("/v1/items", 0, "/"),
        ("/v1/items", -1, "/"),
        ("", 1, "/"),
    ],
)
def test_path_prefix(path, segments, prefix):
    assert path_prefix(path, segments) == prefix


class OwnError(Exception):
    class InnerError(Exception):
        pass


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (TimeoutError(), "TimeoutError"),
        (None, "NoneType"),
        (OwnError(), f"{__name__}.OwnError"),
        (OwnError.InnerError(), f"{__name__}.OwnError.InnerError"),
        (concurrent.futures.CancelledError(), "concurrent.futures._base.CancelledError"),
    ],
)
def test_full_type_name(value, name):
    assert full_type_name(value) == name


@pytest.mark.parametrize(
    ("value", "result"), [(-1, 0), (0, 0), (2.5, 2.5), (5, 5), (5.1, 5), (float("inf"), 5)]
)
def test_clamp(value, result):
    assert clamp(value, 0, 5) == result


@pytest.mark.parametrize("function", ["first_word", "host", "strip", "startswith", "path_prefix"])
def test_what_is_no_text_is_refused_without_asking_it(function):
    class Asked:
        def __getattr__(self, name):
            raise AssertionError(name)

        __str__ = split = strip = partition = __getattr__

    more = {"startswith": ("a",), "path_prefix": (1,)}.get(function, ())
    with pytest.raises(TypeError):
        BUILTIN_FUNCTIONS[function](Asked(), *more)
