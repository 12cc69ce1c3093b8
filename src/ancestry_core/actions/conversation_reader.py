"""Read one conversation: store what is new, and act on who asks to be left alone.

In: a conversation's id and whom it is with. Out: the new incoming messages, classified and stored.
Actions 7 and 9 both read conversations, and both the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_core.actions.classification import classify
from ancestry_core.database.conversations import (
    SeenMessage,
    person_with_profile,
    store_messages,
)
from ancestry_core.database.models import Classification, PersonStatus

if TYPE_CHECKING:
    from ancestry_core.actions.patience import Patience
    from ancestry_core.api_payloads import Message
    from ancestry_core.database.models import ConversationLog
    from ancestry_core.session_manager import SessionManager


def read_conversation(
    session_manager: SessionManager,
    patience: Patience,
    conversation_id: str,
    profile_id: str,
    display_name: str,
) -> list[ConversationLog]:
    """Read the newest messages of a conversation, and store and classify what is new.

    Args:
        session_manager: The platform.
        patience: Waits while the service is down.
        conversation_id: Which conversation, upper-case.
        profile_id: Whom it is with, upper-case.
        display_name: Their name, for somebody who is new.

    Returns:
        The new incoming messages, oldest first.

    Raises:
        ApiError: If the messages cannot be read.
        KeyError: If a message lacks something, likewise the others of `MALFORMED`.
        DatabaseError: If they cannot be stored; then none is.
    """
    fetched = patience.call(session_manager.api.fetch_messages, conversation_id.lower())
    messages = [_seen(message) for message in fetched]
    with session_manager.database.transaction() as session:
        person = person_with_profile(session, profile_id, display_name)
        arrived = store_messages(session, person, conversation_id, messages)
        for row in arrived:
            row.classification = classify(row.content)
            # Whatever came after it: a wish to be left alone is not taken back by a thank-you.
            if row.classification is Classification.DESIST:
                person.status = PersonStatus.DESIST
    return arrived


def _seen(message: Message) -> SeenMessage:
    return SeenMessage(
        str(message["content"]), str(message["author"]).upper(), int(message["created"])
    )
