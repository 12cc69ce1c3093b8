"""Whatever a value's class does, it costs its own series at the most: the page stays readable."""

from __future__ import annotations

import contextlib
import decimal
import enum
import fractions
import importlib
import math

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

import ancestry_obs
from ancestry_obs.collector import render
from ancestry_obs.recording.limits import LONGEST


class Plain(str):
    __slots__ = ()


class Endless(str):
    """Is as long as it likes, whoever cuts it."""

    __slots__ = ()

    def __getitem__(self, key):
        return self

    def isascii(self):
        return True


class NoText(str):
    __slots__ = ()

    def __getitem__(self, key):
        return 42


class Duck(str):
    __slots__ = ()

    def __getitem__(self, key):
        class IsAscii:
            def isascii(self):
                return True

        return IsAscii()


def raising(*names):
    """Make a text every one of whose methods of these names raises."""

    def fail(self, *args):
        raise RuntimeError("hostile")

    return type("Raising", (str,), dict.fromkeys(names, fail))


UNUSABLE = raising(
    *("__eq__", "__hash__", "__len__", "__bool__", "__format__", "__add__", "__contains__"),
    *("__getitem__", "encode", "replace", "translate", "isascii", "upper", "partition", "strip"),
)
Hashless = type("Hashless", (str,), {"__hash__": None})
Equal = type("Equal", (str,), {"__eq__": lambda self, other: True, "__hash__": lambda self: 1})


class Speaker:
    """Says what it was given when it is asked for its text."""

    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text

    def __len__(self):
        raise RuntimeError("no end")

    def __bool__(self):
        raise RuntimeError("neither")


class Liar(Speaker):
    @property
    def __class__(self):
        return str


class Named(type):
    @property
    def __name__(cls):
        return Endless('q"\n' * 1000)


class Metaclassed(metaclass=Named):
    pass


class Colour(enum.StrEnum):
    RED = 'r"ed'


def _raise(kind):
    raise kind("no text")


SPEAKING = {
    "a subclass": Plain("plain"),
    "its own slice": Endless("z" * 1_000_000),
    "lines": Endless('a"}\nevil_total 7\n'),
    "a number as a slice": NoText("q"),
    "a duck as a slice": Duck("q"),
    "nothing works": UNUSABLE('u"\n\\'),
    "no hash": Hashless("h"),
    "equal to all": Equal("e"),
    "a surrogate": Endless("\ud800"),
}
VALUES = {
    **{f"says {name}": Speaker(text) for name, text in SPEAKING.items()},
    **{f"is {name}": text for name, text in SPEAKING.items()},
    "a lie about its class": Liar(Endless("x" * 1000)),
    "no text at all": Speaker(7),
    "an own name of the type": Metaclassed(),
    "an enumeration": Colour.RED,
    "surrogates": "\ud800\udfff",
    "NUL": "a\0b",
    "a carriage return": "a\r\nb\u2028c",
    "long": "y" * 10**6,
    "bytes": b"\xff",
    "nothing": None,
    "a number too long to write": 10**5000,
    "not a number": math.nan,
}

PROGRAM = """
    class Box:
        def __init__(self, thing):
            self.thing = thing

    def work(thing):
        return thing

    def box(box):
        return box

    def fail(thing):
        raise ValueError(thing)
"""
WAYS = {
    "thing": "thing",
    "text": "text(thing)",
    "part": "text(thing)[:3]",
    "join": "'a' + text(thing)",
    "upper": "upper(thing)",
    "endpoint": "endpoint(thing)",
    "type": "type_name(thing)",
    "family": "status_family(thing)",
    "ok": "ok(thing)",
    "either": "thing or 'none'",
    "equal": "'same' if thing == 'a' else 'another'",
    "get": "get(thing, 'a', 'b')",
    "bucket": "bucket(1, thing)",
}
FREE = {"max_values": 200}
MAP = {
    "version": 1,
    "metrics": {
        "calls_total": {"type": "counter", "help": "C.", "labels": dict.fromkeys(WAYS, FREE)},
        "seconds": {"type": "histogram", "help": "S.", "buckets": [1], "labels": {"l": FREE}},
        "boxed": {"type": "gauge", "help": "G.", "labels": {"l": FREE}},
        "boxes": {"type": "gauge", "help": "B.", "labels": {"l": FREE}},
        "helped_total": {"type": "counter", "help": "H.", "labels": {"l": FREE}},
    },
    "instrument": [
        {
            "target": ["hostile:work", "hostile:fail"],
            "record": [{"metric": "calls_total", "labels": WAYS}],
        },
        {
            "target": "hostile:box",
            "record": [
                {"metric": "seconds", "labels": {"l": "box.thing"}},
                {"metric": "boxed", "value": "box.thing", "labels": {"l": "text(box.thing)"}},
            ],
        },
    ],
    "sample": [
        {
            "target": "hostile:Box",
            "metric": "boxes",
            "value": "1",
            "labels": {"l": "self.thing"},
            "aggregate": "sum",
        }
    ],
}


