"""The texts that the account writes.

In: a kind of letter, a name, and what it is about. Out: a text. Who gets it is decided elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_core.database.models import FactKind, MessageKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ancestry_core.actions.extraction import Fact

_LETTERS = {
    MessageKind.INITIAL: (
        "Hello {name}, our DNA tests say that we are related ({relationship}). I would like to "
        "find the ancestors we share. Which families and places does your tree go back to?"
    ),
    MessageKind.FOLLOW_UP: (
        "Hello {name}, some time ago I wrote about the DNA that we share ({relationship}). Even a "
        "surname or a place would help to find the line. I gladly send you what I have."
    ),
    MessageKind.FINAL_REMINDER: (
        "Hello {name}, this is my last letter about our shared DNA ({relationship}). Should you "
        "wish to compare our trees one day, just answer this message."
    ),
    MessageKind.DESIST_ACKNOWLEDGEMENT: (
        "Hello {name}, thank you for letting me know. I will not write to you again."
    ),
}
_REPLY = (
    "Hello {name}, thank you, this helps. I have noted {facts}, will look for it in the records "
    "and tell you what I find."
)
_MOST_FACTS = 4


def compose(kind: MessageKind, name: str, relationship: str) -> str:
    """Write a letter of the sequence, or an acknowledgement.

    Args:
        kind: Any but a reply.
        name: How to address the person.
        relationship: What the service predicts, such as "3rd cousin".

    Example:
        >>> compose(MessageKind.DESIST_ACKNOWLEDGEMENT, "Ada", "")
        'Hello Ada, thank you for letting me know. I will not write to you again.'
    """
    return _LETTERS[kind].format(name=name, relationship=relationship)


def compose_reply(name: str, facts: Sequence[Fact]) -> str:
    """Answer somebody who told something.

    Args:
        name: How to address the person.
        facts: What they told; at least one.

    Example:
        >>> from ancestry_core.actions.extraction import Fact
        >>> compose_reply("Ada", [Fact(FactKind.YEAR, "1815")])[:57]
        'Hello Ada, thank you, this helps. I have noted the year 1'
    """
    noted = [
        f"the year {fact.value}" if fact.kind is FactKind.YEAR else fact.value
        for fact in facts[:_MOST_FACTS]
    ]
    return _REPLY.format(name=name, facts=", ".join(noted))
