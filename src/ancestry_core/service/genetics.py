"""How much DNA two relatives share, and what the service would call them.

In: how two people are related. Out: centimorgans, segments and a predicted relationship. The
expectation follows from the kinship coefficient; chance is added by a seeded generator. The laws of
inheritance are simplified: no map of recombination, no phasing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING

from ancestry_core.service.kinship import Kinship  # noqa: TC001 - the docstring's example uses it

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

GENOME_CM = 3400.0
"""Centimorgans that a parent and a child share: the length of the autosomes that are compared."""

DETECTION_LIMIT_CM = 8.0
"""No match is reported below this."""

_LABELS = (
    (3300.0, "Parent/Child"),
    (2300.0, "Full Sibling"),
    (1300.0, "Close Family-1st Cousin"),
    (680.0, "1st-2nd Cousin"),
    (200.0, "2nd-3rd Cousin"),
    (90.0, "3rd-4th Cousin"),
    (20.0, "4th-6th Cousin"),
    (0.0, "5th-8th Cousin"),
)
"""From how many centimorgans on the service predicts what."""


@dataclass(frozen=True, slots=True)
class SharedDna:
    """What a match shares with the account.

    Args:
        centimorgans: In all, one decimal.
        segments: In how many pieces.
        longest: The longest of these, centimorgans.
        meioses: Steps between the two people by the shortest way.
        predicted: The name of the predicted relationship.
        alternatives: Other names with their probability in percent, likeliest first.
    """

    centimorgans: float
    segments: int
    longest: float
    meioses: int
    predicted: str
    alternatives: tuple[tuple[str, float], ...]


def predicted_relationship(centimorgans: float) -> str:
    """Return what the service calls a match who shares so much."""
    return next(label for least, label in _LABELS if centimorgans >= least)


def share_dna(kinship: Kinship, chance: Random) -> SharedDna:
    """Draw what two relatives share.

    Two relatives with coefficient k carry on average a part 4k of the genome in common where they
    are related on one side: all of it for parent and child, with k = 1/4. On both sides, as full
    siblings are, some of it falls together, which leaves 4k - 4k^2: 3/4 for siblings. The relative
    spread grows with the number of meioses; parent and child have none.

    Args:
        kinship: How the two are related.
        chance: Where the noise comes from.

    Returns:
        The share, at least `DETECTION_LIMIT_CM`: who shares less would not be a match.

    Example:
        >>> from random import Random
        >>> share_dna(Kinship(0.25, 1, True, False), Random(1)).predicted
        'Parent/Child'
    """
    expected = _expected_part(kinship) * GENOME_CM
    spread = 0.0 if kinship.meioses <= 1 else min(0.05 * kinship.meioses, 0.4)
    total = min(expected * chance.gauss(1.0, spread), GENOME_CM)
    if total < DETECTION_LIMIT_CM:  # a match by the luck of one short segment
        total = DETECTION_LIMIT_CM + chance.expovariate(1 / 4)
    total = round(total, 1)
    segments = _segments(total, kinship.meioses, chance)
    longest = round(min(total, total / segments * chance.uniform(1.0, 2.2)), 1)
    label = predicted_relationship(total)
    return SharedDna(total, segments, longest, kinship.meioses, label, _alternatives(total))


def _expected_part(kinship: Kinship) -> float:
    """Return which part of the genome the two have in common, on average."""
    if kinship.meioses == 1:  # parent and child, whatever else they are to each other
        return 1.0
    twice = 2 * kinship.coefficient
    if kinship.on_fathers_side and kinship.on_mothers_side:
        return 1 - (1 - min(twice, 1.0)) ** 2
    return min(2 * twice, 1.0)


def _segments(total: float, meioses: int, chance: Random) -> int:
    """Return a number of segments: each is the shorter the more meioses lie between."""
    mean_length = max(100.0 / max(meioses, 1), 1.5 * DETECTION_LIMIT_CM)
    drawn = round(total / mean_length * chance.uniform(0.8, 1.2))
    return max(1, min(drawn, int(total / DETECTION_LIMIT_CM)))


def _alternatives(total: float) -> tuple[tuple[str, float], ...]:
    """Return the nearest names, weighted by how typical the total is of each, on a log scale."""
    weights = [
        (label, 2.0 ** -(4 * abs(log2(total / typical)))) for label, typical in _typical_totals()
    ]
    nearest = sorted(weights, key=lambda pair: -pair[1])[:3]
    whole = sum(weight for _, weight in nearest)
    return tuple((label, round(100 * weight / whole, 1)) for label, weight in nearest)


def _typical_totals() -> Iterator[tuple[str, float]]:
    """Yield each name with the geometric middle of the range in which it is predicted."""
    upper = GENOME_CM
    for least, label in _LABELS:
        yield label, (upper * max(least, DETECTION_LIMIT_CM)) ** 0.5
        upper = least
