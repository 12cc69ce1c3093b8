"""Print what a run did, for a person.

In: a `RunReport` and a console. Out: a table of the actions, and the figures of the managers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from ancestry_core.report.titles import TITLES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from rich.console import Console

    from ancestry_core.report.run_report import RunReport

    class MetricRow(Protocol):
        """One line about a metric, in words."""

        metric: str
        labels: str
        value: str


def print_report(report: RunReport, console: Console) -> None:
    """Print a report.

    Args:
        report: What to print.
        console: Where to.
    """
    console.print()
    console.print(_actions(report))
    console.print()
    console.print(_figures(report))
    if not report.sent:
        console.print(
            "Dry run: no message left. --send lets them leave.", style="dim", highlight=False
        )


def print_metrics(rows: Iterable[MetricRow], console: Console) -> None:
    """Print metrics.

    Args:
        rows: A few lines for each metric.
        console: Where to.
    """
    table = _table()
    # What does not fit is broken into lines, never cut; the widest column first.
    table.add_column("Metric", overflow="fold")
    table.add_column("Labels", overflow="fold", style="dim")
    table.add_column("Value", overflow="fold", justify="right")
    last = ""
    for row in rows:
        cells = ("" if row.metric == last else row.metric, row.labels, row.value)
        # Texts, since a label's value may have brackets, which are no markup.
        table.add_row(*map(Text, cells))
        last = row.metric
    console.print()
    console.print(table)


def print_steps(steps: Iterable[tuple[str, str]], console: Console) -> None:
    """Print what to do next.

    Args:
        steps: What to type, or an address, and what it is for.
        console: Where to.
    """
    console.print()
    console.print("Next", style="bold", highlight=False)
    # No line is broken or padded here: what is typed is copied from the screen.
    for command, purpose in steps:
        console.print(Text(f"  {command}", "cyan"), soft_wrap=True)
        console.print(Text(f"      {purpose}", "dim"), soft_wrap=True)


def _table() -> Table:
    """Make a table that spends no column of a narrow terminal on edges."""
    return Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)


def _actions(report: RunReport) -> Table:
    table = _table()
    table.add_column("Action")
    for name in ("Success", "Failure", "Skipped", "Seconds"):
        table.add_column(name, justify="right")
    for row in report.actions:
        table.add_row(
            TITLES[row.action],
            _count(row.success, "green"),
            _count(row.failure, "red"),
            _count(row.skipped, "yellow"),
            f"{row.seconds:.1f}",
        )
    return table


def _figures(report: RunReport) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    table.add_row("Requests", f"{report.requests} sent, {report.retries} of them retries")
    table.add_row("Session refreshes", _refreshes(report))
    table.add_row("Breaker trips", str(report.breaker_trips))
    share = report.cache_hits / report.cache_lookups if report.cache_lookups else 0.0
    table.add_row(
        "Cache", f"{report.cache_hits} hits in {report.cache_lookups} lookups ({share:.0%})"
    )
    table.add_row("Time", f"{report.seconds:.1f} s")
    return table


def _refreshes(report: RunReport) -> str:
    by_reason = ", ".join(f"{count} {reason}" for reason, count in sorted(report.refreshes.items()))
    return by_reason or "none"


def _count(number: int, style: str) -> str:
    return f"[{style}]{number}[/]" if number else "[dim]0[/]"
