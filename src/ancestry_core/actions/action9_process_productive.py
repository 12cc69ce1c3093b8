"""Action 9: take up what people wrote about their families.

In: stored incoming messages, and their conversations read once more. Out: suggested facts, a reply
(or, without leave to send, its row alone), and the message archived once it is answered. Facts are
found by the rules in `extraction`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from ancestry_core.actions.completion import ActionRun, Result, ignore
from ancestry_core.actions.conversation_reader import read_conversation
from ancestry_core.actions.extraction import extract_facts
from ancestry_core.actions.letters import compose_reply
from ancestry_core.actions.outbox import Outbox
from ancestry_core.actions.patience import Patience
from ancestry_core.api_shapes import MALFORMED
from ancestry_core.database.conversations import Letter, add_facts
from ancestry_core.database.models import (
    Classification,
    ConversationLog,
    Direction,
    MessageKind,
    Person,
    PersonStatus,
)
from ancestry_core.exceptions import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_core.actions.completion import ActionSummary, Progress
    from ancestry_core.session_manager import SessionManager

_log = logging.getLogger(__name__)


def process_productive(
    session_manager: SessionManager,
    send: bool = False,  # noqa: FBT001, FBT002 - the platform's fixed signature
    *,
    now: Callable[[], float] = time.time,
    on_progress: Callable[[Progress], None] = ignore,
    on_complete: Callable[[ActionSummary], None] = ignore,
) -> ActionSummary:
    """Take up every incoming message that is not archived.

    Args:
        session_manager: The platform.
        send: Whether replies may leave; without it they are written down as `dry-run`.
        now: Unix seconds.
        on_progress: Told after each message.
        on_complete: Told the summary, also when the run ends early.

    Returns:
        Messages whose facts were taken up (success), that hold none, are answered or overtaken by
        a newer one (skipped), or whose conversation could not be read or reply may not have
        arrived (failure).

    Raises:
        DatabaseError: If the database cannot be read or written.
    """
    session_manager.ensure_session_ready()
    with ActionRun("action9_process_productive", on_progress, on_complete) as run:
        processing = _Processing(session_manager, send=send, now=now)
        messages = processing.messages()
        run.expect_more(len(messages))
        for message_id in messages:
            session_manager.check_health()
            run.complete(processing.take_up(message_id))
    return run.summary()


@dataclass(frozen=True, slots=True)
class _Lead:
    """A message with what is needed to follow it up."""

    message: ConversationLog
    person: Person

    @property
    def conversation_id(self) -> str:
        return self.message.conversation_id or ""


class _Processing:
    """Takes up one message after the other."""

    def __init__(
        self, session_manager: SessionManager, *, send: bool, now: Callable[[], float]
    ) -> None:
        self._session_manager = session_manager
        self._database = session_manager.database
        self._patience = Patience(session_manager.sleep)
        self._outbox = Outbox(session_manager, self._patience, send=send, now=now)

    def messages(self) -> list[int]:
        """Return the messages in question, oldest first, but of nobody who wants peace."""
        statement = (
            select(ConversationLog.id)
            .join(ConversationLog.person)
            .where(
                ConversationLog.direction == Direction.IN,
                ConversationLog.archived.is_(False),
                Person.status == PersonStatus.ACTIVE,
            )
            .order_by(ConversationLog.sent_at, ConversationLog.id)
        )
        with self._database.transaction() as session:
            return list(session.scalars(statement))

    def take_up(self, message_id: int) -> Result:
        """Take up one message."""
        lead = self._load(message_id)
        if lead.message.classification is not Classification.PRODUCTIVE:
            return "skipped"
        self._store_facts(lead)
        if self._is_answered(lead):
            return "skipped"
        try:
            return self._answer(lead)
        except ApiError as error:
            _log.warning("message not taken up: %s", error)
            return "failure"
        except MALFORMED as error:
            _log.warning("conversation %s: unexpected answer (%r)", lead.conversation_id, error)
            return "failure"

    def _load(self, message_id: int) -> _Lead:
        with self._database.transaction() as session:
            message = session.get_one(ConversationLog, message_id)
            return _Lead(message, message.person)

    def _store_facts(self, lead: _Lead) -> None:
        with self._database.transaction() as session:
            add_facts(session, lead.message, extract_facts(lead.message.content))

    def _is_answered(self, lead: _Lead) -> bool:
        """Tell whether a reply is written down already, at least as one that would have left."""
        wanted = select(ConversationLog.id).where(ConversationLog.reply_to_id == lead.message.id)
        with self._database.transaction() as session:
            return session.scalar(wanted) is not None and not self._outbox.sends

    def _answer(self, lead: _Lead) -> Result:
        """Reply, unless they have written again: then what they wrote last is answered."""
        read_conversation(
            self._session_manager,
            self._patience,
            lead.conversation_id,
            lead.person.profile_id or "",
            lead.person.display_name,
        )
        if self._is_overtaken(lead):
            self._archive(lead)
            return "skipped"
        name = lead.person.first_name or lead.person.display_name
        delivered = self._outbox.deliver(
            Letter(
                people_id=lead.person.id,
                recipient=lead.person.profile_id or "",
                kind=MessageKind.REPLY,
                text=compose_reply(name, extract_facts(lead.message.content)),
                conversation_id=lead.conversation_id,
                reply_to_id=lead.message.id,
            )
        )
        if self._outbox.sends:
            self._archive(lead)
        return "success" if delivered else "skipped"

    def _is_overtaken(self, lead: _Lead) -> bool:
        newest = select(func.max(ConversationLog.service_time)).where(
            ConversationLog.people_id == lead.person.id, ConversationLog.direction == Direction.IN
        )
        with self._database.transaction() as session:
            return (session.scalar(newest) or 0) > (lead.message.service_time or 0)

    def _archive(self, lead: _Lead) -> None:
        with self._database.transaction() as session:
            session.get_one(ConversationLog, lead.message.id).archived = True
