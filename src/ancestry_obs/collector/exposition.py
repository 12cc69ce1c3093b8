"""Render a registry: our own families by ourselves, everything else by prometheus_client."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from prometheus_client.exposition import choose_encoder

from ancestry_obs.collector.collector import BlockMetric
from ancestry_obs.collector.text import write_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

__all__ = ["render", "render_pieces"]

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
    pieces, content_type = render_pieces(registry, accept)
    page = BytesIO()
    page.writelines(pieces)
    return page.getvalue(), content_type


def render_pieces(registry: CollectorRegistry, accept: str = "") -> tuple[Iterator[bytes], str]:
    """Write the same piece by piece, as the pieces are asked for; see `render`."""
    encode, content_type = choose_encoder(accept)
    if content_type.partition("escaping=")[2] not in _FAST_ESCAPINGS:
        return iter((encode(registry),)), content_type
    return _pieces(
        registry, encode, openmetrics=content_type.startswith(_OPENMETRICS)
    ), content_type


def _pieces(
    registry: CollectorRegistry, encode: Callable[[Any], bytes], *, openmetrics: bool
) -> Iterator[bytes]:
    for metric in registry.collect():
        if isinstance(metric, BlockMetric):
            for text in write_block(metric.block, openmetrics=openmetrics, lost=metric.lost):
                yield _encoded(text)
        else:
            yield encode(_Collected(metric)).removesuffix(_END)
    if openmetrics:
        yield _END


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half a character, such as in the name of a target, is no reason for no page.
        return text.encode(errors="replace")


class _Collected:
    """A collector of one metric that was collected already."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return (self._metric,)
