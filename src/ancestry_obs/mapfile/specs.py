"""The validated, frozen form of a map: what the loader gives and every later stage reads.

Plain data: nothing here reads a file, checks a rule or knows how code is woven. Every ``where``
is left out of comparisons, so that two maps that say the same are equal wherever it is written;
`reload()` compares specs by ``==`` and re-patches only what differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from ancestry_obs.exceptions import Where
from ancestry_obs.frozen import field, frozen

if TYPE_CHECKING:
    from ancestry_obs.expressions import Expression

__all__ = [
    "HANDED_OVER",
    "MOST_EXEMPLAR_CHARACTERS",
    "NOT_OVER",
    "Aggregate",
    "At",
    "FileStamp",
    "HandedSpec",
    "HookSpec",
    "InstrumentSpec",
    "LabelSpec",
    "MapSpec",
    "MetricSpec",
    "MetricType",
    "Moment",
    "NativeSpec",
    "PackSpec",
    "RecordSpec",
    "SampleSpec",
    "Where",
]

MOST_EXEMPLAR_CHARACTERS: Final = 128
"""How many characters names and values of an exemplar may have together (OpenMetrics 1.0)."""

MetricType = Literal["counter", "gauge", "histogram", "ratio", "in_flight"]
Moment = Literal["call", "first", "item", "return", "raise", "exit"]
"""When something is recorded; ``first`` and ``item`` are for generators, at items handed over."""

HANDED_OVER: Final = ("first", "item")
"""The moments at which a generator hands an item over."""

NOT_OVER: Final = ("call", *HANDED_OVER)
"""The moments at which a call is not over yet."""

Aggregate = Literal["last", "sum", "min", "max"]

At = Literal["object", "definition", ""]
"""Where a decorator's own function stands between the two, which of them is measured."""


@frozen()
class LabelSpec:
    """A label of a metric and what bounds its values; exactly one of the two bounds is set.

    Args:
        name: The label's name.
        values: The enumeration. ``other`` and ``error`` are possible beside what it lists.
        max_values: How many different values there may be before new ones become ``other``.
        where: The place in the map.
    """

    name: str
    values: tuple[str, ...] | None
    max_values: int | None
    where: Where = field(compare=False)


@frozen()
class NativeSpec:
    """How fine the exponential buckets of a native histogram are, and what bounds them.

    The names are client_golang's; source: Prometheus, "Native Histograms".

    Args:
        factor: A bucket's upper bound is at most so many times its lower one; above 1.
        max_buckets: How many buckets there may be beside that of zero, before they get wider.
        zero_threshold: What is not further from zero than this counts as zero.
        max_zero_threshold: As far may that bucket grow, before the others get wider.
        min_reset_seconds: After as many seconds the histogram may begin anew, before anything gets
            wider; 0 for never.
    """

    factor: float = 1.1
    max_buckets: int = 160
    zero_threshold: float = 2.0**-128
    max_zero_threshold: float = 0.0
    min_reset_seconds: float = 0.0


@frozen()
class MetricSpec:
    """A metric that the map declares.

    Args:
        name: The name without the namespace; a counter's ends in ``_total``.
        type: What is kept: see `MetricType`.
        help: The line that Prometheus shows beside the metric.
        labels: In the order of the map.
        buckets: The upper bounds of a histogram, ascending, without ``+Inf``; otherwise empty.
        where: The place in the map.
        namespace: What its full name begins with, if the map says so; empty for nothing.
        native: Of a native histogram, which may have buckets besides; otherwise `None`.
    """

    name: str
    type: MetricType
    help: str
    labels: tuple[LabelSpec, ...]
    buckets: tuple[float, ...]
    where: Where = field(compare=False)
    namespace: str | None = None
    native: NativeSpec | None = None

    def full_name(self, namespace: str) -> str:
        """Give the name that Prometheus has for it.

        Args:
            namespace: What metrics begin with whose map does not say; may be empty.
        """
        begin = namespace if self.namespace is None else self.namespace
        return f"{begin}_{self.name}" if begin else self.name


@frozen()
class RecordSpec:
    """One observation that a call of a target makes.

    Args:
        metric: The metric's name.
        labels: One expression for each label of the metric, in the metric's order.
        value: The number to record. `None` is the default of the metric's type: the elapsed seconds
            for a histogram, 1 for a counter (``value = "elapsed"`` of a histogram is `None` too).
        hit: Whether a lookup of a ratio was a hit; set for ratios alone.
        on: When it is recorded. An in-flight gauge always has ``call``: its labels are read there,
            and it goes down again by itself when the call is over.
        when: The condition under which it is recorded; `None` is always.
        where: The place in the map.
        outermost: The name of the calls within which it is not recorded; empty if there are none.
        each: What has the items for each of which it is recorded; `None` for one record of a call.
        exemplar: One expression for each label of an exemplar; empty if there are to be none.
        taken: The texts of its expressions that are a map's defaults, each with its place.
    """

    metric: str
    labels: tuple[tuple[str, Expression], ...]
    value: Expression | None
    hit: Expression | None
    on: Moment
    when: Expression | None
    where: Where = field(compare=False)
    outermost: str = ""
    each: Expression | None = None
    exemplar: tuple[tuple[str, Expression], ...] = ()
    taken: tuple[tuple[str, Where], ...] = field(default=(), compare=False)

    def where_of(self, expression: Expression) -> Where:
        """Give the place in the map where one of its expressions is."""
        return dict(self.taken).get(expression.source, self.where)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Every expression of it."""
        optional = (self.value, self.hit, self.when, self.each)
        labels = (*dict(self.labels).values(), *dict(self.exemplar).values())
        return (*labels, *(each for each in optional if each is not None))


@frozen()
class HandedSpec:
    """The values that a call hands on, each a name with its expression.

    Args:
        entry: Worked out when it begins, for its own records.
        context: The same, for everything that is called within it.
        tell: Worked out when it is over, for the measured call around it.
    """

    entry: tuple[tuple[str, Expression], ...] = ()
    context: tuple[tuple[str, Expression], ...] = ()
    tell: tuple[tuple[str, Expression], ...] = ()

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Every expression of it."""
        return tuple(each for _, each in (*self.entry, *self.context, *self.tell))

    @property
    def by_key(self) -> tuple[tuple[str, tuple[tuple[str, Expression], ...]], ...]:
        """What there is of it, by the key that the map has."""
        each = (("entry", self.entry), ("context", self.context), ("tell", self.tell))
        return tuple((key, values) for key, values in each if values)

    @property
    def evaluates(self) -> bool:
        """Whether anything of the program is asked for it."""
        return any(each.names for each in self.expressions)


