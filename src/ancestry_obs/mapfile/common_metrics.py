"""A metric that two files of a map declare -> one metric that is both, or what they disagree on.

Two libraries may well feed one metric, such as `db_client_operation_duration_seconds`, each with
its own values of a label. Then the label has room for the values of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.frozen import replaced
from ancestry_obs.mapfile.language import MOST_VALUES

if TYPE_CHECKING:
    from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec

__all__ = ["common_metric", "disagreement"]


def disagreement(one: MetricSpec, other: MetricSpec) -> str:
    """Say what keeps two declarations from being those of one metric; empty if nothing does."""
    if one.type != other.type:
        return "its type is"
    if one.namespace != other.namespace:
        return "its namespace is"
    if {each.name for each in one.labels} != {each.name for each in other.labels}:
        return "its labels are"
    if (one.buckets, one.native) != (other.buckets, other.native):
        return "its buckets are"
    return ""


def common_metric(one: MetricSpec, other: MetricSpec) -> MetricSpec:
    """Make the metric that both declare; its help and the order of its labels are the first one's.

    Args:
        one: A metric.
        other: One without a disagreement.
    """
    labels = {label.name: label for label in other.labels}
    return replaced(one, labels=tuple(_common(each, labels[each.name]) for each in one.labels))


def _common(one: LabelSpec, other: LabelSpec) -> LabelSpec:
    if one == other:
        return one
    if one.values is not None and other.values is not None:
        return replaced(one, values=(*dict.fromkeys((*one.values, *other.values)),))
    most = sum(len(e.values) if e.values is not None else e.max_values or 0 for e in (one, other))
    return replaced(one, values=None, max_values=min(most, MOST_VALUES))
