"""A fold that is interrupted anywhere loses nothing, counts nothing twice, and lets others fold."""

from __future__ import annotations

import math
import threading
from contextlib import suppress

import pytest
from tests.obs.interruptions.conftest import AlarmError

from ancestry_obs.exceptions import Where
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec
from ancestry_obs.recording import Store

HERE = Where("test.toml", 1, "metrics")
VALUES = [0.25, 1.5, math.nan, 3.0, -1.0]


def is_recording(code):
    return "/ancestry_obs/recording/" in code.co_filename


def metric(name, kind):
    buckets = (0.5, 2.0) if kind == "histogram" else ()
    return MetricSpec(name, kind, "Help.", (LabelSpec("a", None, 1, HERE),), buckets, HERE)


@pytest.fixture
def filled():
    """A store with everything in it that a fold folds, and what comes of it."""

    def fill():
        store = Store("")
        kinds = ("histogram", "counter", "ratio", "in_flight", "gauge")
        for kind in kinds:
            family = store.family(metric(f"a_{kind}", kind))
            for value in VALUES:
                family.observe(("x",), value)
        store.family(metric("a_counter", "counter")).observe(("y",), 1.0)
        store.count_failure("m:f", "a_counter", "a")
        return store

    return fill


def seen(store):
    store.fold()
    return (
        [
            (family.name, labels, {name: getattr(series, name) for name in series.__slots__})
            for family in store.families()
            for labels, series in family.series()
        ],
        dict(store.expression_errors),
        dict(store.overflows),
        [probe.observed() for probe in store._probes],
    )


def test_the_next_fold_goes_on_where_one_was_interrupted_in_any_thread(filled, everywhere):
    expected = repr(seen(filled()))
    assert "'a_counter', 'value'): 2" in expected
    for interruption in everywhere(is_recording, least=100):
        store, others = filled(), []
        with suppress(AlarmError), interruption:
            store.fold()
        thread = threading.Thread(target=lambda: others.append(repr(seen(store))))  # noqa: B023
        thread.start()
        thread.join(timeout=30)
        assert others == [expected], interruption.at


def test_whatever_interrupts_a_fold_may_record_and_fold_itself(filled, everywhere):
    expected = filled()
    expected.families()[1].observe(("x",), 1.0)
    expected = repr(seen(expected))
    for interruption in everywhere(is_recording, least=100):
        store = filled()

        def record(*_, store=store):
            store.families()[1].observe(("x",), 1.0)
            store.fold()

        interruption.handler = record
        with interruption:
            store.fold()
        if not interruption.has_struck:
            record()
        assert repr(seen(store)) == expected, interruption.at


def test_a_full_buffer_that_is_interrupted_stays_whole(everywhere):
    for interruption in everywhere(is_recording, least=20):
        store = Store("")
        family = store.family(metric("a_counter", "counter"))
        buffer = family._buffer(("x",))
        buffer.extend([1.0] * 300)
        with suppress(AlarmError), interruption:
            store.relieve(buffer)
        assert not store._folding, interruption.at
        store.fold()
        assert family.series()[0][1].value == buffer.folded == 300, interruption.at
