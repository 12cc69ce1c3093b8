"""What action 6 asks of the database: which matches are known, and a whole page in one write.

In: sample ids, and `MatchRecord`s in the service's own terms. Out: fingerprints of what is stored.
Which match needs a look is decided by the action, not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert

from ancestry_core.database.models import Base, DnaMatch, FamilyTree, Person

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

Row = dict[str, Any]


class Fingerprint(NamedTuple):
    """What the match list itself shows of a match; while it stays, nothing is fetched again."""

    shared_centimorgans: float
    shared_segments: int
    predicted_relationship: str
    tree_id: str | None
    tree_public: bool | None
    tree_size: int | None
    in_my_tree: bool


@dataclass(frozen=True, slots=True)
class MatchRecord:
    """Everything about one match, as columns of three tables.

    Args:
        person: Columns of `people`; its `profile_id` may be None.
        match: Columns of `dna_match`, without the person.
        tree: Columns of `family_tree`, without the person; None when not in the account's tree.
    """

    person: Row
    match: Row
    tree: Row | None = None


_FINGERPRINT_COLUMNS = tuple(getattr(DnaMatch, name) for name in Fingerprint._fields)


def known_matches(session: Session, sample_ids: Iterable[str]) -> dict[str, Fingerprint]:
    """Read the fingerprints of those matches that are stored.

    Args:
        session: An open transaction.
        sample_ids: Upper-case sample ids, a page of them.

    Returns:
        A fingerprint per stored sample id.
    """
    wanted = select(DnaMatch.sample_id, *_FINGERPRINT_COLUMNS).where(
        DnaMatch.sample_id.in_(sample_ids)
    )
    return {row[0]: Fingerprint(*row[1:]) for row in session.execute(wanted)}


def count_matches(session: Session) -> int:
    """Count the stored matches."""
    return session.scalar(select(func.count()).select_from(DnaMatch)) or 0


def write_matches(session: Session, records: Sequence[MatchRecord]) -> None:
    """Store a page of matches: one bulk write per table, new rows and changed ones alike.

    Args:
        session: An open transaction.
        records: The matches; a sample id that is stored already is updated.
    """
    if not records:
        return
    owners = _write_people(session, records)
    _upsert(
        session,
        DnaMatch,
        [{**record.match, "people_id": owners[record.match["sample_id"]]} for record in records],
        key=("sample_id",),
    )
    placed = [
        {**record.tree, "people_id": owners[record.match["sample_id"]]}
        for record in records
        if record.tree is not None
    ]
    _upsert(session, FamilyTree, placed, key=("people_id", "tree_person_id"))


def _write_people(session: Session, records: Sequence[MatchRecord]) -> dict[str, int]:
    """Store the people behind the matches; return the person's id per sample id."""
    with_profile = {
        record.person["profile_id"]: record.person
        for record in records
        if record.person["profile_id"] is not None
    }
    _upsert(session, Person, list(with_profile.values()), key=("profile_id",))
    by_profile = _ids(session, Person.profile_id, Person.id, with_profile)
    # A match without a profile keeps the person that an earlier run made for its sample.
    samples = [record.match["sample_id"] for record in records]
    owners = _ids(session, DnaMatch.sample_id, DnaMatch.people_id, samples)
    for record in records:
        sample_id, profile_id = record.match["sample_id"], record.person["profile_id"]
        if profile_id is not None:
            owners[sample_id] = by_profile[profile_id]
        elif sample_id not in owners:
            owners[sample_id] = _add_person(session, record.person)
    return owners


def _ids(session: Session, key: Any, value: Any, wanted: Iterable[str]) -> dict[str, int]:  # noqa: ANN401 - typed attributes of different models
    return {row[0]: row[1] for row in session.execute(select(key, value).where(key.in_(wanted)))}


def _add_person(session: Session, columns: Mapping[str, Any]) -> int:
    person = Person(**columns)
    session.add(person)
    session.flush()
    return person.id


def _upsert(session: Session, model: type[Base], rows: list[Row], key: tuple[str, ...]) -> None:
    """Insert rows; one whose key is stored already replaces the columns that it names."""
    if not rows:
        return
    statement = insert(model)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed), rows)
