"""The five tables of the platform's database, and one for how far a job has got.

Nothing comes in and nothing goes out here: this module only says what a row looks like and which
rows may not exist twice. What the service calls a thing is translated where it is read
(`database/matches.py`, `database/conversations.py`).

Two conventions hold everywhere: ids of the service are stored in upper case, and times are whole
seconds since 1970 UTC, as the service sends them, because SQLite has no time with a zone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Enum, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class PersonStatus(StrEnum):
    """Whether a person may be written to."""

    ACTIVE = "active"
    DESIST = "desist"


class Direction(StrEnum):
    """Who wrote a message: somebody else, or the account."""

    IN = "in"
    OUT = "out"


class MessageStatus(StrEnum):
    """What is known about a message.

    `UNCERTAIN` is written before a message leaves and stays when no answer tells whether it
    arrived; such a message is never sent again. `DRY_RUN` never left.
    """

    RECEIVED = "received"
    DRY_RUN = "dry-run"
    UNCERTAIN = "uncertain"
    SENT = "sent"


class MessageKind(StrEnum):
    """What the account wrote a message for; each is written to a person once, replies apart."""

    INITIAL = "initial"
    FOLLOW_UP = "follow-up"
    FINAL_REMINDER = "final-reminder"
    DESIST_ACKNOWLEDGEMENT = "desist-acknowledgement"
    REPLY = "reply"


class Classification(StrEnum):
    """What an incoming message means for the next step."""

    PRODUCTIVE = "productive"
    DESIST = "desist"
    OTHER = "other"


class FactKind(StrEnum):
    """What a suggested fact is about."""

    NAME = "name"
    YEAR = "year"
    PLACE = "place"


def _choice(kind: type[StrEnum]) -> Enum:
    """Return a text column type that the database itself keeps to the values of `kind`."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """The tables' common registry."""


class Person(Base):
    """Somebody the account shares DNA with or has a conversation with."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    # Null for a match without a profile of its own; SQLite lets many nulls into a unique column.
    profile_id: Mapped[str | None] = mapped_column(unique=True)
    display_name: Mapped[str]
    first_name: Mapped[str | None]
    gender: Mapped[str | None]
    contactable: Mapped[bool | None]
    last_login: Mapped[int | None]
    status: Mapped[PersonStatus] = mapped_column(
        _choice(PersonStatus), default=PersonStatus.ACTIVE, server_default=PersonStatus.ACTIVE
    )

    matches: Mapped[list[DnaMatch]] = relationship(back_populates="person")
    messages: Mapped[list[ConversationLog]] = relationship(
        back_populates="person", order_by="ConversationLog.sent_at, ConversationLog.id"
    )


class DnaMatch(Base):
    """One DNA sample that matches the account's own; a person may have several."""

    __tablename__ = "dna_match"

    id: Mapped[int] = mapped_column(primary_key=True)
    people_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    sample_id: Mapped[str] = mapped_column(unique=True)
    shared_centimorgans: Mapped[float]
    shared_segments: Mapped[int]
    predicted_relationship: Mapped[str]
    tree_id: Mapped[str | None]
    tree_public: Mapped[bool | None]
    tree_size: Mapped[int | None]
    in_my_tree: Mapped[bool]
    longest_segment: Mapped[float | None]
    meiosis: Mapped[int | None]
    fathers_side: Mapped[bool | None]
    mothers_side: Mapped[bool | None]
    likely_path: Mapped[str | None]
    likely_path_probability: Mapped[float | None]
    administrator: Mapped[str | None]
    ethnicity: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))

    person: Mapped[Person] = relationship(back_populates="matches")


class FamilyTree(Base):
    """Where a match stands in the account's own tree."""

    __tablename__ = "family_tree"
    __table_args__ = (UniqueConstraint("people_id", "tree_person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    people_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    tree_id: Mapped[str | None]
    tree_person_id: Mapped[str]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    birth_year: Mapped[int | None]


class ConversationLog(Base):
    """One message of a conversation, read from the service or written by the account."""

    __tablename__ = "conversation_log"
    __table_args__ = (
        # The service gives messages no id; a message is its conversation, author, time and text.
        UniqueConstraint("conversation_id", "direction", "service_time", "content"),
        # The claim that keeps two runs from writing the same thing to somebody twice.
        Index(
            "one_of_a_kind",
            "people_id",
            "kind",
            unique=True,
            sqlite_where=text("kind IS NOT NULL AND kind <> 'reply'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    people_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    conversation_id: Mapped[str | None] = mapped_column(index=True)
    direction: Mapped[Direction] = mapped_column(_choice(Direction))
    status: Mapped[MessageStatus] = mapped_column(_choice(MessageStatus))
    kind: Mapped[MessageKind | None] = mapped_column(_choice(MessageKind))
    content: Mapped[str]
    # The platform's own time for a message it wrote, until the inbox shows the service's.
    sent_at: Mapped[int]
    service_time: Mapped[int | None]
    classification: Mapped[Classification | None] = mapped_column(_choice(Classification))
    archived: Mapped[bool] = mapped_column(default=False, server_default=text("0"))
    reply_to_id: Mapped[int | None] = mapped_column(ForeignKey("conversation_log.id"), unique=True)

    person: Mapped[Person] = relationship(back_populates="messages")


class SuggestedFact(Base):
    """A name, year or place that somebody mentioned, for the researcher to check."""

    __tablename__ = "suggested_facts"
    __table_args__ = (UniqueConstraint("message_id", "kind", "value"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    people_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("conversation_log.id", ondelete="CASCADE"))
    kind: Mapped[FactKind] = mapped_column(_choice(FactKind))
    value: Mapped[str]
    context: Mapped[str]


class Progress(Base):
    """How far a job has got, in the same transaction as its rows (`name` is the job's)."""

    __tablename__ = "progress"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
