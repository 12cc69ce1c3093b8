"""What feeds what: targets and feeds of a status come in, each target's series go out."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ancestry_obs.feeds import Feed
    from ancestry_obs.installation_status import TargetStatus
    from ancestry_obs.live.scrape import Labels, Metric

__all__ = ["Joined", "SeriesByLabels"]

_UNCALLED: Final = frozenset({"error", "idle", "pending"})

_Constants: TypeAlias = "tuple[tuple[str, str], ...]"
_Place: TypeAlias = "tuple[str, _Constants]"
"""A metric, and the labels that a feed always has there: where its observations go."""


class Joined:
    """Which feeds are each target's.

    Args:
        targets: As the page `/status` has them.
        feeds: As it has them, too.
    """

    def __init__(self, targets: Sequence[TargetStatus], feeds: Sequence[Feed]) -> None:
        by_pattern: dict[str, list[Feed]] = defaultdict(list)
        for feed in feeds:
            by_pattern[feed.pattern].append(feed)
        self._feeds = {
            each.target: [feed for pattern in each.patterns for feed in by_pattern[pattern]]
            for each in targets
        }
        users: dict[_Place, set[str]] = defaultdict(set)
        for each in targets:
            # What has no calls feeds nothing that others could be mistaken for. What is an error in
            # one process may have them in another.
            is_called = each.calls or each.state not in _UNCALLED
            for feed in self._feeds[each.target] if is_called else ():
                users[place_of(feed)].add(each.target)
        self._shared = {place for place, names in users.items() if len(names) > 1}
        self._shared.update(_overlapping(users))

    def feeds_of(self, target: str) -> Sequence[Feed]:
        """Give the feeds of a target; none if it is not known."""
        return self._feeds.get(target, ())

    def is_shared(self, feeds: Iterable[Feed]) -> bool:
        """Tell whether other targets observe into the same series."""
        return any(place_of(each) in self._shared for each in feeds)


def place_of(feed: Feed) -> _Place:
    """Give where a feed's observations go."""
    return feed.metric, tuple(sorted(feed.constants.items()))


def _overlapping(users: Mapping[_Place, set[str]]) -> Iterator[_Place]:
    """Yield the places that have series in common with one of another target."""
    by_metric: dict[str, dict[tuple[str, ...], list[_Place]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for place in users:
        by_metric[place[0]][tuple(name for name, _ in place[1])].append(place)
    for groups in by_metric.values():
        # Where the same labels are constant, other values are other series.
        for (names, some), (other_names, others) in combinations(groups.items(), 2):
            common = {*names}.intersection(other_names)
            one, other = _by_constants(some, common), _by_constants(others, common)
            yield from _met(one, other, users)
            yield from _met(other, one, users)


def _by_constants(places: Iterable[_Place], names: set[str]) -> dict[_Constants, list[_Place]]:
    found = defaultdict(list)
    for place in places:
        found[tuple(pair for pair in place[1] if pair[0] in names)].append(place)
    return found


def _met(
    here: Mapping[_Constants, list[_Place]],
    there: Mapping[_Constants, list[_Place]],
    users: Mapping[_Place, set[str]],
) -> Iterator[_Place]:
    """Yield the places here that have series in common with one there, of another target."""
    for constants, places in here.items():
        others = {name for place in there.get(constants, ()) for name in users[place]}
        for place in places if others else ():
            if len(others) > 1 or len(users[place]) > 1 or others != users[place]:
                yield place


class SeriesByLabels:
    """Finds the series of a metric that have some labels, without a look at each every time.

    Args:
        metrics: By name.
    """

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics = metrics
        self._found: dict[tuple[str, tuple[str, ...]], dict[_Constants, list[Labels]]] = {}

    def of(self, feeds: Iterable[Feed]) -> dict[Labels, None]:
        """Give the series that feeds of one metric observe into."""
        series: dict[Labels, None] = {}
        for metric, constants in map(place_of, feeds):
            names = tuple(name for name, _ in constants)
            series.update(dict.fromkeys(self._by(metric, names).get(constants, ())))
        return series

    def _by(self, metric: str, names: tuple[str, ...]) -> dict[_Constants, list[Labels]]:
        if (metric, names) not in self._found:
            found = self._found[metric, names] = defaultdict(list)
            for labels in self._metrics[metric].values if metric in self._metrics else ():
                found[tuple(sorted(pair for pair in labels if pair[0] in names))].append(labels)
        return self._found[metric, names]
