from __future__ import annotations

from ancestry_obs.cli.output import table


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_right():
    assert table(("NAME", "COUNT"), [("a", 1), ("longer", 12345.5)]).splitlines() == [
        "NAME    COUNT",
        "a             1",
        "longer  12345.5",
    ]


def test_no_line_ends_in_blanks():
    assert table(("A", "B"), [("x", "")]) == "A  B\nx"


def test_heads_alone():
    assert table(("A", "B"), []) == "A  B"
