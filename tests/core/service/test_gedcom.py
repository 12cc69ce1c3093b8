from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.exceptions import PedigreeError
from ancestry_core.service.gedcom import parse_pedigree, read_pedigree
from ancestry_core.service.pedigree import Person

FAMILY = """0 HEAD
1 CHAR UTF-8
0 @I1@ INDI
1 NAME Anna_Maria /Old/
1 SEX F
1 BIRT
2 DATE ABT 24 MAY 1819
2 PLAC Bath, England
1 FAMC @F1@
0 @I2@ INDI
1 NAME Ben /Old/ Jr.
1 SEX M
0 @I3@ INDI
1 NAME Cleo
1 SEX F
0 @F1@ FAM
1 HUSB @I2@
1 WIFE @I3@
1 CHIL @I1@
0 TRLR
"""


def parse(text: str) -> dict[str, Person]:
    return dict(parse_pedigree(text.encode(), "x.ged").people)


def test_a_person_has_what_the_record_says():
    assert parse(FAMILY)["@I1@"] == Person(
        "@I1@", "Anna Maria", "Old", "F", 1819, "Bath, England", "@I2@", "@I3@"
    )


def test_what_stands_behind_the_surname_belongs_to_the_name():
    people = parse(FAMILY)
    assert people["@I2@"].given == "Ben Jr."
    assert people["@I3@"].name == "Cleo"


@pytest.mark.parametrize("left_out", ["1 FAMC @F1@\n", "1 CHIL @I1@\n"])
def test_a_family_may_be_linked_from_either_end(left_out):
    assert parse(FAMILY.replace(left_out, ""))["@I1@"].parents == ("@I2@", "@I3@")


def test_an_adopted_child_is_no_relative_by_blood():
    text = FAMILY.replace("1 FAMC @F1@\n", "1 FAMC @F1@\n2 PEDI adopted\n")
    assert parse(text)["@I1@"].parents == ()


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("24 MAY 1819", 1819),
        ("BET 1819 AND 1821", 1819),
        ("1699/00", 1699),
        ("(about the time of the flood)", None),
        ("@#DJULIAN@ 3 MAR 950", 950),
    ],
)
def test_the_year_is_the_first_of_the_date(date, year):
    assert parse(FAMILY.replace("ABT 24 MAY 1819", date))["@I1@"].birth_year == year


def test_an_empty_record_is_still_a_person():
    people = parse("0 HEAD\n0 @I1@ INDI\n1 SEX ?\n0 TRLR\n")
    assert people == {"@I1@": Person("@I1@", "", "")}


def test_a_circle_of_ancestors_is_cut_and_said():
    text = FAMILY.replace("0 TRLR", "0 @F2@ FAM\n1 HUSB @I1@\n1 CHIL @I2@\n0 TRLR")
    pedigree = parse_pedigree(text.encode(), "x.ged")
    assert len(pedigree.people) == 3
    assert "their own ancestors" in pedigree.warnings[0]


def test_a_broken_line_costs_that_line_and_is_said():
    pedigree = parse_pedigree(FAMILY.replace("1 SEX M", "what?").encode(), "x.ged")
    assert pedigree.people["@I2@"].sex == "U"
    assert pedigree.people["@I1@"].father == "@I2@"
    assert pedigree.warnings == ("1 line(s) are no GEDCOM, the first is line 12; left out",)


@pytest.mark.parametrize(
    "raw", [b"", b"\x89PNG\r\n\x1a\n\0\0", b"<html>no</html>", b"0 HEAD\n0 TRLR"]
)
def test_a_file_without_people_is_refused(raw):
    with pytest.raises(PedigreeError) as caught:
        parse_pedigree(raw, "x.ged")
    assert str(caught.value) == (
        "GEDCOM file x.ged: no individuals in it; is it a GEDCOM file (.ged)?"
    )


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "gone.ged"
    with pytest.raises(PedigreeError) as caught:
        read_pedigree(path)
    assert str(caught.value) == (
        f"GEDCOM file {path}: No such file or directory; give a file that can be read"
    )


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(PedigreeError, match="Is a directory; give a file that can be read"):
        read_pedigree(tmp_path)


def test_ones_own_file_is_read(tmp_path):
    path = tmp_path / "own.ged"
    path.write_text(FAMILY)
    assert len(read_pedigree(path).people) == 3


tags = st.sampled_from(
    ["INDI", "FAM", "NAME", "SEX", "BIRT", "DATE", "PLAC", "FAMC", "PEDI", "HUSB", "CHIL", "CONT"]
)
values = st.sampled_from(["@I1@", "@F1@", "@", "/", "A /B/ C", "1 JAN 1900", "BET", "M", ""])
lines = st.builds(
    lambda level, link, tag, value: f"{level} {link}{tag} {value}".strip(),
    st.integers(0, 3),
    st.sampled_from(["", "@I1@ ", "@F1@ "]),
    tags,
    values | st.text(max_size=8),
)


@given(st.lists(lines))
def test_whatever_comes_before_a_person_the_person_is_read(body):
    raw = "\n".join(["0 HEAD", *body, "0 @I9@ INDI"]).encode()
    assert "@I9@" in parse_pedigree(raw, "x.ged").people


def test_the_bundled_file_is_whole(bundled):
    assert len(bundled.people) == 3010
    assert bundled.warnings == ()
    assert bundled.people["@I1@"] == Person(
        "@I1@",
        "Victoria",
        "Hanover",
        "F",
        1819,
        "Kensington,Palace,London,England",
        "@I133@",
        "@I138@",
    )


def test_the_bundled_file_is_read_once_a_process():
    assert read_pedigree() is read_pedigree()
