from __future__ import annotations

from sqlalchemy import func, select

from ancestry_core.database.matches import (
    Fingerprint,
    MatchRecord,
    count_matches,
    known_matches,
    write_matches,
)
from ancestry_core.database.models import DnaMatch, FamilyTree, Person

FINGERPRINT = Fingerprint(120.5, 6, "2nd cousin", "T1", True, 40, False)


def record(number, profile="own", tree=None, **changed):
    profile_id = f"P{number}" if profile == "own" else profile
    person = {
        "profile_id": profile_id,
        "display_name": f"Person {number}",
        "first_name": None,
        "gender": "F",
        "contactable": True,
        "last_login": None,
    }
    match = {
        "sample_id": f"S{number}",
        **FINGERPRINT._asdict(),
        "longest_segment": 30.0,
        "ethnicity": None,
        **changed,
    }
    return MatchRecord(person, match, tree)


def place(person_id):
    return {"tree_id": "T", "tree_person_id": person_id, "first_name": "A", "birth_year": 1900}


def write(database, *records):
    with database.transaction() as session:
        write_matches(session, records)


def total(database, model):
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(model))


def test_a_page_is_stored_with_its_people_and_places(database):
    write(database, record(1), record(2, tree=place("I2")), record(3))
    with database.transaction() as session:
        known = known_matches(session, ["S1", "S2", "S9"])
        assert count_matches(session) == 3
        owner = session.scalars(select(Person).join(FamilyTree).distinct()).one()
    assert known == {"S1": FINGERPRINT, "S2": FINGERPRINT}
    assert owner.display_name == "Person 2"


def test_a_page_written_twice_doubles_nothing_and_takes_what_changed(database):
    write(database, record(1, tree=place("I1")), record(2))
    write(database, record(1, tree=place("I1"), shared_segments=7), record(2))
    assert [total(database, model) for model in (Person, DnaMatch, FamilyTree)] == [2, 2, 1]
    with database.transaction() as session:
        assert known_matches(session, ["S1"])["S1"].shared_segments == 7


def test_two_samples_of_one_person_are_one_person(database):
    write(database, record(1, profile="P"), record(2, profile="P"))
    assert (total(database, Person), total(database, DnaMatch)) == (1, 2)


def test_a_match_without_a_profile_keeps_its_person(database):
    write(database, record(1, profile=None), record(2, profile=None))
    write(database, record(1, profile=None, shared_segments=9))
    assert (total(database, Person), total(database, DnaMatch)) == (2, 2)


def test_an_update_keeps_who_asked_to_be_left_alone(database):
    write(database, record(1))
    with database.transaction() as session:
        session.scalars(select(Person)).one().status = "desist"
    write(database, record(1, shared_segments=8))
    with database.transaction() as session:
        assert session.scalars(select(Person)).one().status == "desist"


def test_an_empty_page_is_no_write(database):
    write(database)
    assert total(database, Person) == 0


def test_a_missing_comparison_is_null_and_no_json(database):
    write(database, record(1))
    with database.transaction() as session:
        assert session.scalar(select(DnaMatch.id).where(DnaMatch.ethnicity.is_(None))) == 1
