"""What differs between two maps, in the words of who looks at the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ancestry_obs.mapfile import worst_case_series
from ancestry_obs.mapfile.difference import difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.mapfile import LabelSpec, MapSpec, MetricSpec
    from ancestry_obs.mapfile.specs import NativeSpec

__all__ = ["Change", "Comparison", "compare"]

Kind = Literal["added", "removed", "changed", "renamed"]

_FEW: Final = 5
"""So many values are named; of more, their number is told."""
_UNFED: Final = "nothing of the map feeds it any more"


@dataclass(frozen=True, slots=True)
class Change:
    """One metric or target that is not as it was.

    Args:
        kind: What became of it.
        name: The metric's name without namespace, or the target's pattern.
        details: What is told of it; a line each.
        new_name: Of a target that was renamed.
    """

    kind: Kind
    name: str
    details: tuple[str, ...] = ()
    new_name: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs.

    Args:
        metrics: The metrics, those that are gone first.
        targets: The targets, likewise.
        series: How many series the old and the new map can have at most.
        unfed: The names of the metrics that the old map feeds, and the new one has and does not.
    """

    metrics: tuple[Change, ...]
    targets: tuple[Change, ...]
    series: tuple[int, int]
    unfed: frozenset[str]


def compare(old: MapSpec, new: MapSpec) -> Comparison:
    """Compare two maps.

    Args:
        old: What programs run with now.
        new: What they are to run with.
    """
    before = {metric.name: metric for metric in old.metrics}
    after = {metric.name: metric for metric in new.metrics}
    unfed = (old.fed - new.fed) & after.keys()
    metrics = [
        *(Change("removed", n, (_shape(before[n]),)) for n in before if n not in after),
        *(Change("added", n, (_shape(after[n]),)) for n in after if n not in before),
        *(
            Change("changed", name, tuple(details))
            for name in after
            if name in before
            and (details := [*_changes(before[name], after[name]), *[_UNFED] * (name in unfed)])
        ),
    ]
    most = [sum(map(worst_case_series, spec.metrics)) for spec in (old, new)]
    return Comparison(tuple(metrics), tuple(_targets(old, new)), (most[0], most[1]), unfed)


def _shape(metric: MetricSpec) -> str:
    labels = ", ".join(label.name for label in metric.labels)
    by = f" by {labels}" if labels else ""
    return f"{metric.type}{by}, at most {worst_case_series(metric):,} series"


def _changes(old: MetricSpec, new: MetricSpec) -> Iterator[str]:
    if old.type != new.type:
        yield f"is a {new.type}, was a {old.type}"
    if old.help != new.help:
        yield f"help: {new.help}"
    if old.buckets != new.buckets:
        yield f"buckets {_bounds(old)} are {_bounds(new)}"
    if old.native != new.native:
        yield f"native buckets {_native(old.native)} are {_native(new.native)}"
    before = {label.name: label for label in old.labels}
    after = {label.name: label for label in new.labels}
    yield from (f"label {name} is gone" for name in before if name not in after)
    yield from (f"label {name} is new" for name in after if name not in before)
    for name in before.keys() & after.keys():
        yield from _label_changes(before[name], after[name])
    series = worst_case_series(old), worst_case_series(new)
    if series[0] != series[1]:
        yield f"at most {series[1]:,} series, were {series[0]:,}"


def _native(native: NativeSpec | None) -> str:
    if native is None:
        return "none"
    return f"with factor {native.factor:g}, at most {native.max_buckets}"


def _bounds(metric: MetricSpec) -> str:
    return ", ".join(f"{bound:g}" for bound in metric.buckets) or "none"


def _label_changes(old: LabelSpec, new: LabelSpec) -> Iterator[str]:
    before, after = set(old.values or ()), set(new.values or ())
    if old.values is not None and new.values is not None:
        for values, what in ((before - after, "no longer takes"), (after - before, "now takes")):
            if values:
                yield f"label {old.name} {what} {_listed(values)}"
    elif old.values is not None:
        yield f"label {old.name} takes any of {new.max_values} values, were {_listed(before)}"
    elif new.values is not None:
        yield f"label {old.name} takes {_listed(after)} only"
    elif old.max_values != new.max_values:
        yield f"label {old.name} has at most {new.max_values} values, were {old.max_values}"


def _listed(values: set[str]) -> str:
    told = sorted(values)
    more = f" and {len(told) - _FEW} more" if len(told) > _FEW else ""
    return ", ".join(told[:_FEW]) + more


def _targets(old: MapSpec, new: MapSpec) -> Iterator[Change]:
    changed = difference(old, new)
    renamed = dict(_renamed(old, new, changed.targets_removed, changed.targets_added))
    for name in changed.targets_removed:
        if name in renamed:
            yield Change("renamed", name, new_name=renamed[name])
        else:
            yield Change("removed", name, _fed(old, name))
    for name in changed.targets_added:
        if name not in renamed.values():
            yield Change("added", name, _fed(new, name))
    for name in changed.targets_changed:
        yield Change("changed", name, (*_keys_changed(old, new, name), *_fed(new, name)))


def _renamed(
    old: MapSpec, new: MapSpec, removed: tuple[str, ...], added: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Pair each target that is gone with the one that is asked for the very same, if it is one."""
    for name in removed:
        asked = _asked(old, name)
        alike = [each for each in added if asked and _asked(new, each) == asked]
        rivals = [each for each in removed if _asked(old, each) == asked]
        if len(alike) == len(rivals) == 1:
            yield name, alike[0]


def _asked(spec: MapSpec, target: str) -> list[object]:
    return [
        (each.records, each.handed, each.subclasses, each.at, each.rare, each.until, each.sample)
        for each in spec.instruments
        if target in each.targets
    ]


def _keys_changed(old: MapSpec, new: MapSpec, target: str) -> Iterator[str]:
    before, after = ([*_keys(spec, target)] for spec in (old, new))
    if len(before) == len(after):
        for was, now in zip(before, after, strict=True):
            yield from (
                f"{key} is {now[key]}, was {was[key]}" for key in now if now[key] != was[key]
            )


def _keys(spec: MapSpec, target: str) -> Iterator[dict[str, str]]:
    for each in spec.instruments:
        if target in each.targets:
            yield {
                "at": each.at,
                "subclasses": str(each.subclasses).lower(),
                "rare": str(each.rare).lower(),
                "until": each.end or "not given",
                "sample": f"{each.sample:g}",
                "budget": "not given" if spec.budget is None else f"{spec.budget:.3%}",
            }


def _fed(spec: MapSpec, target: str) -> tuple[str, ...]:
    fed = [r.metric for i in spec.instruments if target in i.targets for r in i.records]
    fed += [each.metric for each in spec.samples if each.target == target]
    return (f"feeds {', '.join(dict.fromkeys(fed))}",) if fed else ()
