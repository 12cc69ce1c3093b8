"""The map: a TOML file or a Python mapping goes in, a validated and frozen `MapSpec` comes out.

`load` finds every mistake in one pass and says where it is. Whether the targets exist is not asked
here: that needs the program, and is the patcher's affair.

What reads a map is imported when somebody reads one: a program whose map is known from its last
start does not (`map_cache`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

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

if TYPE_CHECKING:
    from ancestry_obs.mapfile.difference import MapDiff
    from ancestry_obs.mapfile.language import json_schema
    from ancestry_obs.mapfile.loader import load, load_text
    from ancestry_obs.mapfile.map_files import resolve_map
    from ancestry_obs.mapfile.metrics import series_multiplied, worst_case_series

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
    "json_schema",
    "load",
    "load_text",
    "parse_target",
    "resolve_map",
    "series_multiplied",
    "worst_case_series",
]

_LATE: Final = {
    "MapDiff": "difference",
    "json_schema": "language",
    "load": "loader",
    "load_text": "loader",
    "resolve_map": "map_files",
    "series_multiplied": "metrics",
    "worst_case_series": "metrics",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    value = getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    globals()[name] = value
    return value
