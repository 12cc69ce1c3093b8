from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest

from ancestry_obs import monitoring
from ancestry_obs.mapfile import resolve_map
from ancestry_obs.monitoring.plan_language import PLAN
from ancestry_obs.monitoring.plan_loader import plan_path
from ancestry_obs.monitoring.ready_plans import READY_PLANS

SHIPPED = [
    plan_path(str(resolve_map("ancestry"))),
    Path(monitoring.__file__).with_name("instrumentation.toml"),
    *READY_PLANS,
]


@pytest.fixture(scope="module")
def validator():
    """Give a validator for the language as JSON Schema."""
    jsonschema.Draft202012Validator.check_schema(PLAN.schema())
    return jsonschema.Draft202012Validator(PLAN.schema())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_plans_that_ship_are_valid(validator, path):
    validator.validate(tomllib.loads(path.read_text("utf-8")))


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"version": 2},
        {"version": 1, "rows": []},
        {"version": 1, "row": [{"title": "R"}]},
        {"version": 1, "row": [{"title": "R", "panel": [{"metric": "m", "width": 25}]}]},
        {"version": 1, "row": [{"title": "R", "panel": [{"metric": "m", "quantiles": [1.0]}]}]},
        {"version": 1, "annotation": [{"title": "T", "metric": "m", "color": "pink"}]},
        {"version": 1, "objective": [{"name": "Not a word", "title": "T", "metric": "m",
                                      "target": 0.99}]},
    ],
)  # fmt: skip
def test_a_plan_outside_the_language_is_not(validator, broken):
    assert not validator.is_valid(broken)
