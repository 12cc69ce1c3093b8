"""Metrics and labels come in, PromQL text goes out; nothing else in the package writes PromQL.

A `Scope` says which series are meant: on a dashboard those that the variables choose, in rules all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ancestry_obs.monitoring.catalogue import BUILD_INFO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ancestry_obs.monitoring.catalogue import Metric
    from ancestry_obs.monitoring.plan import Aggregation, Choice, Variable

__all__ = [
    "BROKEN", "EVERYWHERE", "Scope", "aggregated", "any_of", "bound_text", "bucket_labels",
    "gained", "increase", "inside", "none_of", "or_zero", "outside", "quantile", "rate", "share",
    "steps",
]  # fmt: skip

NONE_YET: Final = "none yet"
_GO_EXPONENT_FROM: Final = 1e6


@dataclass(frozen=True, slots=True)
class Scope:
    """Which series of a metric are meant.

    Args:
        always: Matchers for every metric.
        variables: Choices of a dashboard that apply to some metrics.
    """

    always: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()

    def series(self, metric: Metric, suffix: str = "", *matchers: str) -> str:
        """Select a metric's series.

        Args:
            metric: The metric.
            suffix: ``_bucket``, ``_count`` or ``_sum`` for one that has several series. Where
                there is no count beside the buckets, the last of them is meant.
            matchers: More conditions, such as ``result="success"``.
        """
        if suffix == "_count" and not metric.has_totals:
            suffix, matchers = "_bucket", ('le="+Inf"', *matchers)
        chosen = [f'{v.label}=~"${v.label}"' for v in self.variables if metric in v.metrics]
        conditions = ",".join((*matchers, *chosen, *self.always))
        return f"{metric.series}{suffix}{{{conditions}}}" if conditions else metric.series + suffix

    def over(
        self, make: Callable[[str], str], metric: Metric, suffix: str = "", *matchers: str
    ) -> str:
        """Write what a window has of a metric, such as its rate.

        Args:
            make: Makes the expression of a series.
            metric: The metric.
            suffix: As for `series`. A native histogram has its count, its sum and its buckets in
                one series.
            matchers: As for `series`.
        """
        if not metric.is_native:
            return make(self.series(metric, suffix, *matchers))
        whole = make(self.series(metric, "", *matchers))
        return f"histogram{suffix}({whole})" if suffix in {"_count", "_sum"} else whole


EVERYWHERE: Final = Scope()


def any_of(choice: Choice) -> tuple[str, ...]:
    """Write the matchers for labels that have one of the values."""
    return tuple(_matcher(label, "=", values) for label, values in choice)


def none_of(choice: Choice) -> tuple[str, ...]:
    """Write the matchers for labels that have none of the values."""
    return tuple(_matcher(label, "!", values) for label, values in choice)


BROKEN: Final = ('state="error"',)
"""The matcher for targets that cannot be measured."""


def inside(packages: Iterable[str]) -> tuple[str, ...]:
    """Write the matcher for targets that are in one of some packages."""
    return (f'target=~"{_beginning(packages)}"',)


def outside(packages: Iterable[str]) -> tuple[str, ...]:
    """Write the matcher for targets that are in none of some packages."""
    return (f'target!~"{_beginning(packages)}"',)


def _beginning(packages: Iterable[str]) -> str:
    return f"({'|'.join(packages)})[.:].*"


def _matcher(label: str, sign: str, values: tuple[str, ...]) -> str:
    if len(values) == 1:
        operator = "=" if sign == "=" else "!="
        return f"{label}{operator}{json.dumps(values[0], ensure_ascii=False)}"
    pattern = "|".join(_literal(value) for value in values)
    return f"{label}{sign}~{json.dumps(pattern, ensure_ascii=False)}"


def _literal(value: str) -> str:
    """Escape what RE2 would read as more than a character."""
    return "".join(f"\\{c}" if c in r"\.+*?()|[]{}^$" else c for c in value)


def good_and_all(good: Choice, ignore: Choice) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the matchers of the good ones and of all that count."""
    decided = {label for label, _ in good}
    rest = tuple((label, values) for label, values in ignore if label not in decided)
    return (*any_of(good), *none_of(rest)), none_of(ignore)


def aggregated(how: Aggregation, labels: Iterable[str], expression: str) -> str:
    """Bring series together that differ in other labels than these."""
    listed = ", ".join(labels)
    return f"{how} by ({listed}) ({expression})" if listed else f"{how}({expression})"


def rate(window: str) -> Callable[[str], str]:
    """Give what writes the rate of a series over a window."""
    return lambda series: f"rate({series}[{window}])"


def increase(window: str) -> Callable[[str], str]:
    """Give what writes by how much a series went up, its first value left out."""
    return lambda series: f"increase({series}[{window}])"


def steps(metric: Metric, window: str) -> Callable[[str], str]:
    """Give what writes by how much a series of a metric went up; see `gained`."""
    if metric.is_native:
        # `last_over_time` passes over histograms in Prometheus 2: what has ended is not in it.
        return lambda series: (
            f"({series} unless {series} offset {window} or increase({series}[{window}]))"
        )
    return lambda series: gained(series, window)


def gained(series: str, window: str) -> str:
    """Write by how much each counter went up in a window, the step to its first value included.

    ``increase`` alone misses that step: a series begins with its first event, so what happened once
    would count as never (Prometheus documentation, "Instrumentation", "Avoid missing metrics").
    """
    born = f"last_over_time({series}[{window}]) unless {series} offset {window}"
    return f"({born} or increase({series}[{window}]))"


def or_zero(expression: str, scope: Scope, label: str = "") -> str:
    """Give zero where a counter has no series yet, but only from programs that are being scraped.

    Args:
        expression: What may be empty.
        scope: Which programs.
        label: A label for the zero to have, so that a legend has a text.
    """
    zero = f"0 * max({scope.series(BUILD_INFO)})"
    named = f'label_replace({zero}, "{label}", "{NONE_YET}", "", "")' if label else zero
    return f"{expression} or on() {named}"


def quantile(metric: Metric, share: float, labels: Iterable[str], increase: str) -> str:
    """Estimate a quantile from the increase of a histogram's buckets."""
    together = aggregated("sum", bucket_labels(metric, labels), increase)
    return f"histogram_quantile({share:g}, {together})"


def bucket_labels(metric: Metric, labels: Iterable[str] = ()) -> tuple[str, ...]:
    """Give the labels by which buckets are kept apart."""
    return (*labels,) if metric.is_native else (*labels, "le")


def share(good: str, everything: str, labels: Iterable[str] = ()) -> str:
    """Divide. Zero if nothing good ever was; of nothing at all, nothing.

    Args:
        good: The good ones, added up.
        everything: All of them, added up.
        labels: What both are told apart by.
    """
    none = f"0 * {everything}" if [*labels] else "vector(0)"
    return f"({good}\nor {none})\n/ {everything}"


def bound_text(bound: float) -> str:
    """Write a bucket's bound as its label ``le`` has it, which is as Go writes numbers."""
    text = repr(float(bound))
    whole = text.partition(".")[0]
    if bound < _GO_EXPONENT_FROM or "e" in text:
        return text
    digits = text.replace(".", "").rstrip("0")
    mantissa = f"{digits[0]}.{digits[1:]}".rstrip(".")
    return f"{mantissa}e+{len(whole) - 1:02d}"
