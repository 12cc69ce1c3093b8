"""Action 7: read the inbox, newest conversation first, until what is known.

In: the service's conversations. Out: rows of `conversation_log`, each message once, the incoming
ones classified; whoever asks to be left alone is marked so. Everything older than the stored
floor has been dealt with; the floor rises only when a run gets through, and stays below a
conversation that failed, so an interrupted run or a failure leaves nothing unread.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ancestry_core.actions.completion import ActionRun, Result, ignore
from ancestry_core.actions.conversation_reader import read_conversation
from ancestry_core.actions.patience import Patience
from ancestry_core.api_shapes import MALFORMED
from ancestry_core.database.conversations import inbox_floor, newest_times, set_inbox_floor
from ancestry_core.exceptions import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_core.actions.completion import ActionSummary, Progress
    from ancestry_core.api_payloads import Conversation
    from ancestry_core.session_manager import SessionManager

_log = logging.getLogger(__name__)


def process_inbox(
    session_manager: SessionManager,
    *,
    on_progress: Callable[[Progress], None] = ignore,
    on_complete: Callable[[ActionSummary], None] = ignore,
) -> ActionSummary:
    """Read the inbox.

    Args:
        session_manager: The platform.
        on_progress: Told after each conversation.
        on_complete: Told the summary, also when the run ends early.

    Returns:
        Conversations with a new incoming message (success), without one (skipped), or that could
        not be read (failure); the latter are tried again by the next run.

    Raises:
        ApiError: If a page of the inbox cannot be read.
        DatabaseError: If messages cannot be stored.
    """
    session_manager.ensure_session_ready()
    with ActionRun("action7_inbox", on_progress, on_complete) as run:
        _Reading(session_manager, run).walk()
    return run.summary()


class _Reading:
    """One walk down the inbox; holds no more than a page at a time."""

    def __init__(self, session_manager: SessionManager, run: ActionRun) -> None:
        self._session_manager = session_manager
        self._database = session_manager.database
        self._run = run
        self._patience = Patience(session_manager.sleep)
        with self._database.transaction() as session:
            self._floor = inbox_floor(session)
        self._next_floor = self._floor
        self._oldest_failure: int | None = None

    def walk(self) -> None:
        cursor: str | None = None
        while True:
            page = self._patience.insist(
                self._session_manager.api.fetch_conversations,
                cursor,
                self._session_manager.settings.actions.page_size,
            )
            reached_known = self._read_page(page["conversations"])
            cursor = (page.get("paging") or {}).get("forward_cursor")
            if reached_known or not cursor:
                break
        self._raise_floor()

    def _read_page(self, conversations: list[Conversation]) -> bool:
        """Read a page of conversations; tell whether the rest of the inbox is known."""
        fresh = [each for each in conversations if each["last_message"]["created"] >= self._floor]
        self._run.expect_more(len(fresh))
        with self._database.transaction() as session:
            known = newest_times(session, [each["id"].upper() for each in fresh])
        for conversation in fresh:
            self._session_manager.check_health()
            created = conversation["last_message"]["created"]
            self._next_floor = max(self._next_floor, created)
            result = self._read(conversation, known)
            if result == "failure":
                self._oldest_failure = min(created, self._oldest_failure or created)
            self._run.complete(result)
        return len(fresh) < len(conversations)

    def _read(self, conversation: Conversation, known: dict[str, int]) -> Result:
        conversation_id = conversation["id"].upper()
        if known.get(conversation_id, 0) >= conversation["last_message"]["created"]:
            return "skipped"
        try:
            partner = self._partner(conversation)
            if partner is None:
                return "skipped"
            arrived = read_conversation(
                self._session_manager, self._patience, conversation_id, *partner
            )
        except ApiError as error:
            _log.warning("conversation not read: %s", error)
            return "failure"
        except MALFORMED as error:
            _log.warning("conversation %s: unexpected answer (%r)", conversation_id, error)
            return "failure"
        return "success" if arrived else "skipped"

    def _partner(self, conversation: Conversation) -> tuple[str, str] | None:
        """Return profile id and name of whom the conversation is with; None when it is nobody."""
        for member in conversation["members"]:
            profile_id = member["user_id"].upper()
            if profile_id != self._session_manager.profile_id:
                return profile_id, member.get("display_name") or profile_id
        return None

    def _raise_floor(self) -> None:
        floor = self._next_floor if self._oldest_failure is None else self._oldest_failure
        with self._database.transaction() as session:
            set_inbox_floor(session, floor)
