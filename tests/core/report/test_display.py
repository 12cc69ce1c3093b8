from __future__ import annotations

import logging
import re
from io import StringIO

import pytest
from rich.console import Console

from ancestry_core.actions.completion import ActionSummary, Progress
from ancestry_core.report.display import BarDisplay, LineDisplay, open_display

LOGGER = logging.getLogger("ancestry_core.actions")
REMEDY = "try again later, or allow more attempts with ANCESTRY_HTTP_RETRIES"
LONG = (
    "not read: GET http://127.0.0.1:8080/app-api/conversations/f24c214a-a427-4992-8260-00623b453db8"
    f"/messages: 500 Internal Server Error; given up after attempt 4; {REMEDY}"
)


class Terminal(StringIO):
    def isatty(self):
        return True


def console(*, terminal, width=80):
    file = Terminal() if terminal else StringIO()
    # What is set where the tests run is no part of them.
    return Console(file=file, width=width, height=24, color_system=None, _environ={})


@pytest.fixture
def show():
    def run(*, terminal, total=8, width=80):
        target = console(terminal=terminal, width=width)
        with open_display(target) as display:
            display.note("Signed in")
            display.watch(lambda: "1234 requests sent, 234 of them retries; breaker half-open")
            for done in range(total + 1):
                display.on_progress(Progress("action7_inbox", done, total))
            LOGGER.warning(LONG)
            display.on_complete(ActionSummary("action7_inbox", total - 1, 1, 0, 1.25))
        LOGGER.warning("after the run")
        return target.file.getvalue()

    return run


def test_the_display_suits_the_console():
    assert isinstance(open_display(console(terminal=True)), BarDisplay)
    assert isinstance(open_display(console(terminal=False)), LineDisplay)


def test_a_dumb_terminal_gets_lines():
    dumb = Console(file=Terminal(), width=80, height=24, _environ={"TERM": "dumb"})
    assert isinstance(open_display(dumb), LineDisplay)


def test_colours_that_are_forced_on_a_file_bring_no_bars_with_them():
    forced = Console(file=StringIO(), width=80, height=24, _environ={"FORCE_COLOR": "1"})
    assert forced.is_terminal
    assert isinstance(open_display(forced), LineDisplay)


def test_lines_for_a_file_have_no_control_codes(show):
    assert not set(show(terminal=False)) & {"\x1b", "\r", "\b"}


def test_lines_come_at_the_begin_and_each_quarter_and_the_log_in_full(show):
    assert show(terminal=False).splitlines() == [
        "Signed in",
        "7  Read inbox: 0 of 8",
        "7  Read inbox: 2 of 8",
        "7  Read inbox: 4 of 8",
        "7  Read inbox: 6 of 8",
        "7  Read inbox: 8 of 8",
        f"WARNING: {LONG}",
        "7  Read inbox: 7 done, 1 failed, 0 skipped in 1.2 s",
    ]


def test_an_action_without_items_shows_its_end_alone(show):
    lines = show(terminal=False, total=0).splitlines()
    assert not any(" of 0" in line for line in lines)


def plain(text):
    """Take the control codes out of what a terminal got."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def words(text):
    return " ".join(plain(text).split())


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_a_bar_and_the_log_whole(show, width):
    text = show(terminal=True, width=width)
    assert "7  Read inbox" in text
    assert "8/8" in text
    assert "1 failed" in text
    expected = "! not read: GET .../f24c214a/messages: 500 Internal Server Error; given up after"
    assert f"{expected} attempt 4; {REMEDY}" in words(text)
    assert "…" not in text
    assert "after the run" not in text
    assert max(map(len, re.split(r"[\r\n]", plain(text)))) <= width


def test_no_line_of_the_bars_is_longer_than_the_narrowest_usual_terminal():
    # Else a terminal of 120 columns that is made one of 80 keeps pieces of old frames.
    target = console(terminal=True, width=120)
    with open_display(target) as display:
        display.watch(
            lambda: "12345 requests sent, 1234 of them retries; circuit breaker half-open"
        )
        display.on_progress(Progress("action9_process_productive", 123, 123))
        display.on_complete(ActionSummary("action9_process_productive", 0, 123, 0, 1.25))
        display._live.refresh()
        frame = plain(target.file.getvalue()).splitlines()[-2:]
    assert "123 failed" in frame[0]
    assert "12345 requests" in frame[1]
    assert max(map(len, frame)) < 80


def test_the_first_frame_is_there_at_once():
    target = console(terminal=True)
    with open_display(target):
        assert "starting" in target.file.getvalue()


def test_what_is_watched_stands_under_the_bars_until_the_end():
    target = console(terminal=True)
    with open_display(target) as display:
        display.watch(lambda: "12 requests sent")
        display.on_progress(Progress("action7_inbox", 1, 2))
        display._live.refresh()
        seen = target.file.getvalue()
        assert words(seen).endswith("12 requests sent")
        assert seen.rindex("Read inbox") < seen.rindex("12 requests sent")
    # The last frame has the bar alone.
    assert "requests" not in target.file.getvalue()[len(seen) :].rpartition("Read inbox")[2]


def test_a_run_that_ends_before_its_first_action_leaves_no_frame():
    target = console(terminal=True)
    with open_display(target):
        pass
    # ECMA-48: 2K erases the line.
    assert plain(target.file.getvalue().rpartition("\x1b[2K")[2]).strip() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_brackets_in_a_path_are_no_markup(terminal):
    target = console(terminal=terminal)
    with open_display(target) as display:
        display.note("database [/a]/[red].db")
        LOGGER.warning("database [/a]/[red].db")
    assert target.file.getvalue().count("database [/a]/[red].db") == 2


def test_a_total_that_nobody_knows_is_fine():
    for terminal in (True, False):
        with open_display(console(terminal=terminal)) as display:
            display.on_progress(Progress("action6_gather", 3, None))