@frozen()
class InstrumentSpec:
    """What to record at one or more targets.

    Args:
        targets: ``module:qualname`` patterns; see `ancestry_obs.mapfile.targets`.
        subclasses: Whether overrides in subclasses are targets too.
        at: Whether the object that a name leads to is meant or the definition that a decorator made
            it of; empty for the default.
        records: What each call records; empty only if it hands values on.
        where: The place in the map.
        rare: Whether it is as it should be if none is called while others in their module are.
        until: When it is over, in seconds since the epoch.
        sample: The share of calls that are timed.
        handed: The values that each call hands on.
        name: By what a map that includes this one replaces it; empty if it cannot.
    """

    targets: tuple[str, ...]
    subclasses: bool
    at: At
    records: tuple[RecordSpec, ...]
    where: Where = field(compare=False)
    rare: bool = False
    until: float | None = None
    sample: float = 1.0
    handed: HandedSpec = HandedSpec()
    name: str = field(default="", compare=False)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Every expression of it."""
        return (*self.handed.expressions, *(e for each in self.records for e in each.expressions))

    def is_over(self, now: float) -> bool:
        """Tell whether it measures nothing any more.

        Args:
            now: Seconds since the epoch.
        """
        return self.until is not None and now >= self.until

    @property
    def end(self) -> str:
        """When it is over, as a date or a time in UTC; empty if it never is."""
        if self.until is None:
            return ""
        from ancestry_obs.mapfile.moments import moment_text  # noqa: PLC0415  few maps have one

        return moment_text(self.until)


@frozen()
class SampleSpec:
    """A gauge that is read from the live instances of a class when Prometheus scrapes.

    Args:
        target: The class, as ``module:qualname`` without globs.
        metric: The gauge's name.
        value: The number, read from ``self``; may call methods of ``self`` without arguments.
        labels: One expression over ``self`` for each label, in the metric's order.
        aggregate: What becomes of several instances with the same labels.
        where: The place in the map.
    """

    target: str
    metric: str
    value: Expression
    labels: tuple[tuple[str, Expression], ...]
    aggregate: Aggregate
    where: Where = field(compare=False)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Every expression of it."""
        return (*dict(self.labels).values(), self.value)

    @property
    def initializer(self) -> str:
        """Where new instances are met: what is woven, while the map names the class."""
        return f"{self.target}.__init__"


@frozen()
class HookSpec:
    """An action of the toolkit at a call of a target; at least one of the two actions is set.

    Args:
        target: ``module:qualname`` without globs.
        before: The action before the call, such as ``exporter.start``.
        after: The action after the call returned.
        where: The place in the map.
    """

    target: str
    before: str | None
    after: str | None
    where: Where = field(compare=False)


@frozen()
class PackSpec:
    """What a map says of itself that is ready for a library.

    Args:
        title: One sentence on what it measures.
        library: The distribution's name on PyPI.
        versions: Those that it is for, such as ``>=2.3,<4``.
        url: A page about it; empty if there is none.
        where: The place in the map.
    """

    title: str
    library: str
    versions: str
    url: str
    where: Where = field(compare=False)


FileStamp = tuple[str, tuple[int, int, int]]
"""The path of a file, and its time in nanoseconds, size and number on the disk when it was read."""


@frozen()
class MapSpec:
    """A whole map, with what it includes.

    Args:
        metrics: In the order of the map, as are the other parts.
        instruments: What is recorded where.
        samples: What is read at a scrape.
        hooks: Which actions are tied to which calls.
        functions: One's own label functions: name and ``module:callable``.
        source: The file as it was named, or ``<mapping>``.
        budget: The share of a process's processor time that measuring may take, if it is limited.
        packs: The libraries that it and its included maps are for.
        files: All files that it was read from.
    """

    metrics: tuple[MetricSpec, ...]
    instruments: tuple[InstrumentSpec, ...]
    samples: tuple[SampleSpec, ...]
    hooks: tuple[HookSpec, ...]
    functions: tuple[tuple[str, str], ...]
    source: str = field(compare=False)
    budget: float | None = None
    packs: tuple[PackSpec, ...] = ()
    files: tuple[FileStamp, ...] = field(default=(), compare=False, repr=False)

    @property
    def fed(self) -> frozenset[str]:
        """The names of the metrics that its instruments and samples feed."""
        recorded = {record.metric for each in self.instruments for record in each.records}
        return frozenset(recorded | {each.metric for each in self.samples})

    def functions_of(self, *parts: InstrumentSpec | SampleSpec) -> tuple[tuple[str, str], ...]:
        """Give those of one's own label functions that the expressions of some parts call."""
        called = {name for part in parts for each in part.expressions for name in each.functions}
        return tuple((name, path) for name, path in self.functions if name in called)
