"""What `suggest` has found -> lines for people, and the same for programs."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.cli.output import broken, counted, terminal_width
from ancestry_obs.cli.verdicts import coloured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ancestry_obs.suggestion.candidates import Candidate
    from ancestry_obs.suggestion.traced_command import Traced
    from ancestry_obs.suggestion.weighing import Row

__all__ = ["as_dict", "call_lines", "candidate_as_dict", "source_lines"]

_NARROWEST: Final = 80
_LOST_AT_MOST: Final = 5


def source_lines(kept: Sequence[Candidate], total: int, lost: Sequence[str]) -> Iterator[str]:
    """Tell what a map is made of, where the source told.

    Args:
        kept: What it names.
        total: How many functions there were to choose from.
        lost: Targets that it cannot name.
    """
    kinds = [each.kind for each in kept]
    told = [counted(kinds.count(kind), kind) for kind in dict.fromkeys(kinds)]
    yield from _broken(f"{', '.join(told)}; {counted(total, 'public function')} in all")
    yield from _lost(lost)


def call_lines(
    rows: Sequence[Row], total: int, lost: Sequence[str], traced: Traced
) -> Iterator[str]:
    """Tell what was called, as a table for a terminal's width.

    Args:
        rows: The ranked functions.
        total: How many were called.
        lost: Targets that a map cannot name.
        traced: What the command did.
    """
    processes = f"{traced.processes:,} process{'es' * (traced.processes != 1)}"
    yield f"{counted(total, 'function')} called in {_duration(traced.seconds)} of {processes}"
    yield _coloured(f"{'time':>6}  {'own':>6}  {'calls/s':>9}  {'costs':>7}  function", "bold")
    width = max(shutil.get_terminal_size((_NARROWEST, 24)).columns, _NARROWEST)
    for row in rows:
        yield _line(row, width)
    worth = [row.overhead for row in rows if row.is_worth_it]
    yield f"{sum(worth):.2%} overhead expected for {counted(len(worth), 'target')}"
    hot = len(rows) - len(worth)
    if hot:
        verb = "stand" if hot > 1 else "stands"
        yield f"{counted(hot, 'target')} above 1% {verb} in the map as comments"
    yield from _lost(lost)


def _line(row: Row, width: int) -> str:
    figures = f"{row.share:6.1%}  {row.own:6.1%}  {row.rate:9,.1f}  {row.overhead:7.3%}  "
    labels = ", ".join(each.name for each in row.candidate.labels)
    room = width - len(figures)
    told = f"  by {labels}" if labels else ""
    if len(told) > room // 2:
        told = f"{told[: room // 2 - 1]}…"
    name = row.candidate.target
    if len(name) + len(told) > room:
        name = f"…{name[len(name) - (room - len(told)) + 1 :]}"
    line = figures + name + told
    return line if row.is_worth_it else _coloured(line, "yellow")


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _lost(lost: Sequence[str]) -> Iterator[str]:
    if lost:
        named = ", ".join(lost[:_LOST_AT_MOST]) + ", ..." * (len(lost) > _LOST_AT_MOST)
        yield from _broken(f"left out, since no map can surely name them: {named}")


def _broken(text: str) -> list[str]:
    return broken(text, terminal_width(sys.stderr))


def as_dict(
    package: str, rows: Sequence[Row], lost: Sequence[str], traced: Traced
) -> dict[str, Any]:
    """Give the same for programs, with times in seconds and shares from 0."""
    return {
        "package": package,
        "seconds": traced.seconds,
        "processes": traced.processes,
        "exit_code": traced.code,
        "functions": [
            {
                **candidate_as_dict(row.candidate),
                "calls": row.calls, "calls_per_second": row.rate, "share": row.share,
                "own_share": row.own, "overhead": row.overhead, "is_commented": not row.is_worth_it,
            }
            for row in rows
        ],
        "left_out": [*lost],
    }  # fmt: skip


def candidate_as_dict(candidate: Candidate) -> dict[str, Any]:
    """Give a function and its labels for programs."""
    labels = [{"name": e.name, "values": list(e.values)} for e in candidate.labels]
    return {"target": candidate.target, "kind": candidate.kind, "labels": labels}


def _coloured(text: str, colour: str) -> str:
    return coloured(text, colour, sys.stderr)
