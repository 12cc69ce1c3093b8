"""Render a registry: our own families by ourselves, everything else by prometheus_client."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from prometheus_client.exposition import choose_encoder

from ancestry_obs.collector.collector import BlockMetric
from ancestry_obs.collector.protobuf import CONTENT_TYPE, block_message, metric_message
from ancestry_obs.collector.text import write_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

__all__ = ["render", "render_pieces", "render_whole"]

_OPENMETRICS = "application/openmetrics-text"
_PROTOBUF = "application/vnd.google.protobuf"
_DELIMITED = {"proto=io.prometheus.client.metricfamily", "encoding=delimited"}
_KINDS = {_PROTOBUF, _OPENMETRICS, "text/plain", "text/*", "*/*"}
_END = b"# EOF\n"
# The other schemes rewrite names that are valid anyway; nobody who can read ours asks for them.
_FAST_ESCAPINGS = {"", "underscores", "allow-utf-8"}


def render(registry: CollectorRegistry, accept: str = "") -> tuple[bytes, str]:
    """Write everything in a registry in the format that is asked for.

    Args:
        registry: Ours or anybody's.
        accept: The Accept header of the request. Where it likes protobuf best it is that; between
            OpenMetrics and text prometheus_client's rules choose.

    Returns:
        The same bytes as prometheus_client would write, which writes no protobuf, and the content
        type.

    Example:
        >>> body, content_type = render(registry, "application/openmetrics-text; version=1.0.0")
    """
    pieces, content_type = render_pieces(registry, accept)
    page = BytesIO()
    page.writelines(pieces)
    return page.getvalue(), content_type


def render_pieces(registry: CollectorRegistry, accept: str = "") -> tuple[Iterator[bytes], str]:
    """Write the same piece by piece, as the pieces are asked for; see `render`."""
    if _wants_protobuf(accept):
        return _messages(registry), CONTENT_TYPE
    encode, content_type = choose_encoder(accept)
    if content_type.partition("escaping=")[2] not in _FAST_ESCAPINGS:
        return iter((encode(registry),)), content_type
    return _pieces(
        registry, encode, openmetrics=content_type.startswith(_OPENMETRICS)
    ), content_type


def render_whole(registry: CollectorRegistry) -> tuple[bytes, str]:
    """Write everything in a registry in the format that has room for it, for who reads them all.

    Args:
        registry: Ours or anybody's.

    Returns:
        Protobuf where a histogram is native, with classic buckets for who asks for text later; and
        else text. And the content type.
    """
    collected: Any = _Collected(*registry.collect())
    blocks = [each.block for each in collected.metrics if isinstance(each, BlockMetric)]
    if any(each.natives is not None for each in blocks):
        return b"".join(_messages(collected, implied=True)), CONTENT_TYPE
    return render(collected)


def _wants_protobuf(accept: str) -> bool:
    """Whether the format that is asked for before all others that there are here is protobuf.

    What cannot be understood is not it. prometheus_client looks at the order alone.
    """
    best, first = 0.0, ""
    for part in accept.split(","):
        kind, *parameters = (each.strip().lower().replace(" ", "") for each in part.split(";"))
        if kind in _KINDS and (kind != _PROTOBUF or {*parameters} >= _DELIMITED):
            quality = _quality(parameters)
            # Of two that are liked alike, the one that is named first.
            if quality > best:
                best, first = quality, kind
    return first == _PROTOBUF


def _quality(parameters: Iterable[str]) -> float:
    """Give how much a format is liked: 0 to 1 (RFC 9110, "Quality Values")."""
    text = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        return float(text)
    except ValueError:
        return 0.0


def _messages(registry: CollectorRegistry, *, implied: bool = False) -> Iterator[bytes]:
    for metric in registry.collect():
        if isinstance(metric, BlockMetric):
            yield block_message(metric.block, metric.lost, implied=implied)
        else:
            yield metric_message(metric)


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
    """A collector of metrics that were collected already."""

    def __init__(self, *metrics: Metric) -> None:
        self.metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self.metrics
