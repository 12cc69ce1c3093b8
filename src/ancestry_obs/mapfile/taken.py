"""What the metrics and records of one file take from the ``[defaults]`` that are for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.frozen import field, frozen

if TYPE_CHECKING:
    from collections.abc import Collection

    from ancestry_obs.exceptions import Where
    from ancestry_obs.expressions import Expression
    from ancestry_obs.mapfile.specs import LabelSpec, NativeSpec

__all__ = ["DefaultLabel", "Defaults"]


@frozen(slots=False)
class DefaultLabel:
    """A label that metrics have which do not declare it.

    Args:
        label: The label.
        value: What it is in a record that does not give it.
        where: The place of that in the map.
    """

    label: LabelSpec
    value: Expression
    where: Where = field(compare=False)


@frozen(slots=False)
class Defaults:
    """What the metrics and records of one file take where they do not say it.

    Args:
        buckets: The bounds of a histogram, and what is said of its native buckets.
        max_values: The bound of a free label.
        labels: The labels of each metric that instruments alone feed.
        fed: The names of those.
    """

    buckets: tuple[tuple[float, ...], NativeSpec | None]
    max_values: int | None
    labels: tuple[DefaultLabel, ...]
    fed: Collection[str]

    def labels_of(self, metric: str) -> tuple[LabelSpec, ...]:
        """Give the labels that a metric has besides its own."""
        return tuple(each.label for each in self.labels) if metric in self.fed else ()

    def values_of(self, metric: str) -> dict[str, DefaultLabel]:
        """Give what a record of a metric takes for labels that it does not give."""
        return {each.label.name: each for each in self.labels} if metric in self.fed else {}
