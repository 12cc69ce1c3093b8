"""What matches write to the account.

In: a match, an ancestor to write about, and chance. Out: a conversation's texts, oldest first. The
productive ones hold names, years and places of real people of the pedigree, in prose as people
write it; others ask to be left alone, or say nothing that helps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from ancestry_core.service.inbox import Kind
    from ancestry_core.service.pedigree import Person

_OPENINGS = (
    "Hello, we seem to share some DNA. Do you know how we are related?",
    "Hi, I am looking for our common ancestors. Would you compare notes with me?",
)
_DESISTING = (
    "Please stop sending me messages.",
    "I am not interested, thank you. Please do not contact me again.",
    "Please remove me from your list, I no longer do genealogy.",
    "Unsubscribe. I took the test as a gift and want no messages.",
)
_OTHER = (
    "Thanks for writing. I will have a look when I find the time.",
    "Hello! Nice to hear from you.",
    "I do not know much about my family, sorry.",
    "What does the percentage on the match page mean?",
    "Merry Christmas to you and yours!",
)
_RELATIONS = ("great-grandmother", "great-grandfather", "grandmother", "grandfather", "ancestor")
_WITH_PLACE = (
    "My {relation} {name} was born in {year} in {place}. Does that help you?",
    "I believe the link is {name}, born {year} at {place}; that is my {relation}.",
    "In our family Bible stands {name}, * {year}, {place}. I descend from there.",
)
_WITHOUT_PLACE = (
    "My {relation} was {name}, born about {year}. Is that name in your tree?",
    "We descend from {name} (b. {year}). I can send you what I have on {surname}.",
)


def write_conversation(kind: Kind, subject: Person, chance: Random) -> list[tuple[bool, str]]:
    """Return the texts of a conversation, oldest first, each with whether the account wrote it.

    Args:
        kind: What the match's newest message is to be; `sent` ends with a message of the account.
        subject: An ancestor to write about, whose birth year is on record.
        chance: What is drawn from.
    """
    opening = (True, chance.choice(_OPENINGS))
    if kind == "sent":
        return [opening]
    answer = (False, _answer(kind, subject, chance))
    # Some matches write of their own accord.
    return [opening, answer] if chance.random() < 0.7 else [answer]  # noqa: PLR2004 - a share, as good a name as any


def _answer(kind: Kind, subject: Person, chance: Random) -> str:
    if kind == "desist":
        return chance.choice(_DESISTING)
    if kind == "other":
        return chance.choice(_OTHER)
    return _about(subject, chance)


def _about(subject: Person, chance: Random) -> str:
    mothers, fathers = _RELATIONS[0::2], _RELATIONS[1::2]
    relation = chance.choice({"F": mothers, "M": fathers}.get(subject.sex, ("ancestor",)))
    place = ", ".join(part.strip() for part in subject.birth_place.split(",") if part.strip())
    text = chance.choice(_WITH_PLACE if place else _WITHOUT_PLACE)
    return text.format(
        relation=relation,
        name=subject.name,
        surname=subject.surname or subject.given,
        year=subject.birth_year,
        place=place,
    )
