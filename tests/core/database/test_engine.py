from __future__ import annotations

import os
import sqlite3
import threading

import pytest
from sqlalchemy import event, func, select, text

from ancestry_core.database import open_database
from ancestry_core.database.models import DnaMatch, Person
from ancestry_core.exceptions import DatabaseError


def count(database, model=Person):
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(model))


@pytest.mark.parametrize(
    ("pragma", "value"), [("foreign_keys", 1), ("journal_mode", "wal"), ("synchronous", 2)]
)
def test_every_connection_is_set_up(database, pragma, value):
    with database.transaction() as session:
        assert session.execute(text(f"PRAGMA {pragma}")).scalar_one() == value


def test_a_block_that_raises_leaves_nothing(database):
    def stop_midway():
        with database.transaction() as session:
            session.add(Person(display_name="Ada"))
            session.flush()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop_midway()
    assert count(database) == 0


def test_a_row_without_its_person_is_refused(database):
    orphan = "INSERT INTO family_tree (people_id, tree_person_id) VALUES (99, 'P1')"
    with pytest.raises(DatabaseError) as caught, database.transaction() as session:
        session.execute(text(orphan))
    assert str(caught.value) == (
        f"{database.path}: FOREIGN KEY constraint failed; "
        "the transaction was undone, run again or report this"
    )


def test_an_error_quotes_nobody(database):
    with pytest.raises(DatabaseError) as caught, database.transaction() as session:
        session.add_all([Person(profile_id="P1", display_name="Ada Secret") for _ in range(2)])
    assert "Secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_rows_are_there_when_it_is_opened_again(database):
    with database.transaction() as session:
        session.add(Person(display_name="Ada"))
    database.close()
    again = open_database(database.path)
    assert count(again) == 1
    again.close()


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, " * 200)
    with pytest.raises(DatabaseError) as caught:
        open_database(path)
    assert str(caught.value) == (
        f"{path}: file is not a database; choose another file; this one was left as it is"
    )
    assert path.read_text() == "Dear diary, " * 200


# A table may well be called like one of ours.
@pytest.mark.parametrize("table", ["invoices", "people"])
def test_a_database_of_another_program_is_left_alone(tmp_path, table):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute(f"CREATE TABLE {table} (id INTEGER)")
    other.close()
    with pytest.raises(DatabaseError, match=rf"another program's tables \({table}\); choose"):
        open_database(path)
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [(table,)]
    other.close()


def test_somebodys_own_table_beside_ours_is_fine(tmp_path):
    path = tmp_path / "platform.db"
    open_database(path).close()
    with sqlite3.connect(path) as ours:
        ours.execute("CREATE TABLE notes (id INTEGER)")
        ours.execute("ALTER TABLE people ADD COLUMN nickname TEXT")
    ours.close()
    open_database(path).close()


def test_a_folder_that_is_missing(tmp_path):
    path = tmp_path / "nowhere" / "platform.db"
    with pytest.raises(DatabaseError) as caught:
        open_database(path)
    assert str(caught.value) == (
        f"{path}: unable to open database file; "
        "choose a file in an existing folder that you may write to"
    )


def test_a_folder_that_may_not_be_written_to(tmp_path):
    tmp_path.chmod(0o500)
    is_root = os.geteuid() == 0
    if is_root:  # rights do not bind root: be somebody else for a moment
        os.seteuid(65_534)
    try:
        with pytest.raises(DatabaseError, match="in an existing folder that you may write to"):
            open_database(tmp_path / "platform.db")
    finally:
        if is_root:
            os.seteuid(0)
        tmp_path.chmod(0o700)


def test_a_full_database_says_so_and_keeps_what_was_there(database):
    with database.transaction() as session:
        session.add(Person(display_name="first"))
    event.listen(database.engine, "begin", _limit_size)
    with pytest.raises(DatabaseError) as caught, database.transaction() as session:
        session.add_all([Person(display_name="x" * 500) for _ in range(1000)])
    assert str(caught.value) == (
        f"{database.path}: database or disk is full; "
        "free some space and run again; nothing was half-written"
    )
    assert count(database) == 1


def _limit_size(connection):
    # SQLite reports its page limit with the very error of a full disk (SQLITE_FULL).
    connection.exec_driver_sql("PRAGMA max_page_count = 40")


def test_a_transaction_waits_for_the_one_before_it(database):
    inside, may_end, order = threading.Event(), threading.Event(), []

    def first():
        with database.transaction() as session:
            session.add(Person(display_name="first"))
            session.flush()
            inside.set()
            may_end.wait(10)
            order.append("first ends")

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    may_end.set()
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Person)) == 1
        order.append("second begins")
    thread.join()
    assert order == ["first ends", "second begins"]


def test_people_go_with_their_matches(database):
    with database.transaction() as session:
        person = Person(display_name="Ada")
        person.matches.append(
            DnaMatch(
                sample_id="S1",
                shared_centimorgans=1.0,
                shared_segments=1,
                predicted_relationship="cousin",
                in_my_tree=False,
            )
        )
        session.add(person)
    with database.transaction() as session:
        session.execute(text("DELETE FROM people"))
    assert count(database, DnaMatch) == 0
