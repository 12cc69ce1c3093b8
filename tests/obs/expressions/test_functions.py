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
    get,
    ok,
    outcome,
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
    examples = {"bucket": (1, 2), "endpoint": ("/x",), "outcome": (None,), "status_family": (200,)}
    for name in TEXT_FUNCTIONS:
        assert type(BUILTIN_FUNCTIONS[name](*examples.get(name, ("x",)))) is str


def test_every_function_can_be_called_from_an_expression():
    for name in BUILTIN_FUNCTIONS:
        arguments = ", ".join("a" * arguments_of(name)[0])
        assert parse(f"{name}({arguments})").functions == {name}


def call(function, count):
    try:
        signature = inspect.signature(function)
    except ValueError:
        # It is C, and before Python 3.13 shows none.
        function(*["/a"] * count)
    else:
        signature.bind(*range(count))


@pytest.mark.parametrize("name", sorted(BUILTIN_FUNCTIONS.keys() - {"text", "number", "bucket"}))
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
