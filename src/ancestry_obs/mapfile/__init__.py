"""The map: a TOML file or a Python mapping goes in, a validated and frozen `MapSpec` comes out.

`load` finds every mistake in one pass and says where it is. Whether the targets exist is not asked
here: that needs the program, and is the patcher's affair.
"""

from __future__ import annotations

from ancestry_obs.mapfile.difference import MapDiff, difference
from ancestry_obs.mapfile.language import json_schema
from ancestry_obs.mapfile.loader import load, load_text
from ancestry_obs.mapfile.map_files import resolve_map
from ancestry_obs.mapfile.metrics import worst_case_series
from ancestry_obs.mapfile.specs import (
    HookSpec,
    InstrumentSpec,
    LabelSpec,
    MapSpec,
    MetricSpec,
    RecordSpec,
    SampleSpec,
    Where,
)
from ancestry_obs.mapfile.targets import TargetPattern, parse_target

__all__ = [
    "HookSpec",
    "InstrumentSpec",
    "LabelSpec",
    "MapDiff",
    "MapSpec",
    "MetricSpec",
    "RecordSpec",
    "SampleSpec",
    "TargetPattern",
    "Where",
    "difference",
    "json_schema",
    "load",
    "load_text",
    "parse_target",
    "resolve_map",
    "worst_case_series",
]
