from __future__ import annotations

import codecs
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.service.gedcom_text import clean_gedcom

NAME = "1 NAME Jürgen /Müller/"


def gedcom(char: str | None, *lines: str) -> str:
    declaration = [f"1 CHAR {char}"] if char else []
    return "\n".join(["0 HEAD", *declaration, "0 @I1@ INDI", *lines, "0 TRLR", ""])


@pytest.mark.parametrize(
    ("char", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("ANSEL", "gedcom"),
        ("ANSI", "cp1252"),
        ("WINDOWS-1252", "cp1252"),
        ("ISO-8859-1", "iso8859-1"),
        ("IBMPC", "cp437"),
        ("MACINTOSH", "mac-roman"),
        ("UNICODE", "utf-8"),
    ],
)
def test_declared_encodings_are_read_without_a_word(char, codec):
    clean = clean_gedcom(gedcom(char, NAME).encode(codec))
    assert NAME in clean.data.decode()
    assert clean.warnings == []


@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
    ],
)
def test_unicode_is_known_by_its_marks_or_its_zeros(mark, codec):
    clean = clean_gedcom(mark + gedcom("UNICODE", NAME).encode(codec))
    assert NAME in clean.data.decode()
    assert clean.warnings == []


def test_utf_8_under_a_wrong_name_is_read_as_what_it_is():
    clean = clean_gedcom(gedcom("ANSEL", NAME).encode())
    assert NAME in clean.data.decode()
    assert clean.warnings == ["the header says ANSEL, but the text is UTF-8; read as that"]


@pytest.mark.parametrize("char", ["UTF-8", "ASCII", "KLINGON"])
def test_what_is_in_no_declared_encoding_is_read_as_windows_1252(char):
    clean = clean_gedcom(gedcom(char, NAME).encode("cp1252"))
    assert NAME in clean.data.decode()
    assert clean.warnings == [f"the text is not in {char} as the header says; read as Windows-1252"]


def test_without_a_declaration_ansel_is_assumed_as_the_standard_has_it():
    clean = clean_gedcom(gedcom(None, NAME).encode("gedcom"))
    assert NAME in clean.data.decode()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_one(end):
    clean = clean_gedcom(gedcom("ANSI", "1 SEX M").replace("\n", end).encode())
    assert clean.data == b"0 HEAD\n0 @I1@ INDI\n1 SEX M\n0 TRLR\n"


def test_lines_that_cannot_be_placed_are_left_out_and_the_first_is_named():
    text = gedcom("ANSI", "1 NOTE one", "two without a level", "9 DEEP", "1 SEX M", "3 DEEP")
    clean = clean_gedcom(text.encode())
    assert clean.data == b"0 HEAD\n0 @I1@ INDI\n1 NOTE one\n1 SEX M\n0 TRLR\n"
    assert clean.warnings == ["3 line(s) are no GEDCOM, the first is line 5; left out"]


def test_continuations_stay_only_below_what_they_continue():
    good = ["1 NOTE a", "2 CONT b", "2 CONC c"]
    clean = clean_gedcom(gedcom("ANSI", *good, "1 CONT d", "3 CONT e", "1 SEX M").encode())
    assert clean.data.decode().splitlines()[2:-1] == [*good, "1 SEX M"]


def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes():
    clean = clean_gedcom(b"0 HEAD\n0 @I1@ INDI\n1 NAME An")
    assert clean.data.endswith(b"1 NAME An\n0 TRLR\n")
    assert clean.warnings == ["the end is missing (no TRLR line); read as far as it goes"]


@given(st.binary() | st.text().map(str.encode))
def test_whatever_the_bytes_the_lines_are_well_nested(raw):
    lines = clean_gedcom(raw).data.decode().split("\n")[:-1]
    levels = [int(re.match(r"\d+", line)[0]) for line in lines]
    assert all(level <= before + 1 for before, level in pairwise([-1, *levels]))
    assert lines[-1] == "0 TRLR"
