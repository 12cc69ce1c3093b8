"""Show how far a run is: bars on a terminal, plain lines elsewhere.

In: progress and summaries of the actions, and the log. Out: text on a stream, standard error by
default, so that standard output keeps the result alone. What the result looks like is in `table`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.spinner import Spinner
from rich.text import Text

from ancestry_core.report.addresses import shortened
from ancestry_core.report.titles import TITLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType
    from rich.progress import TaskID

    from ancestry_core.actions.completion import ActionName, ActionSummary, Progress

_LOGGER = logging.getLogger("ancestry_core")
_LINES_PER_ACTION = 4
# A terminal that is made narrower breaks lines that are too long for it, and what is drawn over
# them misses the rest. So no line of the bars is longer than the narrowest usual terminal is wide.
_BAR_WIDTH = 24
_FRAMES_PER_SECOND = 10
_INDENT = "  "
_NARROWEST = 20


class Display(Protocol):
    """What shows a run; a context manager around it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def note(self, text: str) -> None:
        """Show a line."""

    def watch(self, describe: Callable[[], str]) -> None:
        """Show what a function tells, as it changes; it is called from another thread."""

    def on_progress(self, progress: Progress) -> None:
        """Show how far an action is."""

    def on_complete(self, summary: ActionSummary) -> None:
        """Show that an action has ended."""


def open_display(console: Console) -> Display:
    """Choose the display that suits where a console writes to."""
    # Colours can be forced on a file; bars that move make no sense there, nor on a dumb terminal.
    moves = console.is_interactive and not console.is_dumb_terminal and console.file.isatty()
    return BarDisplay(console) if moves else LineDisplay(console)


class BarDisplay:
    """One bar per action, what goes on under them, and notes and the log above, in full.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tasks: dict[ActionName, TaskID] = {}
        self._bars = Bars(
            TextColumn("{task.description}", style="bold"),
            BarColumn(bar_width=_BAR_WIDTH, complete_style="cyan", finished_style="green"),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[outcome]}"),
            console=console,
        )
        # "line" turns with characters that every terminal has.
        self._activity: Spinner | None = Spinner("line", style="cyan")
        self._describe = _starting
        self._live = Live(
            get_renderable=self._frame,
            console=console,
            refresh_per_second=_FRAMES_PER_SECOND,
        )
        self._handler = _WarningLines(console)

    def __enter__(self) -> Self:
        _LOGGER.addHandler(self._handler)
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        # The last frame stays on the screen: the bars alone.
        self._activity = None
        self._live.stop()
        _LOGGER.removeHandler(self._handler)

    def note(self, text: str) -> None:
        """Show a line above the bars."""
        self._console.print(text, style="dim", markup=False, highlight=False, overflow="fold")

    def watch(self, describe: Callable[[], str]) -> None:
        """Show what a function tells under the bars."""
        self._describe = describe

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

    def _frame(self) -> RenderableType:
        activity = self._activity
        if activity is None:
            return self._bars
        activity.update(text=Text(self._describe(), style="dim", no_wrap=True))
        return Group(self._bars, activity) if self._tasks else activity

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

    def watch(self, describe: Callable[[], str]) -> None:
        """Show nothing: what changes all the time is no line."""

    def on_progress(self, progress: Progress) -> None:
        """Show a line when an action begins, and for each quarter of it."""
        if not progress.total:
            return
        quarter = _LINES_PER_ACTION * progress.done // progress.total
        if quarter > self._shown.get(progress.action, -1):
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


class _WarningLines(logging.Handler):
    """Shows a record in full, on as many lines as it needs, with the addresses in it shortened."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        try:
            text = Text(shortened(self.format(record)), style="yellow", overflow="fold")
            lines = text.wrap(self._console, max(self._console.width, _NARROWEST) - len(_INDENT))
            # Broken here and not padded: so a terminal that is made narrower can break it anew.
            self._console.print(
                Text("! ", "yellow") + Text("\n" + _INDENT).join(lines), soft_wrap=True
            )
        except Exception:  # noqa: BLE001 - what `logging` asks of a handler
            self.handleError(record)


def _starting() -> str:
    return "starting"
