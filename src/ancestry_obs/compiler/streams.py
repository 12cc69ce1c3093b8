"""The plan of a target: records of a map come in, streams come out.

A stream is what one append feeds: all records of the same moment and condition whose values can
share a buffer. One call thus usually costs one look-up and one append, whatever it records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ancestry_obs.exceptions import CompileError
from ancestry_obs.expressions.given import Given
from ancestry_obs.expressions.parser import both, parse
from ancestry_obs.frozen import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ancestry_obs.expressions import Expression
    from ancestry_obs.mapfile.specs import MetricSpec, RecordSpec
    from ancestry_obs.recording import Family, Store

__all__ = ["Sink", "Stream", "plan_streams"]

Source = Literal["one", "elapsed", "value", "hit"]
"""What a stream's float is: 1, the elapsed seconds, an expression's number, 1 or 0 for a hit."""


@frozen(slots=False)
class Sink:
    """A metric that a stream feeds.

    Args:
        family: The metric.
        counted: Whether each float counts as one, instead of for its value.
        labels: Where the metric's label values are in the stream's `labels`.
        exemplar: One expression for each label of its exemplars; empty if it has none.
    """

    family: Family
    counted: bool
    labels: tuple[int, ...]
    exemplar: tuple[tuple[str, Expression], ...] = ()

    def pick(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Pick the metric's label values from the texts of the stream's labels."""
        if self.labels == tuple(range(len(texts))):
            # The same tuple: then one serves the series and the buffer, in many thousand series.
            return texts
        return tuple(texts[index] for index in self.labels)


@define(slots=False)
class Stream:
    """One append of a woven call.

    Args:
        moment: When it happens; see `mapfile.specs.Moment`.
        when: The condition, if any.
        source: What the float is.
        value: The expression of a `source` that has one.
        kind: The metric type that does not share buffers, or ``buffered``.
        labels: The different label expressions of all sinks.
        sinks: What is fed.
        is_sampled: Whether seconds are known of some calls only.
        each: What has the items, if there is a float for each of them and none for the call.
    """

    moment: str
    when: Expression | None
    source: Source
    value: Expression | None
    kind: str = "buffered"
    labels: list[Expression] = field(default_factory=list)
    sinks: list[Sink] = field(default_factory=list)
    is_sampled: bool = False
    each: Expression | None = None

    @property
    def counts_calls(self) -> bool:
        """Whether every call that ends leaves exactly one float here."""
        if self.moment not in {"call", "exit"} or self.when or self.kind != "buffered":
            return False
        if self.each is not None:
            return False
        # A value that fails is dropped, but not for the counters beside it.
        return self.source in {"one", "elapsed"} or any(sink.counted for sink in self.sinks)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Every expression that is evaluated for a float."""
        optional = (self.when, self.value, self.each)
        exemplars = [each for sink in self.exemplary for _, each in sink.exemplar]
        given = (expression for expression in optional if expression is not None)
        return (*self.labels, *given, *exemplars)

    @property
    def exemplary(self) -> list[Sink]:
        """The sinks that have exemplars."""
        return [sink for sink in self.sinks if sink.exemplar]

    def accepts(self, other: Stream) -> bool:
        """Tell whether another stream's records can use this one's buffer."""
        mine = self.moment, self.when, self.kind, self.each
        if mine != (other.moment, other.when, other.kind, other.each):
            return False
        same_value = (self.source, self.value) == (other.source, other.value)
        if self.kind != "buffered" or not (same_value or "one" in {self.source, other.source}):
            return False
        # Two free labels in one buffer would multiply the buffers: they have to be the same ones.
        labels, others = self.free_labels(), other.free_labels()
        return labels <= others or others <= labels

    def absorb(self, other: Stream) -> None:
        """Take over the records of a stream that `accepts` allowed."""
        if self.source == "one":
            self.source, self.value = other.source, other.value
        for expression in other.labels:
            if expression not in self.labels:
                self.labels.append(expression)
        for sink in other.sinks:
            labels = tuple(self.labels.index(other.labels[index]) for index in sink.labels)
            self.sinks.append(Sink(sink.family, sink.counted, labels, sink.exemplar))

    def free_labels(self) -> set[Expression]:
        """Give the label expressions whose values are not enumerated."""
        return {
            self.labels[index]
            for sink in self.sinks
            for index, label in zip(sink.labels, sink.family.spec.labels, strict=True)
            if label.values is None and not self.labels[index].is_constant
        }


def plan_streams(
    records: Iterable[RecordSpec],
    metrics: Sequence[MetricSpec],
    store: Store,
    outermost: str = "",
) -> list[Stream]:
    """Plan the fewest streams for some records.

    Args:
        records: In the order of the map.
        metrics: The declarations of the metrics they name.
        store: Has, or gets, the metrics' families.
        outermost: The calls within which none of them is recorded; it need not ask again.

    Raises:
        CompileError: A record names a metric that is not declared.
    """
    declared = {spec.name: spec for spec in metrics}
    streams: list[Stream] = []
    for record in dict.fromkeys(records):
        if record.metric not in declared:
            raise CompileError(
                f"{record.where}: metric {record.metric!r} is not among the advice's metrics; "
                f"declared are {', '.join(sorted(declared)) or 'none'}"
            )
        when = record.when if outermost else _condition(record)
        new = _stream(record, when, store.family(declared[record.metric]))
        host = next((stream for stream in streams if stream.accepts(new)), None)
        if host is None:
            streams.append(new)
        else:
            host.absorb(new)
    return streams


def _condition(record: RecordSpec) -> Expression | None:
    """Give when a call is recorded: not within another one, if only the outermost counts."""
    when, inside = record.when, record.outermost
    if not inside:
        return when
    outermost = parse(f"not {inside}", given=Given(names=((inside, inside),)))
    return both(outermost, when) if when else outermost


def _stream(record: RecordSpec, when: Expression | None, family: Family) -> Stream:
    kind = family.spec.type
    source: Source
    if kind == "ratio":
        source = "hit"
    elif record.value is not None:
        source = "value"
    else:
        source = "elapsed" if kind in {"histogram", "gauge"} else "one"
    stream = Stream(
        moment=record.on,
        when=when,
        source=source,
        value=record.hit if kind == "ratio" else record.value,
        kind=kind if kind in {"gauge", "in_flight"} else "buffered",
        each=record.each,
    )
    stream.labels = list(dict.fromkeys(expression for _, expression in record.labels))
    positions = tuple(stream.labels.index(expression) for _, expression in record.labels)
    counted = source == "one" and kind == "counter"
    stream.sinks.append(Sink(family, counted, positions, record.exemplar))
    return stream
