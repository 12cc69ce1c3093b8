"""What the processes of a run have measured together."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from ancestry_obs.collector import Collector, Run, SelfMetrics, render
from ancestry_obs.collector.reading import read
from ancestry_obs.mapfile.specs import NativeSpec
from ancestry_obs.process_tree.member import Member
from ancestry_obs.process_tree.run_folder import RunFolder, create
from ancestry_obs.process_tree.totals import Totals, exact
from ancestry_obs.recording import Store

# CPython warns of a fork beside threads; other tests may have left some.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


class Process:
    """A process of a run: its store, and its place in the folder."""

    def __init__(self, folder, specs, now=0.0):
        self.store = Store("app", is_added_up=True)
        self.calls = self.store.family(specs.metric("calls_total", "counter", ("x",), most=2))
        self.seconds = self.store.family(specs.metric("seconds", "histogram", buckets=(1,)))
        native = NativeSpec(max_buckets=4, min_reset_seconds=1e-9)
        self.exact = self.store.family(specs.metric("exact", "histogram", native=native))
        self.level = self.store.family(specs.metric("level", "gauge"))
        self.sampled = {}
        self.now = now
        self.member = Member(folder, lambda: self.run.totals(self.read()), bool)
        self.run = Run(self.member, lambda: self.now)

    def read(self):
        class Samples:
            read = staticmethod(lambda _families: dict(self.sampled))

        return read(self.store, Samples, (), {"scrapes": 1})

    def page(self):
        whole = self.run.whole(self.read)
        return {
            (each.family.spec.name, *labels): numbers
            for each in whole.columns
            for labels, numbers in zip(each.labels, each.numbers, strict=True)
        }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return create("what is measured")


@pytest.fixture
def process(folder, specs):
    return Process(folder, specs)


@pytest.fixture
def another(folder, specs, in_child):
    """Lets another process measure something, hand it over, and end."""

    def measure(work, **given):
        def child():
            process = Process(folder, specs, **given)
            work(process)
            process.member.hand_over(is_last=True)

        in_child(child)

    return measure


def test_numbers_of_all_are_added(process, another):
    another(lambda each: [each.calls.inc(("a",)), each.seconds.observe((), 0.1)])
    another(lambda each: [each.calls.inc(("a",), 0.5), each.seconds.observe((), 0.2)])
    process.calls.inc(("b",))
    process.seconds.observe((), 3.0)
    page = process.page()
    assert page["calls_total", "a"] == (1.5,)
    assert page["calls_total", "b"] == (1,)
    assert page["seconds",] == (2, 1, pytest.approx(3.3))
    assert process.run.whole(process.read).counts == {"scrapes": 3}
    assert process.run.whole(process.read).processes == 1


def test_native_histograms_are_added_as_exactly_as_the_least_exact_of_them(
    process, folder, another
):
    def observe(each, *values):
        for value in values:
            each.exact.observe((), value)

    # More buckets than there may be: this one has wider ones, and never begins anew.
    another(lambda each: observe(each, 0.001, 0.01, 0.1, 1.0, 10.0))
    another(lambda each: observe(each, -0.5, 0.0))
    observe(process, 1.1, 1.0)
    page = process.page()["exact",]
    schema, _, zero, positive, negative = page[1:-1]
    assert (schema, zero, page[-1]) == (-2, 1, pytest.approx(12.711))
    assert dict(positive.items()) == {-2: 1, -1: 1, 0: 3, 1: 2}
    assert dict(negative.items()) == {0: 1}
    RunFolder(folder).merge(least=1)
    assert process.page()["exact",] == page
    body, _ = render_of(process)
    assert 'app_exact_bucket{le="+Inf"} 9.0' in body


def render_of(process):
    registry = CollectorRegistry()
    samples = SimpleNamespace(read=lambda _families: {})
    own = SelfMetrics(process.store, tuple, "1")
    registry.register(Collector(process.store, samples, own, run=process.run))
    body, content_type = render(registry)
    return body.decode(), content_type


def test_whoever_is_first_to_end_no_digit_goes_back(process, folder, another):
    another(lambda each: each.seconds.observe((), 0.3))
    another(lambda each: each.seconds.observe((), 0.2))
    process.seconds.observe((), 0.1)
    before = process.page()["seconds",]
    RunFolder(folder).merge(least=1)
    assert process.page()["seconds",] == before
    # Floats in this order would come to less.
    assert before[-1] == 0.6


def test_what_is_shown_is_handed_over_first(process, folder):
    process.calls.inc(("a",))
    process.page()
    ((_, row),) = [
        each
        for key, rows in RunFolder(folder).others()[0].metrics.items()
        if key[0] == "app_calls_total"
        for each in rows.items()
    ]
    assert row == (exact(1),)


def test_where_it_cannot_be_handed_over_it_is_shown_all_the_same(process, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    process.calls.inc(("a",))
    monkeypatch.setattr(os, "replace", full)
    assert process.page()["calls_total", "a"] == (1,)
    process.member._own.do(lambda: None)
    process.member.end()
    assert process.page()["calls_total", "a"] == (1,)


def test_labels_are_within_their_limits_and_stay_what_they_were(process, folder, specs, another):
    process.calls.inc(("a",))
    assert set(process.page()) >= {("calls_total", "a")}
    another(lambda each: [each.calls.inc(("b",)), each.calls.inc(("c",))])
    page = process.page()
    assert sorted(key[1] for key in page if key[0] == "calls_total") == ["a", "b", "other"]
    # Another process with values of its own shows the same.
    process.member.hand_over()
    other = Process(folder, specs)
    for each in ("x", "c"):
        other.calls.inc((each,))
    later = other.page()
    assert sorted(key[1] for key in later if key[0] == "calls_total") == ["a", "b", "other"]
    assert later["calls_total", "other"] == (3,)


def test_samples_are_within_the_limits_too(process):
    process.sampled = {"app_calls_total": ("sum", {(each,): 1.0 for each in "abcd"})}
    sampled = process.run.whole(process.read).sampled
    assert sampled == {"app_calls_total": ("sum", {("a",): 1.0, ("b",): 1.0, ("other",): 2.0})}


def test_a_gauge_is_what_it_became_last(process, another):
    process.level.set((), 5.0)
    assert process.page()["level",][0] == 5.0
    another(lambda each: each.level.set((), 3.0), now=10.0)
    assert process.page()["level",][0] == 3.0
    process.now = 20.0
    assert process.page()["level",][0] == 3.0
    process.level.set((), 4.0)
    assert process.page()["level",][0] == 4.0


def test_a_forked_child_dates_its_gauges_anew(process, in_child):
    process.level.set((), 5.0)
    process.page()

    def child():
        process.now = 30.0
        process.level.set((), 5.0)
        return process.page()["level",]

    assert in_child(child) == (5.0, 30.0)


def test_what_another_map_measured_stays(process, specs):
    process.calls.inc(("a",))

    def change():
        process.store.fold()
        process.store.drop("calls_total")
        process.calls = process.store.family(specs.metric("calls_total", "counter", ("x",), most=2))

    for count in (2, 3):
        process.run.change(process.read, change)
        process.calls.inc(("a",))
        assert process.page()["calls_total", "a"] == (count,)


def test_what_others_measure_in_another_way_is_left_out(process, folder):
    key = ("app_calls_total", "gauge", ("x",), ())
    alien = Totals(metrics={key: {("a",): (1, 1)}}, limits={key: (9,)})
    RunFolder(folder).hand_over(alien.as_bytes())
    assert process.page() == {}
