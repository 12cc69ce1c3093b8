"""Two maps come in, what changed between them goes out; nothing is applied here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_obs.mapfile.specs import MapSpec

__all__ = ["MapDiff", "difference"]


@frozen()
class MapDiff:
    """What differs between the map before a `reload()` and the one after it.

    A target here is a pattern as the map writes it (``module:qualname``); it counts as changed when
    anything that is recorded, sampled or hooked there differs. What is in none of the tuples was
    left alone: the same code stays in place, and its series keep their values.

    Args:
        metrics_added: Names of metrics that only the new map has.
        metrics_removed: Names of metrics that only the old map had; their series are gone.
        metrics_changed: Names of metrics declared differently; their series start anew.
        targets_added: Patterns that only the new map has.
        targets_removed: Patterns that only the old map had.
        targets_changed: Patterns at which something else is asked for.
    """

    metrics_added: tuple[str, ...] = ()
    metrics_removed: tuple[str, ...] = ()
    metrics_changed: tuple[str, ...] = ()
    targets_added: tuple[str, ...] = ()
    targets_removed: tuple[str, ...] = ()
    targets_changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != MapDiff()

    def __str__(self) -> str:
        parts = [
            f"{field.replace('_', ' ')}: {', '.join(names)}"
            for field in self.__match_args__
            if (names := getattr(self, field))
        ]
        return "; ".join(parts) or "no change"


def difference(old: MapSpec, new: MapSpec) -> MapDiff:
    """Compare two maps.

    Args:
        old: The map in force.
        new: The map that is to replace it.
    """
    return MapDiff(
        *_compare(_metrics(old), _metrics(new)),
        *_compare(_targets(old), _targets(new)),
    )


def _compare(
    old: Mapping[str, object], new: Mapping[str, object]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Give the names that are added, removed and changed."""
    added = tuple(name for name in new if name not in old)
    removed = tuple(name for name in old if name not in new)
    changed = tuple(name for name in new if name in old and new[name] != old[name])
    return added, removed, changed


def _metrics(spec: MapSpec) -> dict[str, object]:
    return {metric.name: metric for metric in spec.metrics}


def _targets(spec: MapSpec) -> dict[str, list[object]]:
    """Everything that is asked for at each pattern."""
    asked: dict[str, list[object]] = {}
    for instrument in spec.instruments:
        for target in instrument.targets:
            functions = spec.functions_of(instrument)
            wanted = (
                *(instrument.records, instrument.handed, instrument.subclasses, instrument.at),
                *(instrument.rare, instrument.until, instrument.sample, spec.budget, functions),
            )
            asked.setdefault(target, []).append(wanted)
    for sample in spec.samples:
        asked.setdefault(sample.target, []).append((sample, spec.functions_of(sample)))
    for hook in spec.hooks:
        asked.setdefault(hook.target, []).append(hook)
    return asked
