"""The loop of the live view: events come in, screens go out, until a key ends it.

Clock, keys and exporter are whatever gives the events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from ancestry_obs.live.scrape import Lost, Scrape
from ancestry_obs.live.screen import screen
from ancestry_obs.live.view import chosen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ancestry_obs.live.screen import Line
    from ancestry_obs.live.view import View
    from ancestry_obs.live.watched import Watched

__all__ = ["Display", "Event", "look"]

Event: TypeAlias = "str | Scrape | Lost | None"
"""A key, what the exporter gave, or nothing but a screen that is to be drawn anew."""


class Display(Protocol):
    """What a screen is shown on."""

    def size(self) -> tuple[int, int]:
        """Give the columns and lines that there are now."""

    def show(self, lines: Sequence[Line]) -> None:
        """Show a screen in the place of the last one."""


def look(watched: Watched, view: View, events: Iterable[Event], display: Display) -> None:
    """Show a program until a key ends it, or there are no events any more.

    Args:
        watched: What is known of it.
        view: What is shown at first.
        events: What happens, one after the other.
        display: Where it is shown.
    """
    display.show(screen(watched, view, *display.size()))
    for event in events:
        view = _after(event, watched, view)
        if view.is_over:
            return
        display.show(screen(watched, view, *display.size()))


def _after(event: Event, watched: Watched, view: View) -> View:
    if isinstance(event, Scrape):
        # What is held is not looked at: the next rates are those of all the time in between.
        watched.lost = ""
        if not view.is_paused:
            watched.add(event)
    elif isinstance(event, Lost):
        watched.lost = event.reason
    elif event is not None:
        rows = watched.rows(view.subject, since_start=view.since_start)
        return view.pressed(event, len(chosen(rows, view)))
    return view
