"""What is to be woven into a target, and what the woven code works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ancestry_obs.expressions import BUILTIN_FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from ancestry_obs.mapfile.specs import MetricSpec, RecordSpec, SampleSpec
    from ancestry_obs.recording import Store

__all__ = ["Advice", "Runtime"]


@dataclass(frozen=True)
class Advice:
    """What the map wants of a target; two that are equal make the same wrapper.

    Args:
        records: What each call records.
        metrics: The declarations of the metrics that `records` name. They are part of the advice
            so that a metric which changes in a reload is woven anew.
        before: Names of actions to run before each call.
        after: Names of actions to run after each call that returned.
        track: Samples that read the instances whose ``__init__`` the target is.
        functions: Where the map's own label functions among them come from. They are part of the
            advice for the same reason.
        subclasses: Whether overrides are targets too, so that a call which goes up through
            ``super()`` has to count once.
    """

    records: tuple[RecordSpec, ...] = ()
    metrics: tuple[MetricSpec, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    track: tuple[SampleSpec, ...] = ()
    functions: tuple[tuple[str, str], ...] = ()
    subclasses: bool = False

    # Kept, since an advice is a key for each of its targets and has a deep tree below it.
    @cached_property
    def _hash(self) -> int:
        parts = (self.records, self.metrics, self.before, self.after, self.track, self.functions)
        return hash((parts, self.subclasses))

    def __hash__(self) -> int:
        """Agree with the equality that the dataclass has."""
        return self._hash


@dataclass(frozen=True)
class Runtime:
    """What all wrappers of one installation work with.

    Args:
        store: Where observations go.
        functions: The label functions by name, the built-in ones included.
        actions: What a hook's action name stands for; called without arguments.
        trackers: What takes a new instance for a sample.
        clock: Gives seconds, from any start, never going back.
        designs: What was made for one target and serves others like it, by its shape.
    """

    store: Store
    functions: Mapping[str, Callable[..., object]] = field(
        default_factory=lambda: BUILTIN_FUNCTIONS
    )
    actions: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    trackers: Mapping[SampleSpec, Callable[[object], object]] = field(default_factory=dict)
    clock: Callable[[], float] = perf_counter
    designs: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)