@pytest.fixture
def program(make_module, enabled):
    make_module("hostile", PROGRAM)
    program = importlib.import_module("hostile")
    ancestry_obs.install(MAP, settings=enabled, registry=CollectorRegistry())
    return program


def samples():
    """Read both forms of the page, every label of which has to be a short text."""
    registry = ancestry_obs.get_registry()
    page = render(registry)[0].decode("utf-8")
    openly = render(registry, "application/openmetrics-text; version=1.0.0")[0].decode("utf-8")
    list(open_metrics_families(openly))
    found = [each for family in text_string_to_metric_families(page) for each in family.samples]
    for sample in found:
        # The parser unescapes, so that these are the lengths as they were kept.
        assert all(len(value) <= LONGEST for value in sample.labels.values()), sample
    assert not any(sample.name.startswith("evil") for sample in found)
    return found


def total(name):
    return sum(sample.value for sample in samples() if sample.name == f"shop_{name}")


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_hostile_label_costs_its_own_series_alone(program, value):
    box = program.Box(value)
    for _ in range(3):
        assert program.work(value) is value
        assert program.box(box) is box
        with pytest.raises(ValueError) as caught:
            program.fail(value)
        assert caught.value.args[0] is value
    assert program.work("well-behaved") == "well-behaved"
    if issubclass(type(value), str):
        ancestry_obs.metrics().helped_total.inc(value)
    ancestry_obs.metrics().helped_total.inc("well-behaved")
    assert total("calls_total") == 7
    assert total("seconds_count") == 3
    assert total("boxes") == 1
    assert total("helped_total") >= 1
    well_behaved = [each for each in samples() if each.labels.get("thing") == "well-behaved"]
    assert [sample.value for sample in well_behaved] == [1]


class Float(float):
    __slots__ = ()

    def __float__(self):
        return 2.0

    def __add__(self, other):
        raise RuntimeError("hostile")

    __radd__ = __lt__ = __le__ = __ge__ = __repr__ = __add__


class Convertible:
    def __init__(self, convert):
        self.convert = convert

    def __float__(self):
        return self.convert()


NUMBERS = {
    "a subclass of float": (Float(1.0), 2.0),
    "a decimal": (decimal.Decimal("2.5"), 2.5),
    "a fraction": (fractions.Fraction(1, 4), 0.25),
    "true": (True, 1.0),
    "an object that is a number": (Convertible(lambda: 3.0), 3.0),
    "a number as text": (Plain("2"), None),
    "a decimal that is none": (decimal.Decimal("sNaN"), None),
    "not a number": (math.nan, None),
    "infinite": (-math.inf, None),
    "too big": (10**400, None),
    "a fraction too big": (fractions.Fraction(10**400), None),
    "a complex number": (1j, None),
    "a text": ("two", None),
    "nothing": (None, None),
    "an object that raises": (Convertible(lambda: _raise(KeyError)), None),
    "an object that gives a text": (Convertible(lambda: "2"), None),
}
NUMBER_MAP = {
    "version": 1,
    "metrics": {
        "level": {"type": "gauge", "help": "L."},
        "sum_total": {"type": "counter", "help": "S."},
        "size": {"type": "histogram", "help": "H.", "buckets": [1]},
        "calls_total": {"type": "counter", "help": "C."},
        "boxes": {"type": "gauge", "help": "B."},
        "helped": {"type": "histogram", "help": "H.", "buckets": [1]},
    },
    "instrument": [
        {
            "target": "hostile:work",
            "record": [
                {"metric": "level", "value": "thing"},
                {"metric": "sum_total", "value": "thing"},
                {"metric": "size", "value": "thing"},
                {"metric": "calls_total"},
            ],
        }
    ],
    "sample": [{"target": "hostile:Box", "metric": "boxes", "value": "self.thing"}],
}


@pytest.mark.parametrize(("value", "number"), NUMBERS.values(), ids=NUMBERS)
def test_a_value_is_a_finite_number_or_counted_as_none(make_module, enabled, value, number):
    make_module("hostile", PROGRAM)
    program = importlib.import_module("hostile")
    ancestry_obs.install(NUMBER_MAP, settings=enabled, registry=CollectorRegistry())
    box = program.Box(value)
    for _ in range(3):
        assert program.work(value) is value
        with contextlib.suppress(TypeError, RuntimeError):
            ancestry_obs.metrics().helped.observe(value)
    assert total("calls_total") == 3
    expected = 0 if number is None else number
    # `float('2')` is 2.0, for `number(text)` and for a value; a sample is stricter.
    woven = 2.0 if type(value) is Plain else expected
    assert total("sum_total") == 3 * woven
    assert total("size_sum") == 3 * woven
    assert total("boxes") == expected
    errors = {
        sample.labels["metric"]
        for sample in samples()
        if sample.name == "ancestry_obs_expression_errors_total"
    }
    assert ("size" in errors) is (woven == 0)
    assert ("boxes" in errors) is (number is None and value is not None)
    del box
