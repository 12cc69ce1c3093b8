from __future__ import annotations

import json
import tomllib

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import json_schema, load, resolve_map
from ancestry_obs.mapfile.language import ACTIONS


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft202012Validator(json_schema())


def is_loadable(data):
    try:
        load(data)
    except MapError:
        return False
    return True


def test_the_schema_is_one():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema


def test_good_maps_are_valid(validator, toml):
    validator.validate(tomllib.loads(toml))
    validator.validate(tomllib.loads(resolve_map("ancestry").read_text("utf-8")))


def test_the_schema_has_the_loaders_enumerations():
    properties = json_schema()["properties"]
    hook = properties["hook"]["items"]["properties"]
    assert hook["after"]["enum"] == list(ACTIONS)
    record = properties["instrument"]["items"]["properties"]["record"]["items"]["properties"]
    assert record["on"]["enum"] == ["call", "first", "item", "return", "raise", "exit"]


def test_every_key_has_a_description():
    def tables(schema):
        if isinstance(schema, dict):
            yield from (
                [schema] if "additionalProperties" in schema and "properties" in schema else []
            )
            for inner in schema.values():
                yield from tables(inner)
        elif isinstance(schema, list):
            for inner in schema:
                yield from tables(inner)

    found = list(tables(json_schema()))
    assert len(found) == 13
    for table in found:
        for key, value in table["properties"].items():
            assert value["description"].endswith("."), key


# What a schema can see; the path of the change and the bad value.
BAD = [
    ("version", ...),
    ("version", 2),
    ("versoin", 1),
    ("metrics", []),
    ("metrics.hits", 7),
    ("metrics.9hits", {"type": "gauge", "help": "H."}),
    ("metrics.obs_hits", {"type": "gauge", "help": "H."}),
    ("metrics.hits.type", "ration"),
    ("metrics.hits.type", ...),
    ("metrics.hits.help", " "),
    ("metrics.hits.buckets", [1]),
    ("metrics.busy.labels.name", {"values": ["a"], "max_values": 2}),
    ("defaults", {"max_values": 0}),
    ("defaults", {"buckets": "latencies"}),
    ("defaults", {"labels": {"tenant": {"max_values": 2}}}),
    ("defaults", {"labels": {"tenant": {"value": "'a'"}}}),
    ("include", "common.toml"),
    ("include", ["a.toml", "a.toml"]),
    ("pack", {"title": "T.", "library": "l"}),
    ("pack", {"title": "T.", "library": "l", "versions": "2.3"}),
    ("pack", {"title": "T.", "library": "l", "versions": ">=2.3,<4.x"}),
    ("metrics.requests_seconds.buckets", []),
    ("metrics.requests_seconds.buckets", [True]),
    ("metrics.busy.labels.name", []),
    ("metrics.busy.labels.name", ["a", "a"]),
    ("metrics.busy.labels.name", {"values": ["a"], "max_values": 1}),
    ("metrics.busy.labels.name", {"max_values": 0}),
    ("metrics.busy.labels.name", {"max_values": 10_001}),
    ("metrics.busy.labels.le", ["a"]),
    ("instrument", {}),
    ("instrument[0].target", []),
    ("instrument[0].target", 7),
    ("instrument[0].record", ...),
    ("instrument[0].record", []),
    ("instrument[0]", {"target": "shop:main", "tell": {}}),
    ("instrument[0]", {"target": "shop:main", "context": {}, "tell": {}}),
    ("instrument[0].tell", {"status-code": "result"}),
    ("instrument[0].context", {"__tenant": "tenant"}),
    ("instrument[0].entry", {"size": 1}),
    ("instrument[0].outermost", "yes"),
    ("instrument[0].record[0].on", "exception"),
    ("instrument[0].record[0].labels.family", 7),
    ("sample[0].value", ...),
    ("sample[0].aggregate", "avg"),
    ("hook[0]", {"target": "shop:main"}),
    ("hook[0].after", "exporter.run"),
    ("functions.shorten", 7),
    ("functions.a-b", "shop:main"),
]


@pytest.mark.parametrize(("path", "value"), BAD)
def test_loader_and_schema_refuse_the_same(validator, toml, change, path, value):
    bad = change(tomllib.loads(toml), path, value)
    assert not validator.is_valid(bad)
    assert not is_loadable(bad)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metrics.requests_total.type", "gauge"),
        ("metrics.requests_seconds.buckets", [2, 1]),
        ("instrument[0].record[0].metric", "none"),
        ("instrument[0].record[0].labels.family", "lambda: 1"),
        ("instrument[0].target", "shop"),
        ("functions.ok", "shop:main"),
    ],
)
def test_rules_beyond_a_schema_are_the_loaders(validator, toml, change, path, value):
    bad = change(tomllib.loads(toml), path, value)
    assert validator.is_valid(bad)
    assert not is_loadable(bad)


texts = ["", "gauge", "a", "exit", "last", "'a'", "shop:main", "histogram", "exporter.stop"]
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 99),
    st.sampled_from([*texts, ["a"], [], {}, [1, 2.5]]),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.sampled_from([path for path, _ in BAD]), value=values)
def test_what_the_loader_takes_the_schema_takes(validator, toml, change, where, value):
    data = change(tomllib.loads(toml), where, value)
    if is_loadable(data):
        validator.validate(data)
