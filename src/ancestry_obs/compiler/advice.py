"""What is to be woven in at a join point, and what the woven code works with."""

from __future__ import annotations

from functools import cached_property, lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ancestry_obs.compiler.sampling import gaps
from ancestry_obs.expressions.functions import BUILTIN_FUNCTIONS
from ancestry_obs.frozen import field, frozen, replaced
from ancestry_obs.mapfile.specs import HandedSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from ancestry_obs.code_cache import CodeCache
    from ancestry_obs.expressions.parser import Expression
    from ancestry_obs.mapfile.specs import MetricSpec, RecordSpec, SampleSpec
    from ancestry_obs.recording.store import Store

__all__ = ["Advice", "Runtime", "merge", "without"]


@frozen(slots=False)
class Advice:
    """What the map wants at a join point; two that are equal weave the same statements.

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
        sample: The share of calls that are to be timed; see `share`.
        is_budgeted: Whether it may become less while the program runs; see `budget`.
        handed: The values that each call hands on.
    """

    records: tuple[RecordSpec, ...] = ()
    metrics: tuple[MetricSpec, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    track: tuple[SampleSpec, ...] = ()
    functions: tuple[tuple[str, str], ...] = ()
    subclasses: bool = False
    sample: float = 1.0
    is_budgeted: bool = False
    handed: HandedSpec = HandedSpec()

    # Kept, since an advice is a key for each of its targets and has a deep tree below it.
    @cached_property
    def _hash(self) -> int:
        parts = (self.records, self.metrics, self.before, self.after, self.track, self.functions)
        return hash((parts, self.subclasses, self.sample, self.is_budgeted, self.handed))

    def __hash__(self) -> int:
        """Agree with the equality that the dataclass has."""
        return self._hash

    @cached_property
    def names(self) -> frozenset[str]:
        """The variables that the expressions read."""
        return frozenset(name for each in self._expressions for name in each.names)

    @cached_property
    def read(self) -> tuple[str, ...]:
        """The same, sorted."""
        return tuple(sorted(self.names))

    @cached_property
    def called(self) -> tuple[str, ...]:
        """The label functions that the expressions call, sorted."""
        return tuple(sorted({name for each in self._expressions for name in each.functions}))

    @cached_property
    def times(self) -> bool:
        """Whether a record wants to know how long a call took."""
        histograms = {metric.name for metric in self.metrics if metric.type == "histogram"}
        timed = [record for record in self.records if record.on != "call"]
        return self.reads_seconds or any(
            record.metric in histograms and record.value is None for record in timed
        )

    @cached_property
    def reads_seconds(self) -> bool:
        """Whether an expression has to know of each call how long it took."""
        late = [each for r in self.records if r.on != "call" for each in r.expressions]
        return any("elapsed" in e.names for e in (*late, *(e for _, e in self.handed.tell)))

    @property
    def share(self) -> float:
        """The share of calls that are timed here."""
        return 1.0 if self.reads_seconds else self.sample

    @property
    def can_be_budgeted(self) -> bool:
        """Whether a budget may have some calls counted without being timed."""
        return self.is_budgeted and self.times and not self.reads_seconds

    @cached_property
    def dotted(self) -> tuple[tuple[str, str], ...]:
        """The variables with a dot, sorted: what stands before it, and what behind."""
        parts = (each.partition(".") for each in self.read)
        return tuple((root, name) for root, dot, name in parts if dot)

    @cached_property
    def roots(self) -> frozenset[str]:
        """What a parameter may be called too: what stands before the dot, but for the map's own."""
        return frozenset(root for root, _ in self.dotted) - {"entry"}

    @cached_property
    def told(self) -> tuple[str, ...]:
        """The names of what calls inside are to tell, sorted."""
        return tuple(name for root, name in self.dotted if root == "told")

    @cached_property
    def contexts(self) -> tuple[str, ...]:
        """The names of what calls around are to set, sorted."""
        return tuple(name for root, name in self.dotted if root == "context")

    @cached_property
    def nested(self) -> tuple[str, ...]:
        """The names of the calls that are to be known by those inside of them."""
        return tuple(dict.fromkeys(each.outermost for each in self.records if each.outermost))

    @property
    def outermost(self) -> str:
        """The name of the calls within which nothing at all is to be done; empty if there is none.

        Where only some records leave such a call out, each of them asks for itself.
        """
        marks = {each.outermost for each in self.records}
        does_more = self.handed.expressions or self.before or self.after or self.track
        return next(iter(marks)) if len(marks) == 1 and not does_more else ""

    @property
    def hands_on(self) -> bool:
        """Whether there is more to a call than what its records see of it."""
        return bool(self.handed.expressions or self.told or self.nested)

    @property
    def _expressions(self) -> tuple[Expression, ...]:
        records = tuple(each for record in self.records for each in record.expressions)
        return (*records, *self.handed.expressions)


def merge(advices: tuple[Advice, ...]) -> Advice:
    """Put the advices of one join point together, each wish once.

    Args:
        advices: In the order of the map.
    """
    # Nearly always; to look for it would be to compare it with an equal one.
    return advices[0] if len(advices) == 1 else _merged(advices)


# A glob brings the same advices to many targets.
@lru_cache(maxsize=512)
def _merged(advices: tuple[Advice, ...]) -> Advice:
    parts: dict[str, Any] = {
        name: tuple(dict.fromkeys(item for each in advices for item in getattr(each, name)))
        for name in ("records", "metrics", "before", "after", "track", "functions")
    }
    return Advice(
        **parts,
        subclasses=any(each.subclasses for each in advices),
        # A call that is timed for one is timed for all.
        sample=max((each.sample for each in advices if each.times), default=1.0),
        is_budgeted=any(each.is_budgeted for each in advices),
        handed=HandedSpec(*(_joined(advices, each) for each in ("entry", "context", "tell"))),
    )


def _joined(advices: tuple[Advice, ...], key: str) -> tuple[tuple[str, Expression], ...]:
    return tuple(dict.fromkeys(pair for each in advices for pair in getattr(each.handed, key)))


@lru_cache(maxsize=512)
def without(advice: Advice, roots: frozenset[str]) -> Advice:
    """Give what is wanted of a target that has parameters with the names of values handed on.

    There `context.tenant` is an attribute of the parameter, as it would be of any other.

    Args:
        advice: What is wanted.
        roots: The names of those parameters.
    """

    def pairs(given: tuple[tuple[str, Expression], ...]) -> tuple[tuple[str, Expression], ...]:
        return tuple((name, each.without(roots)) for name, each in given)

    def optional(each: Expression | None) -> Expression | None:
        return each and each.without(roots)

    records = tuple(
        replaced(
            each,
            labels=pairs(each.labels),
            value=optional(each.value),
            hit=optional(each.hit),
            when=optional(each.when),
            exemplar=pairs(each.exemplar),
            each=optional(each.each),
        )
        for each in advice.records
    )
    handed = advice.handed
    return replaced(
        advice,
        records=records,
        handed=HandedSpec(pairs(handed.entry), pairs(handed.context), pairs(handed.tell)),
    )


@frozen(slots=False)
class Runtime:
    """What the woven code of one installation works with.

    Args:
        store: Where observations go.
        functions: The label functions by name, the built-in ones included.
        actions: What a hook's action name stands for; called without arguments.
        trackers: What takes a new instance for a sample.
        clock: Gives seconds, from any start, never going back.
        gaps: Gives for the share of calls that are to be timed how many lie between two of them.
        shapes: What was written for one target and serves others like it.
        code_cache: Where code is kept for other processes, if anywhere.
    """

    store: Store
    functions: Mapping[str, Callable[..., object]] = field(
        default_factory=lambda: BUILTIN_FUNCTIONS
    )
    actions: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    trackers: Mapping[SampleSpec, Callable[[object], object]] = field(default_factory=dict)
    clock: Callable[[], float] = perf_counter
    gaps: Callable[[float], Iterator[int]] = gaps
    shapes: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)
    code_cache: CodeCache | None = field(default=None, repr=False, compare=False)
