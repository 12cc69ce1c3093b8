"""What the tests of the map share: one map that uses the whole language, as TOML and as Python."""

from __future__ import annotations

import copy
import re
from textwrap import dedent

import pytest

from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import load

TOML = """\
version = 1

[metrics.requests_seconds]
type = "histogram"
help = "Requests."
buckets = [0.5, 1, 2]
labels.endpoint = { max_values = 10 }
labels.family = ["2xx", "error"]

[metrics.requests_total]
type = "counter"
help = "Requests by result."
labels.result = { values = ["hit", "miss"] }

[metrics.queue_length]
type = "gauge"
help = "Queue."

[metrics.hits]
type = "ratio"
help = "Hits."

[metrics.busy]
type = "in_flight"
help = "Busy."
labels.name = { max_values = 3 }

[metrics.age_seconds]
type = "gauge"
help = "Age."
labels.pool = { max_values = 3 }

[[instrument]]
target = "shop.api:Client.send"
subclasses = true

[[instrument.record]]
metric = "requests_seconds"
labels = { family = "status_family(result)", endpoint = "endpoint(url)" }

[[instrument.record]]
metric = "requests_total"
on = "return"
when = "result is not None"
value = "2"
labels.result = "'hit' if ok(result) else 'miss'"

[[instrument]]
target = ["shop.*:Queue.*", "shop:main"]
record = [
  { metric = "queue_length", value = "length(self.items)" },
  { metric = "hits", hit = "result is not None" },
  { metric = "busy", labels = { name = "shorten(self.name)" } },
]

[[sample]]
target = "shop.pool:Pool"
metric = "age_seconds"
value = "self.age()"
labels.pool = "self.name"
aggregate = "max"

[[hook]]
target = "shop:main"
before = "exporter.start"
after = "exporter.stop"

[functions]
shorten = "shop.labels:shorten"
"""


def mapping():
    return {
        "version": 1,
        "metrics": {
            "requests_seconds": {
                "type": "histogram",
                "help": "Requests.",
                "buckets": (0.5, 1, 2),
                "labels": {"endpoint": {"max_values": 10}, "family": ("2xx", "error")},
            },
            "requests_total": {
                "type": "counter",
                "help": "Requests by result.",
                "labels": {"result": {"values": ["hit", "miss"]}},
            },
            "queue_length": {"type": "gauge", "help": "Queue."},
            "hits": {"type": "ratio", "help": "Hits."},
            "busy": {"type": "in_flight", "help": "Busy.", "labels": {"name": {"max_values": 3}}},
            "age_seconds": {"type": "gauge", "help": "Age.", "labels": {"pool": {"max_values": 3}}},
        },
        "instrument": [
            {
                "target": "shop.api:Client.send",
                "subclasses": True,
                "record": [
                    {
                        "metric": "requests_seconds",
                        "labels": {"family": "status_family(result)", "endpoint": "endpoint(url)"},
                    },
                    {
                        "metric": "requests_total",
                        "on": "return",
                        "when": "result is not None",
                        "value": "2",
                        "labels": {"result": "'hit' if ok(result) else 'miss'"},
                    },
                ],
            },
            {
                "target": ["shop.*:Queue.*", "shop:main"],
                "record": [
                    {"metric": "queue_length", "value": "length(self.items)"},
                    {"metric": "hits", "hit": "result is not None"},
                    {"metric": "busy", "labels": {"name": "shorten(self.name)"}},
                ],
            },
        ],
        "sample": [
            {
                "target": "shop.pool:Pool",
                "metric": "age_seconds",
                "value": "self.age()",
                "labels": {"pool": "self.name"},
                "aggregate": "max",
            }
        ],
        "hook": [{"target": "shop:main", "before": "exporter.start", "after": "exporter.stop"}],
        "functions": {"shorten": "shop.labels:shorten"},
    }


def changed(data, path, value):
    """Give a copy with one key set; `...` deletes it."""
    data = copy.deepcopy(data)
    *way, last = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]
    inside = data
    for part in way:
        inside = inside[part]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return data


@pytest.fixture
def toml():
    """Give the map as TOML text."""
    return TOML


@pytest.fixture
def good():
    """Give the map as a Python mapping."""
    return mapping()


@pytest.fixture
def change():
    """Give the function that copies a mapping with one key set or deleted."""
    return changed


@pytest.fixture
def write(tmp_path):
    """Write a TOML map and give its path."""

    def write_map(text):
        path = tmp_path / "map.toml"
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write_map


@pytest.fixture
def findings_of():
    """Load a bad map and give its findings, as text without the name of the source."""

    def findings(source):
        with pytest.raises(MapError) as caught:
            load(source)
        name = caught.value.findings[0].where.source
        return [str(finding).removeprefix(name) for finding in caught.value.findings]

    return findings
