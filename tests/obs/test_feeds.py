from __future__ import annotations

import json

import pytest

from ancestry_obs.feeds import Feed, feeds
from ancestry_obs.mapfile import load

MAP = """\
version = 1
[metrics.ops_total]
type = "counter"
help = "Operations."
labels.op = ["get", "set"]
labels.result = ["fine", "Failed", "error"]
[metrics.ends_total]
type = "counter"
help = "How calls ended."
labels.end = { max_values = 5 }
[metrics.op_seconds]
type = "histogram"
help = "Time."
buckets = [1]
labels.name = { max_values = 5 }
[[instrument]]
target = ["shop:get", "shop:fetch"]
record = [
  { metric = "ops_total", labels = { op = "'get'", result = "outcome(error)" } },
  { metric = "op_seconds", labels = { name = "'get'" } },
]
[[instrument]]
target = "shop:set"
record = [
  { metric = "ops_total", labels = { op = "'set'", result = "'fine'" } },
  { metric = "ends_total", on = "raise", labels = { end = "outcome(error)" } },
  { metric = "op_seconds", value = "elapsed * 2", labels = { name = "name" } },
]
"""


@pytest.fixture
def told(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_text(MAP)
    return feeds(load(path), "shop")


def test_each_pattern_has_the_records_of_its_instrument(told):
    assert [(each.pattern, each.metric) for each in told] == [
        ("shop:get", "shop_ops_total"), ("shop:get", "shop_op_seconds"),
        ("shop:fetch", "shop_ops_total"), ("shop:fetch", "shop_op_seconds"),
        ("shop:set", "shop_ops_total"), ("shop:set", "shop_ends_total"),
        ("shop:set", "shop_op_seconds"),
    ]  # fmt: skip


def test_a_label_that_is_always_the_same_is_told(told):
    assert [dict(each.constants) for each in told[:2]] == [{"op": "get"}, {}]


def test_values_that_say_that_a_call_failed(told):
    assert dict(told[0].failing) == {"result": ("Failed", "error")}
    assert dict(told[1].failing) == {}
    # What is always fine tells of no failure.
    assert dict(told[4].failing) == {}
    # A free label, by the function that names an end.
    assert (dict(told[5].failing), told[5].on) == ({"end": ("error",)}, "raise")


def test_only_what_a_call_takes_is_its_duration(told):
    assert [each.is_duration for each in told] == [False, True, False, True, False, False, False]


def test_without_a_namespace(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_text(MAP)
    assert feeds(load(path), "")[0].metric == "ops_total"


def test_they_travel_as_json(told):
    for each in told:
        assert Feed.from_dict(json.loads(json.dumps(each.as_dict()))) == each


@pytest.mark.parametrize("data", [None, 5, [], {}, {"pattern": "a:b"}])
def test_what_is_no_feed(data):
    with pytest.raises(ValueError, match="is no feed"):
        Feed.from_dict(data)
