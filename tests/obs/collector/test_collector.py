from __future__ import annotations

import threading

import pytest
from prometheus_client import CollectorRegistry, Gauge

from ancestry_obs.collector import Samples, SelfMetrics, render
from ancestry_obs.collector.collector import BlockMetric, Collector
from ancestry_obs.recording import Buffer, Store


def test_collect_folds_what_is_buffered(setting, specs):
    family = setting.store.family(specs.metric("calls_total", "counter", ["path"]))
    family.inc(("/a",))
    family.inc(("/a",), 2)
    assert setting.value("app_calls_total", path="/a") == 3


def test_buckets_are_cumulative_and_end_in_the_count(setting, specs):
    spec = specs.metric("wait_seconds", "histogram", buckets=[1, 2])
    for value in (0.5, 1.5, 1.75, 9):
        setting.store.family(spec).observe((), value)
    found = [setting.value("app_wait_seconds_bucket", le=le) for le in ("1.0", "2.0", "+Inf")]
    assert found == [1, 3, 4]
    assert setting.value("app_wait_seconds_count") == 4
    assert setting.value("app_wait_seconds_sum") == 12.75


def test_with_negative_bounds_there_is_no_sum(setting, specs):
    spec = specs.metric("drift_seconds", "histogram", buckets=[-1, 1])
    setting.store.family(spec).observe((), 0.0)
    assert setting.value("app_drift_seconds_bucket", le="1.0") == 1
    assert setting.value("app_drift_seconds_bucket", le="+Inf") == 1
    for accept in ("text/plain", "application/openmetrics-text; version=1.0.0"):
        page = render(setting.registry, accept)[0]
        assert b"app_drift_seconds_bucket" in page
        assert b"app_drift_seconds_sum" not in page
        assert b"app_drift_seconds_count" not in page


@pytest.mark.parametrize(
    ("kind", "records", "expected"),
    [
        ("gauge", (3.0, 5.0), 5.0),
        ("ratio", (1.0, 1.0, 0.0, 0.0), 0.5),
        ("in_flight", (1.0, 1.0, -1.0), 1.0),
    ],
)
def test_gauges_of_each_kind(setting, specs, kind, records, expected):
    family = setting.store.family(specs.metric("level", kind, ["a"]))
    for value in records:
        family.observe(("x",), value)
    assert setting.value("app_level", a="x") == expected


def test_what_is_declared_may_be_ahead_of_the_store(setting, specs):
    planned = Store("app")
    planned.family(specs.metric("coming_total", "counter"))
    collector = Collector(setting.store, setting.samples, setting.self_metrics, planned.families())
    assert collector.describe()[0].name == "app_coming"
    assert all(metric.name != "app_coming" for metric in collector.collect())


def test_registration_asks_for_names_and_reads_nothing(setting, specs):
    spec = specs.metric("calls_total", "counter")
    setting.store.family(spec).inc(())
    setting.store.family(specs.metric("uptime_seconds", "gauge"))
    asked = []

    class Session:
        def age(self):
            asked.append(self)
            return 1

    session = Session()
    setting.samples.tracker(specs.sample("self.age()")).register(session)
    registry = CollectorRegistry()
    registry.register(setting.collector)
    assert asked == []
    assert not setting.store.family(spec).series()[0][1].value
    only = registry.restricted_registry(["app_calls_total"])
    assert [metric.name for metric in only.collect()] == ["app_calls"]


def test_a_name_that_is_taken_is_refused_at_registration(setting, specs):
    setting.store.family(specs.metric("level", "gauge"))
    registry = CollectorRegistry()
    Gauge("app_level", "Somebody else's.", registry=registry)
    with pytest.raises(ValueError, match="app_level"):
        registry.register(setting.collector)


def test_families_are_fresh_at_each_scrape(setting, specs):
    family = setting.store.family(specs.metric("level", "gauge"))
    family.set((), 1)
    first = next(each for each in setting.collector.collect() if each.name == "app_level")
    family.set((), 2)
    assert first.samples[0].value == 1


