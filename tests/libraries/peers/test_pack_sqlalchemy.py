"""The pack of SQLAlchemy beside what SQLite and PostgreSQL themselves saw of the statements."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.live

DURATION = "db_client_operation_duration_seconds_count"
STATES = "db_client_connection_count"

MODELS = """
    import asyncio, json, os
    from collections import Counter
    from sqlalchemy import Integer, String, create_engine, event, insert, select, text
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
    from sqlalchemy.pool import NullPool, QueuePool, StaticPool

    class Base(DeclarativeBase):
        pass

    class Person(Base):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(String(50), unique=True)

    SEEN = Counter()

    def observe(engine):
        # SQLite's own trace: what its parser was given. The driver's BEGIN and COMMIT are in it.
        @event.listens_for(engine, "connect")
        def connected(connection, record):
            raw = getattr(connection, "driver_connection", connection)
            connection.set_trace_callback(
                lambda statement: SEEN.update([statement.split()[0].upper()])
            )

    def work(engine):
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add_all([Person(name=each) for each in ("ada", "ben", "eva")])
            session.commit()
            ada = session.scalars(select(Person).where(Person.name == "ada")).one()
            ada.name = "Ada"
            session.flush()
            session.delete(ada)
            session.commit()
        with engine.begin() as connection:
            connection.execute(insert(Person), [{"name": f"one of {n}"} for n in range(5)])
            connection.exec_driver_sql("select 1")
            connection.execute(text("  update person set name = name where id < 0"))
            with connection.begin_nested():
                connection.execute(select(Person.id).limit(1)).all()
        for bad, error in ((insert(Person), IntegrityError), (text("SELECT nothing"), None)):
            try:
                with engine.begin() as connection:
                    connection.execute(bad, {"name": "eva"} if error else {})
            except (IntegrityError, OperationalError, ProgrammingError):
                pass
"""
SQLITE = """
    engine = create_engine("sqlite:///people.db", poolclass=NullPool)
    observe(engine)
    work(engine)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO person (name) VALUES (:name)"),
            [{"name": f"many {n}"} for n in range(7)],
        )
    print(json.dumps(SEEN))
"""
AIOSQLITE = """
    import threading
    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

    ENTERED, GO_ON = threading.Event(), threading.Event()

    def wait():
        ENTERED.set()
        GO_ON.wait(60)
        return 1

    async def main():
        engine = create_async_engine("sqlite+aiosqlite:///people.db", poolclass=NullPool)

        @event.listens_for(engine.sync_engine, "connect")
        def connected(connection, record):
            connection.run_async(lambda raw: raw.set_trace_callback(
                lambda statement: SEEN.update([statement.split()[0].upper()])
            ))
            connection.run_async(lambda raw: raw.create_function("wait", 0, wait))

        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with async_sessionmaker(engine)() as session:
            session.add(Person(name="ada"))
            await session.commit()
            rows = await session.stream_scalars(select(Person))
            assert [each.name async for each in rows] == ["ada"]
            try:
                await session.execute(insert(Person), {"name": "ada"})
            except IntegrityError:
                await session.rollback()

        async def slow():
            async with engine.connect() as connection:
                await connection.execute(text("SELECT wait()"))

        task = asyncio.create_task(slow())
        await asyncio.to_thread(ENTERED.wait, 60)
        task.cancel()
        await asyncio.sleep(0)
        GO_ON.set()
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0],
                          asyncio.CancelledError)
        await engine.dispose()

    asyncio.run(main())
    print(json.dumps(SEEN))
"""
POSTGRES = """
    from sqlalchemy.ext.asyncio import create_async_engine

    ADDRESS = os.environ["ADDRESS"]
    engine = create_engine(ADDRESS, use_native_hstore=False)
    work(engine)

    async def main():
        engine = create_async_engine(ADDRESS, use_native_hstore=False)
        async with engine.begin() as connection:
            await connection.execute(text("SELECT 1"))
            await connection.execute(select(Person))
        await engine.dispose()

    asyncio.run(main())
    print("null")
"""
TROUBLE = """
    from sqlalchemy.exc import DBAPIError

    engine = create_engine(os.environ["ADDRESS"], use_native_hstore=False, pool_pre_ping=True)
    other = create_engine(os.environ["ADDRESS"], use_native_hstore=False)
    failures = []

    def fails(work):
        try:
            with engine.begin() as connection:
                work(connection)
        except DBAPIError as error:
            kind = type(error.orig)
            failures.append(f"{kind.__module__}.{kind.__qualname__}")

    def too_long(connection):
        connection.exec_driver_sql("SET LOCAL statement_timeout = 50")
        connection.execute(text("SELECT pg_sleep(60)"))

    def cut_off(connection):
        number = connection.execute(text("SELECT pg_backend_pid()")).scalar()
        with other.begin() as another:
            another.execute(text("SELECT pg_terminate_backend(:number, 10000)"), {"number": number})
        connection.execute(text("SELECT 1"))

    fails(too_long)
    fails(cut_off)
    with engine.begin() as connection:
        with connection.execution_options(yield_per=10).execute(
            text("SELECT * FROM generate_series(1, 100)")
        ) as rows:
            assert len(rows.all()) == 100
        connection.execution_options(stream_results=False).exec_driver_sql("/* odd */ SELECT 1")
    print(json.dumps(failures))
