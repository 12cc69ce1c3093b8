"""Render a registry: our own families by ourselves, everything else by prometheus_client."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from prometheus_client.exposition import choose_encoder

from ancestry_obs.collector.collector import BlockMetric
from ancestry_obs.collector.text import write_block

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

__all__ = ["render"]

_OPENMETRICS = "application/openmetrics-text"
_END = b"# EOF\n"
# The other schemes rewrite names that are valid anyway; nobody who can read ours asks for them.
_FAST_ESCAPINGS = {"", "underscores", "allow-utf-8"}


def render(registry: CollectorRegistry, accept: str = "") -> tuple[bytes, str]:
    """Write everything in a registry in the format that is asked for.

    Args:
        registry: Ours or anybody's.
        accept: The Accept header of the request; prometheus_client's rules choose by it.

    Returns:
        The same bytes as prometheus_client would write, and the content type.

    Example:
        >>> body, content_type = render(registry, "application/openmetrics-text; version=1.0.0")
    """
    encode, content_type = choose_encoder(accept)
    if content_type.partition("escaping=")[2] not in _FAST_ESCAPINGS:
        return encode(registry), content_type
    openmetrics = content_type.startswith(_OPENMETRICS)
    page = BytesIO()
    for metric in registry.collect():
        if isinstance(metric, BlockMetric):
            for text in write_block(metric.block, openmetrics=openmetrics):
                page.write(text.encode())
        else:
            page.write(encode(_Collected(metric)).removesuffix(_END))
    if openmetrics:
        page.write(_END)
    return page.getvalue(), content_type


class _Collected:
    """A collector of one metric that was collected already."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return (self._metric,)
