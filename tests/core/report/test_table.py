"""The end of a run on terminals of usual widths: nothing of it is cut."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from ancestry_core.actions.completion import ActionSummary
from ancestry_core.main import next_steps
from ancestry_core.report.run_report import RunReport
from ancestry_core.report.table import print_metrics, print_report, print_steps
from ancestry_core.report.titles import TITLES
from ancestry_obs.mapfile import load

LONGEST_VALUE = "123456, mean 0.0012"
REPORT = RunReport(
    actions=tuple(ActionSummary(action, 123456, 1234, 1234, 12345.6) for action in TITLES),
    requests=123456,
    retries=12345,
    refreshes={"proactive": 123, "api_forced": 123, "browser_error": 123},
    cache_hits=123456,
    cache_lookups=1234567,
    breaker_trips=123,
    seconds=12345.6,
    sent=False,
)


def row(metric, labels="", value=LONGEST_VALUE):
    return SimpleNamespace(metric=metric, labels=labels, value=value)


@pytest.fixture
def rows():
    """A row for each metric of the platform's map, with the longest labels that it can have."""
    return [
        row(
            metric.name,
            ", ".join(max(label.values, key=len) for label in metric.labels if label.values),
        )
        for metric in load("ancestry.toml").metrics
    ]


@pytest.fixture(params=[80, 120])
def page(request, rows):
    """The lines of an end page."""
    console = Console(file=StringIO(), width=request.param, record=True, _environ={})
    print_report(REPORT, console)
    print_metrics(rows, console)
    for held in (False, True):
        url = "http://127.0.0.1:9000/metrics"
        print_steps(next_steps("ancestry", measured=True, held=held, url=url), console)
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= request.param
    return lines


def test_no_cell_is_cut(page):
    assert not any("…" in line or "..." in line for line in page)


def test_every_metric_has_its_name_and_value_in_one_piece(page, rows):
    values = {line.split()[0]: line for line in page if line.rstrip().endswith(LONGEST_VALUE)}
    assert list(values) == [each.metric for each in rows]


def test_every_label_is_there(page, rows):
    # Broken between values at most.
    words = {word for line in page for word in line.replace(",", " ").split()}
    assert {word for each in rows for word in each.labels.replace(",", " ").split()} <= words


def test_every_figure_of_the_report_is_there(page):
    text = " ".join(" ".join(page).split())
    for title in TITLES.values():
        assert " ".join(f"{title} 123456 1234 1234 12345.6".split()) in text
    assert "Session refreshes 123 api_forced, 123 browser_error, 123 proactive" in text
    assert "Cache 123456 hits in 1234567 lookups (10%)" in text


def test_what_is_typed_next_stands_on_lines_of_its_own(page):
    lines = [line.strip() for line in page]
    for command in (
        "ancestry run --metrics --hold",
        "ancestry-obs status http://127.0.0.1:9000",
        "ancestry-obs dashboards ancestry.toml -o grafana",
        "http://127.0.0.1:9000/metrics",
    ):
        assert command in lines


def test_a_narrower_terminal_breaks_names_and_loses_nothing(rows):
    console = Console(file=StringIO(), width=40, _environ={})
    print_metrics(rows, console)
    lines = console.file.getvalue().splitlines()[3:]
    # Three columns, whose pieces add up to the whole cells.
    start = console.file.getvalue().splitlines()[1]
    labels, value = start.index("Labels"), start.index("Labels") + len("Labels")
    names = "".join(line[:labels].strip() for line in lines)
    assert names == "".join(each.metric for each in rows)
    assert "".join("".join(line[value:] for line in lines).split()).count("mean") == len(rows)


def test_brackets_in_a_label_are_no_markup():
    console = Console(file=StringIO(), width=80, _environ={})
    print_metrics([row("api_requests_total", "[/a], [red]", "1")], console)
    assert "[/a], [red]" in console.file.getvalue()
