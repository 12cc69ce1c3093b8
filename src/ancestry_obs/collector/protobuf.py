"""Write a registry in Prometheus' protobuf format: the one that has room for native histograms.

Each metric is a message `io.prometheus.client.MetricFamily` behind its length. The numbers of the
fields are those of the published `metrics.proto` (prometheus/client_model); numbers that are packed
together are read by whoever reads them one by one. It is written by hand: no more of the format is
needed than fits here, and no program should need a library for it.

Source: Protocol Buffers, "Encoding"; Prometheus, "Exposition formats" and "Native Histograms".
"""

from __future__ import annotations

from functools import lru_cache, partial
from itertools import accumulate
from math import inf
from operator import attrgetter
from struct import Struct
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.collector.blocks import SUFFIXES, apart, placed
from ancestry_obs.collector.packed_counts import packed_differences
from ancestry_obs.recording.failures import came_from_outside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from prometheus_client.core import Metric
    from prometheus_client.samples import Sample

    from ancestry_obs.collector.blocks import Block, Row
    from ancestry_obs.process_tree.totals import Labels
    from ancestry_obs.recording.bucket_counts import Counts
    from ancestry_obs.recording.exemplars import Exemplar

    _Write = Callable[[Any, Mapping[int, Exemplar]], bytes]

__all__ = ["CONTENT_TYPE", "block_message", "metric_message"]

CONTENT_TYPE: Final = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)

_TYPES: Final = {"counter": 0, "gauge": 1, "info": 1, "stateset": 1, "summary": 2, "histogram": 4,
                 "gaugehistogram": 5}  # fmt: skip
_UNTYPED: Final = 3
# The field of a `Metric` in which its numbers stand, by the family's type.
_FIELDS: Final = {0: 3, 1: 2, 2: 4, 3: 5, 4: 7, 5: 7}
_PIECE_ROWS: Final = 64
_MOST: Final = 1 << 55
"""More than anybody counts, and than `packed_differences` has room for."""
_NUMBER: Final = Struct("<d").pack
_VARINT, _FIXED, _BYTES = 0, 1, 2
_VARINTS_KEPT: Final = 1024
_NONE: Final[Mapping[int, Exemplar]] = MappingProxyType({})
_TIME: Final = attrgetter("time")


@lru_cache(_VARINTS_KEPT)
def _varint(number: int) -> bytes:
    """Write a whole number that is not negative."""
    if number < 0x80:  # noqa: PLR2004  seven bits a byte
        return bytes((number,))
    found = bytearray()
    while number > 0x7F:  # noqa: PLR2004  as above
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


@lru_cache(64)
def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _double(field: int, number: float) -> bytes:
    return _key(field, _FIXED) + _NUMBER(number)


def _whole(field: int, number: int) -> bytes:
    return _key(field, _VARINT) + _varint(number)


