"""The records that the service's answers are made of: the account and a DNA match.

Plain data: how a match comes about is told in `population`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ancestry_core.service.genetics import SharedDna
    from ancestry_core.service.pedigree import Person


@dataclass(frozen=True, slots=True)
class Account:
    """The account that signs in.

    Args:
        person: Who it is in the pedigree.
        profile_id: Upper-case.
        test_id: Id of the DNA test, upper-case.
        tree_id: Id of the family tree, digits.
    """

    person: Person
    profile_id: str
    test_id: str
    tree_id: str

    @property
    def tree_name(self) -> str:
        """The name of the account's family tree."""
        return f"{self.person.surname or self.person.given or 'Family'} Family Tree"


@dataclass(frozen=True, slots=True)
class Match:
    """One DNA match.

    Args:
        person: Who it is; somebody of the pedigree or a simulated cousin.
        sample_id: Id of the DNA sample, upper-case.
        profile_id: Id of the profile, upper-case.
        dna: What is shared with the account.
        on_fathers_side: Related through the account's father.
        on_mothers_side: Related through the account's mother.
        in_tree: Whether the account's tree has the person.
        admin_id: Profile id of who manages the sample, upper-case.
        admin_name: Display name of who manages the sample.
        created_date: When it became a match, ISO 8601 in UTC.
        tree_id: Id of the match's own tree, or None.
        tree_is_public: Whether that tree may be seen.
        person_count: How many people that tree has.
        idle_days: Whole days since the last sign-in.
        is_contactable: Whether the match accepts messages.
        ethnicity: Per region the two shares in percent, the account's and the match's.
    """

    person: Person
    sample_id: str
    profile_id: str
    dna: SharedDna
    on_fathers_side: bool
    on_mothers_side: bool
    in_tree: bool
    admin_id: str
    admin_name: str
    created_date: str
    tree_id: str | None
    tree_is_public: bool
    person_count: int
    idle_days: int
    is_contactable: bool
    ethnicity: tuple[tuple[str, int, int], ...]

    @property
    def initials(self) -> str:
        """The first letters of the first and the last word of the name."""
        words = self.person.name.split()
        return "".join(word[0] for word in (words[0], words[-1])).upper()
