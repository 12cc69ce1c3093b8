"""What keys have made of the view: a key comes in, the next view goes out; nothing is drawn here.

A key is a character, or the name of one that has none: `UP`, `ENTER` and the like.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ancestry_obs.live.columns import COLUMNS
from ancestry_obs.live.rows import SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ancestry_obs.live.columns import Column
    from ancestry_obs.live.rows import Row, Subject

__all__ = ["KEYS", "View", "chosen"]

_PAGE: Final = 10
_TOP: Final = 0
_BOTTOM: Final = 1 << 30
KEYS: Final = (
    ("Tab  1 2 3", "targets, metrics, series"),
    ("<  >  left right", "sort by the column before, behind"),
    ("r", "the other way round"),
    ("/", "only rows with these words; Enter keeps, Escape drops them"),
    ("t", "totals since the program's start, or rates"),
    ("p  space", "hold the numbers; again, go on"),
    ("up down  j k", "choose a row: its full name is below; also by pages"),
    ("?  h", "this help"),
    ("q  Ctrl-C", "the end"),
)
"""What the help shows: keys and what they do."""


@dataclass(frozen=True, slots=True)
class View:
    """What is shown, and in which order.

    Args:
        subject: What there is a row for each of.
        sort: The place of the column that is sorted by.
        is_reversed: Whether the other way round than that column usually is.
        words: What a row must have, all of it, in its name or its state.
        is_typing: Whether keys are characters of these words.
        since_start: Whether numbers are totals.
        is_paused: Whether what is shown stays.
        has_help: Whether the help is shown.
        at: The place of the row that is chosen.
        is_over: Whether this is the end.
    """

    subject: Subject = "targets"
    sort: int = 0
    is_reversed: bool = False
    words: str = ""
    is_typing: bool = False
    since_start: bool = False
    is_paused: bool = False
    has_help: bool = False
    at: int = 0
    is_over: bool = False

    @property
    def column(self) -> Column:
        """The column that is sorted by."""
        return COLUMNS[self.subject][self.sort]

    def pressed(self, key: str, count: int) -> View:
        """Give the view after a key.

        Args:
            key: The key; one without a meaning changes nothing.
            count: How many rows there are.
        """
        if self.is_typing:
            return self._typed(key)
        if self.has_help:
            without = replace(self, has_help=False)
            return without if key in {"?", "h", "ESCAPE"} else without.pressed(key, count)
        if key in _STEPS:
            last = max(0, count - 1)
            return replace(self, at=max(0, min(last, min(self.at, last) + _STEPS[key])))
        change = _CHANGES.get(key)
        return change(self) if change else self

    def _typed(self, key: str) -> View:
        if key == "ENTER":
            return replace(self, is_typing=False)
        if key == "ESCAPE":
            return replace(self, is_typing=False, words="")
        if key == "BACKSPACE":
            return replace(self, words=self.words[:-1])
        return replace(self, words=self.words + key, at=0) if len(key) == 1 else self


def chosen(rows: Iterable[Row], view: View) -> list[Row]:
    """Keep the rows that a view is to show, in its order; what is not known comes last."""
    words = view.words.lower().split()
    kept = [
        row
        for row in rows
        if all(word in row.name.lower() or word in row.kind.lower() for word in words)
    ]
    kept.sort(key=lambda row: row.name)
    column = view.column
    known = [row for row in kept if column.key(row) is not None]
    known.sort(key=column.key, reverse=column.is_number != view.is_reversed)  # type: ignore[arg-type]  # all are numbers, or all texts
    return known + [row for row in kept if column.key(row) is None]


def _sorted_beside(view: View, step: int) -> View:
    number = len(COLUMNS[view.subject])
    return replace(view, sort=(view.sort + step) % number, is_reversed=False, at=0)


def _about(view: View, subject: Subject) -> View:
    if subject == view.subject:
        return view
    return replace(view, subject=subject, sort=0, is_reversed=False, at=0)


def _about_next(view: View, step: int) -> View:
    return _about(view, SUBJECTS[(SUBJECTS.index(view.subject) + step) % len(SUBJECTS)])


_STEPS: Final[Mapping[str, int]] = {
    "UP": -1, "k": -1, "DOWN": 1, "j": 1, "PAGE_UP": -_PAGE, "PAGE_DOWN": _PAGE,
    "HOME": -_BOTTOM, "END": _BOTTOM,
}  # fmt: skip
_CHANGES: Final[Mapping[str, Callable[[View], View]]] = {
    "TAB": lambda view: _about_next(view, 1),
    "BACK_TAB": lambda view: _about_next(view, -1),
    "1": lambda view: _about(view, "targets"),
    "2": lambda view: _about(view, "metrics"),
    "3": lambda view: _about(view, "series"),
    "<": lambda view: _sorted_beside(view, -1),
    "LEFT": lambda view: _sorted_beside(view, -1),
    ">": lambda view: _sorted_beside(view, 1),
    "RIGHT": lambda view: _sorted_beside(view, 1),
    "r": lambda view: replace(view, is_reversed=not view.is_reversed),
    "/": lambda view: replace(view, is_typing=True, at=_TOP),
    "ESCAPE": lambda view: replace(view, words=""),
    "t": lambda view: replace(view, since_start=not view.since_start),
    "p": lambda view: replace(view, is_paused=not view.is_paused),
    " ": lambda view: replace(view, is_paused=not view.is_paused),
    "?": lambda view: replace(view, has_help=True),
    "h": lambda view: replace(view, has_help=True),
    "q": lambda view: replace(view, is_over=True),
}
