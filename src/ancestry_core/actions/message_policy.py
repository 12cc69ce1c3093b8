"""Decide whether somebody is written to now, and what.

In: what is known of a person and of the messages so far. Out: a kind of letter, or the reason for
none, by these rules, the first that applies:

1. Whoever asked to be left alone gets one acknowledgement, then nothing.
2. Whoever takes no messages, or was not seen within `active_within_days`, gets nothing.
3. Whoever has answered gets nothing from here: action 9 or the user answers.
4. Whoever was written to within `message_interval_days` waits.
5. The first letter is the initial one, the second a follow-up, the third a final reminder; then
   nothing.

Messages that never left (dry-run) count for nothing here; an uncertain one counts as sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ancestry_core.database.models import (
    Direction,
    MessageKind,
    MessageStatus,
    Person,
    PersonStatus,
)

if TYPE_CHECKING:
    from ancestry_core.config import ActionSettings

_SECONDS_PER_DAY = 86_400
_SEQUENCE = (MessageKind.INITIAL, MessageKind.FOLLOW_UP, MessageKind.FINAL_REMINDER)


class Decision(NamedTuple):
    """What to write.

    Args:
        kind: The kind of letter; None for nothing.
        reason: Why, for the log.
    """

    kind: MessageKind | None
    reason: str


@dataclass(frozen=True, slots=True)
class History:
    """What was exchanged with a person, without what never left.

    Args:
        written: How often the account wrote to them; acknowledgements and replies apart.
        last_contact: When the last message was written by either, in Unix seconds; None for never.
        answered: Whether they ever wrote.
        acknowledged: Whether their wish to be left alone was acknowledged.
    """

    written: int
    last_contact: int | None
    answered: bool
    acknowledged: bool

    @classmethod
    def of(cls, person: Person) -> History:
        """Sum up a person's messages, which must be loaded or loadable."""
        real = [row for row in person.messages if row.status is not MessageStatus.DRY_RUN]
        ours = [row for row in real if row.direction is Direction.OUT]
        kinds = [row.kind for row in ours]
        apart = (MessageKind.REPLY, MessageKind.DESIST_ACKNOWLEDGEMENT)
        return cls(
            written=sum(kind not in apart for kind in kinds),
            last_contact=max((row.sent_at for row in real), default=None),
            answered=len(real) > len(ours),
            acknowledged=MessageKind.DESIST_ACKNOWLEDGEMENT in kinds,
        )


def decide(person: Person, history: History, settings: ActionSettings, now: float) -> Decision:
    """Decide what to write to somebody.

    Args:
        person: Whom; an unknown `contactable` counts as yes, an unknown `last_login` as recent, so
            that the caller asks for the profile and decides again.
        history: What was exchanged.
        settings: The interval, and how long somebody counts as active; in days.
        now: Unix seconds.

    Returns:
        The decision.
    """
    if person.status is PersonStatus.DESIST:
        kind = None if history.acknowledged else MessageKind.DESIST_ACKNOWLEDGEMENT
        return Decision(kind, "asked to be left alone")
    reason = _reason_for_none(person, history, settings, now)
    if reason is not None:
        return Decision(None, reason)
    return Decision(_SEQUENCE[history.written], f"{history.written} letters so far")


def _reason_for_none(
    person: Person, history: History, settings: ActionSettings, now: float
) -> str | None:
    """Return the first reason not to write to somebody who takes letters in general."""
    lately = history.last_contact is not None and (
        _days_since(history.last_contact, now) < settings.message_interval_days
    )
    reasons = (
        (person.contactable is False, "takes no messages"),
        (_days_since(person.last_login, now) > settings.active_within_days, "not active"),
        (history.answered, "has answered"),
        (lately, "written to lately"),
        (history.written >= len(_SEQUENCE), "had the final reminder"),
    )
    return next((reason for applies, reason in reasons if applies), None)


def _days_since(moment: int | None, now: float) -> float:
    return 0.0 if moment is None else (now - moment) / _SECONDS_PER_DAY
