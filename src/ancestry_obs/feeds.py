"""Which series the calls of a target feed: a map comes in, data for the page `/status` goes out.

The exposition has numbers by metric and by target, and nothing that joins the two. Who looks at a
running program, as `ancestry-obs top` does, learns here which numbers are a target's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ancestry_obs.frozen import frozen
from ancestry_obs.mapfile.specs import HANDED_OVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ancestry_obs.mapfile.specs import LabelSpec, MapSpec, MetricSpec, RecordSpec

__all__ = ["FAILURES", "Feed", "feeds"]

FAILURES: Final = frozenset({"error", "exception", "fail", "failed", "failure", "5xx"})
"""What an enumerated label's value is called, in lower case, if it says that a call failed."""


@frozen()
class Feed:
    """One record of the map, as far as the exposition shows it.

    Args:
        pattern: Whose calls make the observation, as the map writes it.
        metric: The metric's full name.
        constants: The labels whose value is always the same, with it.
        failing: The labels that tell a failed call, with the values that do.
        on: At which moment of a call it is made; see `mapfile.specs.Moment`.
        is_duration: Whether it is the seconds that a call takes.
    """

    pattern: str
    metric: str
    constants: Mapping[str, str]
    failing: Mapping[str, tuple[str, ...]]
    on: str
    is_duration: bool

    def as_dict(self) -> dict[str, object]:
        """Give the same as JSON has it."""
        return {name: getattr(self, name) for name in self.__match_args__}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Feed:
        """Read what `as_dict` gave, after its way through JSON.

        Raises:
            ValueError: It has another form.
        """
        try:
            return cls(
                pattern=str(data["pattern"]),
                metric=str(data["metric"]),
                constants={name: str(each) for name, each in data["constants"].items()},  # type: ignore[attr-defined]  # else: a ValueError
                failing={name: tuple(map(str, each)) for name, each in data["failing"].items()},  # type: ignore[attr-defined]  # the same
                on=str(data["on"]),
                is_duration=bool(data["is_duration"]),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{data!r:.60} is no feed") from error


def feeds(spec: MapSpec, namespace: str) -> list[Feed]:
    """List what the calls of each pattern feed.

    Args:
        spec: The map.
        namespace: What the metrics' full names begin with; may be empty.
    """
    metrics = {each.name: each for each in spec.metrics}
    return [
        Feed(
            pattern=pattern,
            metric=metrics[record.metric].full_name(namespace),
            constants=dict(_constants(record, metrics[record.metric])),
            failing=dict(_failing(record, metrics[record.metric])),
            on=record.on,
            is_duration=_is_duration(record, metrics[record.metric]),
        )
        for instrument in spec.instruments
        for pattern in instrument.targets
        for record in instrument.records
    ]


def _is_duration(record: RecordSpec, metric: MetricSpec) -> bool:
    is_time = metric.type == "histogram" and record.value is None
    return is_time and record.on not in HANDED_OVER


def _constants(record: RecordSpec, metric: MetricSpec) -> Iterator[tuple[str, str]]:
    known = {label.name: label for label in metric.labels}
    for name, expression in record.labels:
        value = expression.constant
        # What the label does not list is `other` on the page; a free one may have no room for it.
        if isinstance(value, str) and value in (known[name].values or ()):
            yield name, value


def _failing(record: RecordSpec, metric: MetricSpec) -> Iterator[tuple[str, tuple[str, ...]]]:
    known = {label.name: label for label in metric.labels}
    for name, expression in record.labels:
        # `error` is also what any label has whose expression fails; here it is what the map means.
        values = _failures(known[name])
        if "outcome" in expression.functions and known[name].values is None:
            values = ("error",)
        if expression.is_constant:
            values = tuple(each for each in values if each == expression.constant)
        if values:
            yield name, values


def _failures(label: LabelSpec) -> tuple[str, ...]:
    return tuple(value for value in label.values or () if value.lower() in FAILURES)
