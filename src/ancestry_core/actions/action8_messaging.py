"""Action 8: write to matches who may be written to, and acknowledge who wants no letters.

In: people, matches and messages in the database, and the profiles of those who are due. Out:
letters at the service, or without leave to send their rows alone (`dry-run`). At most
`max_messages` letters per run. Who is due is told by `message_policy`.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from ancestry_core.actions.completion import ActionRun, Result, ignore
from ancestry_core.actions.letters import compose
from ancestry_core.actions.match_details import profile_columns
from ancestry_core.actions.message_policy import History, decide
from ancestry_core.actions.outbox import Outbox
from ancestry_core.actions.patience import Patience
from ancestry_core.api_shapes import MALFORMED
from ancestry_core.database.conversations import Letter
from ancestry_core.database.models import (
    DnaMatch,
    MessageKind,
    MessageStatus,
    Person,
    PersonStatus,
)
from ancestry_core.exceptions import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from ancestry_core.actions.completion import ActionSummary, Progress
    from ancestry_core.session_manager import SessionManager

_log = logging.getLogger(__name__)

_NO_RELATIONSHIP = "relationship unknown"


def send_messages_to_matches(
    session_manager: SessionManager,
    send: bool = False,  # noqa: FBT001, FBT002 - the platform's fixed signature
    *,
    now: Callable[[], float] = time.time,
    on_progress: Callable[[Progress], None] = ignore,
    on_complete: Callable[[ActionSummary], None] = ignore,
) -> ActionSummary:
    """Write the letters that are due, to the closest matches first.

    Args:
        session_manager: The platform.
        send: Whether anything may leave; without it the letters are written down as `dry-run`.
        now: Unix seconds.
        on_progress: Told after each person.
        on_complete: Told the summary, also when the run ends early.

    Returns:
        People who were written to (success), who were not due (skipped), or whose profile could
        not be read or whose letter may not have arrived (failure).

    Raises:
        DatabaseError: If the database cannot be read or written.
    """
    session_manager.ensure_session_ready()
    with ActionRun("action8_messaging", on_progress, on_complete) as run:
        messaging = _Messaging(session_manager, send=send, now=now)
        people = messaging.people()
        run.expect_more(len(people))
        for people_id in people:
            session_manager.check_health()
            run.complete(messaging.write_to(people_id))
    return run.summary()


class _Messaging:
    """Writes to one person after the other, up to the cap."""

    def __init__(
        self, session_manager: SessionManager, *, send: bool, now: Callable[[], float]
    ) -> None:
        self._api = session_manager.api
        self._database = session_manager.database
        self._settings = session_manager.settings.actions
        self._patience = Patience(session_manager.sleep)
        self._outbox = Outbox(session_manager, self._patience, send=send, now=now)
        self._now = now
        self._left = self._settings.max_messages

    def people(self) -> list[int]:
        """Return who comes into question: who asked for peace, then matches, the closest first."""
        closest = func.max(DnaMatch.shared_centimorgans)
        desist = Person.status == PersonStatus.DESIST
        statement = (
            select(Person.id)
            .outerjoin(Person.matches)
            .where(Person.profile_id.is_not(None), or_(DnaMatch.id.is_not(None), desist))
            .group_by(Person.id)
            .order_by(desist.desc(), closest.desc(), Person.id)
        )
        with self._database.transaction() as session:
            return list(session.scalars(statement))

    def write_to(self, people_id: int) -> Result:
        """Write to one person what is due, if anything."""
        if self._left == 0 or self._due(people_id) is None:
            return "skipped"
        try:
            self._renew_profile(people_id)
            # Again: the profile may say that they left or take no messages.
            letter = self._due(people_id)
            if letter is None or not self._outbox.deliver(letter):
                return "skipped"
        except ApiError as error:
            _log.warning("not written to: %s", error)
            return "failure"
        except MALFORMED as error:
            _log.warning("not written to: unexpected answer (%r)", error)
            return "failure"
        self._left -= 1
        return "success"

    def _due(self, people_id: int) -> Letter | None:
        """Return the letter that is due to a person now, unless it is written down already."""
        with self._database.transaction() as session:
            person = session.get_one(Person, people_id)
            decision = decide(person, History.of(person), self._settings, self._now())
            _log.debug("person %d: %s (%s)", people_id, decision.kind or "nothing", decision.reason)
            if decision.kind is None or self._is_written(person, decision.kind):
                return None
            return _letter(session, person, decision.kind)

    def _is_written(self, person: Person, kind: MessageKind) -> bool:
        return any(
            row.kind is kind and not (self._outbox.sends and row.status is MessageStatus.DRY_RUN)
            for row in person.messages
        )

    def _renew_profile(self, people_id: int) -> None:
        with self._database.transaction() as session:
            profile_id = session.get_one(Person, people_id).profile_id
        profile = self._patience.call(self._api.fetch_profile, profile_id)
        with self._database.transaction() as session:
            person = session.get_one(Person, people_id)
            for name, value in profile_columns(profile).items():
                setattr(person, name, value)


def _letter(session: Session, person: Person, kind: MessageKind) -> Letter:
    conversations = [row.conversation_id for row in person.messages if row.conversation_id]
    relationship = session.scalar(
        select(DnaMatch.predicted_relationship)
        .where(DnaMatch.people_id == person.id)
        .order_by(DnaMatch.shared_centimorgans.desc())
        .limit(1)
    )
    return Letter(
        people_id=person.id,
        recipient=person.profile_id or "",
        kind=kind,
        text=compose(
            kind, person.first_name or person.display_name, relationship or _NO_RELATIONSHIP
        ),
        conversation_id=conversations[-1] if conversations else None,
    )
