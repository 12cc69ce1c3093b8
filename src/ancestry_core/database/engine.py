"""Open the database and hand out transactions.

In: a path. Out: `Database`, whose `transaction()` either happens as a whole or not at all. What
SQLite and SQLAlchemy raise leaves here as a `DatabaseError` of one line. No query is written here.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import URL, create_engine, event, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ancestry_core.database.models import Base
from ancestry_core.exceptions import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine, Inspector
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_SECONDS = 30.0
"""How long a transaction waits for the one before it; a page's bulk write takes milliseconds."""

_REMEDIES = (
    ("database or disk is full", "free some space and run again; nothing was half-written"),
    ("disk i/o error", "free some space or check the disk; nothing was half-written"),
    ("file is not a database", "choose another file; this one was left as it is"),
    ("malformed", "restore a copy, or move the file away to start afresh"),
    ("unable to open database file", "choose a file in an existing folder that you may write to"),
    ("readonly database", "make the file and its folder writable, or choose another"),
    ("database is locked", "wait for the other program that uses it, then run again"),
)


class Database:
    """An open database; safe for several threads, each with transactions of its own.

    Args:
        path: The SQLite file, for messages.
        engine: What connects to it.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self.engine = engine

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session whose work is committed at the end, or undone if anything is raised.

        Yields:
            The session. The rows that it read stay readable afterwards.

        Raises:
            DatabaseError: If the database cannot be read or written; then nothing was.

        Example:
            >>> from pathlib import Path
            >>> from tempfile import TemporaryDirectory
            >>> from ancestry_core.database.models import Person
            >>> with TemporaryDirectory() as folder:
            ...     database = open_database(Path(folder, "a.db"))
            ...     with database.transaction() as session:
            ...         session.add(Person(profile_id="08A", display_name="A. B."))
            ...     database.close()
        """
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            problem = _explain(self.path, error)
        else:
            return
        # Outside the handler: SQLAlchemy's text quotes the statement with people's data in it.
        raise DatabaseError(problem)

    def close(self) -> None:
        """Close the connections; closing twice is fine."""
        self.engine.dispose()


def open_database(path: Path) -> Database:
    """Open a database, creating the file and the tables where they are missing.

    Args:
        path: The SQLite file; its folder must exist.

    Returns:
        The database.

    Raises:
        DatabaseError: If the file is no database of this platform, or cannot be made or written.
    """
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin_at_once)
    database = Database(path, engine)
    try:
        _create_tables(engine, path)
    except (SQLAlchemyError, DatabaseError) as error:
        database.close()
        problem = str(error) if isinstance(error, DatabaseError) else _explain(path, error)
    else:
        return database
    raise DatabaseError(problem)


def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    """Set up a new connection before anything is asked of it."""
    try:
        _set_pragmas(connection)
    except sqlite3.Error:
        # It never gets into the pool, so nobody else would close it.
        connection.close()
        raise


def _set_pragmas(connection: sqlite3.Connection) -> None:
    # The sqlite3 module's own implicit BEGIN comes too late (at the first write): see
    # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#serializable-isolation-savepoints-transactional-ddl
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_mode = WAL")
    # A checkpoint file says that a page is stored; NORMAL could lose that page with the power.
    connection.execute("PRAGMA synchronous = FULL")


def _begin_at_once(connection: object) -> None:
    """Take the write lock when the transaction begins, so that what it read stays true."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]  # an event has no type


def _create_tables(engine: Engine, path: Path) -> None:
    """Create what is missing; refuse a database that belongs to another program."""
    with engine.begin() as connection:
        foreign = _foreign_tables(inspect(connection))
        if foreign:
            raise DatabaseError(
                f"{path}: holds another program's tables ({', '.join(foreign[:3])}); "
                "choose another file with --database or ANCESTRY_DATABASE_PATH"
            )
        Base.metadata.create_all(connection)


def _foreign_tables(inspector: Inspector) -> list[str]:
    """Return tables that have our names and not our columns, or all where none has our names."""
    present = inspector.get_table_names()
    ours = [name for name in present if name in Base.metadata.tables]
    return [name for name in ours if not _has_our_columns(inspector, name)] if ours else present


def _has_our_columns(inspector: Inspector, table: str) -> bool:
    columns = {column["name"] for column in inspector.get_columns(table)}
    return columns >= set(Base.metadata.tables[table].columns.keys())


def _explain(path: Path, error: SQLAlchemyError) -> str:
    """Say in one line what SQLite said, where, and what helps."""
    original = getattr(error, "orig", None)
    # A driver's message is a sentence of SQLite; SQLAlchemy's own may quote rows.
    said = str(original) if isinstance(original, sqlite3.Error) else type(error).__name__
    for part, remedy in _REMEDIES:
        if part in said.lower():
            return f"{path}: {said}; {remedy}"
    return f"{path}: {said}; the transaction was undone, run again or report this"
