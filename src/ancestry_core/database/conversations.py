"""What actions 7 to 9 ask of the database: people by profile, messages stored once, the outbox.

In: messages as the service shows them, and what the account is about to write. Out: rows. What a
message means, and who is written to, the actions decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert

from ancestry_core.database.models import (
    ConversationLog,
    Direction,
    MessageKind,
    MessageStatus,
    Person,
    Progress,
    SuggestedFact,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from ancestry_core.database.models import FactKind

_INBOX_FLOOR = "inbox floor"


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message as the service shows it.

    Args:
        content: The text.
        author: Profile id of who wrote it, upper-case.
        created: Unix seconds.
    """

    content: str
    author: str
    created: int


@dataclass(frozen=True, slots=True)
class Letter:
    """Something that the account is to write to somebody.

    Args:
        people_id: The person's row.
        recipient: The person's profile id, upper-case.
        kind: What it is for.
        text: What is written.
        conversation_id: The conversation it goes on; None begins one.
        reply_to_id: The row of the message that it answers, for a reply.
    """

    people_id: int
    recipient: str
    kind: MessageKind
    text: str
    conversation_id: str | None = None
    reply_to_id: int | None = None


def person_with_profile(session: Session, profile_id: str, display_name: str) -> Person:
    """Find the person with a profile, or add one: whoever writes is somebody.

    Args:
        session: An open transaction.
        profile_id: Upper-case.
        display_name: For a person who is added.
    """
    session.execute(
        insert(Person)
        .values(profile_id=profile_id, display_name=display_name)
        .on_conflict_do_nothing(index_elements=["profile_id"])
    )
    return session.scalars(select(Person).where(Person.profile_id == profile_id)).one()


def newest_times(session: Session, conversation_ids: Iterable[str]) -> dict[str, int]:
    """Read, per stored conversation, when its newest message that was read was written."""
    newest = (
        select(ConversationLog.conversation_id, func.max(ConversationLog.service_time))
        .where(
            ConversationLog.conversation_id.in_(conversation_ids),
            ConversationLog.service_time.is_not(None),
        )
        .group_by(ConversationLog.conversation_id)
    )
    found = session.execute(newest)
    return {known: time for known, time in found if known is not None and time is not None}


def store_messages(
    session: Session,
    person: Person,
    conversation_id: str,
    messages: Sequence[SeenMessage],
) -> list[ConversationLog]:
    """Store the messages of a conversation that are not stored yet.

    A message of the account that this platform wrote is recognised by its text and takes the
    service's time; one that was uncertain is known to have arrived then.

    Args:
        session: An open transaction.
        person: Whom the conversation is with; everything they did not write, the account did.
        conversation_id: Upper-case.
        messages: In any order.

    Returns:
        The new incoming messages, oldest first.
    """
    arrived = []
    for message in sorted(messages, key=lambda item: item.created):
        incoming = message.author == person.profile_id
        if not incoming and _confirm(session, person, conversation_id, message):
            continue
        row = _insert_seen(session, person.id, conversation_id, message, incoming=incoming)
        if row is not None and incoming:
            arrived.append(row)
    return arrived


def _confirm(session: Session, person: Person, conversation_id: str, message: SeenMessage) -> bool:
    """Find the account's own record of a message and note that it is in the conversation."""
    if _is_stored(session, conversation_id, message):
        # Read once more: another record with the same text is of another message.
        return True
    written = select(ConversationLog).where(
        ConversationLog.people_id == person.id,
        ConversationLog.direction == Direction.OUT,
        ConversationLog.status.in_((MessageStatus.SENT, MessageStatus.UNCERTAIN)),
        ConversationLog.service_time.is_(None),
        ConversationLog.content == message.content,
    )
    row = session.scalars(written.limit(1)).first()
    if row is None:
        return False
    row.status = MessageStatus.SENT
    row.conversation_id = conversation_id
    row.service_time = row.sent_at = message.created
    return True


