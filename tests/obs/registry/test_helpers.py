from __future__ import annotations

import gc
import inspect
import linecache
import threading
import traceback
from contextlib import AbstractContextManager, suppress

import pytest

from ancestry_obs.metrics_registry.helpers import Helper
from ancestry_obs.recording import Store


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize(
    ("name", "kind", "function", "expected"),
    [
        ("waits_total", "counter", "inc", "(path: str, amount: float = 1.0) -> None"),
        ("level", "gauge", "set", "(path: str, value: float) -> None"),
        ("wait_seconds", "histogram", "observe", "(path: str, seconds: float) -> None"),
        ("size_bytes", "histogram", "observe", "(path: str, bytes: float) -> None"),
        ("depth", "histogram", "observe", "(path: str, value: float) -> None"),
        ("hit_ratio", "ratio", "hit", "(path: str) -> None"),
        ("hit_ratio", "ratio", "miss", "(path: str) -> None"),
        ("hit_ratio", "ratio", "observe", "(path: str, hit: bool) -> None"),
    ],
)
def test_exact_signatures(metric, records, name, kind, function, expected, connected):
    helper = Helper(metric(name, kind, "path"))
    if connected:
        helper.connect(records)
    assert str(inspect.signature(getattr(helper, function))) == expected


def test_the_signature_of_the_plan(metric):
    spec = metric("api_latency_seconds", "histogram", "endpoint", "status_family")
    parameters = inspect.signature(Helper(spec).observe).parameters
    assert {name: each.annotation for name, each in parameters.items()} == {
        "endpoint": str,
        "status_family": str,
        "seconds": float,
    }


@pytest.mark.parametrize(
    ("kind", "call", "expected"),
    [
        ("counter", lambda h: h.inc("/a"), [(("/a",), 1.0)]),
        ("counter", lambda h: h.inc("/a", 3), [(("/a",), 3.0)]),
        ("counter", lambda h: h.inc(amount=2, path="/a"), [(("/a",), 2.0)]),
        ("gauge", lambda h: h.set("/a", 4), [(("/a",), 4.0)]),
        ("histogram", lambda h: h.observe("/a", 0.5), [(("/a",), 0.5)]),
        ("ratio", lambda h: h.hit("/a"), [(("/a",), 1.0)]),
        ("ratio", lambda h: h.miss("/a"), [(("/a",), 0.0)]),
        ("ratio", lambda h: h.observe("/a", hit=True), [(("/a",), 1.0)]),
        ("ratio", lambda h: h.observe("/a", hit=[]), [(("/a",), 0.0)]),
    ],
)
def test_what_is_recorded(metric, records, kind, call, expected):
    helper = Helper(metric("thing", kind, "path"))
    call(helper)
    helper.connect(records)
    call(helper)
    helper.disconnect()
    call(helper)
    assert records.seen == expected


def test_without_labels(metric, records):
    helper = Helper(metric("level", "gauge"))
    helper.connect(records)
    helper.set(1)
    assert records.seen == [((), 1.0)]


def test_calls_in_flight_go_down_whatever_happens(metric, records):
    helper = Helper(metric("busy", "in_flight", "path"))
    helper.connect(records)
    with suppress(LookupError), helper.track("/a"):
        assert records.seen == [(("/a",), 1.0)]
        raise LookupError
    assert records.seen == [(("/a",), 1.0), (("/a",), -1.0)]
    assert isinstance(helper.track("/a"), AbstractContextManager)


def test_both_steps_of_a_call_in_flight_go_to_one_recorder(metric, records):
    helper = Helper(metric("busy", "in_flight"))
    helper.connect(records)
    with helper.track():
        helper.disconnect()
    assert [value for _, value in records.seen] == [1.0, -1.0]


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize(
    "arguments", [("/a",), ("/a", 1.0, 2.0), (7, 1.0), ("/a", "fast"), ("/a", None), (None, 1.0)]
)
def test_wrong_arguments_are_refused_with_metrics_on_and_off(metric, records, arguments, connected):
    helper = Helper(metric("wait_seconds", "histogram", "path"))
    if connected:
        helper.connect(records)
    with pytest.raises(TypeError):
        helper.observe(*arguments)
    assert records.seen == []


def test_a_number_too_big_for_a_float_is_one_that_is_dropped(metric):
    store = Store("ns")
    spec = metric("wait_seconds", "histogram", "path")
    helper = Helper(spec)
    helper.connect(store.family(spec))
    helper.observe("/a", 10**400)
    helper.observe("/a", 2.0)
    store.fold()
    (((path,), series),) = store.family(spec).series()
    assert (path, series.sum, sum(series.counts)) == ("/a", 2.0, 1)
    assert list(store.expression_errors.values()) == [1]


def test_a_wrong_type_says_what_is_taken(metric):
    helper = Helper(metric("wait_seconds", "histogram", "path"))
    with pytest.raises(TypeError) as caught:
        helper.observe(7, "fast")
    assert str(caught.value) == (
        "metrics().wait_seconds.observe() takes (path: str, seconds: float), got (int, str)"
    )
    assert "raise __refusal" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("class", "from"), "(class_: str, from_: str, seconds: float)"),
        (("class", "class_"), "(class_: str, class__: str, seconds: float)"),
        (("seconds",), "(seconds: str, seconds_: float)"),
        (
            ("str", "TypeError", "observe"),
            "(str: str, TypeError: str, observe: str, seconds: float)",
        ),
    ],
)
def test_labels_with_awkward_names(metric, records, labels, expected):
    helper = Helper(metric("wait_seconds", "histogram", *labels))
    helper.connect(records)
    assert str(inspect.signature(helper.observe)) == f"{expected} -> None"
    values = tuple(f"value of {label}" for label in labels)
    helper.observe(*values, 2.0)
    assert records.seen == [(values, 2.0)]
    with pytest.raises(TypeError, match="takes"):
        helper.observe(*values, None)


def test_a_function_that_there_is_not(metric):
    helper = Helper(metric("hit_ratio", "ratio"))
    with pytest.raises(AttributeError) as caught:
        helper.set(1)
    assert str(caught.value) == "hit_ratio is a ratio and has no 'set'; it has hit, miss, observe"


def test_the_function_documents_itself(metric):
    helper = Helper(metric("hit_ratio", "ratio", "path"))
    assert helper.hit.__doc__ == "Some help."
    assert helper.hit.__qualname__ == "hit_ratio.hit"
    assert {"hit", "miss", "observe"} <= set(dir(helper))
    assert repr(helper) == "<helper of the ratio hit_ratio: hit, miss, observe>"


def test_eight_threads_through_a_real_store(metric):
    store, spec = Store("app"), metric("calls_total", "counter", "thread")
    helper = Helper(spec)
    helper.connect(store.family(spec))

    def work(name):
        for _ in range(2_000):
            helper.inc(name)

    threads = [threading.Thread(target=work, args=(str(n % 2),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.fold()
    totals = {labels: series.value for labels, series in store.family(spec).series()}
    assert totals == {("0",): 8_000, ("1",): 8_000}


def test_the_text_of_a_function_lasts_as_long_as_the_function(metric):
    helper = Helper(metric("waits_total", "counter", "path"))
    inc = helper.inc
    file = inc.__code__.co_filename
    del helper
    gc.collect()
    assert linecache.getlines(file)
    # One that is declared anew has the same file name.
    again = Helper(metric("waits_total", "counter", "path", "method"))
    del inc
    gc.collect()
    assert "method: str" in linecache.getlines(file)[0]
    del again
    gc.collect()
    assert file not in linecache.cache
