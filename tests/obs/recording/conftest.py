from __future__ import annotations

import pytest

from ancestry_obs.exceptions import Where
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec
from ancestry_obs.recording import Store

NOWHERE = Where("test.toml", None, "")


@pytest.fixture
def store():
    return Store("ns")


@pytest.fixture(scope="session")
def make_metric():
    """Builds a metric: each label is a number (`max_values`) or a tuple (an enumeration)."""

    def make(kind="counter", *, name=None, buckets=(0.5, 1.0, 2.0), **labels):
        specs = tuple(
            LabelSpec(label, bound, None, NOWHERE)
            if isinstance(bound, tuple)
            else LabelSpec(label, None, bound, NOWHERE)
            for label, bound in labels.items()
        )
        bounds = buckets if kind == "histogram" else ()
        return MetricSpec(name or f"a_{kind}", kind, "Help.", specs, bounds, NOWHERE)

    return make


@pytest.fixture
def metric(make_metric):
    return make_metric
