"""Declarations, a store and a collector over it, built by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from ancestry_obs.collector import Collector, Samples, SelfMetrics
from ancestry_obs.expressions import BUILTIN_FUNCTIONS, parse
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, SampleSpec, Where
from ancestry_obs.recording import Store

HERE = Where("<test>", None, "")


@dataclass(frozen=True)
class Target:
    target: str
    state: str
    calls: int
    patterns: tuple[str, ...] = ()


class Specs:
    """Makes declarations with what a test cares for."""

    @staticmethod
    def metric(
        name, kind, labels=(), *, buckets=(), help_text="Some help.", most=1000, native=None
    ):
        specs = tuple(LabelSpec(label, None, most, HERE) for label in labels)
        return MetricSpec(name, kind, help_text, specs, tuple(buckets), HERE, native=native)

    @staticmethod
    def sample(value, labels=(), *, metric="uptime_seconds", aggregate="last"):
        parsed = tuple((name, parse(text)) for name, text in labels)
        target = "program.session:Session"
        return SampleSpec(target, metric, parse(value, allow_methods=True), parsed, aggregate, HERE)


class Setting:
    """A store with everything that a collector needs, in a registry of its own."""

    def __init__(self):
        self.store = Store("app")
        self.samples = Samples(self.store, BUILTIN_FUNCTIONS)
        self.targets = [Target("program.api:fetch", "installed", 3)]
        self.self_metrics = SelfMetrics(self.store, lambda: self.targets, "1.2.3")
        self.now = 0.0
        self.collector = Collector(
            self.store, self.samples, self.self_metrics, clock=lambda: self.now
        )
        self.registry = CollectorRegistry()
        self.registry.register(self.collector)

    def value(self, name, **labels):
        return self.registry.get_sample_value(name, labels)


@pytest.fixture(scope="session")
def specs():
    return Specs


@pytest.fixture
def setting():
    return Setting()


@pytest.fixture(scope="session")
def new_setting():
    return Setting
