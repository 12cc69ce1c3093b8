from __future__ import annotations

import pytest

from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, Where
from ancestry_obs.metrics_registry.registry import detach

HERE = Where("<test>", None, "")


@pytest.fixture(scope="session")
def metric():
    """Make a metric's declaration."""

    def make(name, kind, *labels):
        specs = tuple(LabelSpec(label, None, 100, HERE) for label in labels)
        return MetricSpec(name, kind, "Some help.", specs, (1.0,) * (kind == "histogram"), HERE)

    return make


@pytest.fixture
def attached():
    """Leave the one registry there is as it was found."""
    detach()
    yield
    detach()


class Records:
    """Stands for a family: keeps what is recorded."""

    def __init__(self):
        self.seen = []

    def observe(self, values, value):
        self.seen.append((values, value))


@pytest.fixture
def records():
    return Records()


@pytest.fixture
def new_records():
    return Records
