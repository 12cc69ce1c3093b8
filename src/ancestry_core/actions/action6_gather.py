"""Action 6: gather the account's DNA matches, page by page.

In: the service's match list. Out: rows of `people`, `dna_match` and `family_tree`. A match whose
list entry is stored unchanged costs no further request. A page is one transaction, then one
checkpoint: a run that was killed goes on with the page that it was at, a run that got through
begins at the first page again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ancestry_core.actions.checkpoint import Checkpoint, Position
from ancestry_core.actions.completion import ActionRun, Result, ignore
from ancestry_core.actions.match_details import DetailReader, fingerprint_of, sample_id_of
from ancestry_core.actions.patience import Patience
from ancestry_core.api_shapes import MALFORMED
from ancestry_core.database.matches import count_matches, known_matches, write_matches
from ancestry_core.exceptions import ApiError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_core.actions.completion import ActionSummary, Progress
    from ancestry_core.api_payloads import Match, MatchPage
    from ancestry_core.database.matches import Fingerprint, MatchRecord
    from ancestry_core.session_manager import SessionManager

_log = logging.getLogger(__name__)


def coord(
    session_manager: SessionManager,
    start: int | None = None,
    *,
    on_progress: Callable[[Progress], None] = ignore,
    on_complete: Callable[[ActionSummary], None] = ignore,
) -> ActionSummary:
    """Gather the matches.

    Args:
        session_manager: The platform.
        start: The page to begin with, from 1; by default where an unfinished run stopped, else 1.
        on_progress: Told after each match.
        on_complete: Told the summary, also when the run ends early.

    Returns:
        Matches that are new or changed (success), unchanged (skipped), or whose details could not
        be read (failure); the latter are tried again by the next run.

    Raises:
        SettingsError: If `start` is below 1.
        ApiError: If a page of the list cannot be read; the next run goes on there.
        DatabaseError: If a page cannot be stored; then nothing of it is.
        CheckpointError: If the checkpoint cannot be written.

    Example:
        >>> coord(session_manager)  # doctest: +SKIP
        ActionSummary(action='action6_gather', success=118, failure=2, skipped=0, seconds=19.4)
    """
    if start is not None and start < 1:
        raise SettingsError(f"action 6 cannot start at page {start}; pages count from 1")
    session_manager.ensure_session_ready()
    with ActionRun("action6_gather", on_progress, on_complete) as run:
        _Gathering(session_manager, run).walk(start)
    return run.summary()


class _Gathering:
    """One walk over the pages; holds no more than a page at a time."""

    def __init__(self, session_manager: SessionManager, run: ActionRun) -> None:
        self._session_manager = session_manager
        self._api = session_manager.api
        self._database = session_manager.database
        self._run = run
        self._patience = Patience(session_manager.sleep)
        self._reader = DetailReader(self._api, self._patience, session_manager.tree_id)
        self._page_size = session_manager.settings.actions.page_size
        self._checkpoint = Checkpoint.beside(self._database.path)

    def walk(self, start: int | None) -> None:
        page = self._first_page() if start is None else start
        last = page
        while page <= last:
            listing = self._patience.insist(self._api.fetch_match_page, page, self._page_size)
            last = listing["totalPages"]
            self._expect(listing, last - page)
            stored = self._gather(listing["matchList"])
            page += 1
            test_id = self._session_manager.dna_test_id
            self._checkpoint.save(Position(test_id, page, self._page_size, stored))
        self._checkpoint.clear()

    def _first_page(self) -> int:
        """Return the page to go on with, if the checkpoint is of this list and this database."""
        position = self._checkpoint.load()
        if position is None:
            return 1
        with self._database.transaction() as session:
            stored = count_matches(session)
        same = (self._session_manager.dna_test_id, self._page_size)
        if (position.test_id, position.page_size) != same or stored < position.stored:
            _log.warning(
                "%s: made with another test, page size or database; gathering starts afresh",
                self._checkpoint.path,
            )
            return 1
        _log.info("going on with page %d", position.next_page)
        return position.next_page

    def _expect(self, listing: MatchPage, pages_left: int) -> None:
        self._run.expect_more(len(listing["matchList"]) + max(pages_left, 0) * self._page_size)

    def _gather(self, listed: list[Match]) -> int:
        """Gather one page: ask what is known, read the rest, write it at once.

        Returns:
            How many matches are stored now, those of earlier pages included.
        """
        usable = [match for match in listed if match.get("sampleId")]
        self._run.complete("failure", len(listed) - len(usable))
        sample_ids = [sample_id_of(match) for match in usable]
        in_my_tree = self._in_my_tree(sample_ids)
        with self._database.transaction() as session:
            known = known_matches(session, sample_ids)
        records: list[MatchRecord] = []
        for match in usable:
            self._session_manager.check_health()
            result = self._gather_one(match, in_my_tree, known, records)
            # A match that was read counts when its page is stored, not before.
            if result != "success":
                self._run.complete(result)
        with self._database.transaction() as session:
            write_matches(session, records)
            stored = count_matches(session)
        self._run.complete("success", len(records))
        # What is stored is not asked for again; kept, a long list would push out all else.
        self._session_manager.cache.invalidate("matches")
        return stored

    def _in_my_tree(self, sample_ids: list[str]) -> set[str]:
        """Ask for a whole page which matches are in the account's tree."""
        if not sample_ids:
            return set()
        found = self._patience.insist(self._api.fetch_in_tree, sample_ids)
        return {sample_id.upper() for sample_id in found}

    def _gather_one(
        self,
        listed: Match,
        in_my_tree: set[str],
        known: dict[str, Fingerprint],
        records: list[MatchRecord],
    ) -> Result:
        sample_id = sample_id_of(listed)
        try:
            fingerprint = fingerprint_of(listed, in_my_tree=sample_id in in_my_tree)
            if known.get(sample_id) == fingerprint:
                return "skipped"
            records.append(self._reader.read(listed, fingerprint))
        except ApiError as error:
            _log.warning("match not gathered: %s", error)
            return "failure"
        except MALFORMED as error:
            _log.warning("match %s not gathered: unexpected answer (%r)", sample_id, error)
            return "failure"
        # Should the page show it twice, it is read once.
        known[sample_id] = fingerprint
        return "success"
