"""Write to somebody, at most once: the single place where a message of the account leaves.

In: a `Letter`. Out: the message at the service and its row in `conversation_log`, or, without
leave to send, the row alone. What is written to whom, actions 8 and 9 decide.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from ancestry_core.database.conversations import claim, confirm_sent, release
from ancestry_core.exceptions import PlatformError, UncertainSendError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_core.actions.patience import Patience
    from ancestry_core.database.conversations import Letter
    from ancestry_core.session_manager import SessionManager

_log = logging.getLogger(__name__)


class Outbox:
    """Delivers letters.

    Args:
        session_manager: The platform.
        patience: Waits while the service is down.
        send: Whether anything may leave; without it letters are only written down.
        now: Unix seconds.
    """

    def __init__(
        self,
        session_manager: SessionManager,
        patience: Patience,
        *,
        send: bool,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._api = session_manager.api
        self._database = session_manager.database
        self._patience = patience
        self._now = now
        self.sends = send

    def deliver(self, letter: Letter) -> bool:
        """Deliver a letter, if it was not delivered before.

        Args:
            letter: What to write to whom.

        Returns:
            True if it left (or, dry-run, is written down now), False if that was so before.

        Raises:
            UncertainSendError: If it may or may not have arrived. It counts as delivered from now
                on and is never sent again.
            PlatformError: If it certainly did not leave; a later run may deliver it.
        """
        with self._database.transaction() as session:
            row = claim(session, letter, int(self._now()), send=self.sends)
        if row is None:
            return False
        if self.sends:
            self._send(letter, row.id)
        return True

    def _send(self, letter: Letter, row_id: int) -> None:
        try:
            conversation_id = self._patience.call(self._hand_over, letter)
        except UncertainSendError:
            raise
        except PlatformError:
            with self._database.transaction() as session:
                release(session, row_id)
            raise
        with self._database.transaction() as session:
            confirm_sent(session, row_id, conversation_id)

    def _hand_over(self, letter: Letter) -> str:
        if letter.conversation_id is None:
            return self._api.send_new_message(letter.recipient, letter.text).upper()
        self._api.send_reply(letter.conversation_id.lower(), letter.text)
        return letter.conversation_id
