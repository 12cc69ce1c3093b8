"""A view of a watched program comes in, the lines of a terminal go out: so many, exactly so wide.

A line has one style; which colours that is, is the terminal's affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from ancestry_obs.live.columns import COLUMNS, spark
from ancestry_obs.live.fitting_text import columns_of, fitted, printable
from ancestry_obs.live.rows import SUBJECTS
from ancestry_obs.live.view import KEYS, chosen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ancestry_obs.live.columns import Column
    from ancestry_obs.live.rows import Row
    from ancestry_obs.live.view import View
    from ancestry_obs.live.watched import Watched

__all__ = ["Line", "Style", "screen"]

Style = Literal["", "title", "head", "chosen", "bad", "warning", "faint"]

_STYLES: Final[dict[str, Style]] = {
    "error": "bad", "idle": "warning", "pending": "faint", "expired": "faint",
}  # fmt: skip
_GAP: Final = 1
_HISTORY: Final = "HISTORY"
_HISTORY_WIDTH: Final = 7
_WIDEST_HISTORY: Final = 30
_USUAL_WIDTH: Final = 80
_LEAST_NAME: Final = 22
# What goes first where there is no room for all, by the column's name.
_DISPENSABLE: Final = ("history", "p50", "p99", "value", "failed", "p95", "kind")
_FOOT: Final = "q end  Tab view  <> sort  r reverse  / filter  t totals  p hold  ? help"
_LINES_AROUND: Final = 6


class Line(NamedTuple):
    """One line of the screen.

    Args:
        text: As wide as the screen.
        style: How it looks.
    """

    text: str
    style: Style = ""


@dataclass(frozen=True, slots=True)
class _Layout:
    columns: tuple[tuple[Column, int], ...]
    history: int
    name: int


def screen(watched: Watched, view: View, width: int, height: int) -> list[Line]:
    """Draw a view.

    Args:
        watched: The program.
        view: What is to be shown of it.
        width: Of the terminal, in columns.
        height: In lines.
    """
    every = watched.rows(view.subject, since_start=view.since_start)
    rows = chosen(every, view)
    space = max(1, height - _LINES_AROUND)
    layout = _layout(view, width)
    lines = [
        Line(_title(watched), "title"),
        _message(watched, view, len(rows), len(every)),
        Line(_heads(view, layout), "head"),
    ]
    body = [*(_help() if view.has_help else _body(watched, view, rows, layout, space))]
    lines += body[:space] + [Line("")] * (space - len(body))
    lines += [*_detail(view, rows), Line(_FOOT, "faint")]
    return [Line(fitted(text, width), style) for text, style in lines[:height]]


def _title(watched: Watched) -> str:
    status = watched.scrape.status
    states: dict[str, int] = {}
    for row in watched.rows("targets"):
        states[row.kind] = states.get(row.kind, 0) + 1
    told = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
    # A map of a package has a long path.
    name = status.map.replace("\\", "/").rpartition("/")[2]
    return f"{watched.address}  {name}  {told or 'no targets'}"


def _message(watched: Watched, view: View, shown: int, number: int) -> Line:
    """Say what is remarkable just now; the most important alone."""
    if view.is_typing:
        return Line(f"filter: {view.words}_", "title")
    if watched.lost:
        return Line(f"waiting: {watched.lost}", "bad")
    if view.is_paused:
        return Line("held; p goes on", "warning")
    if watched.has_restarted:
        return Line("the program has been started anew; counters begin at 0", "warning")
    parts = [f"[{each}]" if each == view.subject else each for each in SUBJECTS]
    parts += ["since the start" if view.since_start else ""]
    parts += [f"filter {view.words!r}: {shown:,} of {number:,}" if view.words else ""]
    warnings = [*_warnings(watched)]
    return Line("  ".join(filter(None, [*parts, *warnings])), "warning" if warnings else "")


def _warnings(watched: Watched) -> Iterator[str]:
    status = watched.scrape.status
    if errors := watched.expression_errors():
        yield f"failed expressions: {errors:,.0f}"
    if status.map_error:
        yield f"map: {status.map_error}"
    if status.exporter_error:
        yield f"exporter: {status.exporter_error}"
    if status.end_error:
        yield f"end: {status.end_error}"


def _layout(view: View, width: int) -> _Layout:
    *columns, _ = COLUMNS[view.subject]
    history = _HISTORY_WIDTH + max(0, (width - _USUAL_WIDTH) // 4)
    history = min(history, _WIDEST_HISTORY)
    sorted_by = view.column.name
    for name in ("", *_DISPENSABLE):
        if name == "history":
            history = 0
        # What the rows are in the order of is told as long as there is any room.
        columns = [each for each in columns if each.name != name or name == sorted_by]
        used = sum(each.width + _GAP for each in columns) + (history + _GAP if history else 0)
        left = width - used - _GAP
        if left >= min(_LEAST_NAME, width // 3):
            break
    return _Layout(tuple((each, each.width) for each in columns), history, max(0, left))


def _heads(view: View, layout: _Layout) -> str:
    parts = [_head(view, column, width) for column, width in layout.columns]
    if layout.history:
        parts.append(f" {fitted(_HISTORY, layout.history)}")
    last = COLUMNS[view.subject][-1]
    return "".join((*parts, _head(view, last, layout.name)))


def _head(view: View, column: Column, width: int) -> str:
    text = column.total if view.since_start else column.head
    is_down = column.is_number != view.is_reversed
    mark = ("▼" if is_down else "▲") if column is view.column else " "
    if column.is_number:
        return f"{mark}{text}".rjust(width + _GAP)
    return mark + fitted(text, width)


def _body(
    watched: Watched, view: View, rows: Sequence[Row], layout: _Layout, space: int
) -> Iterator[Line]:
    if not rows:
        yield Line(
            f"  no {view.subject}" + (f" with {view.words!r}" if view.words else ""), "faint"
        )
        return
    at = min(view.at, len(rows) - 1)
    first = max(0, min(at - space // 2, len(rows) - space))
    for place, row in enumerate(rows[first : first + space], first):
        style = _STYLES.get(row.kind, "warning" if row.expression_errors else "")
        yield Line(_row(watched, view, row, layout), "chosen" if place == at else style)


def _row(watched: Watched, view: View, row: Row, layout: _Layout) -> str:
    parts = []
    for column, width in layout.columns:
        text = fitted(column.text(row), width)
        parts.append(" " + (text.rstrip().rjust(width) if column.is_number else text))
    if layout.history:
        bars = spark([*watched.history(view.subject, row.name)], layout.history)
        parts.append(f" {bars}")
    # The end tells more: a function than its package, labels than the metric.
    fits = columns_of(printable(row.name)) <= layout.name
    name = row.name if fits or not row.short_name else row.short_name
    return "".join((*parts, " ", fitted(name, layout.name, keep_end=True)))


def _detail(view: View, rows: Sequence[Row]) -> tuple[Line, Line]:
    """Tell the chosen row's name in full, and what there is to say of it."""
    if not rows or view.has_help:
        return Line(""), Line("")
    row = rows[min(view.at, len(rows) - 1)]
    told = [row.reason] if row.reason else []
    if row.expression_errors:
        told.append(
            f"failed expressions{'' if view.since_start else '/s'}: {row.expression_errors:,.3g}"
        )
    return Line(row.name, "title"), Line("; ".join(told))


def _help() -> Iterator[Line]:
    width = max(columns_of(keys) for keys, _ in KEYS)
    for keys, meaning in KEYS:
        yield Line(f"  {fitted(keys, width)}  {meaning}")
    yield Line("")
    yield Line("  FAIL/S       calls that failed, where the map has a label or record for that")
    yield Line("  P50 P95 P99  what so many in a hundred calls do not exceed, by the buckets")
    yield Line("  ~            with other targets, of the same series")
    yield Line("  < >          below the first bucket's bound; beyond the last bucket's")
