"""Who is at the embedded service: the account, its DNA matches, their trees and conversations.

In: a pedigree, the id of the account's person, how many matches are wanted, a seed. Out: a
`Population`, the same for the same arguments. Nothing of HTTP or of files is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ancestry_core.service.genetics import share_dna
from ancestry_core.service.inbox import Conversation, Kind, Message
from ancestry_core.service.kinship import Kinship, kinship_with
from ancestry_core.service.matches import Account, Match
from ancestry_core.service.pedigree import Person
from ancestry_core.service.prose import write_conversation
from ancestry_core.service.seeding import digest, generator, identifier

if TYPE_CHECKING:
    from random import Random

    from ancestry_core.service.pedigree import Pedigree

_FIRST_DAY = 1_420_070_400
"""2015-01-01 in Unix seconds. Dates do not follow the clock: a second run shall see what the first
one saw, and not take every match for a changed one."""
_DAYS = 3_650
_SECONDS_PER_DAY = 86_400
_REGIONS = ("00101", "00112", "00203", "00217", "00304", "00420")
_KINDS: tuple[Kind, ...] = (
    *("productive",) * 5,
    *("desist",) * 2,
    *("other",) * 3,
    *("sent",) * 2,
)
_MATCHES_PER_CONVERSATION = 6
_MOST_CONVERSATIONS = 240
_IN_TREE_MEIOSES = 6
"""The account has put relatives up to second cousins into its tree."""


@dataclass(frozen=True, slots=True)
class Population:
    """Everybody at the service.

    Args:
        account: Who signs in.
        matches: By shared centimorgans, most first.
        conversations: In the order of the matches that they are with.
        relatives: How many of the matches are blood relatives on record; the others are simulated.
    """

    account: Account
    matches: tuple[Match, ...]
    conversations: tuple[Conversation, ...]
    relatives: int


def populate(pedigree: Pedigree, root_id: str, wanted: int, seed: int) -> Population:
    """Return the account of one person, with that many matches and what comes with them.

    Blood relatives come first, the nearest before the others; where there are not enough of them,
    simulated cousins with names from the pedigree fill up.

    Args:
        pedigree: Whose people are taken.
        root_id: The account's person; must be in the pedigree.
        wanted: How many matches.
        seed: What everything drawn follows from.
    """
    account = _account(pedigree.people[root_id], seed)
    relatives = sorted(
        kinship_with(pedigree, root_id).items(),
        key=lambda item: (-item[1].coefficient, item[0]),
    )[:wanted]
    names = [person for person in pedigree.people.values() if person.given] or [account.person]
    matches = [
        _match(pedigree.people[person_id], kinship, seed, is_on_record=True)
        for person_id, kinship in relatives
    ]
    for index in range(wanted - len(relatives)):
        cousin, kinship = _simulated_cousin(index, names, seed)
        matches.append(_match(cousin, kinship, seed, is_on_record=False))
    matches.sort(key=lambda match: (-match.dna.centimorgans, match.sample_id))
    subjects = [person for person in names if person.birth_year] or [account.person]
    conversations = _conversations(account, matches, subjects, seed)
    return Population(account, tuple(matches), tuple(conversations), len(relatives))


def _account(person: Person, seed: int) -> Account:
    return Account(
        person=person,
        profile_id=identifier(seed, "profile", person.id),
        test_id=identifier(seed, "sample", person.id),
        tree_id=_number(seed, "tree", person.id),
    )


def _simulated_cousin(index: int, names: list[Person], seed: int) -> tuple[Person, Kinship]:
    """Return a distant cousin whose given name and surname come from two people on record."""
    name = f"cousin-{index + 1}"
    chance = generator(seed, name)
    given, family = chance.choice(names), chance.choice(names)
    year = chance.randrange(1930, 2001)
    person = Person(name, given.given, family.surname or "Smith", given.sex, year)
    meioses = chance.choice((6, 7, 8, 8, 9, 9, 10, 10, 11))
    # Two common ancestors, so two paths: k = 2 * (1/2) ** (meioses + 1).
    on_fathers_side = chance.random() < 0.5  # noqa: PLR2004 - one side or the other
    return person, Kinship(0.5**meioses, meioses, on_fathers_side, not on_fathers_side)


def _match(person: Person, kinship: Kinship, seed: int, *, is_on_record: bool) -> Match:
    chance = generator(seed, "match", person.id)
    profile_id = identifier(seed, "profile", person.id)
    has_tree = chance.random() < 0.6  # noqa: PLR2004 - shares of the simulated public
    manages_herself = chance.random() < 0.85  # noqa: PLR2004 - the same
    manager = person.name if manages_herself else f"{person.surname or 'Family'} archive"
    return Match(
        person=person,
        sample_id=identifier(seed, "sample", person.id),
        profile_id=profile_id,
        dna=share_dna(kinship, chance),
        on_fathers_side=kinship.on_fathers_side,
        on_mothers_side=kinship.on_mothers_side,
        in_tree=is_on_record and kinship.meioses <= _IN_TREE_MEIOSES,
        admin_id=profile_id if manages_herself else identifier(seed, "admin", person.id),
        admin_name=manager,
        created_date=_date(_FIRST_DAY + chance.randrange(_DAYS) * _SECONDS_PER_DAY),
        tree_id=_number(seed, "tree", person.id) if has_tree else None,
        tree_is_public=has_tree and chance.random() < 0.7,  # noqa: PLR2004 - the same
        person_count=int(chance.lognormvariate(5.5, 1.2)) + 1 if has_tree else 0,
        idle_days=int(chance.expovariate(1 / 200)),
        is_contactable=chance.random() < 0.9,  # noqa: PLR2004 - the same
        ethnicity=_ethnicity(chance),
    )


def _ethnicity(chance: Random) -> tuple[tuple[str, int, int], ...]:
    regions = chance.sample(_REGIONS, 3)
    mine, theirs = chance.randrange(5, 90), chance.randrange(5, 90)
    shares = ((mine, theirs), (100 - mine, 0), (0, 100 - theirs))
    return tuple((region, *pair) for region, pair in zip(regions, shares, strict=True))


def _conversations(
    account: Account, matches: list[Match], subjects: list[Person], seed: int
) -> list[Conversation]:
    """Return conversations with every n-th match, of each kind in turn."""
    partners = matches[::_MATCHES_PER_CONVERSATION][:_MOST_CONVERSATIONS]
    return [
        _conversation(account, partner, _KINDS[index * 5 % len(_KINDS)], subjects, seed)
        for index, partner in enumerate(partners)
    ]


def _conversation(
    account: Account, partner: Match, kind: Kind, subjects: list[Person], seed: int
) -> Conversation:
    chance = generator(seed, "conversation", partner.profile_id)
    created = _FIRST_DAY + chance.randrange(_DAYS * _SECONDS_PER_DAY)
    messages = []
    for is_mine, text in write_conversation(kind, chance.choice(subjects), chance):
        author = account.profile_id if is_mine else partner.profile_id
        messages.append(Message(author, text, created))
        created += chance.randrange(3_600, 10 * _SECONDS_PER_DAY)
    conversation_id = identifier(seed, "conversation", partner.profile_id)
    return Conversation(conversation_id, partner.profile_id, partner.person.name, messages, kind)


def _date(stamp: int) -> str:
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(seed: int, *names: object) -> str:
    """Return an id of nine digits, as trees have."""
    return str(100_000_000 + int.from_bytes(digest(seed, *names)[:4], "big") % 900_000_000)
