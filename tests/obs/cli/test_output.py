from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ancestry_obs.cli.output import table


@pytest.fixture
def unread():
    """A pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "ancestry.toml"),
        ("list", "ancestry.toml", "--json"),
        ("check", "ancestry.toml"),
        ("explain", "ancestry.toml", "api_requests_total"),
        ("schema",),
        ("rules", "ancestry.toml", "-o", "rules.yml"),
    ],
)
def test_a_reader_that_has_seen_enough_is_no_error(unread, arguments, tmp_path):
    program = "import sys; from ancestry_obs.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=tmp_path,
        stdout=unread,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    # 128 and SIGPIPE's number, as a shell tells it.
    assert (done.returncode, done.stderr) == (141, "")


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
