"""A map -> the same map, that also shows calls to `captures`: by the map's own language.

Each instrument gets three records more, which record nothing: their conditions call label functions
that look at the call. So nothing else has to reach into the program, on any Python, in whatever way
a target is woven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ancestry_obs.frozen import replaced
from ancestry_obs.mapfile import load

if TYPE_CHECKING:
    from ancestry_obs.compiler import Advice
    from ancestry_obs.mapfile import MapSpec

__all__ = ["capturing", "without_captures"]

_METRIC: Final = "ancestry_obs_cost_captured_total"
_CAPTURES: Final = "ancestry_obs.costing.captures"
_FUNCTIONS: Final = {
    "ancestry_obs_cost_begun": f"{_CAPTURES}:begun",
    "ancestry_obs_cost_returned": f"{_CAPTURES}:returned",
    "ancestry_obs_cost_raised": f"{_CAPTURES}:raised",
}
_RECORDS: Final = (
    ("call", "ancestry_obs_cost_begun('')"),
    ("return", "ancestry_obs_cost_returned(elapsed, result)"),
    ("raise", "ancestry_obs_cost_raised(elapsed, error)"),
)


def capturing(spec: MapSpec) -> MapSpec:
    """Let every instrument of a map show its calls.

    Args:
        spec: the map.
    """
    own = load(
        {
            "version": 1,
            "metrics": {_METRIC: {"type": "counter", "help": "Nothing."}},
            "functions": _FUNCTIONS,
            "instrument": [
                {
                    "target": "any:any",
                    "record": [
                        {"metric": _METRIC, "on": on, "when": when} for on, when in _RECORDS
                    ],
                }
            ],
        }
    )
    records = own.instruments[0].records
    return replaced(
        spec,
        metrics=(*spec.metrics, *own.metrics),
        instruments=tuple(
            replaced(each, records=(*each.records, *records)) for each in spec.instruments
        ),
        functions=(*spec.functions, *own.functions),
    )


def without_captures(advice: Advice) -> Advice:
    """Give what the map itself wants at a join point.

    Args:
        advice: what a capturing map wants there.
    """
    return replaced(
        advice,
        records=tuple(each for each in advice.records if each.metric != _METRIC),
        metrics=tuple(each for each in advice.metrics if each.name != _METRIC),
        functions=tuple(each for each in advice.functions if each[0] not in _FUNCTIONS),
    )
