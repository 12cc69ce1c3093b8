"""People and their parents, in an order in which every parent comes before the children.

In: people with the ids of their parents, in any order and possibly nonsense. Out: a `Pedigree`
without cycles and without dangling parents, and what had to be mended. Reading files is done
elsewhere, and so is everything about kinship.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Sex = Literal["M", "F", "U"]


@dataclass(frozen=True, slots=True)
class Person:
    """One person.

    Args:
        id: As in the file, such as `@I1@`.
        given: Given names; may be empty.
        surname: Family name; may be empty.
        sex: `M`, `F`, or `U` for unknown.
        birth_year: Four digits, or None where it is not on record.
        birth_place: As written, or empty.
        father: Id of the father, or None.
        mother: Id of the mother, or None.
    """

    id: str
    given: str
    surname: str
    sex: Sex = "U"
    birth_year: int | None = None
    birth_place: str = ""
    father: str | None = None
    mother: str | None = None

    @property
    def name(self) -> str:
        """The full name; people without one on record are called unknown."""
        return " ".join(part for part in (self.given, self.surname) if part) or "Unknown"

    @property
    def parents(self) -> tuple[str, ...]:
        """The ids of the parents that are on record, father first."""
        return tuple(parent for parent in (self.father, self.mother) if parent is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Pedigree:
    """People by id, parents before children; made by `build_pedigree`, never changed afterwards.

    Args:
        people: Every person by id, in that order.
        warnings: What was not right in the source and how it was dealt with, a line each.
    """

    people: dict[str, Person]
    warnings: tuple[str, ...] = ()

    def ancestors(self, person_id: str) -> list[str]:
        """Return the person and every ancestor on record, nearest generations first, each once."""
        found = {person_id: None}
        queue = [person_id]
        for current in queue:  # the list grows while it is walked: breadth first, no recursion
            for parent in self.people[current].parents:
                if parent not in found:
                    found[parent] = None
                    queue.append(parent)
        return queue

    def best_connected(self) -> str:
        """Return the id of the person with the most blood relatives on record.

        Raises:
            ValueError: There is nobody.
        """
        # A set of people is a number with a bit for each: joining two is one operation.
        bit = {person_id: 1 << index for index, person_id in enumerate(self.people)}
        descendants = dict(bit)
        for person in reversed(self.people.values()):
            for parent in person.parents:
                descendants[parent] |= descendants[person.id]
        relatives: dict[str, int] = {}
        for person in self.people.values():
            relatives[person.id] = descendants[person.id]
            for parent in person.parents:
                relatives[person.id] |= relatives[parent]
        return max(relatives, key=lambda person_id: relatives[person_id].bit_count())


def build_pedigree(people: Iterable[Person], warnings: Iterable[str] = ()) -> Pedigree:
    """Order people by generation, after mending what no pedigree can have.

    A parent that is not among the people is dropped. Where somebody would be their own ancestor,
    the parents of one person in the circle are dropped.

    Args:
        people: The people, in any order; of two with one id the later counts.
        warnings: What the source has to say already.

    Returns:
        The pedigree; its warnings name what was dropped.
    """
    listed = list(people)
    known = {person.id: person for person in listed}
    notes = list(warnings)
    if len(known) < len(listed):
        notes.append(f"{len(listed) - len(known)} person(s) have the id of another; left out")
    dangling = _drop_dangling_parents(known)
    if dangling:
        notes.append(f"{dangling} parent(s) are named but not on record; left out")
    order, cut = _generation_order(known)
    if cut:
        who = ", ".join(cut[:3]) + (", ..." if len(cut) > 3 else "")  # noqa: PLR2004 - enough to find the place
        notes.append(f"{len(cut)} person(s) are their own ancestors; parents left out of {who}")
    return Pedigree({person_id: known[person_id] for person_id in order}, tuple(notes))


def _drop_dangling_parents(known: dict[str, Person]) -> int:
    dropped = 0
    for person in list(known.values()):
        father = person.father if person.father in known else None
        mother = person.mother if person.mother in known else None
        if (father, mother) != (person.father, person.mother):
            dropped += len(person.parents) - len([p for p in (father, mother) if p is not None])
            known[person.id] = replace(person, father=father, mother=mother)
    return dropped


def _generation_order(known: dict[str, Person]) -> tuple[list[str], list[str]]:
    """Return the ids, parents first, and the ids of those whose parents were dropped for it."""
    try:
        return list(_sorter(known).static_order()), []
    except CycleError:
        cut = _cut_circles(known)
    return list(_sorter(known).static_order()), cut


def _sorter(known: dict[str, Person]) -> TopologicalSorter[str]:
    return TopologicalSorter({person.id: person.parents for person in known.values()})


def _cut_circles(known: dict[str, Person]) -> list[str]:
    """Drop the parents of everybody who closes a circle, in one walk; return their ids.

    The sorter tells of one circle at a time, and a file can have thousands.
    """
    cut: list[str] = []
    done: set[str] = set()
    under_way: set[str] = set()
    for start in list(known):
        line = [start]
        while line:
            current = line[-1]
            if current not in under_way and current not in done:
                under_way.add(current)
                if not under_way.isdisjoint(known[current].parents):
                    known[current] = replace(known[current], father=None, mother=None)
                    cut.append(current)
                line += [parent for parent in known[current].parents if parent not in done]
            else:
                under_way.discard(line.pop())
                done.add(current)
    return cut
