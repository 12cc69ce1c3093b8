"""Show how far a run is: bars on a terminal, plain lines elsewhere.

In: progress and summaries of the actions, and the log. Out: text on a stream, standard error by
default, so that standard output keeps the result alone. What the result looks like is in `table`.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Protocol, Self

from rich.logging import RichHandler
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from ancestry_core.report.titles import TITLES

if TYPE_CHECKING:
    from rich.console import Console, ConsoleRenderable
    from rich.progress import TaskID
    from rich.traceback import Traceback

    from ancestry_core.actions.completion import ActionName, ActionSummary, Progress

_LOGGER = logging.getLogger("ancestry_core")
_ORIGIN = re.compile(r"https?://[^/\s]+")
_LONG_PATH = re.compile(r"(?<=\s)/\S+(?=/[^/\s]+/[^/\s]+)")
_LONG_ID = re.compile(r"\b([0-9a-fA-F]{8})-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}\b")
_LINES_PER_ACTION = 4


class Display(Protocol):
    """What shows a run; a context manager around it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def note(self, text: str) -> None:
        """Show a line."""

    def on_progress(self, progress: Progress) -> None:
        """Show how far an action is."""

    def on_complete(self, summary: ActionSummary) -> None:
        """Show that an action has ended."""


def open_display(console: Console) -> Display:
    """Choose the display that suits where a console writes to."""
    return BarDisplay(console) if console.is_terminal else LineDisplay(console)


class BarDisplay:
    """One bar per action, and the log above the bars, cut to the width.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Bars(
            TextColumn("{task.description}", style="bold"),
            BarColumn(bar_width=None, complete_style="cyan", finished_style="green"),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[outcome]}"),
            console=console,
            expand=True,
        )
        self._tasks: dict[ActionName, TaskID] = {}
        self._handler = _ShortHandler(
            console=console, show_time=False, show_path=False, show_level=False
        )

    def __enter__(self) -> Self:
        _LOGGER.addHandler(self._handler)
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()
        _LOGGER.removeHandler(self._handler)

    def note(self, text: str) -> None:
        """Show a line above the bars."""
        self._console.print(text, style="dim", markup=False, highlight=False)

    def on_progress(self, progress: Progress) -> None:
        """Move an action's bar."""
        self._bars.update(
            self._task(progress.action), completed=progress.done, total=progress.total
        )

    def on_complete(self, summary: ActionSummary) -> None:
        """Fill the bar, and say how many items failed."""
        task = self._task(summary.action)
        done = summary.success + summary.failure + summary.skipped
        outcome = f"[red]{summary.failure} failed[/]" if summary.failure else "[green]ok[/]"
        self._bars.update(task, completed=done, outcome=outcome)
        self._bars.stop_task(task)

    def _task(self, action: ActionName) -> TaskID:
        if action not in self._tasks:
            self._tasks[action] = self._bars.add_task(TITLES[action], total=None, outcome="")
        return self._tasks[action]


class LineDisplay:
    """A line now and then, for files and pipes; the log in full.

    Args:
        console: What the lines are printed on.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[ActionName, int] = {}
        self._handler = logging.StreamHandler(console.file)
        self._handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))

    def __enter__(self) -> Self:
        _LOGGER.addHandler(self._handler)
        return self

    def __exit__(self, *_: object) -> None:
        _LOGGER.removeHandler(self._handler)

    def note(self, text: str) -> None:
        """Show a line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def on_progress(self, progress: Progress) -> None:
        """Show a line for each quarter of an action."""
        if not progress.total:
            return
        quarter = _LINES_PER_ACTION * progress.done // progress.total
        if quarter > self._shown.get(progress.action, 0):
            self._shown[progress.action] = quarter
            self.note(f"{TITLES[progress.action]}: {progress.done} of {progress.total}")

    def on_complete(self, summary: ActionSummary) -> None:
        """Show what an action did."""
        self.note(
            f"{TITLES[summary.action]}: {summary.success} done, {summary.failure} failed, "
            f"{summary.skipped} skipped in {summary.seconds:.1f} s"
        )


class Notes(logging.Handler):
    """Shows a log's records as notes, in full.

    Args:
        display: Where to show them.
    """

    def __init__(self, display: Display) -> None:
        super().__init__()
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        self._display.note(record.getMessage())


class _ShortHandler(RichHandler):
    """Shows a record as one line of the terminal: addresses and ids cut short."""

    def render(
        self,
        *,
        record: logging.LogRecord,
        traceback: Traceback | None,  # noqa: ARG002 - the signature of RichHandler
        message_renderable: ConsoleRenderable,  # noqa: ARG002 - the same
    ) -> ConsoleRenderable:
        """Return the line for a record."""
        text = _LONG_PATH.sub("…", _ORIGIN.sub("", record.getMessage()))
        text = _LONG_ID.sub(r"\1…", text)
        line = Text(f"· {text}", style="yellow dim", no_wrap=True, overflow="ellipsis")
        # A console joins bare texts into one of its own, which wraps.
        return Padding(line, 0)
