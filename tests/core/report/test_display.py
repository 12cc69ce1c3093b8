from __future__ import annotations

import logging
from io import StringIO

import pytest
from rich.console import Console

from ancestry_core.actions.completion import ActionSummary, Progress
from ancestry_core.report.display import BarDisplay, LineDisplay, open_display

LOGGER = logging.getLogger("ancestry_core.actions")
LONG = (
    "not read: GET http://127.0.0.1:8080/app-api/conversations/"
    "f24c214a-a427-4992-8260-00623b453db8/messages: 500 Internal Server Error; given up"
)


def console(*, terminal):
    return Console(file=StringIO(), force_terminal=terminal, width=70, color_system=None)


@pytest.fixture
def show():
    def run(*, terminal, total=8):
        target = console(terminal=terminal)
        with open_display(target) as display:
            display.note("Signed in")
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


def test_lines_come_at_each_quarter_and_the_log_in_full(show):
    assert show(terminal=False).splitlines() == [
        "Signed in",
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


def test_a_terminal_shows_a_bar_and_short_log_lines(show):
    text = show(terminal=True)
    assert "7  Read inbox" in text
    assert "8/8" in text
    assert "1 failed" in text
    assert "· not read: GET …/f24c214a…/messages: 500 Internal Server Error; give…" in text
    assert "127.0.0.1" not in text
    assert "after the run" not in text


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