"""
POOL = """
    from sqlalchemy.exc import OperationalError, TimeoutError

    engine = create_engine(
        "sqlite://", poolclass=QueuePool, pool_size=2, max_overflow=0, pool_timeout=0.01,
        pool_logging_name="people",
    )
    held = [engine.connect(), engine.connect()]
    for _ in range(3):
        try:
            engine.connect()
        except TimeoutError:
            pass
    held.pop().close()
    try:
        create_engine("sqlite:////nowhere/at/all.db").connect()
    except OperationalError:
        print("null")
"""


def test_statements_on_sqlite_are_those_that_its_trace_has(run_with):
    """An `executemany` is one call of the driver, and as many statements as rows to SQLite."""
    seen, page = run_with("sqlalchemy", MODELS + SQLITE)
    counted = page.count(DURATION, "db_operation_name", db_system_name="sqlite", db_namespace="")
    # Two times many: 5 and 7. "No such column" is found before the trace is called.
    assert counted == {
        **without_the_driver_s_own(seen),
        "INSERT": seen["INSERT"] - 4 - 6,
        "SELECT": seen["SELECT"] + 1,
    }
    assert failed(page) == {
        ("INSERT", "sqlite3.IntegrityError"): 1,
        ("SELECT", "sqlite3.OperationalError"): 1,
    }


def test_an_async_engine_and_a_statement_that_is_cancelled(run_with):
    seen, page = run_with("sqlalchemy", MODELS + AIOSQLITE)
    assert page.count(DURATION, "db_operation_name") == without_the_driver_s_own(seen)
    assert failed(page) == {
        ("INSERT", "sqlite3.IntegrityError"): 1,
        ("SELECT", "asyncio.exceptions.CancelledError"): 1,
    }


@pytest.mark.real
def test_statements_on_postgresql_are_those_in_its_log(run_with, postgres):
    before = postgres.statements()
    _, page = run_with("sqlalchemy", MODELS + POSTGRES, environment={"ADDRESS": postgres.address})
    seen = without_the_driver_s_own(postgres.statements() - before)
    counted = page.count(DURATION, "db_operation_name", db_system_name="postgresql")
    assert page.count(DURATION, "db_namespace") == {"postgres": sum(counted.values())}
    # `insert(Person)` with five rows; and each engine, once, asks for the isolation level without
    # `do_execute`.
    assert counted == {**seen, "INSERT": seen["INSERT"] - 4, "SHOW": seen["SHOW"] - 2}
    assert failed(page) == {
        ("INSERT", "psycopg.errors.UniqueViolation"): 1,
        ("SELECT", "psycopg.errors.UndefinedColumn"): 1,
    }
    opened = page.count("db_client_connection_create_time_seconds_count", "db_system_name")
    assert opened == {"postgresql": 2}


@pytest.mark.real
def test_a_statement_that_takes_too_long_a_server_that_hangs_up_and_a_stream(run_with, postgres):
    environment = {"ADDRESS": postgres.address}
    failures, page = run_with("sqlalchemy", MODELS + TROUBLE, environment=environment)
    canceled, cut_off = failures
    assert canceled == "psycopg.errors.QueryCanceled"
    # Which of the two depends on how much psycopg has read by then.
    assert cut_off in {"psycopg.errors.AdminShutdown", "psycopg.OperationalError"}
    assert failed(page) == {("SELECT", canceled): 1, ("SELECT", cut_off): 1}
    # Only a statement that begins with its verb is told by it.
    assert page.count(DURATION, "db_operation_name")["other"] == 1
    opened = page.count("db_client_connection_create_time_seconds_count", "error_type")
    assert opened == {"": 3}


def test_a_pool_that_is_empty_and_a_connection_that_cannot_be_made(run_with):
    _, page = run_with("sqlalchemy", MODELS + POOL)
    assert page.count(STATES, "db_client_connection_pool_name", "db_client_connection_state") == {
        ("people", "idle"): 1,
        ("people", "used"): 1,
    }
    assert page.count("db_client_connection_timeouts_total", "db_client_connection_pool_name") == {
        "people": 3
    }
    waits = page.count("db_client_connection_wait_time_seconds_count", "error_type")
    assert waits == {"": 2, "sqlalchemy.exc.TimeoutError": 3, "sqlite3.OperationalError": 1}
    opened = page.count("db_client_connection_create_time_seconds_count", "error_type")
    assert opened == {"": 2, "sqlite3.OperationalError": 1}


def without_the_driver_s_own(statements):
    """Leave out what begins and ends transactions, and what psycopg tidies up with."""
    own = ("BEGIN", "COMMIT", "ROLLBACK", "DEALLOCATE")
    return {word: count for word, count in statements.items() if word not in own}


def failed(page):
    """Count the statements that failed, by operation and exception."""
    return {
        key: count
        for key, count in page.count(DURATION, "db_operation_name", "error_type").items()
        if key[1]
    }
