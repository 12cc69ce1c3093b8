"""How everybody in a pedigree is related to one person, over all paths.

In: a pedigree (parents before children) and the person. Out: per blood relative the coefficient of
kinship, the number of meioses by the shortest way, and on whose side. The people may have married
their cousins for centuries: every path counts, and inbred ancestors are given their due.

The relationships of one person to all others are a column of the numerator relationship matrix
A = T D T' (C. R. Henderson, Biometrics 32, 1976). T spreads along the lines of descent and D is
diagonal, so the column takes one walk up, one multiplication and one walk down (J. J. Colleau,
Genetics Selection Evolution 34, 2002); the inbreeding of the ancestors, which D needs, is the
diagonal of A (R. L. Quaas, Biometrics 32, 1976). No matrix is held and nothing is recursive.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ancestry_core.service.pedigree import Pedigree

_FATHERS, _MOTHERS = 1, 2


@dataclass(frozen=True, slots=True)
class Kinship:
    """How somebody is related to the person asked about.

    Args:
        coefficient: Chance that one allele drawn from each of the two descends from the same one:
            1/4 for parent and child, 1/16 for first cousins.
        meioses: Steps up and down between the two by the shortest way.
        on_fathers_side: Related through the person's father; descendants as such are on neither
            side.
        on_mothers_side: Related through the person's mother; the same.
    """

    coefficient: float
    meioses: int
    on_fathers_side: bool
    on_mothers_side: bool


# Kept, because the services that a process starts one after the other mostly serve one pedigree.
@lru_cache(maxsize=1)
def kinship_with(pedigree: Pedigree, root_id: str) -> Mapping[str, Kinship]:
    """Return the kinship of every blood relative of one person, who is not among them.

    Example:
        >>> from ancestry_core.service.pedigree import Person, build_pedigree
        >>> family = build_pedigree([Person("I1", "Ada", ""), Person("I2", "Bea", "", mother="I1")])
        >>> kinship_with(family, "I1")["I2"].coefficient
        0.25
    """
    coefficients = _relationship_column(pedigree, root_id)
    meioses = _meioses(pedigree, root_id)
    sides = _sides(pedigree, root_id)
    return {
        person_id: Kinship(
            coefficient / 2,
            meioses[person_id],
            bool(sides[person_id] & _FATHERS),
            bool(sides[person_id] & _MOTHERS),
        )
        for person_id, coefficient in coefficients.items()
        if coefficient > 0 and person_id != root_id
    }


def _relationship_column(pedigree: Pedigree, root_id: str) -> dict[str, float]:
    """Return the additive relationship (twice the kinship) of everybody to the root."""
    position = {person_id: index for index, person_id in enumerate(pedigree.people)}
    line = sorted(pedigree.ancestors(root_id), key=position.__getitem__)
    variances = _mendelian_variances(pedigree, line, position)
    shares = _ancestral_shares(pedigree, root_id, position)
    column: dict[str, float] = {}
    for person in pedigree.people.values():
        inherited = sum(column[parent] for parent in person.parents) / 2
        own = shares.get(person.id, 0.0) * variances.get(person.id, 0.0)
        column[person.id] = inherited + own
    return column


def _mendelian_variances(
    pedigree: Pedigree, line: Collection[str], position: Mapping[str, int]
) -> dict[str, float]:
    """Return the diagonal of D for the root's line: what the parents do not already explain."""
    variances: dict[str, float] = {}
    inbreeding: dict[str, float] = {}
    for person_id in line:
        parents = pedigree.people[person_id].parents
        variances[person_id] = 1 - sum(1 + inbreeding[parent] for parent in parents) / 4
        shares = _ancestral_shares(pedigree, person_id, position)
        diagonal = sum(share * share * variances[name] for name, share in shares.items())
        inbreeding[person_id] = diagonal - 1
    return variances


def _ancestral_shares(
    pedigree: Pedigree, person_id: str, position: Mapping[str, int]
) -> dict[str, float]:
    """Return a row of T: which part of a person comes from each ancestor, summed over the paths."""
    shares = {person_id: 1.0}
    # Youngest first: an ancestor's share is complete before it is handed on to the parents.
    waiting = [(-position[person_id], person_id)]
    while waiting:
        _, current = heappop(waiting)
        for parent in pedigree.people[current].parents:
            if parent not in shares:
                shares[parent] = 0.0
                heappush(waiting, (-position[parent], parent))
            shares[parent] += shares[current] / 2
    return shares


def _meioses(pedigree: Pedigree, root_id: str) -> dict[str, int]:
    """Return the steps of the shortest way up from the root and down again."""
    steps = {root_id: 0}
    for ancestor in pedigree.ancestors(root_id):  # nearest first
        for parent in pedigree.people[ancestor].parents:
            steps.setdefault(parent, steps[ancestor] + 1)
    for person in pedigree.people.values():
        ways = [steps[parent] + 1 for parent in person.parents if parent in steps]
        if ways:
            steps[person.id] = min(steps.get(person.id, ways[0]), *ways)
    return steps


def _sides(pedigree: Pedigree, root_id: str) -> dict[str, int]:
    """Return on whose side of the root each blood relative is, as two bits."""
    root = pedigree.people[root_id]
    sides: dict[str, int] = {}
    for parent, side in ((root.father, _FATHERS), (root.mother, _MOTHERS)):
        for ancestor in pedigree.ancestors(parent) if parent is not None else ():
            sides[ancestor] = sides.get(ancestor, 0) | side
    for person in pedigree.people.values():
        side = sides.get(person.id, 0)
        for parent in person.parents:
            # What comes down from the root itself is the root's own, on neither side.
            side |= sides[parent] if parent != root_id else 0
        sides[person.id] = side
    return sides
