"""The upper bounds of a histogram, where a map does not list them: a name, or a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = ["NAMED", "NATIVE", "bounds_of"]

NAMED: Final[Mapping[str, tuple[float, ...]]] = {
    # OpenTelemetry, "Semantic conventions for HTTP metrics", http.server.request.duration.
    "latency": (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
    # The same for databases, db.client.operation.duration.
    "database": (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
    # Bytes: 256 B to 64 MiB.
    "size": tuple(float(4**power) for power in range(4, 14)),
}
"""Bounds by name, in seconds and in bytes."""

NATIVE: Final = "native"
"""The name of buckets that have no bounds of their own."""

_MOST: Final = 100
_ROUND: Final = {1: (1.0,), 2: (1.0, 3.0), 3: (1.0, 2.0, 5.0)}
"""Steps within a decade that people are used to."""


def bounds_of(given: Any, path: KeyPath, report: Report) -> tuple[Any, ...]:  # noqa: ANN401 - list, text or dict
    """Give the bounds that are meant.

    Args:
        given: A list, a name of `NAMED`, `NATIVE`, which has none, or a table with ``from``, ``to``
            and ``per_decade``; what is of the wrong type was reported before, and is `None`.
        path: Where it is.
        report: Takes the mistakes.
    """
    if isinstance(given, str):
        return NAMED.get(given, ())
    if isinstance(given, list):
        return tuple(bound for bound in given if bound is not None)
    first, last, steps = (given.get(key) for key in ("from", "to", "per_decade"))
    if first is None or last is None or steps is None:
        return ()
    if not 0 < first < last:
        message = f"buckets from {first:g} to {last:g}"
        report.add(path, message, "write a from above 0, and a to above it")
        return ()
    bounds = _range(first, last, steps)
    if len(bounds) > _MOST:
        message = f"more than {_MOST} buckets, each of which is a series of its own"
        report.add(path, message, "ask for fewer per_decade, or a shorter range")
        return ()
    return tuple(bounds)


def _range(first: float, last: float, steps: int) -> list[float]:
    """Give the bounds, or the first of them where they are too many."""
    within = _ROUND.get(steps) or [10 ** (step / steps) for step in range(steps)]
    bounds: list[float] = []
    for number in range(_MOST + 1):
        decade, step = divmod(number, len(within))
        # Three digits: no bound but the first has the dust of a power of ten.
        bound = float(f"{first * within[step] * 10.0**decade:.3g}") if number else float(first)
        if bound >= last:
            break
        if not bounds or bound > bounds[-1]:
            bounds.append(bound)
    return [*bounds, float(last)]
