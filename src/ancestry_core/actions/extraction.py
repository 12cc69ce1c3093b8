"""Find names, years and places in what somebody wrote about a family.

In: a text. Out: `Fact`s in the order in which they stand there, each once, by these rules:

- A year is a number from 1000 to 2099 that stands alone; not an amount (`1200 cM`, `$1500`), nor
  part of a longer number.
- A name is a run of capitalised words (`von`, `of`, `de` ... may stand between them) that follows a
  word of kinship ("my grandmother Mary", "my ancestor was ..."), or "descend from", "link is",
  "named", or that a birth follows ("Mary Teck, born ...", "Mary Teck (b. 1867)", "Mary, * 1867").
- A place is a run of capitalised words, with commas between its parts, that follows "in", "at",
  "near", "moved to", "came from", or a year and a comma ("* 1819, Kensington, London").

Facts are suggestions for a person to check: the rules know English, and no gazetteer.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ancestry_core.database.models import FactKind

# A capital, then letters with - or ' inside; a full stop belongs to an initial or to "St." alone.
_CAPITAL = r"[^\W\d_a-zß-öø-ÿ]"
_WORD = rf"(?:{_CAPITAL}[a-z]?\.|{_CAPITAL}[^\W\d_]*(?:[-'\u2019][^\W\d_]+)*)"
_PARTICLE = r"(?:of|von|van|de|del|der|den|da|di|du|la|le|the|zu|und|and)"
_RUN = rf"{_WORD}(?:[ _]+(?:{_PARTICLE}[ ]+){{0,2}}{_WORD})*"
_BIRTH = r"(?:,?\s+(?:was\s+)?born\b|,?\s*\(?(?:b\.|\*)\s*\d|\s*\(born\b)"
_KIN = (
    r"(?:(?:great-?\s?)*(?:grand)?(?:mother|father|aunt|uncle|son|daughter)"
    r"|ancestor|ancestress|cousin|brother|sister|wife|husband)"
)
_KEYWORDS = (
    rf"(?:{_KIN}(?:\s+(?:was|is)|,)?|descend(?:s|ed|ant)?\s+(?:of|from)|link\s+is|named|called)"
)

_YEAR = re.compile(
    r"(?<![\w$€£#/.,])(?<!\b\d{3}-)(?P<value>(?:1\d|20)\d\d)(?![\w/%]|[.,]\d|\s*(?:cM|people|SNPs?)\b)"
)
_NAME_AFTER_WORD = re.compile(rf"\b(?i:{_KEYWORDS})\s+(?P<value>{_RUN})")
_NAME_BEFORE_BIRTH = re.compile(rf"(?P<value>{_RUN})(?={_BIRTH})")
_PLACE = re.compile(
    r"(?:\b(?i:in|at|near|moved\s+to|(?:came|comes?)\s+from)\s+|\b\d{4},\s+)"
    rf"(?P<value>{_RUN}(?:,\s*{_RUN})*)"
)
_RULES = (
    (FactKind.NAME, _NAME_AFTER_WORD),
    (FactKind.NAME, _NAME_BEFORE_BIRTH),
    (FactKind.YEAR, _YEAR),
    (FactKind.PLACE, _PLACE),
)
# Capitalised because a sentence or a calendar wants it, not because they name somebody.
_NO_FACT = re.compile(
    r"(?:I|It|In|He|She|We|You|They|My|Our|Your|Is|Was|Do|Does|The|This|That|There|And|But|Hello|Hi"
    r"|Dear|DNA|Ancestry|January|February|March|April|May|June|July|August|September|October"
    r"|November|December|Spring|Summer|Autumn|Winter|Christmas|Bible)\b[\s,.]*"
)
_MOST_CHARACTERS = 120


class Fact(NamedTuple):
    """One thing that a text says.

    Args:
        kind: What it is about.
        value: As it stands in the text, with single spaces.
    """

    kind: FactKind
    value: str


def extract_facts(text: str) -> list[Fact]:
    """Find the facts in a text.

    Args:
        text: What somebody wrote.

    Returns:
        The facts, in the order of the text.

    Example:
        >>> for fact in extract_facts("My grandmother Mary Teck was born in 1867 in London."):
        ...     print(fact.kind.value, fact.value)
        name Mary Teck
        year 1867
        place London
    """
    found: dict[Fact, int] = {}
    for kind, pattern in _RULES:
        for hit in pattern.finditer(text):
            value = _clean(hit["value"])
            if value:
                found.setdefault(Fact(kind, value), hit.start("value"))
    return sorted(found, key=lambda fact: (found[fact], fact))


def _clean(value: str) -> str:
    """Drop words that name nothing from the front, and what ended the sentence from the end."""
    while no_fact := _NO_FACT.match(value):
        value = value[no_fact.end() :]
    return " ".join(value.split())[:_MOST_CHARACTERS].rstrip(" .,-'")