def _signed(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


_LABEL: Final = _key(1, _BYTES)
_LABEL_VALUE: Final = _key(2, _BYTES)
_METRIC: Final = _key(4, _BYTES)
_COUNT: Final = _key(1, _VARINT)
_SUM: Final = _key(2, _FIXED)
_ZERO_COUNT: Final = _key(7, _VARINT)


def _inside(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    # Half a character, such as in the name of a target, is no reason for no page.
    return _inside(field, text.encode(errors="replace"))


def _family(name: str, documentation: str, kind: int, metrics: Iterable[bytes]) -> bytes:
    head = _text(1, name) + _text(2, documentation) + _whole(3, kind)
    content = b"".join([head, *metrics])
    return _varint(len(content)) + content


def block_message(
    block: Block, lost: Callable[[], object] = int, *, implied: bool = False
) -> bytes:
    """Write one of our metrics.

    Args:
        block: The metric and its numbers.
        lost: Called for each series that cannot be written; the others are.
        implied: Whether native histograms have the classic buckets that they imply, too.

    Returns:
        Its message, with the length before it.
    """
    suffix = SUFFIXES[block.kind][0] if block.kind in {"counter", "info"} else ""
    kind = _TYPES[block.kind]
    names = [_text(1, name) for name in block.label_names]
    rows = block.rows if block.natives is None else block.natives
    if implied and block.natives:
        rows = _with_classic(block.natives, block.rows)
    write, find = _ways_of(block, rows)
    metrics: list[bytes] = []
    for start in range(0, len(rows), _PIECE_ROWS):
        for labels, numbers in rows[start : start + _PIECE_ROWS]:
            try:
                content = write(numbers, find(block, labels) if block.exemplars else _NONE)
                metrics.append(_metric(_pairs(names, labels), _FIELDS[kind], content))
            except Exception as error:  # whatever the series is, it costs itself alone
                if came_from_outside(error):
                    raise
                lost()
    return _family(block.name + suffix, block.help, kind, metrics)


def _with_classic(natives: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Give native histograms with what they show as classic ones."""
    found: list[Row] = []
    for (labels, numbers), (_, shown) in zip(natives, rows, strict=True):
        classic: Any = apart(shown[:-2])
        found.append((labels, (classic, *numbers[1:])))
    return found


def _ways_of(
    block: Block, rows: Sequence[Row]
) -> tuple[_Write, Callable[[Block, Labels], Mapping[int, Exemplar]]]:
    """Give what writes the numbers of a block's rows, and what finds their exemplars for it."""
    if block.natives is not None:
        has_classic = bool(rows) and bool(rows[0][1][0])
        if has_classic:
            return partial(_native, _upper_bounds(block.bounds)), placed
        # Those that are implied would have to be worked out.
        return partial(_native, ()), _newest
    match block.kind:
        case "histogram":
            return partial(_classic, _upper_bounds(block.bounds)), placed
        case "summary":
            return _summary, placed
        case _:
            return _value, placed


def _newest(block: Block, labels: Labels) -> Mapping[int, Exemplar]:
    """Give a series' exemplars in the order of their time, the last one for the bucket of all."""
    kept = sorted(block.exemplars.get(labels, _NONE).values(), key=_TIME)
    return dict(enumerate(kept, start=1 - len(kept)))


def _metric(labels: bytes, field: int, numbers: bytes, more: bytes = b"") -> bytes:
    key, size = _key(field, _BYTES), _varint(len(numbers))
    inside = _varint(len(labels) + len(key) + len(size) + len(numbers) + len(more))
    return b"".join((_METRIC, inside, labels, key, size, numbers, more))


def _pairs(names: Sequence[bytes], values: Sequence[str]) -> bytes:
    """Write the labels of a series, each name in the form that it has there already."""
    parts: list[bytes] = []
    for name, value in zip(names, values, strict=True):
        data = value.encode(errors="replace")
        size = _varint(len(data))
        inside = _varint(len(name) + 1 + len(size) + len(data))
        parts += (_LABEL, inside, name, _LABEL_VALUE, size, data)
    return b"".join(parts)


def _value(numbers: Sequence[float], exemplars: Mapping[int, Exemplar]) -> bytes:
    return _double(1, numbers[0]) + b"".join(_shown(2, exemplars.values()))


def _shown(field: int, exemplars: Iterable[Exemplar]) -> list[bytes]:
    return [_exemplar(field, *each) for each in exemplars]


def _exemplar(
    field: int, labels: Iterable[tuple[str, str]], value: float, time: float | None
) -> bytes:
    """Write labels, the value, and the time in seconds and billionths if it is known."""
    parts = [_inside(1, _text(1, name) + _text(2, text)) for name, text in labels]
    parts.append(_double(2, value))
    if time is not None:
        seconds, rest = divmod(time, 1)
        parts.append(_inside(3, _whole(1, int(seconds)) + _whole(2, int(rest * 1e9))))
    return _inside(field, b"".join(parts))


def _summary(numbers: Sequence[float], _: Mapping[int, Exemplar]) -> bytes:
    return _whole(1, int(numbers[0])) + _double(2, numbers[1])


@lru_cache(1024)
def _upper_bounds(bounds: tuple[float, ...]) -> tuple[bytes, ...]:
    return tuple(_double(2, bound) for bound in bounds)


def _classic(
    upper: Sequence[bytes], numbers: Sequence[float], exemplars: Mapping[int, Exemplar]
) -> bytes:
    """Write a classic histogram: its cumulative counts, that of all, the count and the sum."""
    *counts, _, count, total = numbers
    below = _below(upper, [*counts, count], exemplars)
    return b"".join([_whole(1, int(count)), _double(2, total), *below])


_BUCKET_HEADS: Final = tuple(
    # The key and the number of the bound take nine bytes.
    _key(3, _BYTES) + _varint(1 + digits + 9) + _COUNT
    for digits in range(11)
)


def _below(
    upper: Sequence[bytes], counts: Sequence[float], exemplars: Mapping[int, Exemplar]
) -> list[bytes]:
    """Write classic buckets with their cumulative counts, of which the last is that of all."""
    if not exemplars:
        parts: list[bytes] = []
        for bound, count in zip(upper, counts[:-1], strict=True):
            number = _varint(int(count))
            parts += (_BUCKET_HEADS[len(number)], number, bound)
        return parts
    # The last bucket is written for the sake of its exemplar alone.
    below = zip((*upper, _double(2, inf)), counts, strict=True)
    return [
        _inside(3, b"".join((_whole(1, int(n)), bound, *_shown(3, _at(exemplars, place)))))
        for place, (bound, n) in enumerate(below)
    ]


def _at(exemplars: Mapping[int, Exemplar], place: int) -> tuple[Exemplar, ...]:
    return (exemplars[place],) if place in exemplars else ()


def _native(
    upper: Sequence[bytes],
    numbers: Any,  # noqa: ANN401  see `Numbers`
    exemplars: Mapping[int, Exemplar],
) -> bytes:
    """Write a native histogram, and the buckets that the map has beside it."""
    classic, schema, threshold, zero, positive, negative, total = numbers
    count = zero + positive.total + negative.total
    # Without buckets, and with nothing near zero, a span without length tells what it is.
    is_shown = positive or negative or zero or threshold
    parts = [
        _COUNT,
        _varint(count),
        _SUM,
        _NUMBER(total),
        _resolution(schema, threshold),
        _ZERO_COUNT,
        _varint(zero),
        _sparse(12, positive) if is_shown else _inside(12, b""),
    ]
    if negative:
        parts.append(_sparse(9, negative))
    if classic or exemplars:
        # An older Prometheus looks for exemplars of native ones here, and nowhere else.
        parts += _below(upper, [*accumulate(classic[:-1]), count], exemplars)
        parts += _shown(16, sorted(exemplars.values(), key=_TIME))
    return b"".join(parts)


@lru_cache(1024)
def _resolution(schema: int, threshold: float) -> bytes:
    return _whole(5, _signed(schema)) + _double(6, threshold)


def _sparse(field: int, counts: Counts) -> bytes:
    """Write counts by key: where there are some, and how each differs from the one before."""
    if not counts:
        return b""
    written = counts.written
    if written is None:
        # Most series are as they were at the last scrape.
        written = counts.written = _written(field, counts)
    return written


def _written(field: int, counts: Counts) -> bytes:
    if counts.total >= _MOST:
        message = f"{counts.total} values are more than can be written"
        raise OverflowError(message)
    parts: list[bytes] = []
    end = 0
    for first, run in counts.runs:
        parts.append(_span(field, first - end, len(run)))
        end = first + len(run)
    packed = packed_differences([run for _, run in counts.runs])
    parts.append(_inside(field + 1, packed))
    return b"".join(parts)


@lru_cache(1024)
def _span(field: int, offset: int, length: int) -> bytes:
    """Write neighbouring buckets: how far behind those before they begin, and how many they are."""
    return _inside(field, _whole(1, _signed(offset)) + _whole(2, length))


def metric_message(metric: Metric) -> bytes:
    """Write a metric that somebody else has registered.

    Args:
        metric: As prometheus_client has it.

    Returns:
        Its message, with the length before it.
    """
    kind = _TYPES.get(metric.type, _UNTYPED)
    suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
    series: dict[tuple[Any, ...], list[Sample]] = {}
    for sample in metric.samples:
        if not sample.name.endswith("_created"):
            own = tuple((k, v) for k, v in sample.labels.items() if k not in _OF_SAMPLES[kind])
            series.setdefault((own, sample.timestamp), []).append(sample)
    metrics = [
        _metric(
            b"".join([_inside(1, _text(1, name) + _text(2, value)) for name, value in own]),
            _FIELDS[kind],
            _WRITERS[kind](samples),
            b"" if timestamp is None else _whole(6, round(float(timestamp) * 1000)),
        )
        for (own, timestamp), samples in series.items()
    ]
    return _family(metric.name + suffix, metric.documentation, kind, metrics)


def _one(samples: Sequence[Sample]) -> bytes:
    last = samples[-1]
    return _double(1, last.value) + _others(2, last)


def _others(field: int, sample: Sample) -> bytes:
    """Write the exemplar that somebody else has given a sample, if any."""
    given = sample.exemplar
    if given is None:
        return b""
    time = None if given.timestamp is None else float(given.timestamp)
    return _exemplar(field, given.labels.items(), given.value, time)


def _quantiles(samples: Sequence[Sample]) -> bytes:
    return b"".join(
        [
            _inside(3, _double(1, float(each.labels["quantile"])) + _double(2, each.value))
            if "quantile" in each.labels
            else _count_or_sum(each)
            for each in samples
        ]
    )


def _buckets(samples: Sequence[Sample]) -> bytes:
    return b"".join(
        [
            _inside(3, _below_bound(each)) if "le" in each.labels else _count_or_sum(each)
            for each in samples
        ]
    )


def _below_bound(sample: Sample) -> bytes:
    bound = _double(2, float(sample.labels["le"]))
    return _whole(1, int(sample.value)) + bound + _others(3, sample)


def _count_or_sum(sample: Sample) -> bytes:
    is_count = sample.name.endswith("count")
    return _whole(1, int(sample.value)) if is_count else _double(2, sample.value)


_WRITERS: Final[Mapping[int, Callable[[Sequence[Sample]], bytes]]] = {
    0: _one, 1: _one, 2: _quantiles, 3: _one, 4: _buckets, 5: _buckets,
}  # fmt: skip
_OF_SAMPLES: Final = {0: (), 1: (), 2: ("quantile",), 3: (), 4: ("le",), 5: ("le",)}
