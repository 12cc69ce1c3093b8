"""A word comes in, the metric or the targets that it means go out."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ancestry_obs.exceptions import TargetError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ancestry_obs.mapfile import MapSpec
    from ancestry_obs.monitoring import Catalogue

__all__ = ["find", "nearest"]

_SUFFIXES = ("", "_bucket", "_sum", "_count")


def find(spec: MapSpec, catalogue: Catalogue, word: str) -> str | tuple[str, ...]:
    """Tell what a word means.

    Args:
        spec: The map.
        catalogue: Its metrics as Prometheus has them.
        word: A metric, with or without the namespace and a histogram's suffix; a target as the map
            writes it, or one that a glob of the map takes in; a glob over the map's targets; or the
            name of an instrument.

    Returns:
        The metric's name in the map; or the map's targets, in its order.

    Raises:
        TargetError: The map has nothing of the kind.
    """
    metrics = dict(_names(catalogue))
    targets = tuple(dict.fromkeys(_targets_of(spec)))
    if word in metrics:
        return metrics[word]
    if word in targets:
        return (word,)
    found = tuple(
        each
        for each in targets
        if fnmatchcase(word, each) or ("*" in word and fnmatchcase(each, word))
    )
    named = {each.name: each.targets for each in spec.instruments if each.name}
    if found or word in named:
        return found or named[word]
    hint = nearest(word, {*metrics, *targets, *named})
    raise TargetError(
        f"{spec.source} has no target, metric or instrument {word!r}; {hint}"
        "'ancestry-obs list' shows what it has"
    )


def nearest(word: str, known: Collection[str]) -> str:
    """Ask whether one of the most like names was meant; with a space at its end, or empty."""
    near = get_close_matches(word, sorted(known), n=3)
    return f"did you mean {' or '.join(map(repr, near))}? " if near else ""


def _targets_of(spec: MapSpec) -> Iterator[str]:
    """Give every target as the map writes it; one may come several times."""
    for instrument in spec.instruments:
        yield from instrument.targets
    yield from (sample.target for sample in spec.samples)
    yield from (hook.target for hook in spec.hooks)


def _names(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Give every name of each metric; an exact one comes last, and so is the one that holds."""
    exact = [(metric.name, metric.name) for metric in catalogue.metrics]
    for metric in catalogue.metrics:
        for suffix in _SUFFIXES if metric.kind == "histogram" else ("",):
            yield f"{metric.name}{suffix}", metric.name
            yield f"{metric.series}{suffix}", metric.name
    yield from exact
