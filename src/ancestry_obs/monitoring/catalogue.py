"""A map comes in; the metrics that a dashboard or a rule may name go out, as Prometheus has them.

Those are the map's, under their exposed names, and the toolkit's own ``ancestry_obs_*``, which are
the same for every map. What is not in here cannot get into an expression.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ancestry_obs.mapfile.exposed_names import refuse_names
from ancestry_obs.mapfile.map_files import PACK, is_pack, resolve_map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.mapfile import MapSpec, MetricSpec

__all__ = ["BUILD_INFO", "SELF_METRICS", "TARGET_INFO", "Catalogue", "Kind", "Metric"]

Kind = Literal["counter", "gauge", "histogram", "in_flight", "info", "ratio", "summary"]

_FEW: Final = 8


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as expressions name it.

    Args:
        name: As a plan writes it: the map's name, or the full name of one of the toolkit's own.
        series: The exposed name; a histogram's and a summary's series add a suffix to it.
        kind: What it is.
        help: The line that Prometheus has beside it.
        labels: Each label with its enumeration; empty where the values are not listed.
        buckets: A histogram's bounds without ``+Inf``.
        namespace: What its map says that its name begins with; `None` if it says nothing.
        is_native: Whether it is a native histogram, which is one series.
        has_exemplars: Whether a record of the map gives it some.
    """

    name: str
    series: str
    kind: Kind
    help: str
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    buckets: tuple[float, ...] = ()
    namespace: str | None = None
    is_native: bool = False
    has_exemplars: bool = False

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels' names."""
        return tuple(name for name, _ in self.labels)

    @property
    def enumerated(self) -> tuple[str, ...]:
        """The labels whose values the map lists: few, and the same in every run."""
        return tuple(name for name, values in self.labels if values)

    @property
    def telling(self) -> tuple[str, ...]:
        """The label that says most in a graph: the last short enumeration, or else the first.

        Maps write labels from the general to the particular; what became of a call comes last.
        """
        short = [name for name, values in self.labels if 1 < len(values) <= _FEW]
        return tuple(short[-1:] or self.label_names[:1])

    @property
    def has_totals(self) -> bool:
        """Whether a histogram has a sum and a count beside its buckets; see `collector.text`."""
        return self.is_native or not self.buckets or self.buckets[0] >= 0

    @property
    def any_series(self) -> str:
        """The name of a series that every instance of the metric has, for a list of values."""
        has_count = self.kind in {"histogram", "summary"} and not self.is_native
        return f"{self.series}_count" if has_count else self.series


def _own(name: str, kind: Kind, text: str, *labels: str) -> Metric:
    full = f"ancestry_obs_{name}"
    return Metric(full, full, kind, text, tuple((label, ()) for label in labels))


SELF_METRICS: Final = (
    _own("build_info", "info", "The toolkit and the Python that runs it.", "version", "python"),
    _own("target_info", "info", "Every target of the map and its state.", "target", "state"),
    _own("calls_total", "counter", "Calls of instrumented targets.", "target"),
    _own(
        "expression_errors_total", "counter", "Expressions of the map that failed.",
        "target", "metric", "label",
    ),
    _own(
        "label_overflow_total", "counter", "Label values beyond a limit, kept as other.",
        "metric", "label",
    ),
    _own(
        "items_left_out_total", "counter", "Items beyond the most that are recorded of a call.",
        "target",
    ),
    _own("series", "gauge", "Recorded series of each metric.", "metric"),
    _own("exporter_failures_total", "counter", "Times that no exporter could be started."),
    _own("handover_failures_total", "counter", "Times that a process could not hand over."),
    _own("sampled", "gauge", "Processes that time a share of a target's calls only.", "target"),
    _own("overhead_ratio", "gauge", "Share of the processor time that measuring takes."),
    _own("processes", "gauge", "Processes whose numbers are on this page."),
    _own("scrape_seconds", "summary", "Time that scrapes took to read, fold and write."),
)  # fmt: skip
"""What `ancestry_obs.collector` tells of itself; a test compares the two."""

BUILD_INFO: Final = SELF_METRICS[0]
TARGET_INFO: Final = SELF_METRICS[1]


class Catalogue:
    """The metrics of a map and the toolkit's own.

    Args:
        spec: The map.
        namespace: What the exposed names begin with.

    Attributes:
        metrics: The map's metrics, in its order.
        is_pack: Whether the map is one of the packs that ship.
        has_packs: Whether it is one, or includes some.
        libraries: The packages in which these have targets.
        group: What names of its groups of rules begin with: the namespace, or the map's own name if
            it says itself what its metrics begin with.

    Raises:
        MapError: Two metrics would have one name.
    """

    def __init__(self, spec: MapSpec, namespace: str) -> None:
        refuse_names(spec.metrics, namespace)
        self.namespace = namespace
        records = [record for each in spec.instruments for record in each.records]
        exemplary = {record.metric for record in records if record.exemplar}
        self.metrics = tuple(
            _exposed(metric, namespace, has_exemplars=metric.name in exemplary)
            for metric in spec.metrics
        )
        file = resolve_map(spec.source)
        self.is_pack = is_pack(str(file))
        self.has_packs = bool(spec.packs)
        self.libraries = tuple(sorted(set(_libraries(spec))))
        follows = not spec.metrics or any(metric.namespace is None for metric in spec.metrics)
        self.group = namespace if follows else file.stem
        self._by_name = {metric.name: metric for metric in (*self.metrics, *SELF_METRICS)}

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that a plan may write."""
        return tuple(self._by_name)

    def get(self, name: str) -> Metric | None:
        """Find a metric by the name that a plan writes; `None` where there is none."""
        return self._by_name.get(name)

    def __getitem__(self, name: str) -> Metric:
        return self._by_name[name]


def _libraries(spec: MapSpec) -> Iterator[str]:
    for each in spec.instruments:
        if each.where.source.startswith(PACK):
            yield from (re.split(r"[.:]", target, maxsplit=1)[0] for target in each.targets)


def _exposed(spec: MetricSpec, namespace: str, *, has_exemplars: bool) -> Metric:
    labels = tuple((label.name, label.values or ()) for label in spec.labels)
    return Metric(
        spec.name,
        spec.full_name(namespace),
        spec.type,
        spec.help,
        labels,
        spec.buckets,
        spec.namespace,
        is_native=spec.native is not None,
        has_exemplars=has_exemplars,
    )
