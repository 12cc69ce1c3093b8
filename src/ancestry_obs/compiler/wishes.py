"""What advices come to: all that a map wants of a target, whatever the target is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ancestry_obs.compiler.advice import Advice
    from ancestry_obs.expressions import Expression
    from ancestry_obs.mapfile.specs import MetricSpec, RecordSpec, SampleSpec

__all__ = ["Wishes", "wishes_of"]


@dataclass(frozen=True)
class Wishes:
    """Some advices as one, each wish once.

    Args:
        records: What is recorded.
        metrics: The declarations of the metrics that the records name.
        tracks: The samples that read instances.
        before: Names of actions to run before each call.
        after: Names of actions to run after each call that returned.
        guarded: Whether calls through ``super()`` are left out.
        expressions: Every expression of every record.
        names: The variables that the expressions read.
        functions: The label functions that they call, sorted.
    """

    records: tuple[RecordSpec, ...]
    metrics: tuple[MetricSpec, ...]
    tracks: tuple[SampleSpec, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    guarded: bool
    expressions: tuple[Expression, ...]
    names: frozenset[str]
    functions: tuple[str, ...]


# A glob brings the same advices to many targets.
@lru_cache(maxsize=512)
def wishes_of(advices: tuple[Advice, ...]) -> Wishes:
    """Put advices together.

    Args:
        advices: In the order of the map.
    """
    records = dict.fromkeys(record for each in advices for record in each.records)
    expressions = tuple(each for record in records for each in record.expressions)
    return Wishes(
        records=tuple(records),
        metrics=tuple(dict.fromkeys(spec for each in advices for spec in each.metrics)),
        tracks=tuple(dict.fromkeys(spec for each in advices for spec in each.track)),
        before=tuple(dict.fromkeys(name for each in advices for name in each.before)),
        after=tuple(dict.fromkeys(name for each in advices for name in each.after)),
        guarded=any(each.subclasses for each in advices),
        expressions=expressions,
        names=frozenset(name for each in expressions for name in each.names),
        functions=tuple(sorted({name for each in expressions for name in each.functions})),
    )
