"""An interval comes in, rows of numbers go out: one for each target, metric or series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Literal

from ancestry_obs.live.joined import Joined, SeriesByLabels
from ancestry_obs.live.rates import QUANTILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ancestry_obs.feeds import Feed
    from ancestry_obs.live.rates import Interval, Quantile
    from ancestry_obs.live.scrape import Labels, Metric, Scrape

__all__ = ["SUBJECTS", "Row", "Subject", "expression_errors", "rows"]

Subject = Literal["targets", "metrics", "series"]
SUBJECTS: Final[tuple[Subject, ...]] = ("targets", "metrics", "series")
"""What there is a row for each of."""

_OURS: Final = "ancestry_obs_"
_CALLS: Final = "ancestry_obs_calls_total"
_STATES: Final = "ancestry_obs_target_info"
_ERRORS: Final = "ancestry_obs_expression_errors_total"
_NONE: Final = (None,) * len(QUANTILES)
_GOING_UP: Final = frozenset({"counter", "histogram", "summary"})


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a view, in numbers.

    Args:
        name: The target, the metric, or the series.
        kind: A target's state; of the others the metric's type.
        rate: Calls or observations for each second, or since the start in all; `None` where that
            is not known.
        failed: Those of them that failed; `None` where the map does not tell.
        quantiles: Of a call's seconds or a histogram's observations, as `QUANTILES` has them.
        value: What a gauge is, or a counter has come to.
        is_shared: Whether the quantiles are those of other targets too.
        is_failed_shared: Whether `failed` is that of other targets too.
        is_time: Whether the quantiles are seconds.
        expression_errors: Expressions that failed at a target, as `rate` is counted.
        reason: What is remarkable about a target; may be empty.
        short_name: A series without its labels' names; else empty.
    """

    name: str
    kind: str
    rate: float | None
    failed: float | None = None
    quantiles: tuple[Quantile | None, ...] = _NONE
    value: float | None = None
    is_shared: bool = False
    is_failed_shared: bool = False
    is_time: bool = True
    expression_errors: float = 0.0
    reason: str = ""
    short_name: str = ""


def rows(subject: Subject, interval: Interval, joined: Joined) -> list[Row]:
    """Make the rows of a view.

    Args:
        subject: What each is about.
        interval: The time that they are about.
        joined: What feeds what.
    """
    if subject == "targets":
        return [*_targets(interval, joined)]
    metrics = [e for e in interval.after.metrics.values() if not e.name.startswith(_OURS)]
    if subject == "metrics":
        return [_metric_row(each.name, each, tuple(each.values), interval) for each in metrics]
    return [_series_row(metric, labels, interval) for metric in metrics for labels in metric.values]


def expression_errors(interval: Interval) -> float:
    """Give how many expressions of the map failed at all targets together."""
    return sum(_errors_by_target(interval).values())


def _targets(interval: Interval, joined: Joined) -> Iterator[Row]:
    scrape = interval.after
    reasons = {each.target: each.reason for each in scrape.status.targets}
    errors = _errors_by_target(interval)
    series = SeriesByLabels(scrape.metrics)
    calls = scrape.metrics.get(_CALLS)
    for target, state in _states(scrape):
        own = (("target", target),)
        row = Row(
            name=target,
            kind=state,
            rate=interval.amount(calls, [own]) if calls and own in calls.values else None,
            expression_errors=errors.get(target, 0.0),
            reason=reasons.get(target, ""),
        )
        yield _with_feeds(row, series, interval, joined)


def _with_feeds(row: Row, series: SeriesByLabels, interval: Interval, joined: Joined) -> Row:
    """Give a target's row with what its feeds tell; of one without calls they are others'."""
    if row.rate is None:
        return row
    feeds = joined.feeds_of(row.name)
    failed, is_failed_shared = _failed(feeds, series, interval, joined)
    if not row.rate:
        return replace(row, failed=None if failed is None else 0.0)
    timed = _timed(feeds)
    return replace(
        row,
        failed=failed,
        is_failed_shared=is_failed_shared,
        quantiles=_quantiles_of(timed, series, interval),
        is_shared=joined.is_shared(timed),
    )


