"""What asks for metrics, and two catalogues of them -> what asks for something that is gone.

Expressions are read as far as that takes: which words are names, which are in quotes, in matchers
and in lists of labels, and what a label is compared with. What a matcher's regular expression
means is not looked into, but for a list of values, as the generated ones have them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ancestry_obs.monitoring.promql import bound_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ancestry_obs.comparison.uses import Use
    from ancestry_obs.monitoring import Catalogue
    from ancestry_obs.monitoring.catalogue import Metric

__all__ = ["Break", "breaks"]

_SUFFIXES: Final = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
_WORD: Final = re.compile(r"[A-Za-z_:][\w:]*")
_QUOTED: Final = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`")
_MATCHER: Final = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*(\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')")
_GROUPING: Final = re.compile(
    r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", re.IGNORECASE
)
_LITERALS: Final = re.compile(r"[\w|]+")
_RULE: Final = "rule "
_BOUND: Final = "le"


@dataclass(frozen=True, slots=True)
class Break:
    """Something that asks for what is gone.

    Args:
        use: What asks.
        reasons: What of it is gone; a line each.
    """

    use: Use
    reasons: tuple[str, ...]


def breaks(
    uses: Iterable[Use], old: Catalogue, new: Catalogue, unfed: Collection[str] = ()
) -> Iterator[Break]:
    """Give what asks for metrics, labels and values that the old map has and the new one has not.

    Args:
        uses: What asks.
        old: The metrics that there are.
        new: The metrics that there will be.
        unfed: The names of those that nothing feeds any more.
    """
    before = {name: metric for metric in _metrics(old) for name in _series(metric)}
    after = {name: metric for metric in _metrics(new) for name in _series(metric)}
    empty = {name for name, metric in after.items() if metric.name in unfed}
    told: set[tuple[str, str, tuple[str, ...]]] = set()
    records: set[str] = set()
    for use in _rules_first(uses):
        reasons = (
            *_reasons(use.expression, before, after),
            *(f"nothing feeds {name} any more" for name in sorted(_words(use.expression) & empty)),
            *(
                f"{name} breaks, which it reads"
                for name in sorted(_words(use.expression) & records)
            ),
        )
        if reasons and use.what.startswith(_RULE):
            records.add(use.what.removeprefix(_RULE))
        # A panel may ask the same in several queries.
        key = use.what, use.where, tuple(dict.fromkeys(reasons))
        if reasons and key not in told:
            told.add(key)
            yield Break(use, key[2])


def _rules_first(uses: Iterable[Use]) -> list[Use]:
    """Give what is computed ahead before what may read it; rules are in their own order."""
    return sorted(uses, key=lambda use: not use.what.startswith(_RULE))


def _words(expression: str) -> set[str]:
    """Give the names in an expression, without what is in quotes."""
    return set(_WORD.findall(_QUOTED.sub(" ", expression)))


def _labels(expression: str, name: str) -> set[str]:
    """Give the labels that are asked of a metric: by a matcher of it, or in any list of labels."""
    plain = _QUOTED.sub(" ", expression)
    matchers = re.findall(rf"(?<![\w:]){re.escape(name)}\s*\{{([^}}]*)", plain)
    return {word for text in [*matchers, *_GROUPING.findall(plain)] for word in _WORD.findall(text)}


def _metrics(catalogue: Catalogue) -> Iterator[Metric]:
    return (catalogue[name] for name in catalogue.names)


def _series(metric: Metric) -> tuple[str, ...]:
    suffixes = ("",) if metric.is_native else _SUFFIXES.get(metric.kind, ("",))
    return tuple(metric.series + suffix for suffix in suffixes)


def _reasons(expression: str, before: dict[str, Metric], after: dict[str, Metric]) -> Iterator[str]:
    for name in sorted(_words(expression) & before.keys()):
        old, new = before[name], after.get(name)
        if new is None:
            yield f"{name} is gone"
            continue
        labels = _labels(expression, name)
        for label in old.label_names:
            if label in labels and label not in new.label_names:
                yield f"{name} has no label {label} any more"
        yield from _lost_values(name, expression, _values(old), _values(new))


def _values(metric: Metric) -> dict[str, tuple[str, ...]]:
    """Give the values of each label; none where they are not listed."""
    bounds = tuple(map(bound_text, metric.buckets))
    return {**dict(metric.labels), **({_BOUND: (*bounds, "+Inf")} if bounds else {})}


def _lost_values(
    name: str,
    expression: str,
    old: dict[str, tuple[str, ...]],
    new: dict[str, tuple[str, ...]],
) -> Iterator[str]:
    for label, operator, quoted in _MATCHER.findall(expression):
        text = quoted[1:-1]
        is_list = not operator.endswith("~") or _LITERALS.fullmatch(text)
        if not new.get(label) or not is_list:
            continue
        asked = set(text.split("|")) if operator.endswith("~") else {text}
        for value in sorted(asked & {*old.get(label, ())} - {*new[label]}):
            yield f'{name} has no {label}="{value}" any more'
