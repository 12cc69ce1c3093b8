from __future__ import annotations

import threading

import pytest
from sqlalchemy import event

from ancestry_core.actions.action6_gather import coord
from ancestry_core.actions.checkpoint import Checkpoint, Position
from ancestry_core.database.models import DnaMatch, FamilyTree, Person
from ancestry_core.exceptions import DatabaseError, RequestFailed, SettingsError
from ancestry_core.service import FaultRates

LIST = "GET /discoveryui-matches/parents/list/api/matchList/:test"
DETAILS = "GET /discoveryui-matchesservice/api/samples/:test/matches/:sample/details"


def counts(summary):
    return summary.success, summary.failure, summary.skipped


def checkpoint_of(platform):
    return Checkpoint.beside(platform.database.path)


def test_every_match_of_the_service_is_stored(platform, service, rows):
    assert counts(coord(platform)) == (50, 0, 0)
    stored = {match.sample_id: match for match in rows(platform, DnaMatch)}
    assert set(stored) == {match.sample_id for match in service.population.matches}
    for match in service.population.matches:
        row = stored[match.sample_id]
        assert row.shared_centimorgans == match.dna.centimorgans
        assert row.shared_segments == match.dna.segments
        assert row.longest_segment == match.dna.longest
        assert row.in_my_tree == match.in_tree
        assert (row.ethnicity is not None) == (match.dna.centimorgans >= 90)
    in_tree = sum(match.in_tree for match in service.population.matches)
    assert len(rows(platform, FamilyTree)) == in_tree > 0
    assert len(rows(platform, Person)) == 50


def test_a_second_look_costs_the_list_alone(platform, service):
    coord(platform)
    before = service.record.total
    assert counts(coord(platform)) == (0, 0, 50)
    # Five pages: the list, and whether its matches are in the tree.
    assert service.record.total - before == 10


def test_a_changed_match_is_read_again(platform, service, rows):
    coord(platform)
    with platform.database.transaction() as session:
        session.get(DnaMatch, 1).shared_segments += 1
    before = service.record.count(DETAILS)
    assert counts(coord(platform)) == (1, 0, 49)
    assert service.record.count(DETAILS) - before == 1
    original = {match.sample_id: match.dna.segments for match in service.population.matches}
    (row,) = rows(platform, DnaMatch, DnaMatch.id == 1)
    assert row.shared_segments == original[row.sample_id]


def test_a_match_that_cannot_be_read_fails_alone_and_is_tried_again(open_service, open_platform):
    service = open_service(faults=FaultRates(broken_details=2))
    platform = open_platform(service)
    assert counts(coord(platform)) == (48, 2, 0)
    service.switch_faults(FaultRates.none())
    assert counts(coord(platform)) == (2, 0, 48)


def test_a_match_that_the_list_shows_twice_is_stored_once(open_service, open_platform, rows):
    platform = open_platform(open_service(faults=FaultRates(late_matches=2)))
    assert counts(coord(platform)) == (48, 0, 2)
    assert counts(coord(platform)) == (2, 0, 48)
    assert len(rows(platform, DnaMatch)) == 50


def test_an_outage_is_waited_out(open_service, open_platform):
    service = open_service(faults=FaultRates(outage_start=20, outage_length=7))
    platform = open_platform(service, breaker={"threshold": 3})
    summary = coord(platform)
    assert summary.failure == 0
    assert summary.success == 50


def test_the_total_is_known_from_the_first_page_on(platform):
    seen = []
    coord(platform, on_progress=seen.append)
    assert seen[0].done == 0
    assert {progress.total for progress in seen} == {50}
    assert seen[-1].done == 50


class StopError(Exception):
    """Ends a run from within."""


def stop_after(pages):
    """Return a progress callback that ends the run when so many pages of ten are stored."""

    def on_progress(progress):
        if progress.done >= pages * 10:
            raise StopError

    return on_progress


def test_an_interrupted_run_goes_on_with_the_page_it_was_at(platform, service, rows):
    told = []
    with pytest.raises(StopError):
        coord(platform, on_progress=stop_after(3), on_complete=told.append)
    assert counts(told[0]) == (30, 0, 0)
    assert checkpoint_of(platform).load().next_page == 3
    details = service.record.count(DETAILS)
    # Page 3 was stored, its checkpoint not written: it is looked at again, its matches are not.
    assert counts(coord(platform)) == (20, 0, 10)
    assert service.record.count(DETAILS) - details == 20
    assert service.record.count(LIST) == 6
    assert len(rows(platform, DnaMatch)) == 50


def test_a_run_that_gets_through_leaves_no_checkpoint(platform):
    coord(platform)
    assert checkpoint_of(platform).load() is None


