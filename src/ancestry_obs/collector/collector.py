"""The collector of prometheus_client: blocks come in, metric families go out at each scrape."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.samples import Exemplar

from ancestry_obs.collector.blocks import Block, block_of, placed
from ancestry_obs.collector.text import bound_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client.samples import Sample

    from ancestry_obs.collector.reading import Run
    from ancestry_obs.collector.samples import Samples
    from ancestry_obs.collector.self_metrics import SelfMetrics
    from ancestry_obs.process_tree.totals import Labels, Sampled
    from ancestry_obs.recording import Family, Store

__all__ = ["BlockMetric", "Collector"]

_NO_SAMPLE: Sampled = ("", {})


class Collector:
    """Everything that the toolkit measures, as prometheus_client wants it.

    No ``_created`` series are given: Prometheus takes each for one more ordinary series, which for
    a counter doubles what it stores, and a counter's restart is seen from its value anyway.

    Args:
        store: The recorded series.
        samples: What is read from live instances.
        self_metrics: What the toolkit tells about itself.
        declared: The metrics that `describe` names, where that is not what the store has now: a
            reload lets the registry refuse a taken name before anything is changed.
        run: Where this process is one of many, what all of them have measured.
        clock: Seconds, from any beginning.

    Example:
        >>> registry.register(Collector(store, samples, self_metrics))
    """

    def __init__(  # noqa: PLR0913 - what is told of, and how it is read
        self,
        store: Store,
        samples: Samples,
        self_metrics: SelfMetrics,
        declared: Sequence[Family] | None = None,
        *,
        run: Run | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._store = store
        self._samples = samples
        self._self_metrics = self_metrics
        self._declared = declared
        self._run = run
        self._clock = clock

    def describe(self) -> list[Metric]:
        """Name the metrics without folding or reading anything; registration asks for that."""
        declared = self._store.families() if self._declared is None else self._declared
        families = [block_of(family, [], []) for family in declared]
        own = self._self_metrics.blocks()
        return [BlockMetric(block) for block in (*families, *own)]

    def collect(self) -> Iterator[Metric]:
        """Read live instances, fold, and give every family with its numbers of this moment.

        The time until the last one has been taken is the scrape's: what writes the families writes
        them one by one.
        """
        began = self._clock()
        for block in self.blocks():
            yield BlockMetric(block, partial(self._store.count_failure, "", block.name, "value"))
        self._self_metrics.scraped(self._clock() - began)

    def blocks(self) -> list[Block]:
        """Give what `collect` gives as plain blocks."""
        read = partial(self._self_metrics.read, self._samples)
        reading = read() if self._run is None else self._run.whole(read)
        return [
            *(
                block_of(
                    columns.family,
                    columns.labels,
                    columns.numbers,
                    reading.sampled.get(columns.family.name, _NO_SAMPLE)[1],
                    columns.exemplars,
                )
                for columns in reading.columns
            ),
            *self._self_metrics.blocks(reading),
        ]


class BlockMetric(Metric):
    """A metric family that makes its samples only when somebody reads them; `render` does not.

    Args:
        block: The metric and its numbers.
        lost: Counts a series that cannot be written.
    """

    def __init__(self, block: Block, lost: Callable[[], object] = int) -> None:
        super().__init__(block.name, block.help, block.kind)
        self.block = block
        self.lost = lost
        self._samples: list[Sample] | None = None

    @property
    def samples(self) -> list[Sample]:
        """The samples in prometheus_client's form."""
        if self._samples is None:
            self._samples = _family(self.block).samples
        return self._samples

    @samples.setter
    def samples(self, samples: list[Sample]) -> None:
        self._samples = samples


def _family(block: Block) -> Metric:
    return _FAMILIES[block.kind](block)


def _counter(block: Block) -> Metric:
    family = CounterMetricFamily(block.name, block.help, labels=block.label_names)
    for labels, (value,) in block.rows:
        family.add_metric(labels, value, exemplar=_exemplars(block, labels).get(0))
    return family


def _gauge(block: Block) -> Metric:
    family = GaugeMetricFamily(block.name, block.help, labels=block.label_names)
    for labels, (value,) in block.rows:
        family.add_metric(labels, value)
    return family


def _histogram(block: Block) -> Metric:
    family = HistogramMetricFamily(block.name, block.help, labels=block.label_names)
    bounds = bound_texts(block.bounds)
    for labels, (*counts, _count, total) in block.rows:
        given = _exemplars(block, labels)
        buckets: list[Any] = [
            (bound, count, given.get(place))
            for place, (bound, count) in enumerate(zip(bounds, counts, strict=True))
        ]
        family.add_metric(labels, buckets, total)
    return family


def _exemplars(block: Block, labels: Labels) -> dict[int, Exemplar]:
    """Give a series' exemplars in prometheus_client's form."""
    return {
        place: Exemplar(dict(each.labels), each.value, each.time)
        for place, each in placed(block, labels).items()
    }


def _info(block: Block) -> Metric:
    family = InfoMetricFamily(block.name, block.help, labels=block.label_names)
    for labels, _ in block.rows:
        family.add_metric(labels, {})
    return family


def _summary(block: Block) -> Metric:
    family = SummaryMetricFamily(block.name, block.help, labels=block.label_names)
    for labels, (count, total) in block.rows:
        family.add_metric(labels, int(count), total)
    return family


_FAMILIES: dict[str, Callable[[Block], Metric]] = {
    "counter": _counter,
    "gauge": _gauge,
    "histogram": _histogram,
    "info": _info,
    "summary": _summary,
}