def _is_stored(session: Session, conversation_id: str, message: SeenMessage) -> bool:
    same = select(ConversationLog.id).where(
        ConversationLog.conversation_id == conversation_id,
        ConversationLog.direction == Direction.OUT,
        ConversationLog.service_time == message.created,
        ConversationLog.content == message.content,
    )
    return session.scalar(same) is not None


def _insert_seen(
    session: Session,
    people_id: int,
    conversation_id: str,
    message: SeenMessage,
    *,
    incoming: bool,
) -> ConversationLog | None:
    """Insert a message that was read; None when it is there already."""
    statement = (
        insert(ConversationLog)
        .values(
            people_id=people_id,
            conversation_id=conversation_id,
            direction=Direction.IN if incoming else Direction.OUT,
            status=MessageStatus.RECEIVED if incoming else MessageStatus.SENT,
            content=message.content,
            sent_at=message.created,
            service_time=message.created,
        )
        .on_conflict_do_nothing()
        .returning(ConversationLog)
    )
    return session.scalars(statement).first()


def inbox_floor(session: Session) -> int:
    """Read the time below which every conversation has been dealt with; 0 before the first run."""
    row = session.get(Progress, _INBOX_FLOOR)
    return int(row.value) if row is not None else 0


def set_inbox_floor(session: Session, floor: int) -> None:
    """Note that every conversation whose newest message is older than `floor` is dealt with."""
    session.merge(Progress(name=_INBOX_FLOOR, value=str(floor)))


def claim(session: Session, letter: Letter, now: int, *, send: bool) -> ConversationLog | None:
    """Write down that a letter is about to leave (or, dry-run, that it would have).

    The row is there before anything leaves, as `uncertain`: whatever kills the program in between,
    the letter is not written again.

    Args:
        session: An open transaction.
        letter: What is to be written.
        now: Unix seconds.
        send: Whether it really leaves.

    Returns:
        The row, or None when the letter was written before (or, dry-run, written down before).
    """
    row = session.scalars(_written(letter)).first()
    if row is None:
        row = ConversationLog(people_id=letter.people_id, direction=Direction.OUT, kind=letter.kind)
        session.add(row)
    elif not send or row.status is not MessageStatus.DRY_RUN:
        return None
    row.status = MessageStatus.UNCERTAIN if send else MessageStatus.DRY_RUN
    row.conversation_id = letter.conversation_id
    row.content = letter.text
    row.sent_at = now
    row.reply_to_id = letter.reply_to_id
    session.flush()
    return row


def _written(letter: Letter) -> Select[ConversationLog]:
    same = select(ConversationLog).where(
        ConversationLog.people_id == letter.people_id, ConversationLog.kind == letter.kind
    )
    if letter.kind is MessageKind.REPLY:
        return same.where(ConversationLog.reply_to_id == letter.reply_to_id)
    return same


def confirm_sent(session: Session, row_id: int, conversation_id: str | None) -> None:
    """Note that the service took a letter."""
    row = session.get_one(ConversationLog, row_id)
    row.status = MessageStatus.SENT
    row.conversation_id = conversation_id or row.conversation_id


def release(session: Session, row_id: int) -> None:
    """Forget a letter that certainly did not leave, so that a later run may write it."""
    session.delete(session.get_one(ConversationLog, row_id))


def add_facts(
    session: Session, message: ConversationLog, facts: Iterable[tuple[FactKind, str]]
) -> int:
    """Store the facts of a message; return how many were new."""
    added = 0
    for kind, value in facts:
        statement = (
            insert(SuggestedFact)
            .values(
                people_id=message.people_id,
                message_id=message.id,
                kind=kind,
                value=value,
                context=message.content,
            )
            .on_conflict_do_nothing()
            .returning(SuggestedFact.id)
        )
        added += session.scalar(statement) is not None
    return added