def _states(scrape: Scrape) -> Iterator[tuple[str, str]]:
    told = scrape.metrics.get(_STATES)
    for labels in told.values if told else ():
        by_name = dict(labels)
        yield by_name.get("target", ""), by_name.get("state", "")


def _timed(feeds: Sequence[Feed]) -> list[Feed]:
    """Give the feeds of the first histogram that a target's calls are timed by."""
    first = next((each.metric for each in feeds if each.is_duration), None)
    return [each for each in feeds if each.metric == first and each.is_duration]


def _quantiles_of(
    feeds: Sequence[Feed], series: SeriesByLabels, interval: Interval
) -> tuple[Quantile | None, ...]:
    metric = interval.after.metrics.get(feeds[0].metric) if feeds else None
    return interval.quantiles(metric, series.of(feeds)) if metric else _NONE


def _failed(
    feeds: Sequence[Feed], series: SeriesByLabels, interval: Interval, joined: Joined
) -> tuple[float | None, bool]:
    """Give how many calls of a target failed, and whether that is of other targets too.

    One call may feed several metrics: what they tell is never added up, and the most counts.
    """
    told: dict[bool, list[float]] = {False: [], True: []}
    for name, group in groupby(sorted(feeds, key=attrgetter("metric")), attrgetter("metric")):
        telling = _telling([*group])
        metric = interval.after.metrics.get(name)
        if telling and metric and metric.kind in _GOING_UP:
            found = [s for each in telling for s in series.of([each]) if _has_failed(each, s)]
            amount = interval.amount(metric, dict.fromkeys(found))
            if amount is not None:
                told[joined.is_shared(telling)].append(amount)
    for is_shared, amounts in told.items():
        if amounts:
            return max(amounts), is_shared
    return None, False


def _telling(feeds: Sequence[Feed]) -> list[Feed]:
    """Keep those feeds of a metric whose series tell failed calls from others."""
    if all(each.on == "raise" for each in feeds):
        return [*feeds]
    return [each for each in feeds if each.failing]


def _has_failed(feed: Feed, labels: Labels) -> bool:
    if not feed.failing:
        return True
    by_name = dict(labels)
    return any(by_name.get(name) in values for name, values in feed.failing.items())


def _errors_by_target(interval: Interval) -> dict[str, float]:
    metric = interval.after.metrics.get(_ERRORS)
    found: dict[str, float] = {}
    for labels in metric.values if metric else ():
        target = dict(labels).get("target", "")
        found[target] = found.get(target, 0.0) + (interval.amount(metric, [labels]) or 0.0)  # type: ignore[arg-type]  # there are labels
    return found


def _metric_row(name: str, metric: Metric, series: Sequence[Labels], interval: Interval) -> Row:
    values = [metric.values[each] for each in series]
    goes_up = metric.kind in _GOING_UP
    is_histogram = metric.kind == "histogram"
    return Row(
        name=name,
        kind=metric.kind,
        rate=interval.amount(metric, series) if goes_up else None,
        quantiles=interval.quantiles(metric, series) if is_histogram else _NONE,
        # Several gauges are not one: some add up, others do not.
        value=sum(values) if goes_up else values[0] if len(values) == 1 else None,
        is_time="_seconds" in metric.name,
    )


def _series_row(metric: Metric, labels: Labels, interval: Interval) -> Row:
    if not labels:
        return _metric_row(metric.name, metric, (labels,), interval)
    named = ",".join(f'{name}="{value}"' for name, value in labels)
    values = ",".join(value for _, value in labels)
    row = _metric_row(f"{metric.name}{{{named}}}", metric, (labels,), interval)
    return replace(row, short_name=f"{metric.name}{{{values}}}")
