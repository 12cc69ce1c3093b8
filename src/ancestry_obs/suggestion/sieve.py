"""Candidates -> those of which a map passes `check`: the rest is left out before it is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ancestry_obs.mapfile import load_text
from ancestry_obs.suggestion.starter_map import map_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ancestry_obs.checking.checker import Checker
    from ancestry_obs.suggestion.candidates import Candidate

__all__ = ["passing"]

_PLACE: Final = re.compile(r"instrument\[(\d+)\]")
_NAME: Final = "a starter map"


def passing(candidates: Sequence[Candidate], checker: Checker) -> tuple[list[Candidate], list[str]]:
    """Give the candidates of which `check` says nothing, and the targets of the others.

    Args:
        candidates: What a map is to name.
        checker: Says what fits.
    """
    kept, lost = [*candidates], []
    while kept:
        verdict = checker.check(load_text(map_of(kept), _NAME))
        told = {_PLACE.match(each.where.key) for each in verdict.findings}
        numbers = {int(each[1]) for each in told if each}
        doubts = {target for target, _, _ in verdict.doubts}
        bad = [
            each for number, each in enumerate(kept) if number in numbers or each.target in doubts
        ]
        if not bad:
            break
        lost += [each.target for each in bad]
        kept = [each for each in kept if each not in bad]
    return kept, lost
