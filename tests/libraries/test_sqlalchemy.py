"""SQLAlchemy: listeners of events, validators, hybrid properties and types of one's own."""

from __future__ import annotations

APP = """
    from sqlalchemy import String, create_engine, event, select, types
    from sqlalchemy.ext.compiler import compiles
    from sqlalchemy.ext.hybrid import hybrid_method, hybrid_property
    from sqlalchemy.orm import (
        DeclarativeBase, Mapped, Session, mapped_column, reconstructor, validates,
    )

    SEEN = []
    engine = create_engine("sqlite://", use_insertmanyvalues=False)

    class Base(DeclarativeBase):
        pass

    class Upper(types.TypeDecorator):
        impl = String
        cache_ok = True
        def process_bind_param(self, value, dialect):
            return value.upper()

    def make_mark():
        return "mark"

    class Person(Base):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(Upper)
        mark: Mapped[str] = mapped_column(default=make_mark)

        @validates("name")
        def check_name(self, key, value):
            return value.strip()

        @hybrid_property
        def short(self):
            return self.name[0]

        @hybrid_method
        def called(self, name):
            return self.name == name

        @reconstructor
        def loaded(self):
            SEEN.append("loaded")

    @event.listens_for(engine, "connect")
    def on_connect(connection, record):
        SEEN.append("connect")

    @event.listens_for(engine, "before_cursor_execute")
    def before_execute(connection, cursor, statement, parameters, context, many):
        SEEN.append(statement.split()[0])

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def rewrite(connection, cursor, statement, parameters, context, many):
        return statement, parameters

    @event.listens_for(engine, "after_cursor_execute", named=True)
    def after_execute(**named):
        return None

    @event.listens_for(Person, "before_insert")
    def before_insert(mapper, connection, person):
        SEEN.append("insert")

    @event.listens_for(Person.name, "set", retval=True)
    def on_set(person, value, old, initiator):
        return value.lower()

    @event.listens_for(Session, "after_commit")
    def after_commit(session):
        SEEN.append("commit")

    @event.listens_for(engine, "begin", once=True)
    def first_begin(connection):
        SEEN.append("begin")

    def main():
        Base.metadata.create_all(engine)
        SEEN.clear()
        with Session(engine) as session:
            session.add_all([Person(name=" Ada "), Person(name="Ben")])
            session.commit()
            session.expunge_all()
            people = session.scalars(select(Person).order_by(Person.id)).all()
            names = [each.name for each in people] + [people[0].short, people[1].called("BEN")]
        return names, SEEN
"""
# Statements: creating (two PRAGMAs and a CREATE), an INSERT for each row, a SELECT.
COUNTS = {
    "app:Upper.process_bind_param": 2,
    "app:make_mark": 2,
    "app:Person.check_name": 2,
    "app:Person.loaded": 2,
    "app:on_connect": 1,
    "app:before_execute": 6,
    "app:rewrite": 6,
    "app:after_execute": 6,
    "app:before_insert": 2,
    "app:on_set": 2,
    "app:after_commit": 1,
    "app:first_begin": 1,
}


def test_listeners_and_what_else_is_registered(run_program):
    done = run_program(APP, *COUNTS)
    names, seen = done.result
    assert names == ["ADA", "BEN", "A", True]
    assert seen == [
        "insert", "insert", "INSERT", "INSERT", "commit", "SELECT", "loaded", "loaded",
    ]  # fmt: skip
    assert done.calls == COUNTS


def test_hybrid_members(run_program):
    """What decorates them is no function: the definitions are measured."""
    done = run_program(APP, "app:Person.short", "app:Person.called")
    assert done.result[0] == ["ADA", "BEN", "A", True]
    assert done.calls == {"app:Person.short": 1, "app:Person.called": 1}
