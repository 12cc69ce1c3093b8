import os
import subprocess
import sys
from pathlib import Path

import pytest

from ancestry_core.standard_output import standard_output

PROGRAM = """
import sys
from ancestry_core.exceptions import OutputError
from ancestry_core.standard_output import standard_output
try:
    with standard_output() as out:
        out.write("done")
except OutputError as error:
    sys.stderr.write(str(error))
"""


def test_what_was_written_has_left_at_the_end(capsys):
    with standard_output() as out:
        out.write("done\n")
    assert capsys.readouterr().out == "done\n"


def test_other_errors_go_their_way():
    with pytest.raises(ValueError, match="mine"), standard_output():
        raise ValueError("mine")


@pytest.fixture
def full():
    with Path("/dev/full").open("wb") as device:
        yield device


@pytest.fixture
def closed():
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize(
    ("place", "reason"), [("full", "No space left on device"), ("closed", "Broken pipe")]
)
def test_an_output_that_takes_nothing_is_one_error_and_no_other_at_exit(request, place, reason):
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdout=request.getfixturevalue(place),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert process.stderr == (
        f"standard output cannot be written ({reason}); "
        "send it elsewhere and run again, what was done is kept"
    )
    assert process.returncode == 0
