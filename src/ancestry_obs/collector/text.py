"""Write a block as exposition text, byte for byte as prometheus_client writes it.

The formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and OpenMetrics 1.0.
A series takes one ``%`` with a template that is made once for its block. Its label text is written
anew each time, which costs about as much as to look it up, and saves keeping it.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from ancestry_obs.collector.blocks import SUFFIXES, go_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ancestry_obs.collector.blocks import Block, Row

__all__ = ["write_block"]

# From here on Go writes 1e+06 where Python writes 1000000.0.
_EXPONENT_FROM = 1_000_000
# Places in a template: for text, and for a count and a float below _EXPONENT_FROM, which need none.
_TEXT = "%s"
_COUNT = "%d.0"
_FLOAT = "%r"
# The one label that a histogram adds; the labels of a line are in alphabetical order.
_BOUND = "le"


def write_block(block: Block, *, openmetrics: bool) -> str:
    """Write a metric.

    Args:
        block: The metric and its numbers.
        openmetrics: Whether the format is OpenMetrics and not Prometheus' own.

    Returns:
        The HELP and TYPE lines and one line for each sample, all ended.
    """
    write = _write_histogram if block.kind == "histogram" else _write_plain
    return "".join((_header(block, openmetrics=openmetrics), *write(block)))


def _header(block: Block, *, openmetrics: bool) -> str:
    text = block.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
        return f"# HELP {block.name} {text}\n# TYPE {block.name} {block.kind}\n"
    # The older format knows no infos, and calls a counter by the name of its samples.
    kind = "gauge" if block.kind == "info" else block.kind
    suffix = SUFFIXES[block.kind][0] if block.kind in {"counter", "info"} else ""
    return f"# HELP {block.name}{suffix} {text}\n# TYPE {block.name}{suffix} {kind}\n"


def _write_plain(block: Block) -> Iterable[str]:
    suffixes = SUFFIXES[block.kind]
    template = "".join(_line(block, suffix, _TEXT) for suffix in suffixes)
    fill = _filler(block, lines=len(suffixes))
    for labels, numbers in _escaped(block.rows):
        yield template % fill(labels, [_number(number) for number in numbers])


def _write_histogram(block: Block) -> Iterable[str]:
    lines = [_line(block, "_bucket", _COUNT, bound) for bound in block.bound_texts()]
    # With negative observations the sum may fall, so that the format leaves out both totals.
    if not block.bounds or block.bounds[0] >= 0:
        lines += _line(block, "_count", _COUNT), _line(block, "_sum", _FLOAT)
    small = "".join(lines)
    any_size = small.replace(_COUNT, _TEXT).replace(_FLOAT, _TEXT)
    fill = _filler(block, lines=len(lines))
    for labels, numbers in _escaped(block.rows):
        count, total = numbers[-2:]
        wanted = numbers[: len(lines)]
        if count < _EXPONENT_FROM and -_EXPONENT_FROM < total < _EXPONENT_FROM:
            yield small % fill(labels, wanted)
        else:
            yield any_size % fill(labels, [go_number(number) for number in wanted])


def _line(block: Block, suffix: str, place: str, bound: str | None = None) -> str:
    """Write the template of a line: a place for each label in alphabetical order, then one more."""
    labels = dict.fromkeys(block.label_names, _TEXT)
    if bound is not None:
        labels[_BOUND] = bound
    text = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return (
        f"{block.name}{suffix}{{{text}}} {place}\n" if text else f"{block.name}{suffix} {place}\n"
    )


def _filler(
    block: Block, *, lines: int
) -> Callable[[tuple[str, ...], Sequence[object]], tuple[object, ...]]:
    """Make a function that puts labels and values in the order of the places in the lines."""
    names = block.label_names
    order = sorted(range(len(names)), key=names.__getitem__)
    in_order = order == list(range(len(names)))
    width = len(names) + 1

    def fill(labels: tuple[str, ...], values: Sequence[object]) -> tuple[object, ...]:
        if not in_order:
            labels = tuple([labels[place] for place in order])
        fields: list[object] = [*labels, None] * lines
        fields[width - 1 :: width] = values
        return tuple(fields)

    return fill


def _escaped(rows: Sequence[Row]) -> Sequence[Row]:
    """Escape the label values; one look at all of them together finds that few blocks need it."""
    text = "".join(chain.from_iterable([labels for labels, _ in rows]))
    if '"' in text or "\\" in text or "\n" in text:
        return [(tuple(map(_escape, labels)), numbers) for labels, numbers in rows]
    return rows


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if -_EXPONENT_FROM < value < _EXPONENT_FROM:
        return repr(float(value))
    return go_number(value)
