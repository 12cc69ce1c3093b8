"""Tell from its text what an incoming message means for the next step.

In: a text. Out: a `Classification`, by these rules, the first that applies:

1. `desist`: it asks not to be written to ("please stop", "not interested", "unsubscribe", ...).
   Whoever asks for that and mentions a grandmother as well has still asked for it.
2. `productive`: it names a relative or a birth, and a year or a name to go on from.
3. `other`: everything else, the empty text included.

The rules know English only. Nothing is stored here.
"""

from __future__ import annotations

import re

from ancestry_core.actions.extraction import extract_facts
from ancestry_core.database.models import Classification

_DESIST = re.compile(
    r"""
      \b(?:please\s+|kindly\s+)stop\b
    | ^\W*stop\W*$
    | \bstop\s+(?:sending|writing|contacting|messaging|e-?mailing|bothering)\b
    | \b(?:do\s+not|don['\u2019]t|never)\s+(?:contact|write|message|e-?mail|bother)\b
    | \bno\s+(?:more|further)\s+(?:messages|mails?|contact)\b
    | \b(?:remove|take|delete)\s+me\b
    | \bunsubscribe\b
    | \bleave\s+me\s+alone\b
    | (?<!why\s)\bnot\s+interested\b
    | \bno\s+longer\s+(?:do|interested)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_FAMILY = re.compile(
    r"""
      \b(?:great-?\s?)*(?:grand-?)?(?:mother|father|parents?|aunt|uncle|son|daughter)s?\b
    | \b(?:cousin|ancestor|descend|forebear|brother|sister|born|married|maiden\s+name)
    | \bb\.\s | \*\s*\d{4}
    """,
    re.VERBOSE | re.IGNORECASE,
)


def classify(text: str) -> Classification:
    """Classify an incoming message.

    Args:
        text: What somebody wrote.

    Returns:
        What it means for the next step.

    Example:
        >>> classify("My grandmother Mary Teck was born in 1867.").value
        'productive'
        >>> classify("Please stop sending me messages.").value
        'desist'
        >>> classify("Merry Christmas!").value
        'other'
    """
    if _DESIST.search(text):
        return Classification.DESIST
    if _FAMILY.search(text) and extract_facts(text):
        return Classification.PRODUCTIVE
    return Classification.OTHER