def test_start_beats_the_checkpoint(platform, service):
    platform.ensure_session_ready()
    checkpoint_of(platform).save(Position(platform.dna_test_id, 5, 10, 0))
    assert counts(coord(platform, 4)) == (20, 0, 0)


def test_a_start_behind_the_end_gathers_nothing(platform):
    assert counts(coord(platform, 99)) == (0, 0, 0)


def test_a_start_below_one_is_refused(platform):
    with pytest.raises(SettingsError, match="action 6 cannot start at page 0; pages count from 1"):
        coord(platform, 0)


@pytest.mark.parametrize(
    "change",
    [{"test_id": "ANOTHER"}, {"page_size": 11}, {"stored": 1}],
    ids=["another test", "another page size", "another database"],
)
def test_a_checkpoint_of_something_else_is_not_followed(platform, caplog, change):
    platform.ensure_session_ready()
    position = {"test_id": platform.dna_test_id, "next_page": 4, "page_size": 10, "stored": 0}
    checkpoint_of(platform).save(Position(**{**position, **change}))
    assert counts(coord(platform)) == (50, 0, 0)
    assert "made with another test, page size or database" in caplog.text


def test_a_corrupt_checkpoint_is_set_aside_and_gathering_starts_afresh(platform, caplog):
    path = checkpoint_of(platform).path
    path.write_bytes(b'{"test_id": "A", "next')
    assert counts(coord(platform)) == (50, 0, 0)
    assert "set aside" in caplog.text
    assert path.with_name(f"{path.name}.corrupt").exists()


def test_a_page_that_cannot_be_stored_leaves_nothing_of_it(platform, rows):
    platform.ensure_session_ready()
    limit_size = _limit_of(platform.database, further_pages=2)
    event.listen(platform.database.engine, "begin", limit_size)
    with pytest.raises(DatabaseError, match="database or disk is full; free some space"):
        coord(platform)
    event.remove(platform.database.engine, "begin", limit_size)
    stored = len(rows(platform, DnaMatch))
    assert stored % 10 == 0
    assert stored < 50
    assert len(rows(platform, Person)) == stored
    with platform.database.transaction() as session:
        session.connection().exec_driver_sql("PRAGMA max_page_count = 100000")
    assert counts(coord(platform)) == (50 - stored, 0, 0)


def _limit_of(database, further_pages):
    with database.transaction() as session:
        used = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()

    def limit_size(connection):
        # SQLite reports its page limit with the very error of a full disk (SQLITE_FULL).
        connection.exec_driver_sql(f"PRAGMA max_page_count = {used + further_pages}")

    return limit_size


def test_a_list_that_stays_down_ends_the_run_and_the_next_one_goes_on(open_service, open_platform):
    service = open_service()
    platform = open_platform(service, actions={"page_size": 10}, breaker={"threshold": 1000})
    with pytest.raises(StopError):
        coord(platform, on_progress=stop_after(2))
    service.switch_faults(FaultRates(server_error=1.0))
    with pytest.raises(RequestFailed, match="500 Internal Server Error"):
        coord(platform)
    service.switch_faults(FaultRates.none())
    assert counts(coord(platform)) == (30, 0, 10)


def test_three_threads_store_every_match_once(platform, rows):
    summaries, errors = [], []

    def gather(start):
        try:
            summaries.append(coord(platform, start))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=gather, args=(start,)) for start in (1, 1, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(sum(counts(summary)) for summary in summaries) == 50 + 50 + 30
    assert len(rows(platform, DnaMatch)) == len(rows(platform, Person)) == 50


def test_an_answer_without_what_is_needed_fails_its_match_alone(platform, caplog):
    platform.ensure_session_ready()
    fetch = platform.api.fetch_match_page

    def odd_page(page, size):
        listing = fetch(page, size)
        if page == 1:
            del listing["matchList"][0]["relationship"]
            del listing["matchList"][1]["sampleId"]
            listing["matchList"][2]["matchProfile"] = None
            # Whatever the kind of an id, it is kept as text.
            listing["matchList"][3]["treeId"] = 7
        return listing

    platform.api.fetch_match_page = odd_page
    assert counts(coord(platform)) == (47, 3, 0)
    assert "unexpected answer (KeyError('relationship'))" in caplog.text


def test_a_match_that_one_page_shows_twice_is_read_once(platform, service):
    platform.ensure_session_ready()
    fetch = platform.api.fetch_match_page

    def doubled_page(page, size):
        listing = fetch(page, size)
        return {**listing, "matchList": listing["matchList"] + listing["matchList"][:1]}

    platform.api.fetch_match_page = doubled_page
    assert counts(coord(platform)) == (50, 0, 5)
    assert service.record.count(DETAILS) == 50


def test_the_cache_is_not_filled_with_what_is_stored(platform):
    coord(platform)
    assert platform.cache.statistics("matches").invalidations > 50
    assert platform.cache.invalidate("matches") == 0
