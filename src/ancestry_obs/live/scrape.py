"""What was read from an exporter at one moment, as plain data; nothing here reads or reckons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ancestry_obs.feeds import Feed
    from ancestry_obs.installation_status import Status

__all__ = ["Labels", "Lost", "Metric", "Scrape"]

Labels: TypeAlias = "tuple[tuple[str, str], ...]"
"""Names and values of a series' labels, in the order of the page, without ``le``."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of the exposition.

    Args:
        name: As its type is told; a counter's ends in ``_total``.
        kind: ``counter``, ``gauge``, ``histogram``, ``summary`` or ``untyped``.
        values: The number of each series; of a histogram and a summary it is the count.
        buckets: Of a histogram, the cumulative count of each series by upper bound.
    """

    name: str
    kind: str
    values: dict[Labels, float] = field(default_factory=dict)
    buckets: dict[Labels, dict[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scrape:
    """All that one look at an exporter gave.

    Args:
        at: When, in seconds of a clock that never goes back.
        metrics: By name.
        status: The page `/status`, as it was when a state last changed.
        feeds: Which series the targets' calls feed.
    """

    at: float
    metrics: Mapping[str, Metric]
    status: Status
    feeds: Sequence[Feed] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """An exporter that did not answer as it should.

    Args:
        reason: What happened, as one line.
    """

    reason: str
