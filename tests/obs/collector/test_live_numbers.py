"""What the live page is told: the numbers of the exposition, without its text."""

from __future__ import annotations

import json
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from ancestry_obs.collector import Reading, render
from ancestry_obs.collector.live_numbers import write_numbers
from ancestry_obs.mapfile.specs import NativeSpec


def pieces_of(setting, idle=(), begun="1"):
    ticks = iter((1.0, 1.25))
    return list(
        write_numbers(
            lambda: setting.self_metrics.read(setting.samples),
            lambda reading: idle,
            begun,
            ("the map stays",),
            clock=lambda: next(ticks),
        )
    )


def numbers_of(setting, **options):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(b"".join(pieces_of(setting, **options)), parse_constant=refuse)


def metric_of(setting, name):
    (found,) = (each for each in numbers_of(setting)["metrics"] if each["name"] == name)
    return found


def test_all_that_the_page_shows(setting, specs):
    calls = setting.store.family(specs.metric("calls_total", "counter", ["kind"]))
    calls.inc(("a",), 2)
    calls.inc(("b",), 0.5)
    seconds = setting.store.family(specs.metric("call_seconds", "histogram", buckets=[1, 5]))
    for each in (0.5, 1, 3, 9):
        seconds.observe((), each)
    setting.store.family(specs.metric("size", "gauge", ["kind"])).set(("a",), 3)
    setting.self_metrics.scraped(0.5)
    told = numbers_of(setting)
    assert told == {
        "begun": "1",
        "wrong": ["the map stays"],
        "processes": 1,
        "scrapes": [1, 0.5],
        "overhead": None,
        "sampled": [],
        "failures": [],
        "overflows": [],
        "targets": [["program.api:fetch", "installed", 3]],
        "metrics": [
            {
                "name": "app_calls_total",
                "kind": "counter",
                "labels": ["kind"],
                "bounds": [],
                "series": [["a"], ["b"]],
                "numbers": [2.0, 0.5],
            },
            {
                "name": "app_call_seconds",
                "kind": "histogram",
                "labels": [],
                "bounds": [1, 5],
                "series": [[]],
                "numbers": [[2, 1, 1]],
            },
            {
                "name": "app_size",
                "kind": "gauge",
                "labels": ["kind"],
                "bounds": [],
                "series": [["a"]],
                "numbers": [],
            },
        ],
        "spent": 0.25,
    }


def test_failures_overflows_and_states(setting, specs):
    calls = setting.store.family(specs.metric("calls_total", "counter", ["kind"], most=1))
    calls.inc(("a",))
    calls.inc(("b",))
    setting.store.count_failure("program.api:fetch", "calls_total", "kind")
    told = numbers_of(setting, idle={"program.api:fetch"})
    assert told["targets"] == [["program.api:fetch", "idle", 3]]
    assert told["failures"] == [["program.api:fetch", "calls_total", "kind", 1]]
    assert told["overflows"] == [["calls_total", "kind", 1]]
    assert told["metrics"][0]["series"] == [["a"], ["other"]]


def test_a_budget_is_told(setting):
    sampled = {"ancestry_obs_overhead_ratio": ("max", {(): 0.01})}
    sampled["ancestry_obs_sampled"] = ("sum", {("program.api:fetch",): 1.0})
    reading = Reading([], sampled, (), {}, {}, {})
    told = json.loads(b"".join(write_numbers(lambda: reading, lambda _: (), "1")))
    assert (told["overhead"], told["sampled"]) == (0.01, ["program.api:fetch"])
    assert told["metrics"] == told["targets"] == []


def test_of_a_native_histogram_the_buckets_that_it_implies(setting, specs):
    native = NativeSpec(factor=1.1, max_buckets=160)
    seconds = setting.store.family(specs.metric("call_seconds", "histogram", native=native))
    for each in (-3, 0.3, 0.3, 3):
        seconds.observe((), each)
    told = metric_of(setting, "app_call_seconds")
    (counts,) = told["numbers"]
    assert len(counts) == len(told["bounds"]) + 1
    assert sum(counts) == 4
    by_bound = dict(zip((*told["bounds"], inf), counts, strict=True))
    assert {bound: count for bound, count in by_bound.items() if count} == {-2: 1, 0.5: 2, 4: 1}


def test_what_json_has_no_word_for(setting, specs):
    calls = setting.store.family(specs.metric("calls_total", "counter", ["kind"]))
    for _ in range(2):
        calls.inc(("endless",), 1.7e308)
    calls.inc(('\0\n"',), 1)
    told = metric_of(setting, "app_calls_total")
    assert told["series"] == [["endless"], ['\0\n"']]
    assert told["numbers"] == [None, 1]


def test_many_series_are_written_in_pieces_that_others_can_run_between(setting, specs):
    calls = setting.store.family(specs.metric("calls_total", "counter", ["kind"], most=5000))
    for number in range(3000):
        calls.inc((f"{number:05}",))
    pieces = pieces_of(setting)
    assert max(map(len, pieces)) < 3000
    told = metric_of(setting, "app_calls_total")
    assert told["series"] == [[f"{number:05}"] for number in range(3000)]
    assert told["numbers"] == [1] * 3000


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.5, 1, 2, 7, 9.5])), max_size=30)
)
def test_it_tells_what_the_exposition_tells(new_setting, specs, observations):
    setting = new_setting()
    spec = specs.metric("call_seconds", "histogram", ["kind"], buckets=[1, 5])
    seconds = setting.store.family(spec)
    for kind, each in observations:
        seconds.observe((kind,), each)
    told = metric_of(setting, "app_call_seconds")
    found = dict(zip([kind for (kind,) in told["series"]], told["numbers"], strict=True))
    text = render(setting.registry)[0].decode()
    shown: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(text):
        for name, labels, value, *_ in family.samples:
            if name == "app_call_seconds_bucket":
                shown.setdefault(labels["kind"], []).append(value)
    apart = {
        kind: [after - before for before, after in zip([0, *counts], counts, strict=False)]
        for kind, counts in shown.items()
    }
    assert found == apart


def test_a_look_is_no_scrape(setting):
    numbers_of(setting)
    assert setting.self_metrics.scrapes == 0


def test_what_fails_fails_when_it_is_read():
    def read():
        raise RuntimeError("a collector")

    with pytest.raises(RuntimeError):
        list(write_numbers(read, lambda _: (), "1"))
