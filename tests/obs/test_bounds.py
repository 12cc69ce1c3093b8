"""What remembers has a bound: installing, reloading and calling again and again keeps nothing."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import inspect
import itertools
import linecache
import logging
import pkgutil
import sys
import tracemalloc

import pytest
from prometheus_client import CollectorRegistry

import ancestry_obs
from ancestry_obs.collector import render
from ancestry_obs.expressions.endpoints import endpoint

ROUNDS = 200
# Where one takes some 0.1 s.
FEWER = 100
_TABLE = 100_000
_STRETCHES = 4
CACHE = functools._lru_cache_wrapper
PROGRAM = """
    class Job:
        def __init__(self, size):
            self.size = size
        def length(self):
            return self.size

    def work(url, thing=None):
        if isinstance(thing, BaseException):
            raise thing
        return thing

    def area(url):
        return url[:2]
"""


def make_map(number):
    """Make a map in which every name is another one than in a map of another number."""
    return {
        "version": 1,
        "functions": {f"area{number}": "bounded:area"},
        "metrics": {
            f"calls{number}_total": {
                "type": "counter",
                "help": "C.",
                "labels": {f"where{number}": {"max_values": 3}, "kind": {"max_values": 3}},
            },
            f"time{number}_seconds": {
                "type": "histogram",
                "help": "T.",
                "buckets": [1, 2 + number],
                "labels": {"endpoint": {"max_values": 3}},
            },
            f"jobs{number}": {"type": "gauge", "help": "J.", "labels": {"l": {"max_values": 3}}},
        },
        "instrument": [
            {
                "target": ["bounded:work", f"bounded:missing{number}"],
                "record": [
                    {
                        "metric": f"calls{number}_total",
                        "labels": {f"where{number}": f"area{number}(url)", "kind": "thing.kind"},
                    },
                    {
                        "metric": f"time{number}_seconds",
                        "labels": {"endpoint": f"endpoint(url + '/a{number}')"},
                    },
                ],
            }
        ],
        "sample": [
            {
                "target": "bounded:Job",
                "metric": f"jobs{number}",
                "value": "self.length()",
                "labels": {"l": "text(self.size)"},
            }
        ],
    }


def use(program, number):
    jobs = [program.Job(size) for size in range(5)]
    for url in ("/a", "/b", "/c", "/d", "/e"):
        program.work(url)
    helper = getattr(ancestry_obs.metrics(), f"calls{number}_total")
    for label in "vwxyz":
        helper.inc(label, label)
    return jobs


def kept():
    """Give how many objects, line-cache entries and bytes there are, without bounded caches."""
    for each in gc.get_objects():
        # Others' objects may answer to nothing at all.
        if type(each) is CACHE and str(each.__module__).startswith("ancestry_obs"):
            each.cache_clear()
    endpoint.__self__.clear()
    gc.collect()
    gc.collect()
    objects = len(gc.get_objects())
    sizes = [trace.size for trace in tracemalloc.take_snapshot().traces]
    # CPython's own table of the identifiers that were ever compiled doubles from time to time.
    return objects, len(linecache.cache), sum(size for size in sizes if size < _TABLE)


def growth(step, rounds=ROUNDS):
    """Give what each of some rounds leaves behind, once the first ones are over.

    Of four stretches of them the least: a round that keeps something does so in each, while a table
    of the interpreter's doubles in one of them, whichever tests ran before.
    """
    some = rounds // _STRETCHES
    tracemalloc.start()
    try:
        for number in range(20):
            step(number)
        counts = [kept()]
        for first in range(20, 20 + some * _STRETCHES, some):
            for number in range(first, first + some):
                step(number)
            counts.append(kept())
        left = ([b - a for a, b in zip(*pair, strict=True)] for pair in itertools.pairwise(counts))
        return [min(each) / some for each in zip(*left, strict=True)]
    finally:
        tracemalloc.stop()


@pytest.fixture
def program(make_module, caplog):
    # What is logged would be kept by pytest.
    caplog.set_level(logging.CRITICAL, "ancestry_obs")
    make_module("bounded", PROGRAM)
    return importlib.import_module("bounded")


@pytest.mark.live
def test_an_installation_leaves_nothing_behind(program, enabled):
    def install(_):
        ancestry_obs.install(make_map(0), settings=enabled)
        use(program, 0)
        render(ancestry_obs.get_registry())
        ancestry_obs.uninstall()

    objects, lines, octets = growth(install, FEWER)
    assert objects < 1
    assert lines == 0
    # `atexit` keeps eight bytes for whatever is unregistered, and `ast` three names of methods that
    # it has looked for, of some 50 bytes each (CPython 3.13).
    assert octets < 600


def test_a_reload_with_new_names_leaves_nothing_behind(program, enabled):
    ancestry_obs.install(make_map(10**6), settings=enabled, registry=CollectorRegistry())

    def reload(number):
        ancestry_obs.reload(make_map(number))
        use(program, number)
        # A program may also reload and never be scraped.
        if number % 2:
            render(ancestry_obs.get_registry())

    objects, lines, octets = growth(reload, FEWER)
    assert objects < 1
    assert lines == 0
    # CPython keeps the identifiers and file names of whatever is compiled, some 60 bytes each:
    # about 1,100 in a process of its own, up to 2,200 behind other tests.
    assert octets < 2500


def test_calls_with_ever_new_values_leave_nothing_behind(program, enabled):
    ancestry_obs.install(make_map(0), settings=enabled, registry=CollectorRegistry())
    helper = ancestry_obs.metrics().calls0

    def call(number):
        for each in range(20):
            name = f"{number}_{each}"
            error = type(f"Error{name}", (Exception,), {"kind": name})
            program.work(f"/{name}/x")
            program.work(f"/{name}/y", type(f"Kind{name}", (), {"kind": name, "status_code": 1})())
            with contextlib.suppress(error):
                program.work(f"/{name}/z", error())
            helper.inc(name, name)
            program.Job(each)
        if number % 2:
            render(ancestry_obs.get_registry())

    for number in range(10**6, 10**6 + 60):  # fills what has a bound: memos of up to 2048 keys
        call(number)
    objects, lines, octets = growth(call)
    assert objects < 1
    assert lines == 0
    # Of 80 calls together.
    assert octets < 2000


def modules():
    for found in pkgutil.walk_packages(ancestry_obs.__path__, "ancestry_obs."):
        if not found.name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # what needs an extra
                yield importlib.import_module(found.name)


def test_every_cache_of_a_function_has_a_bound():
    caches = {
        f"{module.__name__}.{name}": value.cache_info().maxsize
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, CACHE) and value.__module__ == module.__name__
        # Without an argument there is but one value.
        if inspect.signature(value).parameters
    }
    assert len(caches) >= 8
    assert {name: most for name, most in caches.items() if most is None or most > 1024} == {}


def test_the_growth_that_is_looked_for_would_be_seen():
    held = []

    def leak(number):
        held.append([number])
        linecache.cache[f"<bound {number}>"] = (0, None, [], "")

    try:
        objects, lines, octets = growth(leak)
    finally:
        for name in [each for each in linecache.cache if each.startswith("<bound ")]:
            del linecache.cache[name]
    assert objects >= 1
    assert lines == 1
    assert octets >= sys.getsizeof([])
