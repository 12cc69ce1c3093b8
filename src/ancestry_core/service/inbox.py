"""The account's conversations: what is there, and what is sent while the service runs.

In: the conversations of the population, then messages. Out: pages of conversations, newest first,
and messages. State lives as long as the service does.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ancestry_core.service.seeding import identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Kind = Literal["productive", "desist", "other", "sent"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Args:
        author: Profile id of who wrote it, upper-case.
        content: The text.
        created: Unix seconds.
    """

    author: str
    content: str
    created: int


@dataclass(slots=True)
class Conversation:
    """A conversation between the account and one match.

    Args:
        id: Upper-case, as ids are shown.
        partner_id: The match's profile id, upper-case.
        partner_name: The match's display name.
        messages: Oldest first; never empty.
        kind: What it was made as, so that tests can tell; `sent` for one that the account began.
        reads: How often its messages were asked for.
    """

    id: str
    partner_id: str
    partner_name: str
    messages: list[Message]
    kind: Kind
    reads: int = field(default=0, compare=False)

    @property
    def last_created(self) -> int:
        """Unix seconds of the newest message."""
        return self.messages[-1].created


class Inbox:
    """All conversations of the account; safe to use from several threads.

    Args:
        owner_id: The account's profile id, upper-case.
        conversations: What is there from the beginning.
        seed: What the ids of new conversations follow from.
        now: Unix seconds.
    """

    def __init__(
        self,
        owner_id: str,
        conversations: Iterable[Conversation],
        seed: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._owner_id = owner_id
        self._seed = seed
        self._now = now
        self._lock = threading.Lock()
        self._by_id = {item.id: item for item in conversations}
        self._by_partner = {item.partner_id: item for item in self._by_id.values()}

    def page(self, limit: int, cursor: str | None) -> tuple[list[Conversation], str | None]:
        """Return up to `limit` conversations, newest first, and the cursor of the next page.

        A cursor names the last conversation of a page, not a count, so that a message that arrives
        between two pages shifts nothing.

        Raises:
            ValueError: The cursor is not one that this method returned.
        """
        with self._lock:
            newest_first = sorted(self._by_id.values(), key=_newest_first)
        if cursor is not None:
            seen = _read_cursor(cursor)
            newest_first = [item for item in newest_first if _newest_first(item) > seen]
        page = newest_first[:limit]
        more = len(newest_first) > len(page) > 0
        return page, f"{page[-1].last_created}.{page[-1].id}" if more else None

    def find(self, conversation_id: str) -> Conversation | None:
        """Return the conversation with this id, whatever its case."""
        return self._by_id.get(conversation_id.upper())

    def read(self, conversation: Conversation, limit: int) -> tuple[list[Message], int]:
        """Return the newest messages, newest first, and how often they were asked for with this."""
        with self._lock:
            conversation.reads += 1
            return conversation.messages[-1 : -limit - 1 : -1], conversation.reads

    def start(self, partner_id: str, partner_name: str, content: str) -> Conversation:
        """Store a message to a match; a conversation that is there already goes on."""
        with self._lock:
            conversation = self._by_partner.get(partner_id)
            if conversation is None:
                new_id = identifier(self._seed, "sent", partner_id)
                conversation = Conversation(new_id, partner_id, partner_name, [], "sent")
                self._add(conversation, content)
                self._by_id[new_id] = self._by_partner[partner_id] = conversation
            else:
                self._add(conversation, content)
            return conversation

    def reply(self, conversation: Conversation, content: str) -> None:
        """Store a message of the account in a conversation."""
        with self._lock:
            self._add(conversation, content)

    def _add(self, conversation: Conversation, content: str) -> None:
        created = int(self._now())
        if conversation.messages:  # two within a second keep their order
            created = max(created, conversation.last_created + 1)
        conversation.messages.append(Message(self._owner_id, content, created))


def _newest_first(conversation: Conversation) -> tuple[int, str]:
    return (-conversation.last_created, conversation.id)


def _read_cursor(cursor: str) -> tuple[int, str]:
    created, _, conversation_id = cursor.partition(".")
    return (-int(created), conversation_id)
