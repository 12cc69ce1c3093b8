"""Dates and times of a map as seconds since the epoch, and back.

Only a map that has one imports this.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

__all__ = ["is_moment", "moment_text", "seconds_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_moment(value: object) -> bool:
    """Tell whether a value is a date, or a time with its zone, that UTC has a name for."""
    if not isinstance(value, date) or (isinstance(value, datetime) and value.tzinfo is None):
        return False
    try:
        moment_text(seconds_of(value))
    except OverflowError:  # years before the first and after the last
        return False
    return True


def seconds_of(moment: date) -> float:
    """Give a moment in seconds since the epoch; a date is its first one, in UTC."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return moment.timestamp()


def moment_text(seconds: float) -> str:
    """Write a moment as a date, or as a time in UTC where it is not the first of its day.

    Args:
        seconds: Since the epoch.

    Raises:
        OverflowError: It is not within the years 1 to 9999.
    """
    moment = _EPOCH + timedelta(seconds=seconds)
    return moment.isoformat().removesuffix("T00:00:00+00:00")
