"""A GEDCOM file as a pedigree.

In: a file's bytes, in whatever state they are. Out: a `Pedigree` with warnings for everything that
was not right but could be read past, or `PedigreeError` where there is nothing to use. ged4py does
the parsing; this module brings the bytes into a form that it takes, and takes from the records
what the service needs: names, sexes, births and parents.
"""

from __future__ import annotations

import gzip
import io
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from ged4py.parser import CodecError, GedcomReader, IntegrityError, ParserError

from ancestry_core.exceptions import PedigreeError
from ancestry_core.service.defaults import BUNDLED_PEDIGREE
from ancestry_core.service.gedcom_text import clean_gedcom
from ancestry_core.service.pedigree import Person, build_pedigree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ged4py.model import Record

    from ancestry_core.service.pedigree import Pedigree, Sex

_YEAR = re.compile(r"\b(\d{3,4})\b")
_NOT_BY_BLOOD = {"adopted", "foster", "sealing"}
"""Values of PEDI: this family is not the one that the child was born into."""


def read_pedigree(path: Path | None = None) -> Pedigree:
    """Read a GEDCOM file, as far as that goes.

    Args:
        path: The file; None for the pedigree that ships with the package.

    Returns:
        The people and their parents; its warnings say what was not right in the file.

    Raises:
        PedigreeError: The file cannot be read, or there are no individuals in it.
    """
    if path is None:
        return _bundled()
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PedigreeError(
            f"GEDCOM file {path}: {error.strerror or error}; give a file that can be read"
        ) from None
    return parse_pedigree(raw, str(path))


@lru_cache(maxsize=1)
def _bundled() -> Pedigree:
    """Read the packaged file once a process; a pedigree is never changed, so it can be shared."""
    raw = gzip.decompress(BUNDLED_PEDIGREE.read_bytes())
    return parse_pedigree(raw, BUNDLED_PEDIGREE.name)


def parse_pedigree(raw: bytes, name: str) -> Pedigree:
    """Parse the bytes of a GEDCOM file.

    Args:
        raw: What the file holds.
        name: What to call it in an error.

    Returns:
        The people and their parents.

    Raises:
        PedigreeError: There are no individuals in it, or nothing that is GEDCOM.
    """
    clean = clean_gedcom(raw)
    try:
        with GedcomReader(io.BytesIO(clean.data), encoding="utf-8") as reader:
            families = _families(reader)
            people = [
                _person(record, families) for record in reader.records0("INDI") if record.xref_id
            ]
    except (CodecError, IntegrityError, ParserError) as error:
        raise PedigreeError(f"GEDCOM file {name}: {error}; export it afresh") from None
    if not people:
        raise PedigreeError(
            f"GEDCOM file {name}: no individuals in it; is it a GEDCOM file (.ged)?"
        )
    return build_pedigree(people, clean.warnings)


@dataclass(slots=True)
class _Families:
    """Who the parents of a family are, and which family names whom as its child."""

    parents: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    of_child: dict[str, list[str]] = field(default_factory=dict)


def _families(reader: GedcomReader) -> _Families:
    families = _Families()
    for record in reader.records0("FAM"):
        family = record.xref_id or ""
        husband, wife = _values(record, "HUSB"), _values(record, "WIFE")
        families.parents[family] = (next(husband, None), next(wife, None))
        for child in _values(record, "CHIL"):
            families.of_child.setdefault(child, []).append(family)
    return families


def _person(record: Record, families: _Families) -> Person:
    person_id = record.xref_id or ""
    family = _birth_family(record, families.of_child.get(person_id, []))
    father, mother = families.parents.get(family, (None, None))
    given, surname = _name(record)
    year = _YEAR.search(str(record.sub_tag_value("BIRT/DATE") or ""))
    return Person(
        id=person_id,
        given=given,
        surname=surname,
        sex=_sex(record),
        birth_year=int(year[1]) if year else None,
        birth_place=str(record.sub_tag_value("BIRT/PLAC") or "").strip(),
        father=father,
        mother=mother,
    )


def _birth_family(record: Record, named_by: list[str]) -> str:
    """Return the family that a person was born into, or an empty text.

    The link stands in the person's record, in the family's, or in both; a child of two families
    was born into the first that does not say otherwise.
    """
    elsewhere: set[str] = set()
    for link in record.sub_records:
        if link.tag != "FAMC":
            continue
        family = str(link.value)
        if str(link.sub_tag_value("PEDI", follow=False)).lower() not in _NOT_BY_BLOOD:
            return family
        elsewhere.add(family)
    return next((family for family in named_by if family not in elsewhere), "")


def _name(record: Record) -> tuple[str, str]:
    """Return given names and surname; some programs write an underscore for a space in either."""
    value = record.sub_tag_value("NAME")
    if not isinstance(value, tuple):  # there is no NAME
        return "", ""
    # The third part is what stands behind the surname: more given names, or "Jr.".
    given, surname, rest = (" ".join(part.replace("_", " ").split()) for part in value[:3])
    return " ".join(part for part in (given, rest) if part), surname


def _sex(record: Record) -> Sex:
    value = record.sub_tag_value("SEX")
    return value if value in {"M", "F"} else "U"


def _values(record: Record, tag: str) -> Iterator[str]:
    """Yield the values of the sub-records with a tag, without following what they point to."""
    return (str(sub.value) for sub in record.sub_records if sub.tag == tag and sub.value)
