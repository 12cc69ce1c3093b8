"""What the toolkit says: to the program's log, or without it where nobody has one yet."""

from __future__ import annotations

import math
import subprocess
import sys
from textwrap import dedent

from ancestry_obs.notices import Notices


def run(program):
    ended = subprocess.run(
        [sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines(), ended.stderr.splitlines()


BESIDE = """
    import sys
    from ancestry_obs.notices import Notices, prepare, say_without_logging

    def arrange(logger):
        import logging
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("logged: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False

    say_without_logging(lambda line: print("written:", line), arrange)
    prepare()
"""


def test_a_line_needs_no_logging_until_the_program_has_it():
    out, err = run(
        BESIDE
        + """
    Notices().debug("nothing")
    Notices().info("one %s", 1)
    Notices("ancestry_obs.inner").warning("100 %")
    assert "logging" not in sys.modules
    import logging
    Notices("ancestry_obs.inner").info("two %s", 2)
    Notices().warning("three")
    """
    )
    assert out == ["written: one 1", "written: 100 %", "logged: two 2", "logged: three"]
    assert err == []


def test_what_has_failed_is_said_with_its_traceback():
    out, _ = run(
        BESIDE
        + """
    try:
        1 / 0
    except ZeroDivisionError as error:
        Notices().exception("it failed")
        Notices().warning("it failed again", exc_info=error)
    """
    )
    assert [line for line in out if not line.startswith(" ")] == [
        "written: it failed",
        "Traceback (most recent call last):",
        "ZeroDivisionError: division by zero",
        "written: it failed again",
        "Traceback (most recent call last):",
        "ZeroDivisionError: division by zero",
    ]


def test_without_a_run_a_line_is_one_of_the_log():
    out, err = run("""
    import sys
    from ancestry_obs.notices import Notices, prepare
    assert "logging" not in sys.modules
    Notices().debug("nothing")
    assert "logging" not in sys.modules
    prepare()
    assert "logging" in sys.modules
    Notices().info("not shown")
    Notices().warning("shown %s", 1)
    """)
    assert (out, err) == ([], ["shown 1"])


def test_where_no_file_can_be_opened_a_line_is_lost_and_no_more():
    run("""
    import resource, sys
    from ancestry_obs.notices import Notices
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    Notices().warning("lost")
    Notices().debug("lost", exc_info=True)
    assert "logging" not in sys.modules
    """)


def test_a_record_names_who_has_said_it(caplog):
    try:
        math.sqrt(-1)
    except ValueError:
        Notices().exception("it failed: %s", "why")
    (record,) = caplog.records
    assert (record.filename, record.levelname) == ("test_notices.py", "ERROR")
    assert record.funcName == "test_a_record_names_who_has_said_it"
    assert record.getMessage() == "it failed: why"
    assert record.exc_info[0] is ValueError
