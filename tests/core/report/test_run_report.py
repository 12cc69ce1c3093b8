from __future__ import annotations

import json

import pytest
from rich.console import Console

from ancestry_core.actions.completion import ActionSummary
from ancestry_core.report.run_report import RunReport
from ancestry_core.report.table import print_report

REPORT = RunReport(
    actions=(
        ActionSummary("action6_gather", 116, 2, 0, 29.04567),
        ActionSummary("action8_messaging", 60, 1, 55, 2.5),
    ),
    requests=590,
    retries=43,
    refreshes={"proactive": 2, "api_forced": 1},
    cache_hits=20,
    cache_lookups=500,
    breaker_trips=4,
    seconds=35.4321,
    sent=False,
)


def printed(report):
    console = Console(width=100, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        print_report(report, console)
    return capture.get()


def test_json_holds_every_figure():
    assert json.loads(json.dumps(REPORT.as_dict())) == {
        "actions": {
            "action6_gather": {"success": 116, "failure": 2, "skipped": 0, "seconds": 29.046},
            "action8_messaging": {"success": 60, "failure": 1, "skipped": 55, "seconds": 2.5},
        },
        "requests": 590,
        "retries": 43,
        "refreshes": {"proactive": 2, "api_forced": 1},
        "cache": {"hits": 20, "lookups": 500},
        "breaker_trips": 4,
        "seconds": 35.432,
        "sent": False,
    }


@pytest.mark.parametrize(
    "words",
    [
        "6 Gather matches 116 2 0 29.0",
        "8 Messages 60 1 55 2.5",
        "Requests 590 sent, 43 of them retries",
        "Session refreshes 1 api_forced, 2 proactive",
        "Breaker trips 4",
        "Cache 20 hits in 500 lookups (4%)",
        "Dry run: no message left. --send lets them leave.",
    ],
)
def test_the_table_shows_every_figure(words):
    assert words in [" ".join(line.split()) for line in printed(REPORT).splitlines()]


def test_a_run_without_lookups_has_no_share():
    from dataclasses import replace

    text = printed(replace(REPORT, cache_hits=0, cache_lookups=0, refreshes={}, sent=True))
    assert "0 hits in 0 lookups (0%)" in text
    assert "none" in text
    assert "Dry run" not in text
