"""What `packs.py` has measured -> what `ancestry-obs packs` and the pages tell of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from _pack_cases import CASES

from ancestry_obs.cli.pack_costs import PYTHON, PackCost, read_costs, write_costs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["keep"]

_HERE: Final = "{}.{}".format(*sys.version_info)


def keep(fastest: Mapping[str, Mapping[str, float]]) -> None:
    """Put what was measured in the place of what was told before.

    Args:
        fastest: For each library, by variant, the seconds that it adds to a request; of the plain
            one those that a request takes.
    """
    costs = read_costs()
    for name, seconds in fastest.items():
        costs[name] = _cost(name, {variant: each * 1e6 for variant, each in seconds.items()}, costs)
    write_costs(costs)


def _cost(name: str, micros: Mapping[str, float], costs: Mapping[str, PackCost]) -> PackCost:
    theirs = micros.get("OpenTelemetry")
    ratio = {} if theirs is None else {_HERE: round(micros["ours"] / theirs, 2)}
    if _HERE != PYTHON:
        if name not in costs:
            raise SystemExit(f"{name}: measure it on Python {PYTHON} first, for the microseconds")
        return replace(costs[name], ratios={**costs[name].ratios, **ratio})
    unsampled = micros.get("OpenTelemetry, unsampled")
    return PackCost(
        per=CASES[name].per,
        plain=round(micros["plain"]),
        ours=round(micros["ours"], 1),
        theirs=None if theirs is None else round(theirs),
        unsampled=None if unsampled is None else round(unsampled),
        ratios={**(costs[name].ratios if name in costs else {}), **ratio},
    )