def test_the_store_is_free_while_families_are_written(setting, specs):
    """Another thread folds between two families: nothing is held while text is made."""
    family = setting.store.family(specs.metric("level", "gauge"))
    family.set((), 1)
    metrics = setting.collector.collect()
    next(metrics)
    folded = threading.Event()
    threading.Thread(target=lambda: (setting.store.fold(), folded.set()), daemon=True).start()
    assert folded.wait(5)


@pytest.mark.parametrize("kind", ["histogram", "counter"])
def test_rows_are_made_as_they_are_read(kind, setting, specs):
    family = setting.store.family(
        specs.metric("x_total", kind, ["a"], buckets=[1, 2] if kind == "histogram" else ())
    )
    for number in range(5):
        family.observe((str(number),), number)
    (block, *_) = setting.collector.blocks()
    assert len(block.rows) == 5
    assert list(block.rows) == [block.rows[place] for place in range(5)] == block.rows[0:5]
    assert [labels for labels, _ in block.rows] == [(str(number),) for number in range(5)]
    expected = (1, 1, 1, 1, 1.0) if kind == "histogram" else (1.0,)
    assert block.rows[1] == (("1",), expected)
    with pytest.raises(IndexError):
        block.rows[5]


def test_what_is_recorded_later_changes_no_block(setting, specs):
    family = setting.store.family(specs.metric("wait_seconds", "histogram", buckets=[1]))
    family.observe((), 0.5)
    (block, *_) = setting.collector.blocks()
    family.observe((), 0.5)
    setting.store.fold()
    assert list(block.rows) == [((), (1, 1, 1, 0.5))]


def test_metrics_that_one_call_feeds_agree_on_every_page(setting, specs, workers):
    """Scrapes fold buffers in portions, and calls fold one that is full."""
    labels = [(str(number),) for number in range(300)]
    wait = setting.store.family(specs.metric("wait_seconds", "histogram", ["a"], buckets=[1]))
    calls = setting.store.family(specs.metric("calls_total", "counter", ["a"]))
    probe = setting.store.probe("program:f")
    buffers = [Buffer(probe, (wait.at(values),), (calls.at(values),)) for values in labels]
    for number, buffer in enumerate(buffers):
        probe.open(number, lambda buffer=buffer: buffer)

    def work(_number):
        for buffer in buffers:
            buffer.append(0.5)
            if len(buffer) >= 4:
                setting.store.relieve(buffer)

    with workers(work, threads=2, at_least=50) as callers:
        while callers.at_their_share:
            histogram, counter = setting.collector.blocks()[:2]
            counts = {values: numbers[-2] for values, numbers in histogram.rows}
            assert counts == {values: number for values, (number,) in counter.rows}
            callers.let_them_work()
    counter = setting.collector.blocks()[1]
    assert sum(number for _, (number,) in counter.rows) == callers.pieces * 300


def test_samples_are_made_only_for_who_reads_them(setting, specs):
    setting.store.family(specs.metric("level", "gauge")).set((), 1)
    metric = next(setting.collector.collect())
    assert isinstance(metric, BlockMetric)
    assert metric._samples is None
    assert metric.samples is metric.samples
    assert [sample.value for sample in metric.samples] == [1]


def test_many_threads_and_scrapes_lose_nothing(setting, specs, workers):
    family = setting.store.family(specs.metric("calls_total", "counter", ["thread"]))

    def work(number):
        for _ in range(100):
            family.inc((str(number),))

    with workers(work, threads=4, at_least=50) as callers:
        while callers.at_their_share:
            list(setting.registry.collect())
            callers.let_them_work()
    total = sum(setting.value("app_calls_total", thread=str(n)) for n in range(4))
    assert total == callers.pieces * 100 >= 20_000


def test_targets_are_asked_for_without_the_stores_lock():
    """A reload holds the patcher's lock while it declares metrics in the store."""
    store = Store()

    def targets():
        # Another thread can use the store meanwhile: with its lock held here, that would not end.
        thread = threading.Thread(target=store.fold, daemon=True)
        thread.start()
        thread.join(10)
        free.append(not thread.is_alive())
        return ()

    free = []
    collector = Collector(store, Samples(store, {}), SelfMetrics(store, targets, "1"))
    list(collector.collect())
    assert free == [True]
