"""The columns of the views: a row comes in, its cells go out, and what it is sorted by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ancestry_obs.live.rates import Quantile
    from ancestry_obs.live.rows import Row, Subject

__all__ = ["COLUMNS", "Column", "column_named", "number_text", "seconds_text", "spark"]

_Key: TypeAlias = "float | str | None"
_BARS: Final = "▁▂▃▄▅▆▇█"
_NOTHING: Final = "-"
# The worst first.
_STATES: Final = ("error", "pending", "idle", "expired", "installed")
_THOUSANDS: Final = ("", "k", "M", "G", "T", "P")
_THOUSAND: Final = 1000.0
# From here on three digits need no point.
_NO_POINT: Final = 99.95
_TWO_DIGITS: Final = 9.95
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a view.

    Args:
        name: What `--sort` calls it.
        head: Its heading.
        total: Its heading since the start.
        width: How many columns of the terminal it has; 0 for what is left.
        text: Gives the cell of a row.
        key: Gives what a row is sorted by; `None` for what is not known, which comes last.
        is_number: Whether it stands at the right, and the greatest comes first.
    """

    name: str
    head: str
    total: str
    width: int
    text: Callable[[Row], str]
    key: Callable[[Row], _Key]
    is_number: bool = True


def number_text(number: float | None) -> str:
    """Write a number in five characters at most.

    Example:
        >>> number_text(0.0), number_text(0.25), number_text(12345), number_text(None)
        ('0', '0.25', '12.3k', '-')
    """
    if number is None or math.isnan(number):
        return _NOTHING
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    size, power = abs(number), 0
    while size >= _THOUSAND - 0.5 and power < len(_THOUSANDS) - 1:
        size, power = size / _THOUSAND, power + 1
    sign = "-" if number < 0 else ""
    return f"{sign}{_digits(size)}{_THOUSANDS[power]}"


def _digits(size: float) -> str:
    if size >= _THOUSAND - 0.5:
        return ">999"
    if size >= _NO_POINT or size == int(size):
        return f"{size:.0f}"
    if size >= _TWO_DIGITS:
        return f"{size:.1f}"
    return f"{size:.2f}" if size >= 0.005 else "<.01"  # noqa: PLR2004  what two digits show as 0.01


def seconds_text(seconds: float | None) -> str:
    """Write a duration in five characters at most.

    Example:
        >>> seconds_text(0.00012), seconds_text(0.0123), seconds_text(1.5), seconds_text(7200)
        ('120us', '12ms', '1.5s', '120m')
    """
    if seconds is None or not math.isfinite(seconds):
        return _NOTHING
    if seconds < 0:
        return f"-{seconds_text(-seconds)}"
    for factor, unit in ((1e9, "ns"), (1e6, "us"), (1e3, "ms"), (1.0, "s")):
        scaled = seconds * factor
        if scaled < _THOUSAND - 0.5 and (unit != "s" or scaled < 10 * _MINUTE):
            return f"{_two_digits(scaled)}{unit}"
    if seconds < 10 * _HOUR:
        return f"{seconds / _MINUTE:.0f}m"
    return f"{number_text(round(seconds / _HOUR))}h"


def _two_digits(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0") if number < _TWO_DIGITS else f"{number:.0f}"


def spark(rates: Sequence[float | None], width: int) -> str:
    """Draw the last rates as bars beside each other, the highest of them as high as can be.

    Example:
        >>> spark([0.0, 1.0, None, 4.0], 5)
        ' ▁▃ █'
    """
    shown = rates[-width:] if width else []
    highest = max((each for each in shown if each is not None), default=0.0)
    return "".join(_bar(each, highest) for each in shown).rjust(width)


def _bar(rate: float | None, highest: float) -> str:
    if rate is None:
        return " "
    return _BARS[math.ceil(rate / highest * (len(_BARS) - 1)) if highest else 0]


def _failed(row: Row) -> str:
    return f"{'~' * row.is_failed_shared}{number_text(row.failed)}"


def _value(row: Row) -> str:
    return number_text(row.value)


def _quantile(place: int) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        found = row.quantiles[place]
        if found is None:
            return _NOTHING
        shown = found.value if found.below is None else found.below
        return f"{_mark(row, found)}{(seconds_text if row.is_time else number_text)(shown)}"

    return text


def _mark(row: Row, found: Quantile) -> str:
    beyond = ">" if found.is_least else "" if found.below is None else "<"
    return f"{'~' * row.is_shared}{beyond}"


def _quantile_key(place: int) -> Callable[[Row], _Key]:
    def key(row: Row) -> _Key:
        found = row.quantiles[place]
        return None if found is None else found.value

    return key


def _state_key(row: Row) -> str:
    return f"{_STATES.index(row.kind)}" if row.kind in _STATES else row.kind


def _plain(name: str, head: str, total: str, width: int) -> Column:
    def key(row: Row) -> _Key:
        number: float | None = getattr(row, name)
        return None if number is None or math.isnan(number) else number

    def text(row: Row) -> str:
        return number_text(getattr(row, name))

    return Column(name, head, total, width, text, key)


def _name(head: str) -> Column:
    return Column(
        "name", head, head, 0, lambda row: row.name, lambda row: row.name, is_number=False
    )


def _quantile_columns(width: int) -> tuple[Column, ...]:
    return tuple(
        Column(f"p{each}", f"P{each}", f"P{each}", width, _quantile(place), _quantile_key(place))
        for place, each in enumerate((50, 95, 99))
    )


_METRIC_COLUMNS: Final = (
    _plain("rate", "RATE/S", "COUNT", 7),
    Column("value", "VALUE", "VALUE", 6, _value, _plain("value", "", "", 0).key),
    *_quantile_columns(6),
    Column("kind", "TYPE", "TYPE", 9, lambda row: row.kind, lambda row: row.kind, is_number=False),
)

COLUMNS: Final[Mapping[Subject, tuple[Column, ...]]] = {
    "targets": (
        _plain("rate", "CALLS/S", "CALLS", 7),
        Column("failed", "FAIL/S", "FAILED", 6, _failed, _plain("failed", "", "", 0).key),
        # Two marks, as in `~<100ms`.
        *_quantile_columns(7),
        Column("kind", "STATE", "STATE", 9, lambda row: row.kind, _state_key, is_number=False),
        _name("TARGET"),
    ),
    "metrics": (*_METRIC_COLUMNS, _name("METRIC")),
    "series": (*_METRIC_COLUMNS, _name("SERIES")),
}
"""The columns of each view, left to right; the history stands before the last one."""


def column_named(subject: Subject, name: str) -> Column | None:
    """Give a view's column by its name or its heading; `None` if there is none."""
    for each in COLUMNS[subject]:
        if name.lower() in {each.name, each.head.lower(), each.total.lower()}:
            return each
    return None
